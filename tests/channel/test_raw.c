/* Raw bytes as messages: what is sent is what arrives, however it travels, also by loan and borrow. */
#include <criterion/criterion.h>
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <leat/leat.h>

#include "expiry.h"
#include "lanes.h"

#include "in_child.h"
#include "pattern.h"
#include "support.h"

LEAT_MESSAGE(parcel, (sender, leat_raw, reply), (leat_raw, inside), (string, label));
LEAT_MESSAGE(blob, (bytes, data));

static int before;

static void start(void) {
        before = count_descriptors();
}

static void finish(void) {
        cr_assert_eq(settle_descriptors(before), before, "a descriptor leaked");
}

TestSuite(raw, .init = start, .fini = finish);
TestSuite(raw_in_lane, .init = start, .fini = finish);

static void open_channel(leat_raw_sender *tx, leat_raw_receiver *rx) {
        cr_assert_eq(leat_raw_channel(tx, rx), 0);
}

static void close_channel(leat_raw_sender *tx, leat_raw_receiver *rx) {
        leat_raw_sender_close(tx);
        leat_raw_receiver_close(rx);
}

static void expect(leat_raw got, const void *data, size_t size) {
        cr_assert_eq(got.size, size);
        cr_assert_not_null(got.data);
        cr_assert_eq((uintptr_t) got.data % 8, 0, "aligned to 8 bytes");
        cr_assert_eq(memcmp(got.data, data, size), 0);
}

Test(raw, bytes_of_every_size_arrive_as_they_were) {
        static const size_t sizes[] = { 0, 1, 7, 8, 4096, 65535, 65536, 65537, 600000, 3 << 20, 17 << 20 };
        leat_raw_sender tx;
        leat_raw_receiver rx;
        leat_raw got;

        open_channel(&tx, &rx);
        for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
                unsigned char *data = make_pattern(sizes[i]);

                cr_assert_eq(leat_raw_send(tx, &(leat_raw){ data, sizes[i] }, LEAT_NOW), 0, "%zu", sizes[i]);
                cr_assert_eq(leat_raw_recv(rx, &got, LEAT_NOW), 0, "%zu", sizes[i]);
                expect(got, data, sizes[i]);
                free(data);
        }
        close_channel(&tx, &rx);
}

Test(raw, the_empty_message_is_one_and_data_that_is_missing_is_refused) {
        leat_raw_sender tx;
        leat_raw_receiver rx;
        leat_raw got;
        leat_encoded encoded;

        open_channel(&tx, &rx);
        cr_assert_eq(leat_raw_send(tx, &(leat_raw){ 0 }, LEAT_NOW), 0);
        cr_assert_eq(leat_raw_recv(rx, &got, LEAT_NOW), 0);
        expect(got, "", 0);
        cr_assert_eq(leat_raw_send(tx, &(leat_raw){ NULL, 1 }, LEAT_NOW), -EINVAL);
        cr_assert_eq(leat_raw_encode(&(leat_raw){ NULL, 1 }, &encoded), -EINVAL);
        cr_assert_eq(leat_raw_recv(rx, &got, LEAT_NOW), LEAT_EMPTY);
        close_channel(&tx, &rx);
}

Test(raw, it_is_a_type_of_its_own) {
        cr_assert_str_eq(leat_raw_schema(), "raw leat_raw {bytes bytes}\n");
        cr_assert_not(leat_type_compatible(leat_raw_type(), blob_type()));
        cr_assert(leat_type_compatible(leat_raw_type(), leat_raw_type()));
}

Test(raw, what_is_over_the_receivers_limit_is_dropped) {
        struct leat_channel_options options = { .message_limit = 1000 };
        unsigned char data[1001] = { 0 };
        leat_raw_sender tx;
        leat_raw_receiver rx;
        leat_raw got;

        cr_assert_eq(leat_raw_channel_with(&options, &tx, &rx), 0);
        cr_assert_eq(leat_raw_send(tx, &(leat_raw){ data, 1001 }, LEAT_NOW), 0);
        cr_assert_eq(leat_raw_send(tx, &(leat_raw){ data, 1000 }, LEAT_NOW), 0);
        cr_assert_eq(leat_raw_recv(rx, &got, LEAT_NOW), LEAT_TOO_LARGE);
        cr_assert_eq(leat_raw_recv(rx, &got, LEAT_NOW), 0);
        cr_assert_eq(got.size, 1000);
        close_channel(&tx, &rx);
}

Test(raw, it_can_be_encoded_copied_and_waited_for) {
        leat_raw_sender tx;
        leat_raw_receiver rx;
        leat_raw got, kept;
        leat_encoded encoded;
        leat_set set;
        uint64_t key;

        open_channel(&tx, &rx);
        cr_assert_eq(leat_set_create(&set), 0);
        cr_assert_eq(leat_raw_set_add(set, rx, 7), 0);
        cr_assert_eq(leat_raw_encode(&(leat_raw){ "once", 4 }, &encoded), 0);
        cr_assert_eq(leat_encoded_size(encoded), 4);
        cr_assert_eq(leat_raw_send_encoded(tx, encoded, LEAT_NOW), 0);
        leat_encoded_close(&encoded);
        cr_assert_eq(leat_set_wait(set, &key, leat_after_ms(30000)), 0);
        cr_assert_eq(key, 7);
        cr_assert_eq(leat_raw_recv(rx, &got, LEAT_NOW), 0);
        cr_assert_eq(leat_raw_copy(&got, &kept), 0);
        leat_raw_release(rx);
        expect(kept, "once", 4);
        leat_raw_free(&kept);
        cr_assert_null(kept.data);
        leat_set_close(&set);
        close_channel(&tx, &rx);
}

Test(raw, its_sender_and_it_itself_stand_in_messages) {
        leat_raw_sender reply = { 0 };
        leat_raw_receiver answers = { 0 };
        parcel_sender tx;
        parcel_receiver rx;
        parcel got;
        leat_raw answer;

        cr_assert_eq(parcel_channel(&tx, &rx), 0);
        open_channel(&reply, &answers);
        cr_assert_eq(parcel_send(tx,
                                 &(parcel){ .reply = leat_raw_sender_give(&reply),
                                            .inside = { "in here", 7 },
                                            .label = "x" },
                                 LEAT_NOW),
                     0);
        cr_assert_eq(parcel_recv(rx, &got, LEAT_NOW), 0);
        cr_assert_eq(got.inside.size, 7);
        cr_assert_eq(memcmp(got.inside.data, "in here", 7), 0);
        cr_assert_str_eq(got.label, "x");
        cr_assert_eq(leat_raw_send(got.reply, &(leat_raw){ "pong", 4 }, LEAT_NOW), 0);
        cr_assert_eq(leat_raw_recv(answers, &answer, leat_after_ms(30000)), 0);
        expect(answer, "pong", 4);
        leat_raw_receiver_close(&answers);
        parcel_sender_close(&tx);
        parcel_receiver_close(&rx);
}

Test(raw, a_loan_is_sent_as_far_as_it_was_used) {
        static const size_t sizes[] = { 0, 1, 4096, 65537, 500000, 2 << 20 };
        leat_raw_sender tx;
        leat_raw_receiver rx;
        leat_raw got;
        void *room;

        open_channel(&tx, &rx);
        for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
                unsigned char *data = make_pattern(sizes[i]);

                cr_assert_eq(leat_loan(tx, sizes[i] + 100, &room, LEAT_NOW), 0);
                cr_assert_eq((uintptr_t) room % 8, 0);
                memset(room, 0xee, sizes[i] + 100);
                memcpy(room, data, sizes[i]);
                cr_assert_eq(leat_loan_send(tx, sizes[i], LEAT_NOW), 0);
                cr_assert_eq(leat_raw_recv(rx, &got, LEAT_NOW), 0);
                expect(got, data, sizes[i]);
                free(data);
        }
        cr_assert_eq(leat_raw_recv(rx, &got, LEAT_NOW), LEAT_EMPTY);
        close_channel(&tx, &rx);
}

Test(raw, a_loan_that_is_not_written_holds_nothing_else_of_this_process) {
        struct leat_channel_options options = { .lanes = LEAT_LANES_NEVER };
        leat_raw_sender sender;
        leat_raw_receiver receiver;
        leat_raw got;
        void *room;

        cr_assert_eq(leat_raw_channel_with(&options, &sender, &receiver), 0);
        (void) mallopt(M_PERTURB, 0x5a); /* What malloc gives is full of something. */
        for (size_t size = 100; size <= 100000; size *= 10) {
                cr_assert_eq(leat_loan(sender, size, &room, LEAT_NOW), 0);
                cr_assert_eq(leat_loan_send(sender, size, LEAT_NOW), 0);
                cr_assert_eq(leat_raw_recv(receiver, &got, LEAT_NOW), 0);
                cr_assert_eq(got.size, size);
                for (size_t i = 0; i < size; i++)
                        cr_assert_eq(((const unsigned char *) got.data)[i], 0, "byte %zu of %zu", i, size);
        }
        (void) mallopt(M_PERTURB, 0);
        leat_raw_sender_close(&sender);
        leat_raw_receiver_close(&receiver);
}

Test(raw, while_a_loan_lasts_nothing_else_is_sent) {
        leat_raw message = { "other", 5 }, got;
        leat_raw_sender tx, other;
        leat_raw_receiver rx;
        leat_encoded encoded;
        size_t sent = 7;
        void *room, *second;

        open_channel(&tx, &rx);
        cr_assert_eq(leat_raw_encode(&message, &encoded), 0);
        cr_assert_eq(leat_loan(tx, 10, &room, LEAT_NOW), 0);
        cr_assert_eq(leat_loan(tx, 10, &second, LEAT_NOW), -EBUSY);
        cr_assert_eq(leat_raw_send(tx, &message, LEAT_NOW), -EBUSY);
        cr_assert_eq(leat_raw_send_all(tx, &message, 1, &sent, LEAT_NOW), -EBUSY);
        cr_assert_eq(sent, 0);
        cr_assert_eq(leat_raw_send_encoded(tx, encoded, LEAT_NOW), -EBUSY);
        cr_assert_eq(leat_raw_sender_clone(tx, &other), 0);
        cr_assert_eq(leat_raw_send(other, &message, LEAT_NOW), 0, "a clone is not affected");
        cr_assert_eq(leat_raw_recv(rx, &got, LEAT_NOW), 0);
        expect(got, "other", 5);
        leat_loan_cancel(tx);
        leat_loan_cancel(tx);
        cr_assert_eq(leat_loan_send(tx, 0, LEAT_NOW), -EINVAL, "there is none");
        cr_assert_eq(leat_raw_recv(rx, &got, LEAT_NOW), LEAT_EMPTY, "what was cancelled is not sent");
        cr_assert_eq(leat_raw_send(tx, &message, LEAT_NOW), 0);
        cr_assert_eq(leat_raw_recv(rx, &got, LEAT_NOW), 0);
        leat_encoded_close(&encoded);
        leat_raw_sender_close(&other);
        close_channel(&tx, &rx);
}

Test(raw, a_loan_that_cannot_be_sent_goes_on) {
        leat_raw_sender tx;
        leat_raw_receiver rx;
        void *room;

        open_channel(&tx, &rx);
        cr_assert_eq(leat_loan(tx, (size_t) 2 << 30, &room, LEAT_NOW), LEAT_TOO_LARGE);
        cr_assert_eq(leat_loan(tx, 10, &room, LEAT_NOW), 0);
        cr_assert_eq(leat_loan_send(tx, 11, LEAT_NOW), -EINVAL);
        leat_raw_receiver_close(&rx);
        cr_assert_eq(leat_loan_send(tx, 10, LEAT_NOW), LEAT_DISCONNECTED);
        cr_assert_eq(leat_raw_send(tx, &(leat_raw){ 0 }, LEAT_NOW), -EBUSY);
        leat_raw_sender_close(&tx);
        cr_assert_eq(leat_loan(tx, 10, &room, LEAT_NOW), -EBADF);
}

Test(raw, only_raw_endpoints_loan_and_borrow) {
        blob_sender tx;
        blob_receiver rx;
        leat_raw view;
        void *room;

        cr_assert_eq(blob_channel(&tx, &rx), 0);
        cr_assert_eq(leat_sender_loan(tx.object, 1, &room, LEAT_NOW), -EINVAL);
        cr_assert_eq(leat_receiver_borrow(rx.object, leat_raw_type(), &view, LEAT_NOW), -EINVAL);
        cr_assert_eq(leat_receiver_borrow(NULL, leat_raw_type(), &view, LEAT_NOW), -EBADF);
        blob_sender_close(&tx);
        blob_receiver_close(&rx);
}

/* However they are mixed, on both sides. */
Test(raw, loaned_and_sent_received_and_borrowed_are_one_stream) {
        leat_raw_sender tx;
        leat_raw_receiver rx;
        leat_raw got;
        void *room;

        open_channel(&tx, &rx);
        for (uint64_t i = 0; i < 3000; i++) {
                size_t size = 8 + i % 5 * 700;

                for (uint64_t j = 0; j < 2; j++) {
                        uint64_t number = 2 * i + j;

                        cr_assert_eq(leat_loan(tx, size, &room, LEAT_NOW), 0);
                        memcpy(room, &number, sizeof(number));
                        if (i % 3 == 0) {
                                leat_loan_cancel(tx);
                                cr_assert_eq(
                                        leat_raw_send(tx, &(leat_raw){ &number, sizeof(number) }, LEAT_NOW),
                                        0);
                        } else {
                                cr_assert_eq(leat_loan_send(tx, size, LEAT_NOW), 0);
                        }
                }
                for (uint64_t j = 0; j < 2; j++) {
                        uint64_t number;

                        cr_assert_eq((i + j) % 2 == 0 ? leat_borrow(rx, &got, LEAT_NOW)
                                                      : leat_raw_recv(rx, &got, LEAT_NOW),
                                     0);
                        memcpy(&number, got.data, sizeof(number));
                        cr_assert_eq(number, 2 * i + j);
                        if (i % 4 == 0)
                                leat_raw_release(rx);
                }
        }
        cr_assert_eq(leat_borrow(rx, &got, LEAT_NOW), LEAT_EMPTY);
        leat_raw_sender_close(&tx);
        cr_assert_eq(leat_borrow(rx, &got, leat_after_ms(30000)), LEAT_DISCONNECTED);
        leat_raw_receiver_close(&rx);
}

static leat_raw_sender inherited;

static void send_in_child(void) {
        void *room;

        check_equal(leat_loan(inherited, 5, &room, leat_after_ms(20000)), 0);
        memcpy(room, "child", 5);
        check_equal(leat_loan_send(inherited, 5, leat_after_ms(20000)), 0);
}

Test(raw, a_forked_child_loans_for_itself) {
        leat_raw_receiver rx;
        leat_raw got;
        void *room;

        open_channel(&inherited, &rx);
        cr_assert_eq(leat_loan(inherited, 6, &room, LEAT_NOW), 0);
        memcpy(room, "before", 6);
        cr_assert_eq(leat_loan_send(inherited, 6, LEAT_NOW), 0);
        run_in_child(send_in_child);
        cr_assert_eq(leat_raw_recv(rx, &got, leat_after_ms(20000)), 0);
        expect(got, "before", 6);
        cr_assert_eq(leat_raw_recv(rx, &got, leat_after_ms(20000)), 0);
        expect(got, "child", 5);
        close_channel(&inherited, &rx);
}

/* ---- in place ---- */

static const struct leat_channel_options in_lane = { .lanes = LEAT_LANES_ALWAYS, .capacity = 8192 };

static bool lies_in_lane(const struct lane_reader *lane, const void *bytes) {
        const uint8_t *data = lane->ring.memory;

        return (const uint8_t *) bytes >= data &&
               (const uint8_t *) bytes < data + RING_WORDS_SIZE + 2 * lane->ring.size;
}

static void fill_lane(leat_raw_sender sender, uint32_t *sent) {
        static uint32_t numbers[250];

        for (;;) {
                numbers[0] = *sent;
                if (leat_raw_send(sender, &(leat_raw){ numbers, sizeof(numbers) }, LEAT_NOW) == LEAT_FULL)
                        return;
                ++*sent;
        }
}

static void expect_view(leat_raw view, uint32_t number) {
        uint32_t got;

        cr_assert_eq(view.size, 1000);
        memcpy(&got, view.data, sizeof(got));
        cr_assert_eq(got, number);
}

Test(raw_in_lane, what_is_borrowed_lies_where_its_sender_put_it_and_what_is_received_does_not) {
        leat_raw_sender sender;
        leat_raw_receiver receiver;
        leat_raw view;

        cr_assert_eq(leat_raw_channel_with(&in_lane, &sender, &receiver), 0);
        for (int i = 0; i < 2; i++)
                cr_assert_eq(leat_raw_send(sender, &(leat_raw){ "xyz", 4 }, LEAT_NOW), 0);
        cr_assert_eq(leat_borrow(receiver, &view, LEAT_NOW), 0);
        cr_assert(lies_in_lane(receiver.object->lanes->list[0], view.data));
        cr_assert_str_eq(view.data, "xyz");
        cr_assert_eq(leat_raw_recv(receiver, &view, LEAT_NOW), 0);
        cr_assert_not(lies_in_lane(receiver.object->lanes->list[0], view.data));
        cr_assert_str_eq(view.data, "xyz");
        leat_raw_sender_close(&sender);
        leat_raw_receiver_close(&receiver);
}

Test(raw_in_lane, what_is_borrowed_stays_until_the_next_message_or_its_release) {
        leat_raw_sender sender;
        leat_raw_receiver receiver;
        uint32_t sent = 0, as_before;
        leat_raw view;

        cr_assert_eq(leat_raw_channel_with(&in_lane, &sender, &receiver), 0);
        fill_lane(sender, &sent);
        as_before = sent;
        cr_assert_eq(leat_borrow(receiver, &view, LEAT_NOW), 0);
        fill_lane(sender, &sent);
        cr_assert_eq(sent, as_before, "its room is taken");
        expect_view(view, 0);
        leat_raw_release(receiver);
        fill_lane(sender, &sent);
        cr_assert_eq(sent, as_before + 1);
        for (uint32_t i = 1; i < sent; i++) {
                cr_assert_eq(leat_borrow(receiver, &view, LEAT_NOW), 0);
                expect_view(view, i);
        }
        cr_assert_eq(leat_borrow(receiver, &view, LEAT_NOW), LEAT_EMPTY);
        fill_lane(sender, &as_before);
        expect_view((leat_raw){ view.data, 1000 }, sent - 1);
        leat_raw_sender_close(&sender);
        leat_raw_receiver_close(&receiver);
}

Test(raw_in_lane, a_forked_child_may_close_what_its_parent_has_borrowed_from) {
        leat_raw_sender sender;
        leat_raw_receiver receiver;
        leat_raw view;
        pid_t child;

        cr_assert_eq(leat_raw_channel_with(&in_lane, &sender, &receiver), 0);
        for (int i = 0; i < 2; i++)
                cr_assert_eq(leat_raw_send(sender, &(leat_raw){ "xyz", 4 }, LEAT_NOW), 0);
        cr_assert_eq(leat_borrow(receiver, &view, LEAT_NOW), 0);
        for (int releases = 0; releases < 2; releases++) {
                child = fork();
                if (child == 0) {
                        if (releases)
                                leat_raw_release(receiver);
                        leat_raw_receiver_close(&receiver);
                        leave_child(0);
                }
                cr_assert_eq(wait_for_exit(child), 0);
        }
        cr_assert_str_eq(view.data, "xyz");
        cr_assert_eq(leat_borrow(receiver, &view, LEAT_NOW), 0);
        leat_raw_sender_close(&sender);
        leat_raw_receiver_close(&receiver);
}

Test(raw_in_lane, loans_that_the_lane_takes_go_on_while_one_is_borrowed) {
        leat_raw_sender sender;
        leat_raw_receiver receiver;
        size_t largest = in_lane.capacity / 2 - 32;
        leat_raw view;
        void *room;

        cr_assert_eq(leat_raw_channel_with(&in_lane, &sender, &receiver), 0);
        for (int i = 0; i < 100; i++) {
                cr_assert_eq(leat_loan(sender, largest, &room, LEAT_NOW), 0);
                memset(room, i, largest);
                cr_assert_eq(leat_loan_send(sender, largest, LEAT_NOW), 0);
                cr_assert_eq(leat_borrow(receiver, &view, LEAT_NOW), 0);
                cr_assert(lies_in_lane(receiver.object->lanes->list[0], view.data));
                cr_assert_eq(*(const unsigned char *) view.data, (unsigned char) i);
        }
        leat_raw_sender_close(&sender);
        leat_raw_receiver_close(&receiver);
}

Test(raw_in_lane, what_is_borrowed_outlives_its_sender_and_its_lane) {
        leat_raw_sender sender;
        leat_raw_receiver receiver;
        uint32_t number = 7;
        leat_raw view;

        cr_assert_eq(leat_raw_channel_with(&in_lane, &sender, &receiver), 0);
        cr_assert_eq(leat_raw_send(sender, &(leat_raw){ &number, sizeof(number) }, LEAT_NOW), 0);
        cr_assert_eq(leat_borrow(receiver, &view, LEAT_NOW), 0);
        leat_raw_sender_close(&sender);
        cr_assert_eq(leat_borrow(receiver, &(leat_raw){ NULL, 0 }, LEAT_FOREVER), LEAT_DISCONNECTED);
        cr_assert_eq(memcmp(view.data, &number, sizeof(number)), 0);
        leat_raw_receiver_close(&receiver);
}

static size_t memory_kept(leat_raw_receiver receiver) {
        const struct lanes *lanes = receiver.object->lanes;

        return receiver.object->sealed.capacity + lanes->spare.capacity +
               (lanes->n > 0 ? lanes->list[lanes->n - 1]->gathered.capacity : 0);
}

Test(raw_in_lane, memory_of_large_messages_is_used_again_and_given_back_when_smaller_ones_come) {
        static unsigned char data[5 << 20];
        leat_raw_sender sender;
        leat_raw_receiver receiver;
        leat_raw got;
        pid_t child;

        cr_assert_eq(leat_raw_channel_with(&in_lane, &sender, &receiver), 0);
        child = fork();
        if (child == 0) {
                watchdog(30);
                leat_raw_receiver_close(&receiver);
                for (int i = 0; i < 12; i++)
                        check_equal(leat_raw_send(sender, &(leat_raw){ data, i < 8 ? sizeof(data) : 100 },
                                                  LEAT_FOREVER),
                                    0);
                leave_child(0);
        }
        leat_raw_sender_close(&sender);
        for (int i = 0; i < 12; i++) {
                cr_assert_eq(leat_raw_recv(receiver, &got, leat_after_ms(30000)), 0);
                cr_assert_eq(got.size, i < 8 ? sizeof(data) : 100);
                cr_assert_leq(memory_kept(receiver), 2 * (sizeof(data) * 2));
        }
        if (!expiry_is_watched())
                cr_assert_leq(memory_kept(receiver), 2 * BUFFER_KEEP);
        cr_assert_eq(leat_raw_recv(receiver, &got, leat_after_ms(30000)), LEAT_DISCONNECTED);
        cr_assert_eq(wait_for_exit(child), 0);
        leat_raw_receiver_close(&receiver);
}

Test(raw_in_lane, a_sender_that_sleeps_for_what_is_borrowed_is_woken_by_its_release) {
        leat_raw_sender sender;
        leat_raw_receiver receiver;
        uint32_t sent = 0;
        leat_raw view;
        pid_t child;

        cr_assert_eq(leat_raw_channel_with(&in_lane, &sender, &receiver), 0);
        child = fork();
        if (child == 0) {
                uint32_t numbers[1000] = { 0 };

                watchdog(30);
                leat_raw_receiver_close(&receiver);
                for (int i = 0; i < 50; i++) /* The first by the socket, then by a lane of its own. */
                        check_equal(
                                leat_raw_send(sender, &(leat_raw){ numbers, sizeof(numbers) }, LEAT_FOREVER),
                                0);
                leave_child(0);
        }
        leat_raw_sender_close(&sender);
        while (leat_borrow(receiver, &view, LEAT_FOREVER) == 0) {
                cr_assert_eq(view.size, 4000);
                if (sent++ % 8 == 0)
                        usleep(2000);
                if (sent % 3 == 0)
                        leat_raw_release(receiver);
        }
        cr_assert_eq(sent, 50);
        cr_assert_eq(wait_for_exit(child), 0);
        leat_raw_receiver_close(&receiver);
}
