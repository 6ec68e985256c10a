/* Asking in two steps, and taking a request back: who answers knows it before the work is done. */
#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <leat/leat.h>

#include "support.h"
#include "transport.h"

LEAT_MESSAGE(answer, (u64, value));
LEAT_MESSAGE(question, (u64, value), (sender, answer, reply));
LEAT_REQUEST(question, reply, answer);

static int before;
static question_sender tx;
static question_receiver rx;
static answer_receiver answers;
static question job;
static answer got;

static void start(void) {
        before = count_descriptors();
        cr_assert_eq(question_channel(&tx, &rx), 0);
}

static void finish(void) {
        question_ask_cancel(&answers);
        question_sender_close(&tx);
        question_receiver_close(&rx);
        cr_assert_eq(settle_descriptors(before), before, "a descriptor leaked");
}

TestSuite(request, .init = start, .fini = finish);

static void ask(uint64_t value, answer_receiver *ret_answers) {
        question asked = { .value = value };

        cr_assert_eq(question_ask_start(tx, &asked, ret_answers, LEAT_NOW), 0);
        cr_assert(answer_receiver_is_set(*ret_answers));
        cr_assert_not(answer_sender_is_set(asked.reply), "the question is the caller's");
}

static void hear(uint64_t value) {
        cr_assert_eq(question_recv(rx, &job, LEAT_NOW), 0);
        cr_assert_eq(job.value, value);
}

Test(request, is_waited_for_as_often_as_one_likes) {
        leat_deadline deadline;

        ask(1, &answers);
        cr_assert_eq(question_ask_wait(&answers, &got, LEAT_NOW), LEAT_EMPTY);
        deadline = leat_after_ms(5);
        cr_assert_eq(question_ask_wait(&answers, &got, deadline), LEAT_TIMEOUT);
        cr_assert_geq(leat_after_ms(0), deadline);
        hear(1);
        cr_assert_eq(answer_send(job.reply, &(answer){ 10 }, LEAT_NOW), 0);
        cr_assert_eq(question_ask_wait(&answers, &got, leat_after_ms(30000)), 0);
        cr_assert_eq(got.value, 10);
        /* Who answers may say more. */
        cr_assert_eq(question_ask_wait(&answers, &got, LEAT_NOW), LEAT_EMPTY);
        cr_assert_eq(answer_send(job.reply, &(answer){ 11 }, LEAT_NOW), 0);
        cr_assert_eq(question_ask_wait(&answers, &got, LEAT_NOW), 0);
        cr_assert_eq(got.value, 11);
        question_release(rx);
        cr_assert_eq(question_ask_wait(&answers, &got, LEAT_NOW), LEAT_DISCONNECTED);
        cr_assert_not(answer_receiver_is_set(answers));
        cr_assert_eq(question_ask_wait(&answers, &got, LEAT_NOW), -EBADF);
}

Test(request, that_is_dropped_unanswered_is_disconnected_and_leaves_nothing_open) {
        ask(1, &answers);
        hear(1);
        question_release(rx);
        cr_assert_eq(question_ask_wait(&answers, &got, LEAT_FOREVER), LEAT_DISCONNECTED);
        cr_assert_not(answer_receiver_is_set(answers));
}

Test(request, that_is_never_received_is_disconnected_when_the_channel_is_closed) {
        ask(1, &answers);
        question_receiver_close(&rx);
        cr_assert_eq(question_ask_wait(&answers, &got, leat_after_ms(30000)), LEAT_DISCONNECTED);
        cr_assert_not(answer_receiver_is_set(answers));
        cr_assert_eq(question_ask_start(tx, &(question){ .value = 2 }, &answers, LEAT_NOW), LEAT_DISCONNECTED);
        cr_assert_not(answer_receiver_is_set(answers));
}

Test(request, for_which_there_is_no_room_leaves_nothing_open) {
        leat_deadline deadline;
        int open;

        while (question_send(tx, &(question){ .value = 0 }, LEAT_NOW) == 0)
                ;
        /* In a lane a message with a handle takes less room. */
        while (question_ask_start(tx, &(question){ .value = 0 }, &answers, LEAT_NOW) == 0)
                question_ask_cancel(&answers);
        open = count_descriptors();
        cr_assert_eq(question_ask_start(tx, &(question){ .value = 1 }, &answers, LEAT_NOW), LEAT_FULL);
        deadline = leat_after_ms(5);
        cr_assert_eq(question_ask_start(tx, &(question){ .value = 1 }, &answers, deadline), LEAT_TIMEOUT);
        cr_assert_geq(leat_after_ms(0), deadline);
        cr_assert_not(answer_receiver_is_set(answers));
        cr_assert_eq(settle_descriptors(open), open);
}

Test(request, that_is_cancelled_is_known_to_be_before_it_is_begun) {
        ask(1, &answers);
        question_ask_cancel(&answers);
        cr_assert_not(answer_receiver_is_set(answers));
        question_ask_cancel(&answers); /* Nothing is left of it. */
        ask(2, &answers);
        hear(1);
        cr_assert_not(answer_sender_is_connected(job.reply));
        cr_assert_eq(answer_send(job.reply, &(answer){ 1 }, LEAT_NOW), LEAT_DISCONNECTED);
        hear(2);
        cr_assert(answer_sender_is_connected(job.reply));
        cr_assert_eq(answer_send(job.reply, &(answer){ 2 }, LEAT_NOW), 0);
        cr_assert_eq(question_ask_wait(&answers, &got, LEAT_NOW), 0);
}

Test(request, many_at_a_time_are_told_apart_by_a_set_and_cancelled_one_by_one) {
        enum { REQUESTS = 10 };
        answer_receiver waiting[REQUESTS] = { { 0 } };
        answer_sender replies[REQUESTS] = { { 0 } };
        bool told[REQUESTS] = { false };
        leat_set askers, answerers;
        uint64_t key;

        cr_assert_eq(leat_set_create(&askers), 0);
        cr_assert_eq(leat_set_create(&answerers), 0);
        for (uint64_t i = 0; i < REQUESTS; i++) {
                ask(i, &waiting[i]);
                cr_assert_eq(answer_set_add(askers, waiting[i], i), 0);
                hear(i);
                replies[i] = answer_sender_take(&job.reply);
                cr_assert_eq(answer_set_add_sender_end(answerers, replies[i], i), 0);
        }
        for (uint64_t i = 1; i < REQUESTS; i += 2)
                question_ask_cancel(&waiting[i]);
        for (uint64_t i = REQUESTS; i-- > 0;)
                cr_assert_eq(answer_send(replies[i], &(answer){ i }, LEAT_NOW), i % 2 ? LEAT_DISCONNECTED : 0);
        for (int i = 0; i < REQUESTS / 2; i++) {
                cr_assert_eq(leat_set_wait(answerers, &key, leat_after_ms(30000)), 0);
                cr_assert_eq(key % 2, 1);
                cr_assert_not(told[key]);
                told[key] = true;
                cr_assert_eq(leat_set_remove(answerers, key), 0);
                cr_assert_eq(leat_set_wait(askers, &key, leat_after_ms(30000)), 0);
                cr_assert_eq(key % 2, 0);
                cr_assert_not(told[key]);
                told[key] = true;
                cr_assert_eq(question_ask_wait(&waiting[key], &got, LEAT_NOW), 0);
                cr_assert_eq(got.value, key);
                question_ask_cancel(&waiting[key]);
                cr_assert_eq(leat_set_remove(answerers, key), 0);
        }
        cr_assert_eq(leat_set_wait(askers, &key, LEAT_NOW), LEAT_EMPTY);
        cr_assert_eq(leat_set_wait(answerers, &key, LEAT_NOW), LEAT_EMPTY);
        leat_set_close(&askers);
        leat_set_close(&answerers);
        for (int i = 0; i < REQUESTS; i++)
                answer_sender_close(&replies[i]);
}

Test(request, can_be_waited_for_by_a_loop_of_ones_own) {
        struct pollfd poll_fd = { .events = POLLIN };

        ask(1, &answers);
        hear(1);
        cr_assert_eq(question_ask_wait(&answers, &got, LEAT_NOW), LEAT_EMPTY);
        cr_assert_eq(answer_arm(answers, &poll_fd.fd), 0);
        cr_assert_eq(answer_send(job.reply, &(answer){ 3 }, LEAT_NOW), 0);
        cr_assert_eq(poll(&poll_fd, 1, 30000), 1);
        cr_assert_eq(question_ask_wait(&answers, &got, LEAT_NOW), 0);
        cr_assert_eq(got.value, 3);
}

/* Starts a child that asks and then does as it is told: cancels after a while and lives on, or waits for
 * ever. */
static pid_t fork_asker(bool cancels) {
        pid_t child = fork();

        cr_assert_geq(child, 0);
        if (child == 0) {
                watchdog(30);
                question_receiver_close(&rx);
                check_equal(question_ask_start(tx, &(question){ .value = 5 }, &answers, LEAT_FOREVER), 0);
                if (cancels) {
                        sleep_ms(20);
                        question_ask_cancel(&answers);
                }
                for (;;)
                        pause();
        }
        return child;
}

Test(request, who_answers_another_process_is_told_when_that_cancels_or_dies) {
        for (int dies = 0; dies < 2; dies++) {
                pid_t child = fork_asker(!dies);
                leat_set set;
                uint64_t key;

                cr_assert_eq(question_recv(rx, &job, leat_after_ms(30000)), 0);
                cr_assert_eq(leat_set_create(&set), 0);
                cr_assert_eq(answer_set_add_sender_end(set, job.reply, 3), 0);
                if (dies) {
                        cr_assert(answer_sender_is_connected(job.reply));
                        cr_assert_eq(leat_set_wait(set, &key, LEAT_NOW), LEAT_EMPTY);
                        cr_assert_eq(kill(child, SIGKILL), 0);
                }
                cr_assert_eq(leat_set_wait(set, &key, leat_after_ms(30000)), 0);
                cr_assert_eq(key, 3);
                cr_assert_not(answer_sender_is_connected(job.reply));
                leat_set_close(&set);
                question_release(rx);
                if (!dies)
                        cr_assert_eq(kill(child, SIGKILL), 0);
                cr_assert_eq(wait_for_exit(child), 128 + SIGKILL);
        }
}
