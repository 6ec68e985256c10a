/* What the endpoints say that they have done, against what was done: exact at any moment, whichever way the
 * messages went. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <leat/leat.h>

#include "in_child.h"
#include "sender.h"
#include "support.h"
#include "transport.h"

LEAT_MESSAGE(number, (u64, value));
LEAT_MESSAGE(odd, (u32, value), (u8, more));
LEAT_MESSAGE(blob, (bytes, data), (sender, number, lent));
LEAT_MESSAGE(handover, (receiver, number, end));

#define LARGEST ((size_t) 300000)

static int before;

static void start(void) {
        before = count_descriptors();
}

static void finish(void) {
        cr_assert_eq(settle_descriptors(before), before, "a descriptor leaked");
}

TestSuite(counters, .init = start, .fini = finish);

static struct leat_counters sent_by(number_sender tx) {
        struct leat_counters counters;

        check_equal(number_sender_counters(tx, &counters), 0);
        return counters;
}

static struct leat_counters received_by(number_receiver rx) {
        struct leat_counters counters;

        check_equal(number_receiver_counters(rx, &counters), 0);
        return counters;
}

static void expect(struct leat_counters actual, struct leat_counters expected, int line) {
        cr_assert_eq(actual.messages, expected.messages, "line %d: %ju messages and not %ju", line,
                     (uintmax_t) actual.messages, (uintmax_t) expected.messages);
        cr_assert_eq(actual.bytes, expected.bytes, "line %d: %ju bytes and not %ju", line,
                     (uintmax_t) actual.bytes, (uintmax_t) expected.bytes);
        cr_assert_eq(actual.waits, expected.waits, "line %d: %ju waits and not %ju", line,
                     (uintmax_t) actual.waits, (uintmax_t) expected.waits);
        cr_assert_eq(actual.refusals, expected.refusals, "line %d: %ju refusals and not %ju", line,
                     (uintmax_t) actual.refusals, (uintmax_t) expected.refusals);
}
#define EXPECT(actual, ...) expect((actual), (struct leat_counters){ __VA_ARGS__ }, __LINE__)

Test(counters, begin_at_0_and_count_each_message_whether_by_the_socket_or_by_a_lane) {
        number_sender tx;
        number_receiver rx;
        number got;

        cr_assert_eq(number_channel(&tx, &rx), 0);
        EXPECT(sent_by(tx), 0);
        EXPECT(received_by(rx), 0);
        for (uint64_t sent = 0, received = 0; sent < 3000;) {
                for (uint64_t n = sent % 7 + 1; n > 0; n--) {
                        cr_assert_eq(number_send(tx, &(number){ sent }, LEAT_NOW), 0);
                        sent++;
                        EXPECT(sent_by(tx), .messages = sent, .bytes = 8 * sent);
                }
                while (number_recv(rx, &got, LEAT_NOW) == 0) {
                        received++;
                        EXPECT(received_by(rx), .messages = received, .bytes = 8 * received);
                }
                cr_assert_eq(received, sent);
        }
        number_sender_close(&tx);
        number_receiver_close(&rx);
        cr_assert_eq(number_sender_counters(tx, &(struct leat_counters){ 0 }), -EBADF);
        cr_assert_eq(number_receiver_counters(rx, &(struct leat_counters){ 0 }), -EBADF);
}

Test(counters, of_many_messages_at_once) {
        static odd many[500];
        odd_sender tx;
        odd_receiver rx;
        struct leat_counters counters;
        uint64_t all = 0;
        size_t sent;
        odd got;

        cr_assert_eq(odd_channel(&tx, &rx), 0);
        for (size_t n = 1; n < 500; n += 83) {
                (void) odd_send_all(tx, many, n, &sent, LEAT_NOW);
                all += sent;
                cr_assert_eq(odd_sender_counters(tx, &counters), 0);
                cr_assert_eq(counters.messages, all);
                cr_assert_eq(counters.bytes, 8 * all);
                for (size_t i = 0; i < sent; i++)
                        cr_assert_eq(odd_recv(rx, &got, LEAT_NOW), 0);
                cr_assert_eq(odd_receiver_counters(rx, &counters), 0);
                EXPECT(counters, .messages = all, .bytes = 8 * all);
        }
        odd_sender_close(&tx);
        odd_receiver_close(&rx);
}

/* Some senders of one channel, and what is known of them. */
#define SENDERS 3

static blob_sender senders[SENDERS];
static blob_receiver receiver;
static struct leat_counters expected_of[SENDERS], expected_there;
static uint8_t data[LARGEST];

static size_t some_size(void) {
        switch (rand() % 8) {
        case 0:
                return (size_t) rand() % LARGEST;
        case 1:
                return (size_t) rand() % 70000;
        default:
                return (size_t) rand() % 200;
        }
}

static void count(struct leat_counters *counters, size_t size) {
        counters->messages++;
        counters->bytes += (size + 7) / 8 * 8;
}

static size_t encoded_size(const blob *message) {
        blob without = { .data = message->data };
        leat_encoded encoded;
        size_t size;

        check_equal(blob_encode(&without, &encoded), 0);
        size = leat_encoded_size(encoded);
        leat_encoded_close(&encoded);
        return size;
}

/* A handle that is set is encoded as its number, an unset one as nil: a byte each. */
static void send_some(size_t i, number_sender lent) {
        blob message = { .data = { data, some_size() },
                         .lent = rand() % 4 == 0 ? lent : (number_sender){ 0 } };
        int r = blob_send(senders[i], &message, LEAT_NOW);

        if (r == 0) {
                count(&expected_of[i], encoded_size(&message));
        } else {
                check_equal(r, LEAT_FULL);
                expected_of[i].refusals++;
        }
}

static bool receive_some(void) {
        blob got, without;
        int r = blob_recv(receiver, &got, LEAT_NOW);

        if (r == LEAT_EMPTY)
                return false;
        check_equal(r, 0);
        without = (blob){ .data = got.data };
        count(&expected_there, encoded_size(&without));
        return true;
}

static void expect_all(void) {
        struct leat_counters counters;

        for (size_t i = 0; i < SENDERS; i++) {
                cr_assert_eq(blob_sender_counters(senders[i], &counters), 0);
                expect(counters, expected_of[i], __LINE__);
        }
        cr_assert_eq(blob_receiver_counters(receiver, &counters), 0);
        expect(counters, expected_there, __LINE__);
}

Test(counters, are_exact_for_any_mixture_of_sizes_and_handles_from_several_senders) {
        number_sender lent;
        number_receiver lent_end;
        struct leat_counters counters;
        uint64_t sent = 0;

        srand(7);
        cr_assert_eq(number_channel(&lent, &lent_end), 0);
        cr_assert_eq(blob_channel(&senders[0], &receiver), 0);
        for (size_t i = 1; i < SENDERS; i++)
                cr_assert_eq(blob_sender_clone(senders[0], &senders[i]), 0);
        for (int round = 0; round < 2000; round++) {
                send_some((size_t) rand() % SENDERS, lent);
                if (rand() % 2 == 0)
                        (void) receive_some();
                if (round % 500 == 499)
                        while (receive_some())
                                ;
                expect_all();
        }
        while (receive_some())
                ;
        for (size_t i = 0; i < SENDERS; i++)
                sent += expected_of[i].messages;
        cr_assert_eq(expected_there.messages, sent);
        for (size_t i = 0; i < SENDERS; i++)
                blob_sender_close(&senders[i]);
        cr_assert_eq(blob_recv(receiver, &(blob){ .lent = { 0 } }, LEAT_NOW), LEAT_DISCONNECTED);
        /* Lanes are gone, what came by them stays counted. */
        cr_assert_eq(blob_receiver_counters(receiver, &counters), 0);
        expect(counters, expected_there, __LINE__);
        blob_receiver_close(&receiver);
        number_sender_close(&lent);
        number_receiver_close(&lent_end);
}

Test(counters, of_a_full_channel) {
        const struct leat_channel_options options = { .capacity = 4096 };
        number_sender tx;
        number_receiver rx;
        uint64_t n = 0;
        int r;

        cr_assert_eq(number_channel_with(&options, &tx, &rx), 0);
        while ((r = number_send(tx, &(number){ n }, LEAT_NOW)) == 0)
                n++;
        cr_assert_eq(r, LEAT_FULL);
        EXPECT(sent_by(tx), .messages = n, .bytes = 8 * n, .refusals = 1);
        cr_assert_eq(number_send(tx, &(number){ n }, LEAT_NOW), LEAT_FULL);
        EXPECT(sent_by(tx), .messages = n, .bytes = 8 * n, .refusals = 2);
        /* Deadlines that have not passed before the wait begins, even where everything takes many times as
         * long. */
        cr_assert_eq(number_send(tx, &(number){ n }, leat_after_ms(200)), LEAT_TIMEOUT);
        EXPECT(sent_by(tx), .messages = n, .bytes = 8 * n, .waits = 1, .refusals = 3);
        for (uint64_t i = 0; i < n; i++)
                cr_assert_eq(number_recv(rx, &(number){ 0 }, LEAT_NOW), 0);
        EXPECT(received_by(rx), .messages = n, .bytes = 8 * n);
        cr_assert_eq(number_recv(rx, &(number){ 0 }, LEAT_NOW), LEAT_EMPTY);
        EXPECT(received_by(rx), .messages = n, .bytes = 8 * n);
        cr_assert_eq(number_recv(rx, &(number){ 0 }, leat_after_ms(200)), LEAT_TIMEOUT);
        cr_assert_eq(received_by(rx).messages, n);
        cr_assert_geq(received_by(rx).waits, 1);
        number_sender_close(&tx);
        number_receiver_close(&rx);
}

Test(counters, of_messages_that_are_dropped) {
        const struct leat_channel_options options = { .message_limit = 1000 };
        blob_sender tx;
        blob_receiver rx;
        struct leat_counters counters;
        blob got;

        cr_assert_eq(blob_channel_with(&options, &tx, &rx), 0);
        for (uint64_t i = 1; i <= 10; i++) {
                static const size_t sizes[] = { 1001, 70000, LARGEST };

                cr_assert_eq(blob_send(tx, &(blob){ .data = { data, sizes[i % 3] } }, LEAT_NOW), 0);
                cr_assert_eq(blob_recv(rx, &got, LEAT_NOW), LEAT_TOO_LARGE);
                cr_assert_eq(blob_receiver_counters(rx, &counters), 0);
                EXPECT(counters, .refusals = i);
        }
        blob_sender_close(&tx);
        blob_receiver_close(&rx);
}

LEAT_MESSAGE(words, (array, string, all));

Test(counters, of_messages_that_turn_out_to_be_too_large_when_they_are_decoded) {
        const struct leat_channel_options options = { .message_limit = 2000 };
        static const char *many[300];
        words_sender tx;
        words_receiver rx;
        struct leat_counters counters;
        words got;

        for (size_t i = 0; i < 300; i++)
                many[i] = "";
        cr_assert_eq(words_channel_with(&options, &tx, &rx), 0);
        for (uint64_t i = 1; i <= 100; i++) {
                cr_assert_eq(words_send(tx, &(words){ { many, 300 } }, LEAT_NOW), 0);
                cr_assert_eq(words_recv(rx, &got, LEAT_NOW), LEAT_TOO_LARGE);
                cr_assert_eq(words_receiver_counters(rx, &counters), 0);
                EXPECT(counters, .refusals = i);
                cr_assert_eq(words_sender_counters(tx, &counters), 0);
                cr_assert_eq(counters.messages, i);
        }
        words_sender_close(&tx);
        words_receiver_close(&rx);
}

Test(counters, of_loans_are_those_of_the_ones_that_are_sent) {
        leat_raw_sender tx;
        leat_raw_receiver rx;
        struct leat_counters counters, expected = { 0 };
        leat_raw view;
        void *room;

        cr_assert_eq(leat_raw_channel(&tx, &rx), 0);
        for (size_t i = 0; i < 1000; i++) {
                cr_assert_eq(leat_loan(tx, 100 + i, &room, LEAT_NOW), 0);
                cr_assert_eq(leat_raw_sender_counters(tx, &counters), 0);
                expect(counters, expected, __LINE__);
                if (i % 3 == 0) {
                        leat_loan_cancel(tx);
                } else {
                        cr_assert_eq(leat_loan_send(tx, i, LEAT_NOW), 0);
                        count(&expected, i);
                        cr_assert_eq(leat_borrow(rx, &view, LEAT_NOW), 0);
                        cr_assert_eq(view.size, i);
                }
                cr_assert_eq(leat_raw_sender_counters(tx, &counters), 0);
                expect(counters, expected, __LINE__);
                cr_assert_eq(leat_raw_receiver_counters(rx, &counters), 0);
                expect(counters, expected, __LINE__);
        }
        leat_raw_sender_close(&tx);
        leat_raw_receiver_close(&rx);
}

Test(counters, are_each_ends_own) {
        number_sender tx, clone;
        number_receiver rx;
        handover_sender over_tx;
        handover_receiver over_rx;
        handover got;

        cr_assert_eq(number_channel(&tx, &rx), 0);
        cr_assert_eq(handover_channel(&over_tx, &over_rx), 0);
        for (uint64_t i = 0; i < 100; i++) {
                cr_assert_eq(number_send(tx, &(number){ i }, LEAT_NOW), 0);
                cr_assert_eq(number_recv(rx, &(number){ 0 }, LEAT_NOW), 0);
        }
        cr_assert_eq(number_sender_clone(tx, &clone), 0);
        EXPECT(sent_by(clone), 0);
        cr_assert_eq(number_send(clone, &(number){ 1 }, LEAT_NOW), 0);
        EXPECT(sent_by(clone), .messages = 1, .bytes = 8);
        EXPECT(sent_by(tx), .messages = 100, .bytes = 800);
        cr_assert_eq(handover_send(over_tx, &(handover){ number_receiver_give(&rx) }, LEAT_NOW), 0);
        cr_assert_eq(handover_recv(over_rx, &got, LEAT_NOW), 0);
        EXPECT(received_by(got.end), 0);
        cr_assert_eq(number_recv(got.end, &(number){ 0 }, LEAT_NOW), 0);
        EXPECT(received_by(got.end), .messages = 1, .bytes = 8);
        number_sender_close(&clone);
        number_sender_close(&tx);
        handover_sender_close(&over_tx);
        handover_receiver_close(&over_rx);
}

static void a_childs_go_on_from_where_they_were(void) {
        number_sender tx;
        number_receiver rx;
        pid_t child;

        check_equal(number_channel(&tx, &rx), 0);
        for (uint64_t i = 0; i < 100; i++) {
                check_equal(number_send(tx, &(number){ i }, LEAT_NOW), 0);
                check_equal(number_recv(rx, &(number){ 0 }, LEAT_NOW), 0);
        }
        child = fork();
        check(child >= 0);
        if (child == 0) {
                watchdog(WATCHDOG_SECONDS);
                check_equal(sent_by(tx).messages, 100);
                check_equal(received_by(rx).messages, 100);
                check_equal(number_send(tx, &(number){ 1 }, LEAT_NOW), 0);
                check_equal(sent_by(tx).messages, 101);
                check_equal(sent_by(tx).bytes, 808);
                check_equal(number_recv(rx, &(number){ 0 }, LEAT_NOW), 0);
                check_equal(received_by(rx).messages, 101);
                check_equal(received_by(rx).bytes, 808);
                leave_child(0);
        }
        check_equal(wait_for_exit(child), 0);
        check_equal(sent_by(tx).messages, 100);
        check_equal(received_by(rx).messages, 100);
        number_sender_close(&tx);
        number_receiver_close(&rx);
}

Test(counters, of_a_forked_childs_copies_go_on_from_where_they_were) {
        run_in_child(a_childs_go_on_from_where_they_were);
}

static void a_killed_receiver(void) {
        number_sender tx;
        number_receiver rx;
        uint64_t n = 0;
        int r;

        check_equal(number_channel(&tx, &rx), 0);
        number_receiver_close(&rx);
        while ((r = number_send(tx, &(number){ n }, LEAT_NOW)) == 0)
                n++;
        check_equal(r, LEAT_DISCONNECTED);
        for (int i = 0; i < 100; i++) {
                check_equal(number_send(tx, &(number){ n }, LEAT_NOW), LEAT_DISCONNECTED);
                check_equal(sent_by(tx).messages, n);
                check_equal(sent_by(tx).bytes, 8 * n);
                check_equal(sent_by(tx).refusals, 0);
        }
        number_sender_close(&tx);
}

Test(counters, stand_still_once_the_receiver_is_gone) {
        run_in_child(a_killed_receiver);
}
