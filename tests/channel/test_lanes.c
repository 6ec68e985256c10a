/* Lanes from end to end: whatever they change, nobody who sends and receives can tell, but by the clock. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <leat/leat.h>

#include "lanes.h"
#include "sender.h"

#include "in_child.h"
#include "support.h"

LEAT_MESSAGE(number, (u64, value));
LEAT_MESSAGE(parcel, (u64, value), (bytes, data), (descriptor, file));
LEAT_MESSAGE(errand, (sender, number, next));

#define RING ((size_t) 65536)
#define MANY 300000

static const struct leat_channel_options always = { .lanes = LEAT_LANES_ALWAYS, .capacity = RING };

static int before;
static number_sender tx;
static number_receiver rx;

static void start(void) {
        before = count_descriptors();
}

static void finish(void) {
        number_sender_close(&tx);
        number_receiver_close(&rx);
        cr_assert_eq(settle_descriptors(before), before, "a descriptor leaked");
}

TestSuite(lanes, .init = start, .fini = finish);

static void open_channel(const struct leat_channel_options *options) {
        cr_assert_eq(number_channel_with(options, &tx, &rx), 0);
}

static bool has_lane(number_sender sender) {
        return sender.object->lane != NULL;
}

static void send_numbers(number_sender sender, uint64_t from, uint64_t to) {
        for (uint64_t value = from; value <= to; value++)
                cr_assert_eq(number_send(sender, &(number){ value }, LEAT_NOW), 0, "%llu",
                             (unsigned long long) value);
}

static void expect_numbers(uint64_t from, uint64_t to) {
        for (uint64_t value = from; value <= to; value++) {
                number got = { 0 };
                int r = number_recv(rx, &got, leat_after_ms(20000));

                cr_assert_eq(r, 0, "%d for %llu", r, (unsigned long long) value);
                cr_assert_eq(got.value, value, "%llu for %llu", (unsigned long long) got.value,
                             (unsigned long long) value);
        }
}

static void expect_empty(void) {
        cr_assert_eq(number_recv(rx, &(number){ 0 }, LEAT_NOW), LEAT_EMPTY);
}

/* A clone that has a lane of its own; its first message is `value`. */
static number_sender promoted_clone(number_sender of, uint64_t value) {
        number_sender clone;

        cr_assert_eq(number_sender_clone(of, &clone), 0);
        send_numbers(clone, value, value);
        expect_numbers(value, value);
        expect_empty(); /* The offer is answered. */
        send_numbers(clone, value, value);
        expect_numbers(value, value);
        cr_assert(has_lane(clone));
        return clone;
}

/* ---- who gets one ---- */

Test(lanes, always_is_from_the_start_and_the_capacity_is_the_lanes) {
        size_t capacity;

        open_channel(&(struct leat_channel_options){ .lanes = LEAT_LANES_ALWAYS, .capacity = 50000 });
        cr_assert(has_lane(tx));
        cr_assert_eq(number_capacity(tx, &capacity), 0);
        cr_assert_eq(capacity, 50000);
        send_numbers(tx, 1, 100);
        expect_numbers(1, 100);
        expect_empty();
}

Test(lanes, never_and_one_order_over_all_are_without) {
        for (int ordered = 0; ordered < 2; ordered++) {
                struct leat_channel_options options = { .lanes = ordered ? LEAT_LANES_ALWAYS
                                                                         : LEAT_LANES_NEVER,
                                                        .ordered = ordered };

                (void) setenv("LEAT_LANES", "always", 1);
                open_channel(&options);
                for (uint64_t i = 0; i < 300; i++) {
                        send_numbers(tx, i, i);
                        expect_numbers(i, i);
                }
                cr_assert_not(has_lane(tx));
                number_sender_close(&tx);
                number_receiver_close(&rx);
        }
}

Test(lanes, the_environment_speaks_where_the_maker_is_silent) {
        (void) setenv("LEAT_LANES", "always", 1);
        open_channel(NULL);
        cr_assert(has_lane(tx));
}

Test(lanes, the_environment_can_forbid_them) {
        (void) setenv("LEAT_LANES", "never", 1);
        open_channel(NULL);
        for (uint64_t i = 0; i < 300; i++) {
                send_numbers(tx, i, i);
                expect_numbers(i, i);
        }
        cr_assert_not(has_lane(tx));
}

Test(lanes, a_sender_that_proves_busy_gets_one_and_nothing_is_out_of_order) {
        uint64_t sent = 0, received = 0;

        (void) setenv("LEAT_LANES", "automatic", 1);
        open_channel(&(struct leat_channel_options){ .capacity = RING });
        while (!has_lane(tx)) {
                for (int i = 0; i < 20; i++, sent++)
                        send_numbers(tx, sent, sent);
                for (int i = 0; i < 15; i++, received++)
                        expect_numbers(received, received);
                if (sent - received > 80)
                        for (; received < sent; received++)
                                expect_numbers(received, received);
        }
        cr_assert_geq(sent, 64);
        send_numbers(tx, sent, sent + 100);
        expect_numbers(received, sent + 100);
        expect_empty();
}

Test(lanes, one_that_sends_now_and_then_stays_on_the_socket) {
        (void) setenv("LEAT_LANES", "automatic", 1);
        open_channel(NULL);
        for (uint64_t i = 0; i < 150; i++) {
                send_numbers(tx, i, i);
                expect_numbers(i, i);
                sleep_ms(1);
        }
        cr_assert_not(has_lane(tx));
        cr_assert_null(rx.object->lanes);
}

Test(lanes, while_nobody_answers_all_goes_on_by_the_socket) {
        number_sender clone;
        uint64_t n = 1;

        open_channel(&always);
        cr_assert_eq(number_sender_clone(tx, &clone), 0);
        while (number_send(clone, &(number){ n }, LEAT_NOW) == 0)
                n++;
        cr_assert_gt(n, 10);
        cr_assert_not(has_lane(clone));
        expect_numbers(1, n - 1);
        expect_empty();
        send_numbers(clone, 1, 10);
        cr_assert(has_lane(clone));
        expect_numbers(1, 10);
        number_sender_close(&clone);
}

/* With every number of messages between the offer, the answer and the marker. */
Test(lanes, nothing_is_out_of_order_wherever_the_receiver_stands_when_it_happens) {
        open_channel(&always);
        for (uint64_t ahead = 1; ahead < 20; ahead++) {
                uint64_t sent = 0, received = 0;
                number_sender clone;

                cr_assert_eq(number_sender_clone(tx, &clone), 0);
                while (received < 60) {
                        for (; sent < received + ahead; sent++)
                                send_numbers(clone, sent, sent);
                        expect_numbers(received, received);
                        received++;
                }
                expect_numbers(received, sent - 1);
                expect_empty();
                cr_assert(has_lane(clone));
                number_sender_close(&clone);
        }
}

Test(lanes, a_sender_that_closes_at_any_step_of_it_leaves_all_that_it_sent) {
        open_channel(&always);
        for (uint64_t n = 1; n < 12; n++)
                for (uint64_t looks = 0; looks <= n; looks++) {
                        uint64_t received = 0;
                        number_sender clone;

                        cr_assert_eq(number_sender_clone(tx, &clone), 0);
                        for (uint64_t i = 0; i < n; i++) {
                                send_numbers(clone, i, i);
                                if (i < looks) {
                                        expect_numbers(received, received);
                                        received++;
                                }
                        }
                        number_sender_close(&clone);
                        if (received < n)
                                expect_numbers(received, n - 1);
                        expect_empty();
                        cr_assert_eq(rx.object->lanes->n, 1, "only the first one's is left");
                }
}

/* ---- limits ---- */

Test(lanes, who_comes_later_than_the_limit_stays_on_the_socket_until_there_is_a_place) {
        struct leat_channel_options options = { .lanes = LEAT_LANES_ALWAYS,
                                                .capacity = RING,
                                                .lane_limit = 2 };
        number_sender second, third;

        open_channel(&options);
        second = promoted_clone(tx, 7);
        cr_assert_eq(number_sender_clone(tx, &third), 0);
        for (uint64_t i = 0; i < 100; i++) {
                send_numbers(third, i, i);
                expect_numbers(i, i);
        }
        cr_assert_not(has_lane(third));
        number_sender_close(&second);
        number_sender_close(&third);
        expect_empty();
        third = promoted_clone(tx, 8);
        number_sender_close(&third);
}

Test(lanes, over_the_limit_of_memory_too) {
        struct leat_channel_options options = { .lanes = LEAT_LANES_ALWAYS,
                                                .capacity = RING,
                                                .lane_memory = RING * 3 / 2 };
        number_sender second;

        open_channel(&options);
        cr_assert(has_lane(tx));
        cr_assert_eq(number_sender_clone(tx, &second), 0);
        for (uint64_t i = 0; i < 100; i++) {
                send_numbers(second, i, i);
                expect_numbers(i, i);
        }
        cr_assert_not(has_lane(second));
        number_sender_close(&second);
        number_sender_close(&tx);
        number_receiver_close(&rx);

        options.lane_memory = RING / 2;
        open_channel(&options);
        for (uint64_t i = 0; i < 100; i++) {
                send_numbers(tx, i, i);
                expect_numbers(i, i);
        }
        cr_assert_not(has_lane(tx));
}

/* ---- order among copies ---- */

Test(lanes, what_a_clone_sends_is_behind_what_was_sent_before_it_was_made) {
        number_sender clone, of_clone, unused;

        open_channel(&always);
        send_numbers(tx, 1, 50);
        cr_assert_eq(number_sender_clone(tx, &clone), 0);
        send_numbers(clone, 51, 60);
        expect_numbers(1, 60);

        send_numbers(tx, 1, 50);
        cr_assert_eq(number_sender_clone(tx, &unused), 0);
        cr_assert_eq(number_sender_clone(unused, &of_clone), 0);
        number_sender_close(&unused);
        send_numbers(of_clone, 51, 60);
        expect_numbers(1, 60);
        expect_empty();
        number_sender_close(&clone);
        number_sender_close(&of_clone);
}

Test(lanes, a_chain_of_clones_keeps_its_order) {
        number_sender chain[20];
        uint64_t sent = 0;

        open_channel(&always);
        chain[0] = promoted_clone(tx, 0);
        for (size_t round = 0; round < 50; round++) {
                for (size_t i = 0; i < 20; i++) {
                        if (i > 0)
                                cr_assert_eq(number_sender_clone(chain[i - 1], &chain[i]), 0);
                        send_numbers(chain[i], sent + 1, sent + 1 + i % 3);
                        sent += 1 + i % 3;
                }
                expect_numbers(sent - 20 - 19 + 1, sent);
                for (size_t i = 1; i < 20; i++)
                        number_sender_close(&chain[i]);
        }
        number_sender_close(&chain[0]);
}

Test(lanes, the_one_it_was_cloned_from_may_be_closed_before) {
        number_sender clone;

        open_channel(&always);
        send_numbers(tx, 1, 50);
        cr_assert_eq(number_sender_clone(tx, &clone), 0);
        number_sender_close(&tx);
        send_numbers(clone, 51, 60);
        expect_numbers(1, 60);
        number_sender_close(&clone);
        cr_assert_eq(number_recv(rx, &(number){ 0 }, leat_after_ms(20000)), LEAT_DISCONNECTED);
}

/* The same sender, as somebody else's who got it in a message. */
static number_sender hand_on(number_sender *sender, bool gives) {
        errand_sender by;
        errand_receiver at;
        number_sender taken;
        errand got;

        cr_assert_eq(errand_channel(&by, &at), 0);
        cr_assert_eq(
                errand_send(by, &(errand){ .next = gives ? number_sender_give(sender) : *sender }, LEAT_NOW),
                0);
        cr_assert_eq(errand_recv(at, &got, LEAT_NOW), 0);
        taken = number_sender_take(&got.next);
        errand_sender_close(&by);
        errand_receiver_close(&at);
        return taken;
}

Test(lanes, what_the_next_owner_sends_is_behind_what_the_last_one_sent) {
        (void) setenv("LEAT_LANES", "always", 1); /* Of those who receive a sender too. */
        open_channel(&always);
        for (int gives = 1; gives >= 0; gives--) {
                number_sender next;

                send_numbers(tx, 1, 50);
                next = hand_on(&tx, gives);
                cr_assert_eq(number_sender_is_set(tx), !gives);
                send_numbers(next, 51, 100);
                expect_numbers(1, 100);
                expect_empty();
                number_sender_close(&tx);
                tx = next;
        }
}

Test(lanes, a_clone_that_is_handed_on_before_it_sent_anything_is_behind_too) {
        number_sender clone, next;

        (void) setenv("LEAT_LANES", "always", 1); /* Of those who receive a sender too. */
        open_channel(&always);
        send_numbers(tx, 1, 50);
        cr_assert_eq(number_sender_clone(tx, &clone), 0);
        next = hand_on(&clone, true);
        send_numbers(next, 51, 100);
        expect_numbers(1, 100);
        number_sender_close(&next);
}

Test(lanes, handed_on_again_and_again_it_keeps_its_order_and_gets_new_lanes) {
        uint64_t sent = 0, received = 0;

        (void) setenv("LEAT_LANES", "always", 1); /* Of those who receive a sender too. */
        open_channel(&always);
        for (int hop = 0; hop < 30; hop++) {
                number_sender next;

                for (int i = 0; i < 10; i++, sent++) {
                        send_numbers(tx, sent, sent);
                        if (i % 3 != hop % 3) {
                                expect_numbers(received, received);
                                received++;
                        }
                }
                next = hand_on(&tx, true);
                tx = next;
        }
        expect_numbers(received, sent - 1);
        expect_empty();
}

static void send_from_child(void) {
        for (uint64_t value = 51; value <= 100; value++)
                check_equal(number_send(tx, &(number){ value }, leat_after_ms(20000)), 0);
        number_sender_close(&tx);
}

Test(lanes, what_a_forked_child_sends_is_behind_what_was_sent_before) {
        uint64_t next_of_child = 51, next_of_parent = 101;

        open_channel(&always);
        send_numbers(tx, 1, 50);
        run_in_child(send_from_child);
        send_numbers(tx, 101, 150);
        expect_numbers(1, 50);
        for (int i = 0; i < 100; i++) {
                number got;

                cr_assert_eq(number_recv(rx, &got, leat_after_ms(20000)), 0);
                cr_assert_eq(got.value, got.value > 100 ? next_of_parent++ : next_of_child++);
        }
        expect_empty();
        number_sender_close(&tx);
        cr_assert_eq(number_recv(rx, &(number){ 0 }, leat_after_ms(20000)), LEAT_DISCONNECTED);
}

static void fork_again(void) {
        check_equal(number_send(tx, &(number){ 51 }, LEAT_NOW), 0);
        run_in_child(send_from_child);
}

Test(lanes, so_is_what_a_grandchild_sends) {
        open_channel(&always);
        send_numbers(tx, 1, 50);
        run_in_child(fork_again);
        expect_numbers(1, 50);
        expect_numbers(51, 51);
        expect_numbers(51, 100);
}

static leat_raw_sender raw_tx;

static void loan_in_child(void) {
        void *room;

        check_equal(leat_loan_send(raw_tx, 6, LEAT_NOW), -EINVAL);
        leat_loan_cancel(raw_tx);
        check_equal(leat_loan(raw_tx, 100, &room, LEAT_NOW), 0);
        memcpy(room, "child", 5);
        check_equal(leat_loan_send(raw_tx, 5, LEAT_NOW), 0);
        leat_raw_sender_close(&raw_tx);
}

Test(lanes, a_loan_stays_with_the_process_that_has_it) {
        leat_raw_receiver raw_rx;
        leat_raw got;
        void *room;

        cr_assert_eq(leat_raw_channel_with(&always, &raw_tx, &raw_rx), 0);
        cr_assert_eq(leat_loan(raw_tx, 1000, &room, LEAT_NOW), 0);
        cr_assert(raw_tx.object->loan.in_lane);
        memcpy(room, "par", 3);
        run_in_child(loan_in_child);
        cr_assert_eq(leat_raw_recv(raw_rx, &got, leat_after_ms(20000)), 0);
        cr_assert_eq(got.size, 5);
        cr_assert_eq(memcmp(got.data, "child", 5), 0);
        memcpy((char *) room + 3, "ent", 3);
        cr_assert_eq(leat_loan_send(raw_tx, 6, LEAT_NOW), 0);
        cr_assert_eq(leat_raw_recv(raw_rx, &got, leat_after_ms(20000)), 0);
        cr_assert_eq(got.size, 6);
        cr_assert_eq(memcmp(got.data, "parent", 6), 0);
        leat_raw_sender_close(&raw_tx);
        leat_raw_receiver_close(&raw_rx);
}

/* ---- room ---- */

/* Who answers each message has its turn end with an empty lane now and then, and must not fall asleep for
 * that. */
Test(lanes, a_turn_that_ends_with_nothing_in_any_lane_goes_on) {
        const struct lanes *lanes;
        number got;

        open_channel(&always);
        lanes = rx.object->lanes;
        for (uint64_t value = 1; value <= 1000; value++) {
                send_numbers(tx, value, value);
                expect_numbers(value, value);
                if (lanes->turn > 0)
                        continue;
                cr_assert_eq(number_recv(rx, &got, LEAT_NOW), LEAT_EMPTY);
                cr_assert_not_null(lanes->current, "nobody spins without one");
                cr_assert_gt(lanes->turn, 0);
        }
}

Test(lanes, a_try_without_room_is_full_and_loses_nothing) {
        uint64_t sent = 0, received = 0;

        open_channel(&(struct leat_channel_options){ .lanes = LEAT_LANES_ALWAYS, .capacity = 4096 });
        for (int round = 0; round < 1000; round++) {
                int r;

                while ((r = number_send(tx, &(number){ sent }, LEAT_NOW)) == 0)
                        sent++;
                cr_assert_eq(r, LEAT_FULL);
                /* The reader publishes what it has read each eighth, at the latest. */
                cr_assert_leq(sent - received, (4096 - 16) / 16);
                cr_assert_geq(sent - received, (4096 - 16 - 512) / 16);
                expect_numbers(received, received + (uint64_t) round % 200);
                received += (uint64_t) round % 200 + 1;
        }
        expect_numbers(received, sent - 1);
        expect_empty();
}

Test(lanes, a_deadline_without_room_is_not_early) {
        leat_deadline deadline;
        uint64_t sent = 0;

        open_channel(&(struct leat_channel_options){ .lanes = LEAT_LANES_ALWAYS, .capacity = 4096 });
        while (number_send(tx, &(number){ sent }, LEAT_NOW) == 0)
                sent++;
        deadline = leat_after_ms(30);
        cr_assert_eq(number_send(tx, &(number){ sent }, deadline), LEAT_TIMEOUT);
        cr_assert_geq(leat_after_ns(0), deadline);
        expect_numbers(0, sent - 1);
        deadline = leat_after_ms(30);
        cr_assert_eq(number_recv(rx, &(number){ 0 }, deadline), LEAT_TIMEOUT);
        cr_assert_geq(leat_after_ns(0), deadline);
}

static void *send_many(void *data) {
        (void) data;
        for (uint64_t value = 0; value < MANY; value++)
                if (number_send(tx, &(number){ value }, leat_after_ms(25000)) != 0)
                        return &tx;
        return NULL;
}

Test(lanes, who_waits_for_room_and_who_waits_for_messages_are_woken) {
        pthread_t thread;
        void *failed;

        open_channel(&(struct leat_channel_options){ .lanes = LEAT_LANES_ALWAYS, .capacity = 4096 });
        cr_assert_eq(pthread_create(&thread, NULL, send_many, NULL), 0);
        for (uint64_t value = 0; value < MANY; value++) {
                expect_numbers(value, value);
                if (value % 50000 == 0)
                        sleep_ms(2);
        }
        cr_assert_eq(pthread_join(thread, &failed), 0);
        cr_assert_null(failed);
}

/* ---- ends ---- */

Test(lanes, a_receiver_that_closes_is_seen_by_the_next_message) {
        open_channel(&always);
        send_numbers(tx, 1, 10);
        number_receiver_close(&rx);
        cr_assert_eq(number_send(tx, &(number){ 1 }, LEAT_NOW), LEAT_DISCONNECTED);
        cr_assert_eq(number_send(tx, &(number){ 1 }, LEAT_FOREVER), LEAT_DISCONNECTED);
}

Test(lanes, all_that_was_sent_is_read_before_the_end) {
        number_sender other;

        open_channel(&always);
        other = promoted_clone(tx, 5);
        send_numbers(tx, 1, 100);
        number_sender_close(&tx);
        expect_numbers(1, 100);
        expect_empty();
        send_numbers(other, 1, 100);
        number_sender_close(&other);
        expect_numbers(1, 100);
        cr_assert_eq(number_recv(rx, &(number){ 0 }, leat_after_ms(20000)), LEAT_DISCONNECTED);
        cr_assert_eq(number_recv(rx, &(number){ 0 }, LEAT_NOW), LEAT_DISCONNECTED);
}

#define LAST 99

/* A process that receives until it has got LAST, then does nothing; its sender is `tx`, with a lane. */
static pid_t start_receiver(void) {
        errand_sender by;
        errand_receiver at;
        errand got;
        pid_t child;

        cr_assert_eq(
                errand_channel_with(&(struct leat_channel_options){ .lanes = LEAT_LANES_NEVER }, &by, &at),
                0);
        child = fork();
        cr_assert_geq(child, 0);
        if (child == 0) {
                number got_number;

                watchdog(WATCHDOG_SECONDS);
                check_equal(number_channel_with(&always, &tx, &rx), 0);
                check_equal(errand_send(by, &(errand){ .next = number_sender_give(&tx) }, LEAT_NOW), 0);
                do
                        check_equal(number_recv(rx, &got_number, leat_after_ms(25000)), 0);
                while (got_number.value != LAST);
                for (;;)
                        (void) pause();
        }
        cr_assert_eq(errand_recv(at, &got, leat_after_ms(20000)), 0);
        tx = number_sender_take(&got.next);
        errand_sender_close(&by);
        errand_receiver_close(&at);

        /* A received sender does not know what its maker said. */
        tx.object->connection->lanes = LEAT_LANES_ALWAYS;
        tx.object->connection->ring_limit = RING;
        for (int64_t end = clock_ms() + 20000; !has_lane(tx) && clock_ms() < end; sleep_ms(1))
                send_numbers(tx, 1, 1);
        cr_assert(has_lane(tx));
        return child;
}

static void kill_and_wait(pid_t child) {
        cr_assert_eq(kill(child, SIGKILL), 0);
        cr_assert_eq(wait_for_exit(child), 128 + SIGKILL);
}

Test(lanes, a_busy_sender_learns_of_a_killed_receiver_within_its_bound) {
        pid_t child = start_receiver();
        int r = 0, n;

        for (n = 0; n < 10000; n++)
                cr_assert_eq(number_send(tx, &(number){ 1 }, leat_after_ms(20000)), 0);
        kill_and_wait(child);
        for (n = 0; n < 10000 && (r == 0 || r == LEAT_FULL); n++)
                r = number_send(tx, &(number){ 1 }, LEAT_NOW);
        cr_assert_eq(r, LEAT_DISCONNECTED);
        cr_assert_leq(n, 4096 + 16);
}

struct sending {
        pthread_t thread;
        int result;
};

static void *send_until_it_fails(void *data) {
        struct sending *sending = data;

        do
                sending->result = number_send(tx, &(number){ 1 }, LEAT_FOREVER);
        while (sending->result == 0);
        return NULL;
}

Test(lanes, a_waiting_sender_learns_of_a_killed_receiver) {
        pid_t child = start_receiver();
        struct sending sending;

        send_numbers(tx, LAST, LAST);
        cr_assert_eq(pthread_create(&sending.thread, NULL, send_until_it_fails, &sending), 0);
        sleep_ms(100); /* It fills the ring and sleeps. */
        kill_and_wait(child);
        cr_assert_eq(pthread_join(sending.thread, NULL), 0);
        cr_assert_eq(sending.result, LEAT_DISCONNECTED);
}

Test(lanes, a_sender_learns_of_a_receiver_that_was_killed_asleep) {
        pid_t child = start_receiver();

        sleep_ms(100); /* It sleeps: the bell is armed. */
        kill_and_wait(child);
        cr_assert_eq(number_send(tx, &(number){ 1 }, LEAT_NOW), LEAT_DISCONNECTED);
}
