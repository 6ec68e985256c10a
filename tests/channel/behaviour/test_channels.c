/* Channels, as ipc-channel's tests have them: typed ones and those of raw bytes. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <leat/leat.h>

#include "nothing_leaks.h"
#include "support.h"

LEAT_MESSAGE(person, (string, name), (u32, age));
LEAT_SIGNAL(tick);
LEAT_MESSAGE(reply, (u64, value));
LEAT_MESSAGE(ends, (sender, reply, out), (receiver, reply, in));

TestSuite(channels, .init = count_what_is_open, .fini = nothing_leaked);

static void open_channel(person_sender *ret_tx, person_receiver *ret_rx) {
        cr_assert_eq(person_channel(ret_tx, ret_rx), 0);
}

static void send_patrick(person_sender tx) {
        cr_assert_eq(person_send(tx, &(person){ "Patrick Walton", 29 }, LEAT_FOREVER), 0);
}

static void expect_patrick(person_receiver rx, leat_deadline deadline) {
        person got;

        cr_assert_eq(person_recv(rx, &got, deadline), 0);
        cr_assert_str_eq(got.name, "Patrick Walton");
        cr_assert_eq(got.age, 29);
}

Test(channels, a_round_trip_then_the_sender_is_dropped_and_recv_says_disconnected) {
        person_sender tx;
        person_receiver rx;
        person got;

        open_channel(&tx, &rx);
        send_patrick(tx);
        expect_patrick(rx, LEAT_FOREVER);
        person_sender_close(&tx);
        cr_assert_eq(person_recv(rx, &got, LEAT_FOREVER), LEAT_DISCONNECTED);
        person_receiver_close(&rx);
}

Test(channels, a_round_trip_of_raw_bytes) {
        leat_raw_sender tx;
        leat_raw_receiver rx;
        leat_raw got;

        cr_assert_eq(leat_raw_channel(&tx, &rx), 0);
        cr_assert_eq(leat_raw_send(tx, &(leat_raw){ "'Tis", 4 }, LEAT_FOREVER), 0);
        cr_assert_eq(leat_raw_recv(rx, &got, LEAT_FOREVER), 0);
        cr_assert_eq(got.size, 4);
        cr_assert_eq(memcmp(got.data, "'Tis", 4), 0);
        leat_raw_sender_close(&tx);
        cr_assert_eq(leat_raw_recv(rx, &got, LEAT_FOREVER), LEAT_DISCONNECTED);
        leat_raw_receiver_close(&rx);
}

Test(channels, a_queued_message_is_read_first_then_disconnected) {
        leat_deadline deadlines[] = { LEAT_NOW, leat_after_ms(30000), LEAT_FOREVER };

        for (int i = 0; i < 3; i++) {
                person_sender tx;
                person_receiver rx;
                person got;

                open_channel(&tx, &rx);
                send_patrick(tx);
                person_sender_close(&tx);
                expect_patrick(rx, deadlines[i]);
                cr_assert_eq(person_recv(rx, &got, deadlines[i]), LEAT_DISCONNECTED);
                person_receiver_close(&rx);
        }
}

/* One that is asleep when the message and the end come. */
static void *hear_patrick(void *receiver) {
        person got;

        check_equal(person_recv(*(person_receiver *) receiver, &got, LEAT_FOREVER), 0);
        check(strcmp(got.name, "Patrick Walton") == 0 && got.age == 29);
        return NULL;
}

Test(channels, send_drop_the_sender_recv_still_gets_it) {
        person_sender tx;
        person_receiver rx;
        pthread_t thread;

        open_channel(&tx, &rx);
        pthread_create(&thread, NULL, hear_patrick, &rx);
        sleep_ms(5);
        send_patrick(tx);
        person_sender_close(&tx);
        pthread_join(thread, NULL);
        person_receiver_close(&rx);
}

/* Sends when it is told to that the other side is about to wait, and some time after; then drops the sender
 * likewise. */
struct late_sender {
        person_sender tx;
        int64_t sent_at, closed_at;
};

static void *send_late(void *data) {
        struct late_sender *late = data;

        sleep_ms(15);
        late->sent_at = clock_ms();
        check_equal(person_send(late->tx, &(person){ "Patrick Walton", 29 }, LEAT_FOREVER), 0);
        sleep_ms(15);
        late->closed_at = clock_ms();
        person_sender_close(&late->tx);
        return NULL;
}

/* An empty channel is not disconnected: a receive without a deadline waits there. */
Test(channels, recv_goes_empty_message_empty_disconnected) {
        struct late_sender late;
        person_receiver rx;
        pthread_t thread;
        person got;
        int64_t got_at, ended_at;

        open_channel(&late.tx, &rx);
        pthread_create(&thread, NULL, send_late, &late);
        expect_patrick(rx, LEAT_FOREVER);
        got_at = clock_ms();
        cr_assert_eq(person_recv(rx, &got, LEAT_FOREVER), LEAT_DISCONNECTED);
        ended_at = clock_ms();
        pthread_join(thread, NULL);
        cr_assert_geq(got_at, late.sent_at);
        cr_assert_geq(ended_at, late.closed_at);
        person_receiver_close(&rx);
}

Test(channels, try_recv_goes_empty_message_empty_disconnected) {
        person_sender tx;
        person_receiver rx;
        person got;

        open_channel(&tx, &rx);
        cr_assert_eq(person_recv(rx, &got, LEAT_NOW), LEAT_EMPTY);
        send_patrick(tx);
        expect_patrick(rx, LEAT_NOW);
        cr_assert_eq(person_recv(rx, &got, LEAT_NOW), LEAT_EMPTY);
        person_sender_close(&tx);
        cr_assert_eq(person_recv(rx, &got, LEAT_NOW), LEAT_DISCONNECTED);
        cr_assert_eq(person_recv(rx, &got, LEAT_NOW), LEAT_DISCONNECTED);
        person_receiver_close(&rx);
}

static void expect_timeout(person_receiver rx, int ms) {
        int64_t begun = clock_ms();
        person got;

        cr_assert_eq(person_recv(rx, &got, leat_after_ms(ms)), LEAT_TIMEOUT);
        cr_assert_geq(clock_ms() - begun, ms, "it did not wait");
}

Test(channels, the_timed_recv_goes_empty_message_empty_disconnected) {
        person_sender tx;
        person_receiver rx;
        person got;

        open_channel(&tx, &rx);
        expect_timeout(rx, 10);
        send_patrick(tx);
        expect_patrick(rx, leat_after_ms(30000));
        expect_timeout(rx, 10);
        person_sender_close(&tx);
        cr_assert_eq(person_recv(rx, &got, leat_after_ms(30000)), LEAT_DISCONNECTED);
        person_receiver_close(&rx);
}

/* Side by side: of one the sender is still there. */
Test(channels, empty_and_disconnected_are_told_apart) {
        person_sender tx, gone_tx;
        person_receiver rx, gone_rx;
        person got = { "untouched", 1 };

        open_channel(&tx, &rx);
        open_channel(&gone_tx, &gone_rx);
        person_sender_close(&gone_tx);
        for (int i = 0; i < 3; i++) {
                cr_assert_eq(person_recv(rx, &got, LEAT_NOW), LEAT_EMPTY);
                cr_assert_eq(person_recv(gone_rx, &got, LEAT_NOW), LEAT_DISCONNECTED);
                cr_assert_eq(person_recv(rx, &got, leat_after_ms(1)), LEAT_TIMEOUT);
                cr_assert_eq(person_recv(gone_rx, &got, leat_after_ms(1)), LEAT_DISCONNECTED);
        }
        cr_assert_str_eq(got.name, "untouched");
        person_sender_close(&tx);
        person_receiver_close(&rx);
        person_receiver_close(&gone_rx);
}

/* A deadline of minutes: who is late by it is ended by the watchdog. */
Test(channels, the_timed_recv_waits_and_returns_early_with_data_and_at_the_end) {
        struct late_sender late;
        person_receiver rx;
        pthread_t thread;
        person got;
        int64_t got_at;

        open_channel(&late.tx, &rx);
        pthread_create(&thread, NULL, send_late, &late);
        expect_patrick(rx, leat_after_ms(600000));
        got_at = clock_ms();
        cr_assert_eq(person_recv(rx, &got, leat_after_ms(600000)), LEAT_DISCONNECTED);
        pthread_join(thread, NULL);
        cr_assert_geq(got_at, late.sent_at);
        person_receiver_close(&rx);
}

/* Of no fields, and of no bytes. */
Test(channels, an_empty_message_is_delivered_and_is_no_close) {
        leat_raw_sender raw_tx;
        leat_raw_receiver raw_rx;
        leat_raw got_raw;
        tick_sender tx;
        tick_receiver rx;
        tick got;

        cr_assert_eq(tick_channel(&tx, &rx), 0);
        cr_assert_eq(leat_raw_channel(&raw_tx, &raw_rx), 0);
        for (int i = 0; i < 2; i++) {
                cr_assert_eq(tick_send(tx, &(tick){ 0 }, LEAT_FOREVER), 0);
                cr_assert_eq(leat_raw_send(raw_tx, &(leat_raw){ NULL, 0 }, LEAT_FOREVER), 0);
        }
        for (int i = 0; i < 2; i++) {
                cr_assert_eq(tick_recv(rx, &got, LEAT_FOREVER), 0);
                cr_assert_eq(leat_raw_recv(raw_rx, &got_raw, LEAT_FOREVER), 0);
                cr_assert_eq(got_raw.size, 0);
        }
        cr_assert_eq(tick_recv(rx, &got, LEAT_NOW), LEAT_EMPTY);
        cr_assert_eq(leat_raw_recv(raw_rx, &got_raw, LEAT_NOW), LEAT_EMPTY);
        tick_sender_close(&tx);
        leat_raw_sender_close(&raw_tx);
        cr_assert_eq(tick_recv(rx, &got, LEAT_FOREVER), LEAT_DISCONNECTED);
        cr_assert_eq(leat_raw_recv(raw_rx, &got_raw, LEAT_FOREVER), LEAT_DISCONNECTED);
        tick_receiver_close(&rx);
        leat_raw_receiver_close(&raw_rx);
}

Test(channels, an_empty_message_is_delivered_and_is_no_close_in_a_set_too) {
        leat_raw_sender tx;
        leat_raw_receiver rx;
        leat_raw got;
        leat_set set;
        uint64_t key;

        cr_assert_eq(leat_set_create(&set), 0);
        cr_assert_eq(leat_raw_channel(&tx, &rx), 0);
        cr_assert_eq(leat_raw_set_add(set, rx, 1), 0);
        for (int i = 0; i < 3; i++) {
                cr_assert_eq(leat_raw_send(tx, &(leat_raw){ NULL, 0 }, LEAT_FOREVER), 0);
                cr_assert_eq(leat_set_wait(set, &key, LEAT_FOREVER), 0);
                cr_assert_eq(key, 1);
                cr_assert_eq(leat_raw_recv(rx, &got, LEAT_NOW), 0);
                cr_assert_eq(got.size, 0);
        }
        leat_raw_sender_close(&tx);
        cr_assert_eq(leat_set_wait(set, &key, LEAT_FOREVER), 0);
        cr_assert_eq(leat_raw_recv(rx, &got, LEAT_NOW), LEAT_DISCONNECTED);
        leat_raw_receiver_close(&rx);
        leat_set_close(&set);
}

Test(channels, a_message_of_handles_only) {
        reply_sender out;
        reply_receiver in;
        ends_sender tx;
        ends_receiver rx;
        ends got;
        reply answer;

        cr_assert_eq(ends_channel(&tx, &rx), 0);
        cr_assert_eq(reply_channel(&out, &in), 0);
        cr_assert_eq(
                ends_send(tx, &(ends){ reply_sender_give(&out), reply_receiver_give(&in) }, LEAT_FOREVER), 0);
        cr_assert_eq(ends_recv(rx, &got, LEAT_FOREVER), 0);
        cr_assert_eq(reply_send(got.out, &(reply){ 7 }, LEAT_FOREVER), 0);
        cr_assert_eq(reply_recv(got.in, &answer, LEAT_FOREVER), 0);
        cr_assert_eq(answer.value, 7);
        ends_sender_close(&tx);
        ends_receiver_close(&rx);
}
