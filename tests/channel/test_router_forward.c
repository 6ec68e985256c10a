/* Routes that lead into another channel: what goes through them, and what they do when it does not. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <leat/leat.h>

#include "pattern.h"
#include "stranger.h"
#include "support.h"
#include "tally.h"
#include "transport.h"

LEAT_MESSAGE(number, (u64, value));
LEAT_MESSAGE(other, (i32, a), (i32, b), (i32, c));
LEAT_MESSAGE(parcel, (u32, id), (bytes, data), (sender, number, back), (receiver, number, more),
             (descriptor, file));

#define LARGE ((size_t) 1 << 20)

static leat_router router;

static leat_deadline soon(void) {
        return leat_after_ms(TALLY_PATIENCE_MS);
}

static void send_number(number_sender tx, uint64_t value) {
        check_equal(number_send(tx, &(number){ value }, soon()), 0);
}

static void expect_number(number_receiver rx, uint64_t value) {
        number got;

        check_equal(number_recv(rx, &got, soon()), 0);
        check_equal(got.value, value);
}

/* A channel that is led into another one. */
struct pipe {
        number_sender tx;
        number_receiver rx;
};

static struct pipe open_pipe(const struct leat_channel_options *options) {
        struct pipe pipe;
        number_receiver source;
        number_sender target;

        check_equal(number_channel_with(options, &pipe.tx, &source), 0);
        check_equal(number_channel_with(options, &target, &pipe.rx), 0);
        check_equal(number_route_to(router, &source, &target, NULL, NULL), 0);
        check(!number_receiver_is_set(source) && !number_sender_is_set(target));
        return pipe;
}

static void everything_arrives_in_its_order_and_then_the_end(void) {
        struct pipe pipe = open_pipe(NULL);
        number got;

        for (uint64_t i = 0; i < 100; i++)
                send_number(pipe.tx, i);
        number_sender_close(&pipe.tx);
        for (uint64_t i = 0; i < 100; i++)
                expect_number(pipe.rx, i);
        check_equal(number_recv(pipe.rx, &got, soon()), LEAT_DISCONNECTED);
        number_receiver_close(&pipe.rx);
}

/* Nobody there knows what they carry. */
static void opaque_ends_are_led_together(void) {
        number_receiver source, rx;
        other_sender other_tx;
        other_receiver other_rx;
        number_sender tx, target;
        leat_opaque_receiver from;
        leat_opaque_sender to, wrong;

        check_equal(number_channel(&tx, &source), 0);
        check_equal(number_channel(&target, &rx), 0);
        check_equal(other_channel(&other_tx, &other_rx), 0);
        from = number_receiver_to_opaque(&source);
        to = number_sender_to_opaque(&target);
        wrong = other_sender_to_opaque(&other_tx);
        check_equal(leat_opaque_route_to(router, &from, &wrong, NULL, NULL), LEAT_TYPE_MISMATCH);
        check(leat_opaque_receiver_is_set(from) && leat_opaque_sender_is_set(wrong));
        check_equal(leat_opaque_route_to(router, &from, &to, NULL, NULL), 0);
        for (uint64_t i = 0; i < 100; i++)
                send_number(tx, i);
        for (uint64_t i = 0; i < 100; i++)
                expect_number(rx, i);
        number_sender_close(&tx);
        number_receiver_close(&rx);
        leat_opaque_sender_close(&wrong);
        other_receiver_close(&other_rx);
}

static void handles_go_along(void) {
        unsigned char *data = make_pattern(LARGE);
        int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
        parcel_receiver source, rx;
        number_receiver answers, more;
        number_sender back, more_tx;
        parcel_sender tx, target;
        parcel got;

        check_equal(parcel_channel(&tx, &source), 0);
        check_equal(parcel_channel(&target, &rx), 0);
        check_equal(number_channel(&back, &answers), 0);
        check_equal(number_channel(&more_tx, &more), 0);
        send_number(more_tx, 5);
        check_equal(parcel_route_to(router, &source, &target, NULL, NULL), 0);
        check_equal(parcel_send(tx,
                                &(parcel){ .id = 7,
                                           .data = { data, LARGE },
                                           .back = number_sender_give(&back),
                                           .more = number_receiver_give(&more),
                                           .file = leat_descriptor_give(&null) },
                                soon()),
                    0);
        check_equal(parcel_recv(rx, &got, soon()), 0);
        check_equal(got.id, 7);
        check(got.data.size == LARGE && memcmp(got.data.data, data, LARGE) == 0);
        check(fcntl(leat_descriptor_number(got.file), F_GETFD) >= 0);
        send_number(got.back, 6);
        expect_number(answers, 6);
        expect_number(got.more, 5);
        send_number(more_tx, 8);
        expect_number(got.more, 8);
        parcel_sender_close(&tx);
        check_equal(parcel_recv(rx, &got, soon()), LEAT_DISCONNECTED);
        parcel_receiver_close(&rx);
        number_receiver_close(&answers);
        number_sender_close(&more_tx);
        free(data);
}

static const struct leat_channel_options small = { .capacity = 4096 };

/* Sends until there is room nowhere, and stays so. Returns how many. */
static uint64_t fill(number_sender tx) {
        uint64_t n = 0;
        int fulls = 0;

        while (fulls < 50) {
                int r = number_send(tx, &(number){ n }, LEAT_NOW);

                check(r == 0 || r == LEAT_FULL);
                if (r == 0) {
                        n++;
                        fulls = 0;
                } else {
                        fulls++;
                        sleep_ms(1);
                }
        }
        return n;
}

static void nothing_is_taken_that_has_no_room_and_others_go_on(void) {
        struct pipe full = open_pipe(&small), pipe = open_pipe(NULL);
        uint64_t n = fill(full.tx);
        number got;

        for (uint64_t i = 0; i < 100; i++) {
                send_number(pipe.tx, i);
                expect_number(pipe.rx, i);
        }
        check_equal(number_send(full.tx, &(number){ n }, LEAT_NOW), LEAT_FULL);
        number_sender_close(&full.tx);
        for (uint64_t i = 0; i < n; i++)
                expect_number(full.rx, i);
        check_equal(number_recv(full.rx, &got, soon()), LEAT_DISCONNECTED);
        number_receiver_close(&full.rx);
        number_sender_close(&pipe.tx);
        number_receiver_close(&pipe.rx);
}

enum { SOURCES = 4, EACH = 2000 };

struct source {
        pthread_t thread;
        uint64_t id;
        number_sender tx;
};

static void *send_all_of_it(void *data) {
        struct source *source = data;

        for (uint64_t i = 0; i < EACH; i++)
                send_number(source->tx, source->id * EACH + i);
        number_sender_close(&source->tx);
        return NULL;
}

/* The target has little room, so all routes wait for it most of the time, and for the same. */
static void many_routes_lead_into_one_channel(void) {
        struct tally tally = TALLY_INIT;
        struct source sources[SOURCES];
        uint64_t next[SOURCES] = { 0 };
        number_sender target, clone;
        number_receiver rx, queue;
        number got;
        int r;

        check_equal(number_channel_with(&small, &target, &queue), 0);
        for (uint64_t i = 0; i < SOURCES; i++) {
                check_equal(number_channel_with(&small, &sources[i].tx, &rx), 0);
                check_equal(number_sender_clone(target, &clone), 0);
                check_equal(number_route_to(router, &rx, &clone, tally_end, &tally), 0);
                sources[i].id = i;
        }
        number_sender_close(&target);
        for (size_t i = 0; i < SOURCES; i++)
                check_equal(pthread_create(&sources[i].thread, NULL, send_all_of_it, &sources[i]), 0);
        sleep_ms(20);
        while ((r = number_recv(queue, &got, soon())) == 0) {
                uint64_t id = got.value / EACH;

                check(id < SOURCES);
                check_equal(got.value % EACH, next[id]);
                next[id]++;
        }
        check_equal(r, LEAT_DISCONNECTED);
        for (size_t i = 0; i < SOURCES; i++) {
                check_equal(pthread_join(sources[i].thread, NULL), 0);
                check_equal(next[i], EACH);
        }
        check(tally_reaches(&tally, &tally.ends, SOURCES));
        check_equal(tally.why, LEAT_DISCONNECTED);
        number_receiver_close(&queue);
}

/* Whether the target goes while there is room, or while the route waits for some. */
static void a_target_that_is_gone_ends_the_route(bool is_full) {
        struct tally tally = TALLY_INIT;
        number_receiver source, rx;
        number_sender tx, target;

        check_equal(number_channel_with(&small, &tx, &source), 0);
        check_equal(number_channel_with(&small, &target, &rx), 0);
        check_equal(number_route_to(router, &source, &target, tally_end, &tally), 0);
        if (is_full)
                (void) fill(tx);
        number_receiver_close(&rx);
        if (!is_full)
                send_number(tx, 1);
        check(tally_reaches(&tally, &tally.ends, 1));
        check_equal(tally.why, -EPIPE);
        check_equal(number_send(tx, &(number){ 1 }, soon()), LEAT_DISCONNECTED);
        number_sender_close(&tx);
}

static void what_is_not_possible_is_said_and_nothing_is_taken(void) {
        struct tally tally = TALLY_INIT;
        number_receiver source, none = { 0 };
        number_sender tx, no_target = { 0 };
        other_sender other_tx;
        other_receiver other_rx;
        leat_router no_router = { 0 };

        check_equal(number_channel(&tx, &source), 0);
        check_equal(other_channel(&other_tx, &other_rx), 0);
        check_equal(leat_router_forward(router, &source.object, &other_tx.object, tally_end, &tally),
                    LEAT_TYPE_MISMATCH);
        check_equal(number_route_to(router, &source, &no_target, tally_end, &tally), -EBADF);
        check_equal(number_route_to(router, &none, &tx, tally_end, &tally), -EBADF);
        check_equal(number_route_to(no_router, &source, &tx, tally_end, &tally), -EBADF);
        check(number_receiver_is_set(source) && number_sender_is_set(tx) && other_sender_is_set(other_tx));
        check_equal(tally.ends, 0);
        number_sender_close(&tx);
        number_receiver_close(&source);
        other_sender_close(&other_tx);
        other_receiver_close(&other_rx);
}

static void a_message_that_is_no_good_is_skipped_or_left_to_the_reader(void) {
        const uint8_t rubbish[3] = { 1, 2, 3 };
        uint64_t before = leat_router_skipped(router);
        struct pipe pipe = open_pipe(NULL);
        int fd = pipe.tx.object->connection->fd;
        struct forgery forgery = forge(number_type(), PACKET_MESSAGE, ENCODING_PLAIN, "12", 2);
        number got;

        /* On one way, so that their order is known. */
        if (!lanes_from_the_start()) {
                check_equal(send_raw(fd, rubbish, sizeof(rubbish), NULL, 0, NULL, 0), sizeof(rubbish));
                check_equal(send_forgery(fd, &forgery),
                            PACKET_HEADER_SIZE + 2); /* Too short, which only decoding tells. */
                check_equal(number_recv(pipe.rx, &got, soon()), LEAT_MALFORMED);
                check_equal(leat_router_skipped(router), before + 1);
        }
        send_number(pipe.tx, 9);
        expect_number(pipe.rx, 9);
        number_sender_close(&pipe.tx);
        check_equal(number_recv(pipe.rx, &got, soon()), LEAT_DISCONNECTED);
        number_receiver_close(&pipe.rx);
}

static void a_shutdown_ends_them_even_when_they_wait_for_room(void) {
        int before = count_descriptors();
        struct tally tally = TALLY_INIT;
        number_receiver source[2], queue;
        number_sender tx[2], target[2];
        leat_router own;

        check_equal(leat_router_create(&own), 0);
        check_equal(number_channel_with(&small, &target[0], &queue), 0);
        check_equal(number_sender_clone(target[0], &target[1]), 0);
        for (int i = 0; i < 2; i++) {
                check_equal(number_channel_with(&small, &tx[i], &source[i]), 0);
                check_equal(number_route_to(own, &source[i], &target[i], tally_end, &tally), 0);
        }
        for (int i = 0; i < 2; i++)
                (void) fill(tx[i]);
        check_equal(leat_router_shutdown(own, LEAT_FOREVER), 0);
        check_equal(tally.ends, 2);
        check_equal(tally.why, -ESHUTDOWN);
        for (int i = 0; i < 2; i++) {
                check_equal(number_send(tx[i], &(number){ 1 }, soon()), LEAT_DISCONNECTED);
                number_sender_close(&tx[i]);
        }
        expect_number(queue, 0);
        number_receiver_close(&queue);
        leat_router_close(&own);
        check_equal(settle_descriptors(before), before);
}

int main(void) {
        int before = count_descriptors();

        watchdog(150);
        check_equal(leat_router_create(&router), 0);
        everything_arrives_in_its_order_and_then_the_end();
        opaque_ends_are_led_together();
        handles_go_along();
        nothing_is_taken_that_has_no_room_and_others_go_on();
        many_routes_lead_into_one_channel();
        a_target_that_is_gone_ends_the_route(false);
        a_target_that_is_gone_ends_the_route(true);
        what_is_not_possible_is_said_and_nothing_is_taken();
        a_message_that_is_no_good_is_skipped_or_left_to_the_reader();
        a_shutdown_ends_them_even_when_they_wait_for_room();
        check_equal(leat_router_shutdown(router, soon()), 0);
        leat_router_close(&router);
        check_equal(settle_descriptors(before), before);
        return 0;
}
