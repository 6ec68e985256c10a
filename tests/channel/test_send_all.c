/* Many messages in one call are as many messages, in their order. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include <leat/leat.h>

#include "support.h"

LEAT_MESSAGE(number, (u64, value));
LEAT_MESSAGE(text, (string, words), (optional, u32, count));
LEAT_MESSAGE(reply, (u32, id));
LEAT_MESSAGE(job, (u32, id), (sender, reply, done));
LEAT_DECLARE(self);
LEAT_DEFINE_MESSAGE(self, (u32, id), (sender, self, me));

static int before;

static void start(void) {
        before = count_descriptors();
}

static void finish(void) {
        cr_assert_eq(settle_descriptors(before), before, "a descriptor leaked");
}

TestSuite(send_all, .init = start, .fini = finish);

Test(send_all, plain_messages_arrive_in_order_between_single_ones) {
        number messages[100], got;
        number_sender tx;
        number_receiver rx;
        size_t sent = 0;

        for (uint64_t i = 0; i < 100; i++)
                messages[i].value = i + 1;
        cr_assert_eq(number_channel(&tx, &rx), 0);
        cr_assert_eq(number_send(tx, &(number){ 0 }, LEAT_NOW), 0);
        cr_assert_eq(number_send_all(tx, messages, 100, &sent, LEAT_NOW), 0);
        cr_assert_eq(sent, 100);
        cr_assert_eq(number_send(tx, &(number){ 101 }, LEAT_NOW), 0);
        for (uint64_t i = 0; i < 102; i++) {
                cr_assert_eq(number_recv(rx, &got, LEAT_NOW), 0);
                cr_assert_eq(got.value, i);
        }
        number_sender_close(&tx);
        number_receiver_close(&rx);
}

Test(send_all, none_is_fine_and_the_count_may_be_left_out) {
        number_sender tx;
        number_receiver rx;
        number got;
        size_t sent = 7;

        cr_assert_eq(number_channel(&tx, &rx), 0);
        cr_assert_eq(number_send_all(tx, NULL, 0, &sent, LEAT_NOW), 0);
        cr_assert_eq(sent, 0);
        cr_assert_eq(number_send_all(tx, &(number){ 5 }, 1, NULL, LEAT_NOW), 0);
        cr_assert_eq(number_recv(rx, &got, LEAT_NOW), 0);
        cr_assert_eq(got.value, 5);
        number_sender_close(&tx);
        sent = 7;
        cr_assert_eq(number_send_all(tx, &(number){ 5 }, 1, &sent, LEAT_NOW), -EBADF);
        cr_assert_eq(sent, 0);
        number_receiver_close(&rx);
}

Test(send_all, it_stops_where_the_channel_is_full) {
        struct leat_channel_options options = { .capacity = 8192 };
        static number messages[5000];
        number_sender tx;
        number_receiver rx;
        number got;
        size_t sent;

        for (uint64_t i = 0; i < 5000; i++)
                messages[i].value = i;
        cr_assert_eq(number_channel_with(&options, &tx, &rx), 0);
        cr_assert_eq(number_send_all(tx, messages, 5000, &sent, LEAT_NOW), LEAT_FULL);
        cr_assert_gt(sent, 0);
        cr_assert_lt(sent, 5000);
        for (uint64_t i = 0; i < sent; i++) {
                cr_assert_eq(number_recv(rx, &got, LEAT_NOW), 0);
                cr_assert_eq(got.value, i);
        }
        cr_assert_eq(number_recv(rx, &got, LEAT_NOW), LEAT_EMPTY);
        number_sender_close(&tx);
        number_receiver_close(&rx);
}

static void *receive_numbers(void *data) {
        number_receiver rx = *(number_receiver *) data;
        number got;

        for (uint64_t i = 0; i < 20000; i++) {
                check_equal(number_recv(rx, &got, leat_after_ms(25000)), 0);
                check_equal(got.value, i);
        }
        return NULL;
}

Test(send_all, it_waits_for_room_until_all_are_sent) {
        struct leat_channel_options options = { .capacity = 8192 };
        static number messages[20000];
        number_sender tx;
        number_receiver rx;
        pthread_t thread;
        size_t sent;

        for (uint64_t i = 0; i < 20000; i++)
                messages[i].value = i;
        cr_assert_eq(number_channel_with(&options, &tx, &rx), 0);
        cr_assert_eq(pthread_create(&thread, NULL, receive_numbers, &rx), 0);
        cr_assert_eq(number_send_all(tx, messages, 20000, &sent, leat_after_ms(25000)), 0);
        cr_assert_eq(sent, 20000);
        cr_assert_eq(pthread_join(thread, NULL), 0);
        number_sender_close(&tx);
        number_receiver_close(&rx);
}

Test(send_all, encoded_messages_and_raw_bytes_arrive_too) {
        text texts[] = { { .words = "one" }, { .words = "", .count = LEAT_SOME(2) }, { .words = "three" } },
             got;
        leat_raw raws[] = { { "a", 1 }, { 0 }, { "ccc", 3 } }, view;
        leat_raw_sender raw_tx;
        leat_raw_receiver raw_rx;
        text_sender tx;
        text_receiver rx;

        cr_assert_eq(text_channel(&tx, &rx), 0);
        cr_assert_eq(text_send_all(tx, texts, 3, NULL, LEAT_NOW), 0);
        for (size_t i = 0; i < 3; i++) {
                cr_assert_eq(text_recv(rx, &got, LEAT_NOW), 0);
                cr_assert_str_eq(got.words, texts[i].words);
                cr_assert_eq(got.count.present, i == 1);
        }
        cr_assert_eq(leat_raw_channel(&raw_tx, &raw_rx), 0);
        cr_assert_eq(leat_raw_send_all(raw_tx, raws, 3, NULL, LEAT_NOW), 0);
        for (size_t i = 0; i < 3; i++) {
                cr_assert_eq(leat_raw_recv(raw_rx, &view, LEAT_NOW), 0);
                cr_assert_eq(view.size, raws[i].size);
                cr_assert_eq(memcmp(view.data, raws[i].data ? raws[i].data : "", view.size), 0);
        }
        text_sender_close(&tx);
        text_receiver_close(&rx);
        leat_raw_sender_close(&raw_tx);
        leat_raw_receiver_close(&raw_rx);
}

Test(send_all, one_that_is_wrong_stops_it_there) {
        leat_raw raws[] = { { "a", 1 }, { NULL, 3 }, { "c", 1 } }, view;
        leat_raw_sender tx;
        leat_raw_receiver rx;
        size_t sent;

        cr_assert_eq(leat_raw_channel(&tx, &rx), 0);
        cr_assert_eq(leat_raw_send_all(tx, raws, 3, &sent, LEAT_NOW), -EINVAL);
        cr_assert_eq(sent, 1);
        cr_assert_eq(leat_raw_recv(rx, &view, LEAT_NOW), 0);
        cr_assert_eq(leat_raw_recv(rx, &view, LEAT_NOW), LEAT_EMPTY);
        leat_raw_sender_close(&tx);
        leat_raw_receiver_close(&rx);
}

Test(send_all, what_is_given_goes_with_the_messages_that_are_sent) {
        reply_sender given[3];
        reply_receiver answers[3], unused;
        job jobs[4] = { 0 }, got;
        job_sender tx;
        job_receiver rx;
        size_t sent;

        cr_assert_eq(job_channel(&tx, &rx), 0);
        for (uint32_t i = 0; i < 3; i++) {
                cr_assert_eq(reply_channel(&given[i], &answers[i]), 0);
                jobs[i] = (job){ .id = i, .done = reply_sender_give(&given[i]) };
        }
        jobs[3] = (job){ .id = 3 };
        cr_assert_eq(job_send_all(tx, jobs, 4, &sent, LEAT_NOW), 0);
        cr_assert_eq(sent, 4);
        for (uint32_t i = 0; i < 4; i++) {
                reply answer;

                cr_assert_eq(job_recv(rx, &got, LEAT_NOW), 0);
                cr_assert_eq(got.id, i);
                cr_assert_eq(reply_sender_is_set(got.done), i < 3);
                if (i == 3)
                        break;
                cr_assert_not(reply_sender_is_set(given[i]), "given");
                cr_assert_eq(reply_send(got.done, &(reply){ i }, LEAT_NOW), 0);
                cr_assert_eq(reply_recv(answers[i], &answer, leat_after_ms(30000)), 0);
                cr_assert_eq(answer.id, i);
        }
        job_receiver_close(&rx);
        cr_assert_eq(reply_channel(&given[1], &unused), 0);
        jobs[0].done = reply_sender_give(&given[1]);
        cr_assert_eq(job_send_all(tx, jobs, 1, &sent, LEAT_NOW), LEAT_DISCONNECTED);
        cr_assert_eq(sent, 0);
        cr_assert(reply_sender_is_set(given[1]), "kept");
        reply_sender_close(&given[1]);
        reply_receiver_close(&unused);
        for (size_t i = 0; i < 3; i++)
                reply_receiver_close(&answers[i]);
        job_sender_close(&tx);
}

Test(send_all, what_one_message_gave_no_later_one_can_give) {
        reply_sender given;
        reply_receiver answers;
        job jobs[2], got;
        job_sender tx;
        job_receiver rx;
        size_t sent;

        cr_assert_eq(job_channel(&tx, &rx), 0);
        cr_assert_eq(reply_channel(&given, &answers), 0);
        for (uint32_t i = 0; i < 2; i++)
                jobs[i] = (job){ .id = i, .done = reply_sender_give(&given) };
        cr_assert_eq(job_send_all(tx, jobs, 2, &sent, LEAT_NOW), -EINVAL);
        cr_assert_eq(sent, 1);
        cr_assert_eq(job_recv(rx, &got, LEAT_NOW), 0);
        cr_assert_eq(job_recv(rx, &got, LEAT_NOW), LEAT_EMPTY);
        job_sender_close(&tx);
        job_receiver_close(&rx);
        reply_receiver_close(&answers);
}

Test(send_all, a_sender_that_gives_itself_away_sends_no_more) {
        self_sender tx;
        self_receiver rx;
        self messages[2] = { 0 }, got;
        size_t sent;

        cr_assert_eq(self_channel(&tx, &rx), 0);
        messages[0] = (self){ .id = 1, .me = self_sender_give(&tx) };
        cr_assert_eq(self_send_all(tx, messages, 2, &sent, LEAT_NOW), -EBADF);
        cr_assert_eq(sent, 1);
        cr_assert_not(self_sender_is_set(tx));
        cr_assert_eq(self_recv(rx, &got, LEAT_NOW), 0);
        cr_assert_eq(got.id, 1);
        self_receiver_close(&rx);
}
