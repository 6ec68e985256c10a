/* Senders, receivers, descriptors and memory in messages: what is lent stays, what is given goes once the
 * send succeeded, and what nobody takes is closed. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <leat/leat.h>

#include "connection.h"
#include "sender.h"

#include "support.h"
#include "transport.h"

LEAT_MESSAGE(number, (u64, value));
LEAT_MESSAGE(text, (string, words));

LEAT_DECLARE(parcel);
LEAT_DEFINE_MESSAGE(parcel, (u32, id), (sender, number, done), (receiver, number, more), (descriptor, file),
                    (shared_memory, frame), (sender, parcel, back), (array, sender, number, all),
                    (optional, sender, number, perhaps), (receiver, parcel, next));

LEAT_DECLARE(pong);
LEAT_MESSAGE(ping, (u32, n), (sender, pong, back));
LEAT_DEFINE_MESSAGE(pong, (u32, n), (sender, ping, back));

LEAT_MESSAGE(reversed, (receiver, parcel, first), (sender, number, then), (receiver, number, last));

LEAT_VARIANT(choice, (number, nothing_in_it), (parcel, box));

#include "one_channel.h" /* Of these parcels. */

TestSuite(handles, .init = start, .fini = finish);

static void make(number_sender *ret_tx, number_receiver *ret_rx) {
        cr_assert_eq(number_channel(ret_tx, ret_rx), 0);
}

static void expect_number(number_receiver receiver, uint64_t value) {
        number got;

        cr_assert_eq(number_recv(receiver, &got, LEAT_NOW), 0);
        cr_assert_eq(got.value, value);
}

static void expect_two_numbers(number_receiver receiver) {
        number first, second;

        cr_assert_eq(number_recv(receiver, &first, LEAT_NOW), 0);
        cr_assert_eq(number_recv(receiver, &second, LEAT_NOW), 0);
        cr_assert(first.value == 1 || first.value == 2);
        cr_assert_eq(second.value, 3 - first.value);
}

static void fill(number_sender lent) {
        int r;

        while ((r = parcel_send(tx, &(parcel){ 0 }, LEAT_NOW)) == 0)
                ;
        cr_assert_eq(r, LEAT_FULL);
        if (!lanes_from_the_start())
                return;
        /* One with a handle takes less of a lane: its body goes by the lane's socket. */
        while ((r = parcel_send(tx, &(parcel){ .done = lent }, LEAT_NOW)) == 0)
                ;
        cr_assert_eq(r, LEAT_FULL);
}

Test(handles, a_lent_sender_works_there_and_stays_open_here) {
        number_sender done;
        number_receiver answers;
        parcel got;

        make(&done, &answers);
        cr_assert_eq(parcel_send(tx, &(parcel){ .done = done }, LEAT_NOW), 0);
        cr_assert_eq(parcel_recv(rx, &got, LEAT_NOW), 0);
        cr_assert_eq(number_send(got.done, &(number){ 1 }, LEAT_NOW), 0);
        cr_assert_eq(number_send(done, &(number){ 2 }, LEAT_NOW), 0);
        if (lanes_from_the_start()) { /* By the socket the one, by the lane the other: two senders have no
                                       * order between them. */
                expect_two_numbers(answers);
        } else {
                expect_number(answers, 1);
                expect_number(answers, 2);
        }
        number_sender_close(&done);
        number_receiver_close(&answers);
}

Test(handles, a_given_sender_is_closed_here_once_it_was_sent_and_is_kept_when_it_was_not) {
        number_sender done;
        number_receiver answers;
        number got_number;
        parcel got;

        make(&done, &answers);
        fill(done);
        cr_assert_eq(parcel_send(tx, &(parcel){ .done = number_sender_give(&done) }, LEAT_NOW), LEAT_FULL);
        cr_assert_eq(parcel_send(tx, &(parcel){ .done = number_sender_give(&done) }, leat_after_ms(2)), LEAT_TIMEOUT);
        cr_assert(number_sender_is_set(done));
        cr_assert_eq(number_send(done, &(number){ 3 }, LEAT_NOW), 0);
        expect_number(answers, 3);
        while (parcel_recv(rx, &got, LEAT_NOW) == 0)
                ;
        cr_assert_eq(parcel_send(tx, &(parcel){ .done = number_sender_give(&done) }, LEAT_NOW), 0);
        cr_assert_not(number_sender_is_set(done));
        cr_assert_eq(number_recv(answers, &got_number, LEAT_NOW), LEAT_EMPTY, "it is on its way");
        cr_assert_eq(parcel_recv(rx, &got, LEAT_NOW), 0);
        cr_assert_eq(number_send(got.done, &(number){ 4 }, LEAT_NOW), 0);
        expect_number(answers, 4);
        number_sender_close(&got.done);
        cr_assert_eq(number_recv(answers, &got_number, LEAT_NOW), LEAT_DISCONNECTED);
        number_receiver_close(&answers);
}

Test(handles, all_that_is_given_is_kept_when_the_receiver_is_gone) {
        number_sender done;
        number_receiver answers;
        leat_shared_memory frame;
        int file = open("/dev/null", O_RDONLY | O_CLOEXEC);

        make(&done, &answers);
        cr_assert_eq(leat_shared_memory_copy("x", 1, &frame), 0);
        parcel_receiver_close(&rx);
        cr_assert_eq(parcel_send(tx,
                                 &(parcel){ .done = number_sender_give(&done),
                                            .more = number_receiver_give(&answers),
                                            .file = leat_descriptor_give(&file),
                                            .frame = leat_shared_memory_give(&frame) },
                                 LEAT_FOREVER),
                     LEAT_DISCONNECTED);
        cr_assert(number_sender_is_set(done) && number_receiver_is_set(answers) && file >= 0 && frame.object);
        cr_assert_eq(number_send(done, &(number){ 3 }, LEAT_NOW), 0);
        expect_number(answers, 3);
        number_sender_close(&done);
        number_receiver_close(&answers);
        leat_shared_memory_close(&frame);
        close(file);
}

Test(handles, a_receiver_moves_with_what_waits_in_it) {
        number_sender feed;
        number_receiver numbers, moved;
        number got_number;
        parcel got;

        make(&feed, &numbers);
        cr_assert_eq(number_send(feed, &(number){ 1 }, LEAT_NOW), 0);
        cr_assert_eq(parcel_send(tx, &(parcel){ .more = number_receiver_give(&numbers) }, LEAT_NOW), 0);
        cr_assert_not(number_receiver_is_set(numbers));
        cr_assert_eq(number_recv(numbers, &got_number, LEAT_NOW), -EBADF, "it is disarmed");
        cr_assert_eq(number_send(feed, &(number){ 2 }, LEAT_NOW), 0, "its sender notices nothing");
        cr_assert_eq(parcel_recv(rx, &got, LEAT_NOW), 0);
        moved = number_receiver_take(&got.more);
        cr_assert_not(number_receiver_is_set(got.more));
        number_sender_close(&feed);
        expect_number(moved, 1);
        expect_number(moved, 2);
        cr_assert_eq(number_recv(moved, &got_number, LEAT_NOW), LEAT_DISCONNECTED);
        number_receiver_close(&moved);
}

Test(handles, a_receiver_can_only_be_given_and_not_out_of_a_set) {
        number_sender feed;
        number_receiver numbers;
        parcel got;
        leat_set set;

        make(&feed, &numbers);
        cr_assert_eq(leat_set_create(&set), 0);
        cr_assert_eq(parcel_send(tx, &(parcel){ .more = numbers }, LEAT_NOW), -EINVAL);
        cr_assert_eq(number_set_add(set, numbers, 1), 0);
        cr_assert_eq(parcel_send(tx, &(parcel){ .more = number_receiver_give(&numbers) }, LEAT_NOW), -EBUSY);
        cr_assert(number_receiver_is_set(numbers));
        cr_assert_eq(parcel_recv(rx, &got, LEAT_NOW), LEAT_EMPTY);
        cr_assert_eq(leat_set_remove(set, 1), 0);
        cr_assert_eq(parcel_send(tx, &(parcel){ .more = number_receiver_give(&numbers) }, LEAT_NOW), 0);
        leat_set_close(&set);
        number_sender_close(&feed);
}

Test(handles, a_receiver_that_moves_while_it_waits_in_another_that_moves_loses_nothing) {
        number_sender feed;
        number_receiver numbers;
        parcel_sender inner_tx;
        parcel_receiver inner_rx;
        parcel outer, inner;

        make(&feed, &numbers);
        cr_assert_eq(parcel_channel(&inner_tx, &inner_rx), 0);
        cr_assert_eq(number_send(feed, &(number){ 11 }, LEAT_NOW), 0);
        cr_assert_eq(parcel_send(inner_tx, &(parcel){ .id = 5, .more = number_receiver_give(&numbers) }, LEAT_NOW), 0);
        cr_assert_eq(parcel_send(tx, &(parcel){ .next = parcel_receiver_give(&inner_rx) }, LEAT_NOW), 0);
        cr_assert_eq(number_send(feed, &(number){ 12 }, LEAT_NOW), 0);
        cr_assert_eq(parcel_send(inner_tx, &(parcel){ .id = 6 }, LEAT_NOW), 0);

        cr_assert_eq(parcel_recv(rx, &outer, LEAT_NOW), 0);
        cr_assert_eq(parcel_recv(outer.next, &inner, LEAT_NOW), 0, "borrowed will do");
        cr_assert_eq(inner.id, 5);
        expect_number(inner.more, 11);
        expect_number(inner.more, 12);
        cr_assert_eq(parcel_recv(outer.next, &inner, LEAT_NOW), 0);
        cr_assert_eq(inner.id, 6);
        cr_assert_eq(number_send(feed, &(number){ 13 }, LEAT_NOW), LEAT_DISCONNECTED, "expired with its message");
        number_sender_close(&feed);
        parcel_sender_close(&inner_tx);
}

Test(handles, giving_the_same_thing_twice_is_refused_however_it_is_named) {
        number_sender done, alias;
        number_receiver answers, other;
        int file = open("/dev/null", O_RDONLY | O_CLOEXEC);
        number_sender all[2];

        make(&done, &answers);
        alias = done;
        other = answers;
        (void) other;
        all[0] = number_sender_give(&done);
        all[1] = number_sender_give(&done);
        cr_assert_eq(parcel_send(tx, &(parcel){ .all = { all, 2 } }, LEAT_NOW), -EINVAL);
        all[1] = number_sender_give(&alias);
        cr_assert_eq(parcel_send(tx, &(parcel){ .all = { all, 2 } }, LEAT_NOW), -EINVAL);
        cr_assert(number_sender_is_set(done));
        cr_assert_eq(number_send(done, &(number){ 3 }, LEAT_NOW), 0);
        expect_number(answers, 3);
        number_sender_close(&done);
        number_receiver_close(&answers);
        close(file);
}

Test(handles, two_clones_can_be_given_in_one_message) {
        number_sender done, clone, all[2];
        number_receiver answers;
        parcel got;

        make(&done, &answers);
        cr_assert_eq(number_sender_clone(done, &clone), 0);
        all[0] = number_sender_give(&done);
        all[1] = number_sender_give(&clone);
        cr_assert_eq(parcel_send(tx, &(parcel){ .all = { all, 2 } }, LEAT_NOW), 0);
        cr_assert_not(number_sender_is_set(done) || number_sender_is_set(clone));
        cr_assert_eq(parcel_recv(rx, &got, LEAT_NOW), 0);
        cr_assert_eq(got.all.count, 2);
        cr_assert_eq(number_send(got.all.items[1], &(number){ 8 }, LEAT_NOW), 0);
        expect_number(answers, 8);
        number_receiver_close(&answers);
}

Test(handles, the_same_sender_three_times_in_one_message) {
        number_sender done, all[3];
        number_receiver answers;
        number got_number;
        parcel got;

        make(&done, &answers);
        for (int i = 0; i < 3; i++)
                all[i] = done;
        cr_assert_eq(parcel_send(tx, &(parcel){ .all = { all, 3 } }, LEAT_NOW), 0);
        number_sender_close(&done);
        cr_assert_eq(parcel_recv(rx, &got, LEAT_NOW), 0);
        for (uint64_t i = 0; i < 3; i++) {
                cr_assert_eq(number_send(got.all.items[i], &(number){ i }, LEAT_NOW), 0);
                number_sender_close(&got.all.items[i]);
        }
        for (uint64_t i = 0; i < 3; i++)
                expect_number(answers, i);
        cr_assert_eq(number_recv(answers, &got_number, LEAT_NOW), LEAT_DISCONNECTED);
        number_receiver_close(&answers);
}

Test(handles, several_in_one_message_keep_their_places) {
        number_sender a, b;
        number_receiver from_a, from_b;
        parcel got;

        make(&a, &from_a);
        make(&b, &from_b);
        cr_assert_eq(parcel_send(tx, &(parcel){ .done = number_sender_give(&a),
                                                .perhaps = LEAT_SOME(number_sender_give(&b)) }, LEAT_NOW), 0);
        cr_assert_eq(parcel_recv(rx, &got, LEAT_NOW), 0);
        cr_assert(got.perhaps.present);
        cr_assert_eq(number_send(got.done, &(number){ 1 }, LEAT_NOW), 0);
        cr_assert_eq(number_send(got.perhaps.value, &(number){ 2 }, LEAT_NOW), 0);
        expect_number(from_a, 1);
        expect_number(from_b, 2);
        number_receiver_close(&from_a);
        number_receiver_close(&from_b);
}

Test(handles, a_sender_whose_receiver_is_gone_can_travel_and_be_cloned) {
        number_sender done, clone;
        number_receiver answers;
        parcel got;

        make(&done, &answers);
        number_receiver_close(&answers);
        cr_assert_eq(number_sender_clone(done, &clone), 0);
        cr_assert_eq(parcel_send(tx, &(parcel){ .done = number_sender_give(&done) }, LEAT_NOW), 0);
        cr_assert_eq(parcel_recv(rx, &got, LEAT_NOW), 0);
        cr_assert_eq(number_send(got.done, &(number){ 1 }, LEAT_NOW), LEAT_DISCONNECTED);
        cr_assert_eq(number_send(clone, &(number){ 1 }, LEAT_NOW), LEAT_DISCONNECTED);
        number_sender_close(&clone);
}

Test(handles, an_unset_handle_sends_nothing_and_is_no_descriptor_0) {
        parcel got;

        memset(&got, 0xff, sizeof(got));
        cr_assert_eq(parcel_send(tx, &(parcel){ .id = 3 }, LEAT_NOW), 0);
        cr_assert_eq(parcel_recv(rx, &got, LEAT_NOW), 0);
        cr_assert_eq(got.id, 3);
        cr_assert_not(number_sender_is_set(got.done) || number_receiver_is_set(got.more) || got.perhaps.present);
        cr_assert_eq(leat_descriptor_number(got.file), -1);
        cr_assert_eq(leat_descriptor_take(&got.file), -1);
        cr_assert_null(got.frame.object);
        cr_assert_eq(got.all.count, 0);
        cr_assert_eq(count_descriptors(), before + descriptors_of_channel());
}

Test(handles, a_descriptor_arrives_close_on_exec_and_another_number) {
        int file = open("/dev/zero", O_RDONLY | O_CLOEXEC), there;
        char byte = 1;
        parcel got;

        cr_assert_eq(parcel_send(tx, &(parcel){ .file = leat_descriptor_lend(file) }, LEAT_NOW), 0);
        cr_assert_eq(fcntl(file, F_GETFD), FD_CLOEXEC, "still open");
        cr_assert_eq(parcel_send(tx, &(parcel){ .file = leat_descriptor_give(&file) }, LEAT_NOW), 0);
        cr_assert_eq(file, -1);
        cr_assert_eq(parcel_recv(rx, &got, LEAT_NOW), 0);
        there = leat_descriptor_number(got.file);
        cr_assert_eq(fcntl(there, F_GETFD), FD_CLOEXEC);
        cr_assert_eq(read(there, &byte, 1), 1);
        cr_assert_eq(byte, 0);
        cr_assert_eq(parcel_recv(rx, &got, LEAT_NOW), 0);
        there = leat_descriptor_take(&got.file);
        cr_assert_eq(leat_descriptor_number(got.file), -1);
        parcel_receiver_close(&rx);
        cr_assert_eq(read(there, &byte, 1), 1, "taken is mine");
        close(there);
}

Test(handles, what_nobody_took_is_closed_when_its_message_expires) {
        number_sender done;
        number_receiver answers, more;
        number_sender feed;
        leat_shared_memory frame;
        int file = open("/dev/null", O_RDONLY | O_CLOEXEC), before_message = count_descriptors();
        parcel got;
        number got_number;

        make(&done, &answers);
        make(&feed, &more);
        cr_assert_eq(leat_shared_memory_copy("x", 1, &frame), 0);
        cr_assert_eq(parcel_send(tx, &(parcel){ .done = number_sender_give(&done), .more = number_receiver_give(&more),
                                                .file = leat_descriptor_lend(file),
                                                .frame = leat_shared_memory_give(&frame) }, LEAT_NOW), 0);
        cr_assert_eq(parcel_send(tx, &(parcel){ 0 }, LEAT_NOW), 0);
        cr_assert_eq(parcel_recv(rx, &got, LEAT_NOW), 0);
        cr_assert_eq(number_send(feed, &(number){ 1 }, LEAT_NOW), 0);
        cr_assert_eq(number_recv(answers, &got_number, LEAT_NOW), LEAT_EMPTY);
        cr_assert_eq(parcel_recv(rx, &got, LEAT_NOW), 0);
        cr_assert_eq(number_send(feed, &(number){ 1 }, LEAT_NOW), LEAT_DISCONNECTED);
        cr_assert_eq(number_recv(answers, &got_number, LEAT_NOW), LEAT_DISCONNECTED);
        number_sender_close(&feed);
        number_receiver_close(&answers);
        cr_assert_eq(settle_descriptors(before_message), before_message);
        close(file);
}

Test(handles, closing_a_borrowed_handle_and_closing_its_receiver_do_not_close_it_twice) {
        number_sender done;
        number_receiver answers;
        parcel got;

        make(&done, &answers);
        cr_assert_eq(parcel_send(tx, &(parcel){ .done = number_sender_give(&done) }, LEAT_NOW), 0);
        cr_assert_eq(parcel_recv(rx, &got, LEAT_NOW), 0);
        number_sender_close(&got.done);
        cr_assert_not(number_sender_is_set(got.done));
        parcel_receiver_close(&rx);
        number_receiver_close(&answers);
}

Test(handles, a_message_that_carries_a_sender_of_its_own_type) {
        parcel_sender back_tx;
        parcel_receiver back_rx;
        parcel got, answer;

        cr_assert_eq(parcel_channel(&back_tx, &back_rx), 0);
        cr_assert_eq(parcel_send(tx, &(parcel){ .back = parcel_sender_give(&back_tx) }, LEAT_NOW), 0);
        cr_assert_eq(parcel_recv(rx, &got, LEAT_NOW), 0);
        cr_assert_eq(parcel_send(got.back, &(parcel){ .id = 9, .back = tx }, LEAT_NOW), 0);
        cr_assert_eq(parcel_recv(back_rx, &answer, LEAT_NOW), 0);
        cr_assert_eq(answer.id, 9);
        cr_assert_eq(parcel_send(answer.back, &(parcel){ .id = 10 }, LEAT_NOW), 0);
        cr_assert_eq(parcel_recv(rx, &got, LEAT_NOW), 0);
        cr_assert_eq(got.id, 10);
        parcel_receiver_close(&back_rx);
}

Test(handles, two_messages_that_name_each_others_senders) {
        ping_sender ping_tx;
        ping_receiver ping_rx;
        pong_sender pong_tx;
        pong_receiver pong_rx;
        ping a;
        pong b;

        cr_assert_eq(ping_channel(&ping_tx, &ping_rx), 0);
        cr_assert_eq(pong_channel(&pong_tx, &pong_rx), 0);
        cr_assert_eq(ping_send(ping_tx, &(ping){ 0, pong_tx }, LEAT_NOW), 0);
        for (uint32_t i = 0; i < 5; i++) {
                cr_assert_eq(ping_recv(ping_rx, &a, LEAT_NOW), 0);
                cr_assert_eq(a.n, i);
                cr_assert_eq(pong_send(a.back, &(pong){ i, ping_tx }, LEAT_NOW), 0);
                cr_assert_eq(pong_recv(pong_rx, &b, LEAT_NOW), 0);
                cr_assert_eq(b.n, i);
                cr_assert_eq(ping_send(b.back, &(ping){ i + 1, pong_tx }, LEAT_NOW), 0);
        }
        ping_sender_close(&ping_tx);
        ping_receiver_close(&ping_rx);
        pong_sender_close(&pong_tx);
        pong_receiver_close(&pong_rx);
}

Test(handles, a_sender_can_be_given_through_itself) {
        parcel got;

        cr_assert_eq(parcel_send(tx, &(parcel){ .id = 4, .back = parcel_sender_give(&tx) }, LEAT_NOW), 0);
        cr_assert_not(parcel_sender_is_set(tx));
        cr_assert_eq(parcel_recv(rx, &got, LEAT_NOW), 0);
        cr_assert_eq(got.id, 4);
        tx = parcel_sender_take(&got.back);
        cr_assert_eq(parcel_send(tx, &(parcel){ .id = 5 }, LEAT_NOW), 0);
        cr_assert_eq(parcel_recv(rx, &got, LEAT_NOW), 0);
        cr_assert_eq(got.id, 5);
}

/* "Here is the answer, and I hand you my whole queue": the receiver takes along what it had lent. */
Test(handles, a_receiver_can_be_given_by_a_sender_that_it_lends) {
        parcel_sender answers_tx;
        parcel_receiver answers_rx;
        parcel job, got;

        cr_assert_eq(parcel_channel(&answers_tx, &answers_rx), 0);
        cr_assert_eq(parcel_send(tx, &(parcel){ .back = parcel_sender_give(&answers_tx) }, LEAT_NOW), 0);
        cr_assert_eq(parcel_recv(rx, &job, LEAT_NOW), 0);
        cr_assert_eq(parcel_send(tx, &(parcel){ .id = 8 }, LEAT_NOW), 0);
        cr_assert_eq(parcel_send(job.back, &(parcel){ .next = parcel_receiver_give(&rx) }, LEAT_NOW), 0);
        cr_assert_eq(parcel_recv(answers_rx, &got, LEAT_NOW), 0);
        rx = parcel_receiver_take(&got.next);
        cr_assert_eq(parcel_recv(rx, &job, LEAT_NOW), 0);
        cr_assert_eq(job.id, 8);
        parcel_receiver_close(&answers_rx);
}

Test(handles, a_receiver_and_all_that_it_lends_can_be_given_in_one_message) {
        parcel_sender other_tx;
        parcel_receiver other_rx;
        number_sender done, feed;
        number_receiver answers, numbers;
        parcel job, got;

        cr_assert_eq(parcel_channel(&other_tx, &other_rx), 0);
        make(&done, &answers);
        make(&feed, &numbers);
        cr_assert_eq(parcel_send(tx, &(parcel){ .done = number_sender_give(&done),
                                                .more = number_receiver_give(&numbers) }, LEAT_NOW), 0);
        cr_assert_eq(parcel_recv(rx, &job, LEAT_NOW), 0);
        /* `done` comes before `next` in the message, an optional after it would too: both orders. */
        cr_assert_eq(parcel_send(other_tx, &(parcel){ .done = number_sender_give(&job.done),
                                                      .more = number_receiver_give(&job.more),
                                                      .next = parcel_receiver_give(&rx) }, LEAT_NOW), 0);
        cr_assert_not(number_sender_is_set(job.done) || number_receiver_is_set(job.more));
        cr_assert_eq(parcel_recv(other_rx, &got, LEAT_NOW), 0);
        cr_assert_eq(number_send(got.done, &(number){ 4 }, LEAT_NOW), 0);
        expect_number(answers, 4);
        cr_assert_eq(number_send(feed, &(number){ 5 }, LEAT_NOW), 0);
        expect_number(got.more, 5);
        number_sender_close(&feed);
        number_receiver_close(&answers);
        parcel_sender_close(&other_tx);
        parcel_receiver_close(&other_rx);
}

Test(handles, in_whatever_order_they_stand) {
        reversed_sender other_tx;
        reversed_receiver other_rx;
        number_sender done, feed;
        number_receiver answers, numbers;
        parcel job;
        reversed got;

        cr_assert_eq(reversed_channel(&other_tx, &other_rx), 0);
        make(&done, &answers);
        make(&feed, &numbers);
        cr_assert_eq(parcel_send(tx, &(parcel){ .done = number_sender_give(&done),
                                                .more = number_receiver_give(&numbers) }, LEAT_NOW), 0);
        cr_assert_eq(parcel_recv(rx, &job, LEAT_NOW), 0);
        cr_assert_eq(reversed_send(other_tx, &(reversed){ .first = parcel_receiver_give(&rx),
                                                          .then = number_sender_give(&job.done),
                                                          .last = number_receiver_give(&job.more) }, LEAT_NOW), 0);
        cr_assert_not(number_sender_is_set(job.done) || number_receiver_is_set(job.more));
        cr_assert_eq(reversed_recv(other_rx, &got, LEAT_NOW), 0);
        cr_assert_eq(number_send(got.then, &(number){ 4 }, LEAT_NOW), 0);
        expect_number(answers, 4);
        number_sender_close(&feed);
        number_receiver_close(&answers);
        reversed_sender_close(&other_tx);
        reversed_receiver_close(&other_rx);
}

Test(handles, an_endpoint_of_another_type_is_a_mismatch_and_costs_one_message) {
        text_sender words;
        text_receiver heard;
        parcel got;
        number_sender disguised;

        cr_assert_eq(text_channel(&words, &heard), 0);
        disguised.object = words.object; /* What no compiler lets through by itself. */
        disguised.given = NULL;
        cr_assert_eq(parcel_send(tx, &(parcel){ .done = disguised }, LEAT_NOW), 0);
        cr_assert_eq(parcel_recv(rx, &got, LEAT_NOW), LEAT_TYPE_MISMATCH);
        cr_assert_eq(parcel_send(tx, &(parcel){ .id = 1 }, LEAT_NOW), 0);
        cr_assert_eq(parcel_recv(rx, &got, LEAT_NOW), 0);
        text_sender_close(&words);
        text_receiver_close(&heard);
}

Test(handles, a_message_of_another_type_is_a_mismatch_and_costs_one_message) {
        number_sender numbers;
        number_receiver got_numbers;
        text_sender words;
        text_receiver heard;
        text got;

        make(&numbers, &got_numbers);
        cr_assert_eq(text_channel(&words, &heard), 0);
        /* The untyped engine, as a program in another language might use it, holds to the type too. */
        cr_assert_eq(leat_sender_send(words.object, number_type(), &(number){ 1 }, LEAT_NOW), -EINVAL);
        cr_assert_eq(leat_receiver_recv(heard.object, number_type(), &got, LEAT_NOW), -EINVAL);
        text_sender_close(&words);
        text_receiver_close(&heard);
        number_sender_close(&numbers);
        number_receiver_close(&got_numbers);
}

/* ---- copies ---- */

Test(handles, a_copy_outlives_its_message_with_all_that_is_in_it) {
        number_sender done, all[2];
        number_receiver answers;
        leat_shared_memory frame;
        int file = open("/dev/zero", O_RDONLY | O_CLOEXEC);
        const void *data;
        parcel got, kept = { 0 };
        char byte = 1;

        make(&done, &answers);
        all[0] = all[1] = done;
        cr_assert_eq(leat_shared_memory_copy("xyz", 3, &frame), 0);
        cr_assert_eq(parcel_send(tx, &(parcel){ .id = 6, .done = done, .all = { all, 2 }, .frame = frame,
                                                .perhaps = LEAT_SOME(done),
                                                .file = leat_descriptor_lend(file) }, LEAT_NOW), 0);
        number_sender_close(&done);
        leat_shared_memory_close(&frame);
        close(file);
        cr_assert_eq(parcel_recv(rx, &got, LEAT_NOW), 0);
        cr_assert_eq(parcel_copy(&got, &kept), 0);
        parcel_receiver_close(&rx);
        cr_assert_eq(kept.id, 6);
        cr_assert_eq(number_send(kept.done, &(number){ 1 }, LEAT_NOW), 0);
        cr_assert_eq(number_send(kept.all.items[1], &(number){ 2 }, LEAT_NOW), 0);
        cr_assert_eq(number_send(kept.perhaps.value, &(number){ 3 }, LEAT_NOW), 0);
        for (uint64_t i = 1; i <= 3; i++)
                expect_number(answers, i);
        cr_assert_eq(leat_shared_memory_data(kept.frame, &data), 0);
        cr_assert_eq(memcmp(data, "xyz", 3), 0);
        cr_assert_eq(read(leat_descriptor_number(kept.file), &byte, 1), 1);
        parcel_free(&kept);
        cr_assert_not(number_sender_is_set(kept.done));
        cr_assert_eq(kept.all.count, 0);
        parcel_free(&kept);
        number_receiver_close(&answers);
}

Test(handles, a_message_with_a_receiver_is_not_copied) {
        number_sender feed;
        number_receiver numbers;
        parcel got, kept = { .id = 77 };

        make(&feed, &numbers);
        cr_assert_eq(parcel_send(tx, &(parcel){ .more = number_receiver_give(&numbers) }, LEAT_NOW), 0);
        cr_assert_eq(parcel_recv(rx, &got, LEAT_NOW), 0);
        cr_assert_eq(parcel_copy(&got, &kept), -EINVAL);
        cr_assert_eq(kept.id, 77);
        cr_assert(number_receiver_is_set(got.more), "it is where it was");
        numbers = number_receiver_take(&got.more);
        cr_assert_eq(parcel_copy(&got, &kept), 0);
        parcel_free(&kept);
        number_receiver_close(&numbers);
        number_sender_close(&feed);
}

/* ---- what is forwarded keeps its type's fingerprint ---- */

Test(handles, a_sender_passed_on_keeps_the_fingerprint_of_its_maker) {
        number_sender done;
        number_receiver answers;
        parcel got, again;

        make(&done, &answers);
        cr_assert_eq(parcel_send(tx, &(parcel){ .done = done }, LEAT_NOW), 0);
        cr_assert_eq(parcel_recv(rx, &got, LEAT_NOW), 0);
        cr_assert_eq(memcmp(&got.done.object->connection->fingerprint, &done.object->connection->fingerprint,
                            sizeof(struct fingerprint)), 0);
        cr_assert_eq(parcel_send(tx, &(parcel){ .done = number_sender_give(&got.done) }, LEAT_NOW), 0,
                     "a borrowed one can be given on");
        cr_assert_eq(parcel_recv(rx, &again, LEAT_NOW), 0);
        cr_assert_eq(number_send(again.done, &(number){ 5 }, LEAT_NOW), 0);
        expect_number(answers, 5);
        number_sender_close(&done);
        number_receiver_close(&answers);
}

Test(handles, in_a_variant_too) {
        choice_sender choices;
        choice_receiver chosen;
        number_sender done;
        number_receiver answers;
        choice got;

        cr_assert_eq(choice_channel(&choices, &chosen), 0);
        make(&done, &answers);
        cr_assert_eq(choice_send(choices, &(choice){ .tag = choice_tag_box, .box = { .done = number_sender_give(&done) } },
                                 LEAT_NOW), 0);
        cr_assert_eq(choice_recv(chosen, &got, LEAT_NOW), 0);
        cr_assert_eq(got.tag, choice_tag_box);
        cr_assert_eq(number_send(got.box.done, &(number){ 6 }, LEAT_NOW), 0);
        expect_number(answers, 6);
        number_receiver_close(&answers);
        choice_sender_close(&choices);
        choice_receiver_close(&chosen);
}
