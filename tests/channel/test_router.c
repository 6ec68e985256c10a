/* A router, from the inside and from many sides at once; what it does for a program that means well is in
 * behaviour/test_router.c. With its own main, so that ThreadSanitizer sees it too. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <leat/leat.h>

#include "in_child.h"
#include "stranger.h"
#include "support.h"
#include "tally.h"
#include "transport.h"

LEAT_MESSAGE(number, (u32, value));
LEAT_MESSAGE(other, (i32, a), (i32, b));
LEAT_MESSAGE(parcel, (u32, id), (descriptor, file));
LEAT_MESSAGE(question, (u32, value), (sender, number, reply));

static leat_router open_router(void) {
        leat_router router = { 0 };

        check_equal(leat_router_create(&router), 0);
        return router;
}

static void close_router(leat_router *router) {
        check_equal(leat_router_shutdown(*router, leat_after_ms(TALLY_PATIENCE_MS)), 0);
        leat_router_close(router);
        check(router->object == NULL);
}

static void count_number(number *message, void *context) {
        tally_message(context, message->value);
}

static number_sender add_route(leat_router router, struct tally *tally) {
        number_receiver rx;
        number_sender tx;

        check_equal(number_channel(&tx, &rx), 0);
        check_equal(number_route(router, &rx, count_number, tally_end, tally), 0);
        check(!number_receiver_is_set(rx));
        return tx;
}

static void send_number(number_sender tx, uint32_t value) {
        check_equal(number_send(tx, &(number){ value }, leat_after_ms(TALLY_PATIENCE_MS)), 0);
}

static void what_is_not_possible_is_said_and_nothing_is_taken(void) {
        struct tally tally = TALLY_INIT;
        leat_router router = open_router(), none = { 0 };
        number_receiver rx, no_rx = { 0 };
        number_sender tx;
        leat_set set;

        check_equal(number_channel(&tx, &rx), 0);
        check_equal(number_route(none, &rx, count_number, tally_end, &tally), -EBADF);
        check_equal(number_route(router, &no_rx, count_number, tally_end, &tally), -EBADF);
        check_equal(number_route(router, &rx, NULL, tally_end, &tally), -EINVAL);
        check_equal(leat_set_create(&set), 0);
        check_equal(number_set_add(set, rx, 1), 0);
        check_equal(number_route(router, &rx, count_number, tally_end, &tally), -EBUSY);
        leat_set_close(&set);
        check(number_receiver_is_set(rx));
        check_equal(tally_read(&tally, &tally.ends), 0);
        check_equal(leat_router_shutdown(none, LEAT_FOREVER), -EBADF);
        check_equal(leat_router_skipped(none), 0);
        leat_router_close(&none);

        check_equal(number_route(router, &rx, count_number, NULL, &tally),
                    0); /* Nobody wants to hear of its end. */
        send_number(tx, 1);
        check(tally_reaches(&tally, &tally.messages, 1));
        number_sender_close(&tx);
        close_router(&router);
}

static void descriptors_are_two_and_those_of_the_routes(void) {
        struct tally tally = TALLY_INIT;
        int before = count_descriptors();
        leat_router router = open_router();
        number_sender tx;

        check_equal(count_descriptors(), before + 2);
        tx = add_route(router, &tally);
        send_number(tx, 1);
        check(tally_reaches(&tally, &tally.messages, 1));
        check(count_descriptors() >= before + 4);
        check_equal(leat_router_shutdown(router, LEAT_FOREVER), 0);
        number_sender_close(&tx);
        check_equal(settle_descriptors(before), before);
        leat_router_close(&router);
        check_equal(count_descriptors(), before);
}

static void a_message_that_is_no_good_is_skipped_and_counted(void) {
        struct tally tally = TALLY_INIT, healthy = TALLY_INIT;
        leat_router router = open_router();
        number_sender tx = add_route(router, &tally), healthy_tx = add_route(router, &healthy);
        const uint8_t rubbish[3] = { 1, 2, 3 };
        int fd = tx.object->connection->fd;
        struct forgery forgery = forge(other_type(), PACKET_MESSAGE, ENCODING_PLAIN, "12345678", 8);

        check_equal(send_forgery(fd, &forgery), PACKET_HEADER_SIZE + 8); /* Another type's. */
        forgery = forge(number_type(), PACKET_MESSAGE, ENCODING_PLAIN, "12", 2);
        check_equal(send_forgery(fd, &forgery), PACKET_HEADER_SIZE + 2); /* Too short. */
        check_equal(send_raw(fd, rubbish, sizeof(rubbish), NULL, 0, NULL, 0), sizeof(rubbish));
        forgery = forge(number_type(), PACKET_MESSAGE, ENCODING_PLAIN, "1234", 4);
        forgery.start[0]++;
        check_equal(send_forgery(fd, &forgery), PACKET_HEADER_SIZE + 4); /* Another version. */
        while (leat_router_skipped(router) < 4)
                sleep_ms(1);
        send_number(tx, 42);
        check(tally_reaches(&tally, &tally.messages, 1));
        check_equal(tally.sum, 42);
        check_equal(leat_router_skipped(router), 4);
        send_number(healthy_tx, 1);
        check(tally_reaches(&healthy, &healthy.messages, 1));
        check_equal(tally_read(&tally, &tally.ends), 0);
        number_sender_close(&tx);
        number_sender_close(&healthy_tx);
        check(tally_reaches(&tally, &tally.ends, 1));
        check_equal(tally.why, LEAT_DISCONNECTED);
        close_router(&router);
        check_equal(tally.messages, 1);
}

enum { CHAIN = UNDER_TSAN || UNDER_ASAN ? 100 : 1000 };

struct chain {
        struct tally tally;
        leat_router router;
        number_sender tx;
};

/* Each link adds the next, and sends to it, until the number is used up. */
static void add_next(number *message, void *context) {
        struct chain *chain = context;

        number_sender_close(&chain->tx);
        tally_message(&chain->tally, message->value);
        if (message->value > 0) {
                number_receiver rx;

                check_equal(number_channel(&chain->tx, &rx), 0);
                check_equal(number_route(chain->router, &rx, add_next, tally_end, chain), 0);
                send_number(chain->tx, message->value - 1);
        }
}

static void a_handler_adds_routes(void) {
        struct chain chain = { .tally = TALLY_INIT, .router = open_router() };
        number_receiver rx;
        number_sender first;

        check_equal(number_channel(&first, &rx), 0);
        check_equal(number_route(chain.router, &rx, add_next, tally_end, &chain), 0);
        send_number(first, CHAIN);
        number_sender_close(&first);
        check(tally_reaches(&chain.tally, &chain.tally.ends, CHAIN + 1));
        check_equal(chain.tally.messages, CHAIN + 1);
        check_equal(chain.tally.sum, CHAIN * (CHAIN + 1) / 2);
        check_equal(chain.tally.why, LEAT_DISCONNECTED);
        close_router(&chain.router);
}

static void answer(question *message, void *context) {
        number_sender reply = number_sender_take(&message->reply);

        (void) context;
        send_number(reply, message->value + 1);
        number_sender_close(&reply);
}

static void drop_the_question(question *message, void *context) {
        tally_message(context, message->value);
}

static void a_handler_takes_what_it_keeps_and_the_rest_is_closed_when_it_returns(void) {
        struct tally tally = TALLY_INIT;
        leat_router router = open_router();
        number_receiver answers, dropped;
        question_sender tx, silent;
        number_sender reply;
        question_receiver rx;
        number got;

        check_equal(question_channel(&tx, &rx), 0);
        check_equal(question_route(router, &rx, answer, NULL, NULL), 0);
        check_equal(number_channel(&reply, &answers), 0);
        check_equal(question_send(tx, &(question){ 41, number_sender_give(&reply) }, LEAT_FOREVER), 0);
        check_equal(number_recv(answers, &got, leat_after_ms(TALLY_PATIENCE_MS)), 0);
        check_equal(got.value, 42);

        check_equal(question_channel(&silent, &rx), 0);
        check_equal(question_route(router, &rx, drop_the_question, NULL, &tally), 0);
        check_equal(number_channel(&reply, &dropped), 0);
        check_equal(question_send(silent, &(question){ 1, number_sender_give(&reply) }, LEAT_FOREVER), 0);
        check_equal(number_recv(dropped, &got, leat_after_ms(TALLY_PATIENCE_MS)), LEAT_DISCONNECTED);
        number_receiver_close(&answers);
        number_receiver_close(&dropped);
        question_sender_close(&tx);
        question_sender_close(&silent);
        close_router(&router);
}

struct leaver {
        struct tally tally;
        leat_router router;
        bool closes;
        int result;
};

static void leave(number *message, void *context) {
        struct leaver *leaver = context;

        leaver->result = leat_router_shutdown(leaver->router, LEAT_FOREVER);
        if (leaver->closes)
                leat_router_close(&leaver->router);
        tally_message(&leaver->tally, message->value);
}

static void a_handler_shuts_its_router_down_and_may_close_it(void) {
        int before = count_descriptors();

        for (int closes = 0; closes <= 1; closes++) {
                struct leaver leaver = {
                        .tally = TALLY_INIT, .router = open_router(), .closes = closes, .result = 4711
                };
                struct tally other_route = TALLY_INIT;
                number_sender idle = add_route(leaver.router, &other_route), tx;
                number_receiver rx;

                check_equal(number_channel(&tx, &rx), 0);
                check_equal(number_route(leaver.router, &rx, leave, tally_end, &leaver), 0);
                send_number(tx, 1);
                check(tally_reaches(&leaver.tally, &leaver.tally.ends, 1));
                check(tally_reaches(&other_route, &other_route.ends, 1));
                check_equal(leaver.result, 0);
                check_equal(leaver.tally.messages, 1);
                check_equal(leaver.tally.why, -ESHUTDOWN);
                check_equal(other_route.why, -ESHUTDOWN);
                number_sender_close(&idle);
                number_sender_close(&tx);
                if (!closes)
                        close_router(&leaver.router);
                check(leaver.router.object == NULL);
                check_equal(settle_descriptors(before), before);
        }
}

struct gate {
        struct tally tally;
        sem_t is_in, open;
};

static void wait_at_gate(number *message, void *context) {
        struct gate *gate = context;

        sem_post(&gate->is_in);
        while (sem_wait(&gate->open) < 0)
                check_equal(errno, EINTR);
        tally_message(&gate->tally, message->value);
}

/* The router's thread stands in a handler from here on, until open_gate(). */
static number_sender close_gate(leat_router router, struct gate *gate) {
        number_receiver rx;
        number_sender tx;

        check_equal(sem_init(&gate->is_in, 0, 0), 0);
        check_equal(sem_init(&gate->open, 0, 0), 0);
        check_equal(number_channel(&tx, &rx), 0);
        check_equal(number_route(router, &rx, wait_at_gate, tally_end, gate), 0);
        send_number(tx, 1);
        while (sem_wait(&gate->is_in) < 0)
                check_equal(errno, EINTR);
        return tx;
}

static void a_shutdown_waits_for_a_handler_as_long_as_it_was_told_to(void) {
        struct gate gate = { .tally = TALLY_INIT };
        leat_router router = open_router();
        number_sender tx = close_gate(router, &gate);
        int64_t start = clock_ms();

        check_equal(leat_router_shutdown(router, LEAT_NOW), LEAT_TIMEOUT);
        check_equal(leat_router_shutdown(router, leat_after_ms(0)), LEAT_TIMEOUT);
        start = clock_ms();
        check_equal(leat_router_shutdown(router, leat_after_ms(100)), LEAT_TIMEOUT);
        check(clock_ms() - start >= 99);
        check_equal(tally_read(&gate.tally, &gate.tally.ends), 0);
        sem_post(&gate.open);
        check_equal(leat_router_shutdown(router, LEAT_FOREVER), 0);
        check_equal(gate.tally.messages, 1);
        check_equal(gate.tally.ends, 1);
        check_equal(gate.tally.why, -ESHUTDOWN);
        leat_router_close(&router);
        number_sender_close(&tx);
}

static void a_router_closed_while_a_handler_runs_ends_after_it(void) {
        int before = count_descriptors();
        struct gate gate = { .tally = TALLY_INIT };
        leat_router router = open_router();
        number_sender tx = close_gate(router, &gate);

        leat_router_close(&router); /* Does not wait. */
        check_equal(tally_read(&gate.tally, &gate.tally.ends), 0);
        sem_post(&gate.open);
        check(tally_reaches(&gate.tally, &gate.tally.ends, 1));
        check_equal(gate.tally.why, -ESHUTDOWN);
        number_sender_close(&tx);
        check_equal(settle_descriptors(before), before);
}

enum { ADDERS = 4, ADDED_EACH = UNDER_TSAN ? 100 : 500 };

struct adder {
        pthread_t thread;
        leat_router router;
        struct tally *tally;
};

static void *add_routes(void *data) {
        struct adder *adder = data;

        for (int i = 0; i < ADDED_EACH; i++) {
                number_sender tx = add_route(adder->router, adder->tally);

                number_sender_close(&tx);
        }
        return NULL;
}

static void each_route_ends_once_whoever_shuts_down_meanwhile(void) {
        int before = count_descriptors();
        struct tally tally = TALLY_INIT;
        struct adder adders[ADDERS];
        leat_router router = open_router();

        for (int i = 0; i < ADDERS; i++) {
                adders[i] = (struct adder){ .router = router, .tally = &tally };
                check_equal(pthread_create(&adders[i].thread, NULL, add_routes, &adders[i]), 0);
        }
        check(tally_reaches(&tally, &tally.ends, ADDERS * ADDED_EACH / 4));
        check_equal(leat_router_shutdown(router, LEAT_FOREVER), 0);
        for (int i = 0; i < ADDERS; i++)
                check_equal(pthread_join(adders[i].thread, NULL), 0);
        check_equal(tally.ends, ADDERS * ADDED_EACH);
        leat_router_close(&router);
        check_equal(settle_descriptors(before), before);
}

struct flood {
        struct tally *flooding;
        uint64_t handled_before; /* Of the flood, when the single message's turn came. */
        struct tally tally;
};

static void note_the_flood(number *message, void *context) {
        struct flood *flood = context;

        flood->handled_before = tally_read(flood->flooding, &flood->flooding->messages);
        tally_message(&flood->tally, message->value);
}

/* The routes take turns: a few of the flood's messages come before the one of another route, however many of
 * them have waited longer. */
static void a_route_that_floods_starves_no_other(void) {
        enum { WAITING = 200, BEFORE_THE_SINGLE_ONE = 20 };
        struct tally flooding = TALLY_INIT;
        struct flood flood = { .flooding = &flooding, .tally = TALLY_INIT };
        struct gate gate = { .tally = TALLY_INIT };
        leat_router router = open_router();
        number_sender flood_tx = add_route(router, &flooding), gate_tx = close_gate(router, &gate), tx;
        number_receiver rx;

        check_equal(number_channel(&tx, &rx), 0);
        check_equal(number_route(router, &rx, note_the_flood, NULL, &flood), 0);
        for (uint32_t i = 0; i < WAITING; i++)
                send_number(flood_tx, 1);
        send_number(tx, 1);
        sem_post(&gate.open);
        check(tally_reaches(&flood.tally, &flood.tally.messages, 1));
        check(flood.handled_before <= BEFORE_THE_SINGLE_ONE);
        check(tally_reaches(&flooding, &flooding.messages, WAITING));
        number_sender_close(&flood_tx);
        number_sender_close(&gate_tx);
        number_sender_close(&tx);
        close_router(&router);
}

static double cpu_seconds(void) {
        struct timespec now;

        check_equal(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now), 0);
        return (double) now.tv_sec + 1e-9 * (double) now.tv_nsec;
}

/* What it takes of this process's time to add so many routes, which end again. The least of a few times. */
static double cost_of_adding(leat_router router, size_t n) {
        const struct leat_channel_options options = on_its_socket();
        number_sender *tx = calloc(n, sizeof(*tx));
        double least = 1e9;

        check(tx != NULL);
        for (int attempt = 0; attempt < 5; attempt++) {
                struct tally tally = TALLY_INIT;
                double start = cpu_seconds(), cost;

                for (size_t i = 0; i < n; i++) {
                        number_receiver rx;

                        check_equal(number_channel_with(&options, &tx[i], &rx), 0);
                        check_equal(number_route(router, &rx, count_number, tally_end, &tally), 0);
                }
                for (size_t i = 0; i < n; i++)
                        number_sender_close(&tx[i]);
                check(tally_reaches(&tally, &tally.ends, n));
                cost = cpu_seconds() - start;
                least = cost < least ? cost : least;
        }
        free(tx);
        return least;
}

/* As many as the system lets this process have, up to 10000. */
static size_t allow_descriptors(size_t n_routes) {
        struct rlimit limit;

        check_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
        limit.rlim_cur = limit.rlim_max;
        check_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
        if (limit.rlim_cur / 2 < n_routes + 700)
                return (size_t) limit.rlim_cur / 2 - 700;
        return n_routes;
}

static void adding_costs_the_same_however_many_routes_there_are(void) {
        const struct leat_channel_options options = on_its_socket();
        size_t n = allow_descriptors(UNDER_TSAN ? 1000 : 10000);
        leat_router router = open_router();
        struct tally tally = TALLY_INIT;
        double alone = cost_of_adding(router, 500), beside_many;
        number_sender *tx = calloc(n, sizeof(*tx));

        check(tx != NULL);
        for (size_t i = 0; i < n; i++) {
                number_receiver rx;

                check_equal(number_channel_with(&options, &tx[i], &rx), 0);
                check_equal(number_route(router, &rx, count_number, tally_end, &tally), 0);
        }
        beside_many = cost_of_adding(router, 500);
        fprintf(stderr, "500 routes, alone: %.4f s; beside %zu: %.4f s\n", alone, n, beside_many);
        check(beside_many < 3 * alone + 0.005);
        for (size_t i = 0; i < n; i++)
                send_number(tx[i], 1);
        check(tally_reaches(&tally, &tally.messages, n));
        check_equal(tally_read(&tally, &tally.ends), 0);
        for (size_t i = 0; i < n; i++)
                number_sender_close(&tx[i]);
        check(tally_reaches(&tally, &tally.ends, n));
        free(tx);
        close_router(&router);
}

static void count_parcel(parcel *message, void *context) {
        tally_message(context, message->id);
}

/* Takes all descriptors that the process may have. */
static size_t use_up_descriptors(int *fds, size_t n) {
        size_t i = 0;

        while (i < n && (fds[i] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
                i++;
        check(i < n && errno == EMFILE);
        return i;
}

static void without_descriptors_a_route_rests_and_the_others_go_on(void) {
        struct rlimit limit, low;
        struct tally parcels = TALLY_INIT, numbers = TALLY_INIT;
        leat_router router = open_router();
        number_sender number_tx = add_route(router, &numbers);
        parcel_receiver rx;
        parcel_sender tx;
        int fds[256];
        size_t n;

        check_equal(parcel_channel(&tx, &rx), 0);
        check_equal(parcel_route(router, &rx, count_parcel, tally_end, &parcels), 0);
        check_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
        low = limit;
        low.rlim_cur = 100;
        check_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
        n = use_up_descriptors(fds, sizeof(fds) / sizeof(fds[0]));
        for (uint32_t i = 0; i < 5; i++)
                check_equal(parcel_send(tx, &(parcel){ 1, leat_descriptor_lend(0) }, LEAT_FOREVER), 0);
        for (uint32_t i = 0; i < 100; i++) {
                send_number(number_tx, 1);
                check(tally_reaches(&numbers, &numbers.messages, i + 1));
        }
        check_equal(tally_read(&parcels, &parcels.messages), 0);
        for (size_t i = 0; i < n; i++)
                close(fds[i]);
        /* The first may be lost (then it is counted), no other. */
        check(tally_reaches(&parcels, &parcels.messages, 4));
        parcel_sender_close(&tx);
        check(tally_reaches(&parcels, &parcels.ends, 1));
        check_equal(parcels.messages + leat_router_skipped(router), 5);
        check_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
        number_sender_close(&number_tx);
        close_router(&router);
}

static void *close_in_thread(void *router) {
        leat_router_close(router);
        return NULL;
}

static void a_child_has_no_router_but_one_of_its_own(leat_router router) {
        struct tally tally = TALLY_INIT;
        leat_router own = { 0 };
        number_receiver rx;
        number_sender tx;

        check_equal(number_channel(&tx, &rx), 0);
        check_equal(number_route(router, &rx, count_number, tally_end, &tally), -ESRCH);
        check(number_receiver_is_set(rx));
        check_equal(leat_router_shutdown(router, LEAT_FOREVER), -ESRCH);
        if (!UNDER_TSAN) {
                check_equal(leat_router_default(&own), 0);
                check_equal(number_route(own, &rx, count_number, tally_end, &tally), 0);
                send_number(tx, 5);
                check(tally_reaches(&tally, &tally.messages, 1));
                check_equal(leat_router_shutdown(own, LEAT_FOREVER), 0);
        }
        leat_router_close(&router);
        number_sender_close(&tx);
        number_receiver_close(&rx);
}

static void routes_are_the_parents_alone(void) {
        struct tally tally = TALLY_INIT, of_default = TALLY_INIT;
        leat_router router = open_router(), own;
        number_sender tx = add_route(router, &tally), own_tx;
        char byte;
        int hold[2], ready[2];
        pid_t child;

        check_equal(leat_router_default(&own), 0);
        own_tx = add_route(own, &of_default);
        send_number(tx, 1);
        check(tally_reaches(&tally, &tally.messages, 1));
        check_equal(pipe2(hold, O_CLOEXEC), 0);
        check_equal(pipe2(ready, O_CLOEXEC), 0);
        child = fork();
        check(child >= 0);
        if (child == 0) {
                watchdog(WATCHDOG_SECONDS);
                close(hold[1]);
                a_child_has_no_router_but_one_of_its_own(router);
                check_equal(write(ready[1], "r", 1), 1);
                check_equal(read(hold[0], &byte, 1), 0);
                leave_child(0);
        }
        close(hold[0]);
        close(ready[1]);
        check_equal(read(ready[0], &byte, 1), 1);
        close(ready[0]);
        send_number(tx, 1);
        check(tally_reaches(&tally, &tally.messages, 2));
        send_number(own_tx, 1);
        check(tally_reaches(&of_default, &of_default.messages, 1));
        close_router(&router);
        /* The child still lives, and has no receiver of it. */
        check_equal(number_send(tx, &(number){ 1 }, LEAT_FOREVER), LEAT_DISCONNECTED);
        close(hold[1]);
        check_equal(wait_for_exit(child), 0);
        number_sender_close(&tx);
        number_sender_close(&own_tx);
        check(tally_reaches(&of_default, &of_default.ends, 1));
}

/* Gives the receiver to a router, forks a child that holds on, and waits to be killed. */
static void route_and_wait(number_receiver rx, int ready) {
        struct tally tally = TALLY_INIT;
        leat_router router = open_router();
        pid_t child;

        check_equal(number_route(router, &rx, count_number, tally_end, &tally), 0);
        check(tally_reaches(&tally, &tally.messages, 1));
        child = fork();
        check(child >= 0);
        if (child == 0) {
                watchdog(WATCHDOG_SECONDS);
                check_equal(write(ready, &(pid_t){ getpid() }, sizeof(pid_t)), sizeof(pid_t));
        }
        for (;;)
                pause();
}

static void senders_hear_of_a_death_though_a_child_lives_on(void) {
        number_receiver rx;
        number_sender tx;
        pid_t parent, child;
        int ready[2], r;

        if (UNDER_TSAN) /* It lets no thread start in a child. */
                return;
        check_equal(number_channel(&tx, &rx), 0);
        check_equal(pipe2(ready, O_CLOEXEC), 0);
        parent = fork();
        check(parent >= 0);
        if (parent == 0) {
                watchdog(WATCHDOG_SECONDS);
                number_sender_close(&tx);
                route_and_wait(rx, ready[1]);
        }
        number_receiver_close(&rx);
        send_number(tx, 1);
        check_equal(read(ready[0], &child, sizeof(child)), sizeof(child));
        check_equal(kill(parent, SIGKILL), 0);
        check_equal(wait_for_exit(parent), 128 + SIGKILL);
        while ((r = number_send(tx, &(number){ 1 }, leat_after_ms(TALLY_PATIENCE_MS))) == 0)
                ;
        check_equal(r, LEAT_DISCONNECTED);
        check_equal(kill(child, SIGKILL), 0);
        number_sender_close(&tx);
        close(ready[0]);
        close(ready[1]);
}

struct forker {
        struct tally tally;
        pid_t child;
};

/* The process ends as if its main thread had returned, and runs what was to run then. */
static void end_of_child(void) {
        _exit(7); /* The main thread's stack is nobody's here, so what only it leads to would be taken for a
                   * leak. */
}

static void fork_and_return(number *message, void *context) {
        struct forker *forker = context;
        pid_t child = fork();

        if (child == 0) {
                watchdog(WATCHDOG_SECONDS);
                check_equal(atexit(end_of_child), 0);
                return;
        }
        forker->child = child;
        tally_message(&forker->tally, message->value);
}

/* In the child its thread is the only one, so the process ends with it; there is no second end, and no second
 * reader. */
static void a_handler_forks(void) {
        struct forker forker = { .tally = TALLY_INIT };
        leat_router router = open_router();
        number_receiver rx;
        number_sender tx;

        check_equal(number_channel(&tx, &rx), 0);
        check_equal(number_route(router, &rx, fork_and_return, tally_end, &forker), 0);
        send_number(tx, 1);
        check(tally_reaches(&forker.tally, &forker.tally.messages, 1));
        check(forker.child > 0);
        check_equal(wait_for_exit(forker.child), 7);
        number_sender_close(&tx);
        check(tally_reaches(&forker.tally, &forker.tally.ends, 1));
        check_equal(forker.tally.why, LEAT_DISCONNECTED);
        close_router(&router);
}

static void look_at_thread(number *message, void *context) {
        sigset_t blocked;
        char name[16] = "";

        check_equal(pthread_sigmask(SIG_SETMASK, NULL, &blocked), 0);
        check_equal(pthread_getname_np(pthread_self(), name, sizeof(name)), 0);
        check(sigismember(&blocked, SIGTERM) == 1 && sigismember(&blocked, SIGCHLD) == 1);
        check(strcmp(name, "leat-router") == 0);
        tally_message(context, message->value);
}

static void its_thread_has_a_name_and_takes_no_signals(void) {
        struct tally tally = TALLY_INIT;
        leat_router router = open_router();
        number_receiver rx;
        number_sender tx;

        check_equal(number_channel(&tx, &rx), 0);
        check_equal(number_route(router, &rx, look_at_thread, tally_end, &tally), 0);
        send_number(tx, 1);
        check(tally_reaches(&tally, &tally.messages, 1));
        number_sender_close(&tx);
        close_router(&router);
}

static void it_may_be_closed_by_any_thread(void) {
        int before = count_descriptors();

        for (int i = 0; i < 20; i++) {
                struct tally tally = TALLY_INIT;
                leat_router router = open_router();
                number_sender tx = add_route(router, &tally);
                pthread_t thread;

                check_equal(pthread_create(&thread, NULL, close_in_thread, &router), 0);
                check(tally_reaches(&tally, &tally.ends, 1));
                check_equal(tally.why, -ESHUTDOWN);
                check_equal(pthread_join(thread, NULL), 0);
                number_sender_close(&tx);
        }
        check_equal(settle_descriptors(before), before);
}

int main(void) {
        watchdog(150);
        what_is_not_possible_is_said_and_nothing_is_taken();
        descriptors_are_two_and_those_of_the_routes();
        a_message_that_is_no_good_is_skipped_and_counted();
        a_handler_adds_routes();
        a_handler_takes_what_it_keeps_and_the_rest_is_closed_when_it_returns();
        a_handler_shuts_its_router_down_and_may_close_it();
        a_shutdown_waits_for_a_handler_as_long_as_it_was_told_to();
        a_router_closed_while_a_handler_runs_ends_after_it();
        each_route_ends_once_whoever_shuts_down_meanwhile();
        a_route_that_floods_starves_no_other();
        its_thread_has_a_name_and_takes_no_signals();
        it_may_be_closed_by_any_thread();
        if (!is_left_out("without_descriptors_a_route_rests_and_the_others_go_on"))
                without_descriptors_a_route_rests_and_the_others_go_on();
        adding_costs_the_same_however_many_routes_there_are();
        routes_are_the_parents_alone();
        a_handler_forks();
        senders_hear_of_a_death_though_a_child_lives_on();
        return 0;
}
