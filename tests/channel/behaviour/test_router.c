/* Routers, as ipc-channel's tests have them. */
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <leat/leat.h>

#include "in_child.h"
#include "pattern.h"
#include "support.h"
#include "tally.h"
#include "transport.h"

LEAT_MESSAGE(number, (u32, value));
LEAT_MESSAGE(text, (string, words));
LEAT_MESSAGE(blob, (bytes, data));

#define LARGE ((size_t) 1 << 20)

enum { THREADS = 10, ROUTES_EACH = 5, NUMBERS_EACH = 200 };

static int before;
static leat_router router;

static void start(void) {
        before = count_descriptors();
        cr_assert_eq(leat_router_create(&router), 0);
}

static void finish(void) {
        cr_assert_eq(leat_router_shutdown(router, LEAT_FOREVER), 0);
        leat_router_close(&router);
        cr_assert_null(router.object);
        cr_assert_eq(settle_descriptors(before), before, "a descriptor leaked");
}

TestSuite(router, .init = start, .fini = finish);

static void count_number(number *message, void *context) {
        tally_message(context, message->value);
}

static void count_text(text *message, void *context) {
        tally_message(context, strlen(message->words));
}

Test(router, routes_are_typed_and_one_router_has_many) {
        struct tally numbers = TALLY_INIT, texts = TALLY_INIT;
        number_receiver number_rx;
        text_receiver text_rx;
        number_sender number_tx;
        text_sender text_tx;

        cr_assert_eq(number_channel(&number_tx, &number_rx), 0);
        cr_assert_eq(text_channel(&text_tx, &text_rx), 0);
        cr_assert_eq(number_route(router, &number_rx, count_number, tally_end, &numbers), 0);
        cr_assert_eq(text_route(router, &text_rx, count_text, tally_end, &texts), 0);
        cr_assert_null(number_rx.object, "it is the router's");
        cr_assert_eq(number_send(number_tx, &(number){ 42 }, LEAT_FOREVER), 0);
        cr_assert_eq(text_send(text_tx, &(text){ "seven..." }, LEAT_FOREVER), 0);
        cr_assert(tally_reaches(&numbers, &numbers.messages, 1));
        cr_assert(tally_reaches(&texts, &texts.messages, 1));
        cr_assert_eq(numbers.sum, 42);
        cr_assert_eq(texts.sum, 8);
        number_sender_close(&number_tx);
        text_sender_close(&text_tx);
        cr_assert(tally_reaches(&numbers, &numbers.ends, 1));
        cr_assert(tally_reaches(&texts, &texts.ends, 1));
        cr_assert_eq(tally_why(&numbers), LEAT_DISCONNECTED);
        cr_assert_eq(tally_why(&texts), LEAT_DISCONNECTED);
}

Test(router, the_process_has_one_of_its_own) {
        struct tally tally = TALLY_INIT;
        leat_router own = { 0 }, same = { 0 };
        number_receiver rx;
        number_sender tx;

        cr_assert_eq(leat_router_default(&own), 0);
        cr_assert_eq(leat_router_default(&same), 0);
        cr_assert_eq(own.object, same.object);
        cr_assert_neq(own.object, router.object);
        leat_router_close(&same);
        cr_assert_null(same.object);
        cr_assert_eq(number_channel(&tx, &rx), 0);
        cr_assert_eq(number_route(own, &rx, count_number, tally_end, &tally), 0);
        cr_assert_eq(number_send(tx, &(number){ 7 }, LEAT_FOREVER), 0);
        number_sender_close(&tx);
        cr_assert(tally_reaches(&tally, &tally.ends, 1));
        cr_assert_eq(tally.sum, 7);
        cr_assert_eq(leat_router_shutdown(own, LEAT_FOREVER), 0);
}

struct worker {
        pthread_t thread;
        struct tally *tally;
        number_sender tx[ROUTES_EACH];
        number_receiver rx[ROUTES_EACH];
};

/* Adds its routes while others add theirs and messages come, and sends by all of them. */
static void *add_and_send(void *data) {
        struct worker *worker = data;

        for (size_t i = 0; i < ROUTES_EACH; i++) {
                check_equal(number_channel(&worker->tx[i], &worker->rx[i]), 0);
                check_equal(number_route(router, &worker->rx[i], count_number, tally_end, worker->tally), 0);
        }
        for (uint32_t n = 1; n <= NUMBERS_EACH; n++)
                for (size_t i = 0; i < ROUTES_EACH; i++)
                        check_equal(number_send(worker->tx[i], &(number){ n }, LEAT_FOREVER), 0);
        for (size_t i = 0; i < ROUTES_EACH; i++)
                number_sender_close(&worker->tx[i]);
        return NULL;
}

Test(router, many_threads_add_routes_to_one) {
        const uint64_t routes = THREADS * ROUTES_EACH;
        struct worker workers[THREADS] = { 0 };
        struct tally tally = TALLY_INIT;

        for (size_t i = 0; i < THREADS; i++) {
                workers[i].tally = &tally;
                cr_assert_eq(pthread_create(&workers[i].thread, NULL, add_and_send, &workers[i]), 0);
        }
        for (size_t i = 0; i < THREADS; i++)
                pthread_join(workers[i].thread, NULL);
        cr_assert(tally_reaches(&tally, &tally.ends, routes));
        cr_assert_eq(tally.messages, routes * NUMBERS_EACH);
        cr_assert_eq(tally.sum, routes * NUMBERS_EACH * (NUMBERS_EACH + 1) / 2);
        cr_assert_eq(tally.why, LEAT_DISCONNECTED);
}

/* A route whose handler sends on into a channel of the thread that waits there. */
static void pass_on(number *message, void *context) {
        check_equal(number_send(*(number_sender *) context, message, LEAT_FOREVER), 0);
}

static void close_target(void *context, int why) {
        check_equal(why, LEAT_DISCONNECTED);
        number_sender_close(context);
}

struct listener {
        pthread_t thread;
        number_sender tx, target;
        number_receiver queue;
        uint64_t sum;
};

static void *listen_to_queue(void *data) {
        struct listener *listener = data;
        number got;
        int r;

        while ((r = number_recv(listener->queue, &got, leat_after_ms(25000))) == 0)
                listener->sum += got.value;
        check_equal(r, LEAT_DISCONNECTED);
        number_receiver_close(&listener->queue);
        return NULL;
}

Test(router, one_router_serves_many_threads) {
        struct listener listeners[THREADS] = { 0 };
        number_receiver rx;

        for (size_t i = 0; i < THREADS; i++) {
                struct listener *it = &listeners[i];

                cr_assert_eq(number_channel(&it->target, &it->queue), 0);
                cr_assert_eq(number_channel(&it->tx, &rx), 0);
                cr_assert_eq(number_route(router, &rx, pass_on, close_target, &it->target), 0);
                cr_assert_eq(pthread_create(&it->thread, NULL, listen_to_queue, it), 0);
        }
        for (uint32_t n = 0; n < NUMBERS_EACH; n++)
                for (size_t i = 0; i < THREADS; i++)
                        cr_assert_eq(
                                number_send(listeners[i].tx, &(number){ n + (uint32_t) i }, LEAT_FOREVER), 0);
        for (size_t i = 0; i < THREADS; i++)
                number_sender_close(&listeners[i].tx);
        for (size_t i = 0; i < THREADS; i++) {
                pthread_join(listeners[i].thread, NULL);
                cr_assert_eq(listeners[i].sum, NUMBERS_EACH * (NUMBERS_EACH - 1) / 2 + NUMBERS_EACH * i);
        }
}

Test(router, a_one_shot_handler_runs_once_and_later_sends_still_succeed) {
        struct tally once = TALLY_INIT, other = TALLY_INIT;
        number_receiver rx;
        number_sender tx, other_tx;

        cr_assert_eq(number_channel(&tx, &rx), 0);
        cr_assert_eq(number_route_once(router, &rx, count_number, tally_end, &once), 0);
        cr_assert_eq(number_send(tx, &(number){ 3 }, LEAT_FOREVER), 0);
        cr_assert(tally_reaches(&once, &once.ends, 1));
        cr_assert_eq(tally_why(&once), 0);
        for (uint32_t i = 0; i < 3000; i++)
                cr_assert_eq(number_send(tx, &(number){ 4 }, LEAT_FOREVER), 0);
        number_sender_close(&tx);

        /* What comes by another route is handled after all of this. */
        cr_assert_eq(number_channel(&other_tx, &rx), 0);
        cr_assert_eq(number_route_once(router, &rx, count_number, tally_end, &other), 0);
        number_sender_close(&other_tx);
        cr_assert(tally_reaches(&other, &other.ends, 1));
        cr_assert_eq(tally_why(&other), LEAT_DISCONNECTED, "it never ran");
        cr_assert_eq(tally_read(&other, &other.messages), 0);
        cr_assert_eq(leat_router_shutdown(router, LEAT_FOREVER), 0);
        cr_assert_eq(once.messages, 1);
        cr_assert_eq(once.sum, 3);
        cr_assert_eq(once.ends, 1);
}

struct comparison {
        struct tally tally;
        const unsigned char *expected;
};

static void compare_blob(blob *message, void *context) {
        struct comparison *comparison = context;

        check(message->data.size == LARGE && memcmp(message->data.data, comparison->expected, LARGE) == 0);
        tally_message(&comparison->tally, 1);
}

Test(router, big_data) {
        unsigned char *data = make_pattern(LARGE);
        struct comparison comparison = { .tally = TALLY_INIT, .expected = data };
        blob_receiver rx;
        blob_sender tx;

        cr_assert_eq(blob_channel(&tx, &rx), 0);
        cr_assert_eq(blob_route(router, &rx, compare_blob, NULL, &comparison), 0);
        for (int i = 0; i < 5; i++)
                cr_assert_eq(blob_send(tx, &(blob){ { data, LARGE } }, LEAT_FOREVER), 0);
        blob_sender_close(&tx);
        cr_assert(tally_reaches(&comparison.tally, &comparison.tally.messages, 5));
        cr_assert_eq(leat_router_shutdown(router, LEAT_FOREVER), 0);
        free(data);
}

/* A channel both of whose ends are in one process is the queue. */
Test(router, a_receiver_is_forwarded_into_a_queue) {
        number_receiver rx, queue;
        number_sender tx, target;
        number got;

        cr_assert_eq(number_channel(&tx, &rx), 0);
        cr_assert_eq(number_channel(&target, &queue), 0);
        cr_assert_eq(number_route_to(router, &rx, &target, NULL, NULL), 0);
        for (uint32_t i = 0; i < NUMBERS_EACH; i++)
                cr_assert_eq(number_send(tx, &(number){ i }, LEAT_FOREVER), 0);
        number_sender_close(&tx);
        for (uint32_t i = 0; i < NUMBERS_EACH; i++) {
                cr_assert_eq(number_recv(queue, &got, leat_after_ms(TALLY_PATIENCE_MS)), 0);
                cr_assert_eq(got.value, i);
        }
        cr_assert_eq(number_recv(queue, &got, leat_after_ms(TALLY_PATIENCE_MS)), LEAT_DISCONNECTED);
        number_receiver_close(&queue);
}

Test(router, a_callback_is_dropped_with_the_last_clone) {
        struct tally tally = TALLY_INIT;
        number_sender tx, clone;
        number_receiver rx;

        cr_assert_eq(number_channel(&tx, &rx), 0);
        cr_assert_eq(number_sender_clone(tx, &clone), 0);
        cr_assert_eq(number_route(router, &rx, count_number, tally_end, &tally), 0);
        number_sender_close(&tx);
        cr_assert_eq(number_send(clone, &(number){ 5 }, LEAT_FOREVER), 0);
        cr_assert(tally_reaches(&tally, &tally.messages, 1));
        cr_assert_eq(tally_read(&tally, &tally.ends), 0, "a clone is left");
        number_sender_close(&clone);
        cr_assert(tally_reaches(&tally, &tally.ends, 1));
        cr_assert_eq(tally_why(&tally), LEAT_DISCONNECTED);
}

Test(router, a_shutdown_is_acknowledged_twice_is_harmless_and_a_route_added_afterwards_is_dropped) {
        struct tally early = TALLY_INIT, late = TALLY_INIT;
        number_sender early_tx, late_tx;
        number_receiver rx;

        cr_assert_eq(number_channel(&early_tx, &rx), 0);
        cr_assert_eq(number_route(router, &rx, count_number, tally_end, &early), 0);
        cr_assert_eq(leat_router_shutdown(router, LEAT_FOREVER), 0);
        cr_assert_eq(early.ends, 1);
        cr_assert_eq(early.why, -ESHUTDOWN);
        cr_assert_eq(leat_router_shutdown(router, LEAT_FOREVER), 0);
        cr_assert_eq(leat_router_shutdown(router, LEAT_NOW), 0);
        cr_assert_eq(number_send(early_tx, &(number){ 1 }, LEAT_FOREVER), LEAT_DISCONNECTED);

        cr_assert_eq(number_channel(&late_tx, &rx), 0);
        cr_assert_eq(number_route(router, &rx, count_number, tally_end, &late), 0);
        cr_assert_null(rx.object);
        cr_assert_eq(late.ends, 1, "at once");
        cr_assert_eq(late.why, -ESHUTDOWN);
        cr_assert_eq(number_send(late_tx, &(number){ 1 }, LEAT_FOREVER), LEAT_DISCONNECTED);
        cr_assert_eq(early.messages + late.messages, 0);
        cr_assert_eq(early.ends + late.ends, 2);
        number_sender_close(&early_tx);
        number_sender_close(&late_tx);
}

/* So many stand side by side. */
enum { ALIVE = 50 };

/* A sample, if nobody asks for another number: the battery "routes" asks for a million. */
static uint64_t routes_wanted(void) {
        const char *wanted = getenv("LEAT_ROUTES");
        uint64_t routes = UNDER_ASAN ? 10000 : 100000;

        if (wanted)
                routes = strtoull(wanted, NULL, 10);
        cr_assert_geq(routes, 1000);
        cr_assert_eq(routes % 1000, 0, "they are made in lots of %d", ALIVE);
        return routes;
}

static void add_and_close(uint64_t routes, const struct leat_channel_options *options) {
        struct tally tally = TALLY_INIT;
        number_sender tx[ALIVE];
        number_receiver rx;

        fprintf(stderr, "routes %llu\n", (unsigned long long) routes);
        for (uint64_t n = 0; n < routes; n += ALIVE) {
                for (size_t i = 0; i < ALIVE; i++) {
                        cr_assert_eq(number_channel_with(options, &tx[i], &rx), 0);
                        cr_assert_eq(number_route(router, &rx, count_number, tally_end, &tally), 0);
                }
                cr_assert_eq(number_send(tx[n / ALIVE % ALIVE], &(number){ 1 }, LEAT_FOREVER), 0);
                for (size_t i = 0; i < ALIVE; i++)
                        number_sender_close(&tx[i]);
                /* What is closed is noticed later; without a bound there would be no descriptors at last. */
                if (n > 8 * ALIVE)
                        cr_assert(tally_reaches(&tally, &tally.ends, n - 8 * ALIVE));
        }
        cr_assert(tally_reaches(&tally, &tally.ends, routes));
        cr_assert_eq(tally.ends, routes);
        cr_assert_eq(tally.messages, routes / ALIVE);
}

Test(router, many_routes_added_and_closed) {
        const struct leat_channel_options small = { .lanes = LEAT_LANES_ALWAYS, .capacity = 2048 },
                                          on_socket = on_its_socket();
        uint64_t routes = routes_wanted();

        watchdog((unsigned) (60 + routes / 1000));
        /* A lane costs more than all the rest. */
        if (lanes_from_the_start())
                add_and_close(routes / 10, &small);
        else if (lanes_never())
                add_and_close(routes, &on_socket);
        else
                add_and_close(routes / 2, &on_socket);
}
