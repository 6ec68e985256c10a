/* What a channel promises to who sends and who receives: order, ends, deadlines. */
#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <leat/leat.h>

#include "support.h"
#include "transport.h"

LEAT_MESSAGE(number, (u64, value));
LEAT_MESSAGE(text, (string, words));
LEAT_SIGNAL(tick);
LEAT_MESSAGE(answer, (u64, value));
LEAT_MESSAGE(question, (u64, value), (sender, answer, reply));
LEAT_REQUEST(question, reply, answer);

static int before;

static void start(void) {
        before = count_descriptors();
}

static void finish(void) {
        cr_assert_eq(count_descriptors(), before, "a descriptor leaked");
}

TestSuite(endpoints, .init = start, .fini = finish);

static int64_t now_ns(void) {
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (int64_t) now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Sends until the channel is full; returns how many went. */
static unsigned fill(number_sender tx) {
        unsigned n = 0;
        int r;

        while ((r = number_send(tx, &(number){ n }, LEAT_NOW)) == 0)
                n++;
        cr_assert_eq(r, LEAT_FULL);
        return n;
}

Test(endpoints, messages_arrive_in_the_order_sent_and_then_the_end) {
        number_sender tx;
        number_receiver rx;
        number got;

        cr_assert_eq(number_channel(&tx, &rx), 0);
        for (uint64_t i = 0; i < 10; i++)
                cr_assert_eq(number_send(tx, &(number){ i }, LEAT_NOW), 0);
        number_sender_close(&tx);
        cr_assert_not(number_sender_is_set(tx), "close zeroes");
        for (uint64_t i = 0; i < 10; i++) {
                cr_assert_eq(number_recv(rx, &got, LEAT_FOREVER), 0);
                cr_assert_eq(got.value, i);
        }
        for (int i = 0; i < 3; i++)
                cr_assert_eq(number_recv(rx, &got, LEAT_FOREVER), LEAT_DISCONNECTED);
        number_receiver_close(&rx);
}

Test(endpoints, a_try_a_timed_and_a_blocking_receive_tell_empty_from_disconnected) {
        number_sender tx;
        number_receiver rx;
        number got = { 77 };

        cr_assert_eq(number_channel(&tx, &rx), 0);
        cr_assert_eq(number_recv(rx, &got, LEAT_NOW), LEAT_EMPTY);
        cr_assert_eq(number_recv(rx, &got, leat_after_ms(5)), LEAT_TIMEOUT);
        cr_assert_eq(number_recv(rx, &got, leat_after_ms(-5)), LEAT_TIMEOUT, "past is no LEAT_NOW");
        cr_assert_eq(got.value, 77, "touched on failure");
        for (int i = 0; i < 3; i++)
                cr_assert_eq(number_send(tx, &(number){ 1 }, LEAT_FOREVER), 0);
        cr_assert_eq(number_recv(rx, &got, LEAT_NOW), 0);
        cr_assert_eq(number_recv(rx, &got, leat_after_ms(30000)), 0);
        cr_assert_eq(number_recv(rx, &got, LEAT_FOREVER), 0);
        cr_assert_eq(number_recv(rx, &got, LEAT_NOW), LEAT_EMPTY);
        number_sender_close(&tx);
        cr_assert_eq(number_recv(rx, &got, LEAT_NOW), LEAT_DISCONNECTED);
        cr_assert_eq(number_recv(rx, &got, leat_after_ms(30000)), LEAT_DISCONNECTED);
        cr_assert_eq(number_recv(rx, &got, LEAT_FOREVER), LEAT_DISCONNECTED);
        number_receiver_close(&rx);
}

Test(endpoints, no_deadline_is_ever_early) {
        number_sender tx;
        number_receiver rx;
        number got;
        leat_set set;
        uint64_t key;

        cr_assert_eq(number_channel(&tx, &rx), 0);
        cr_assert_eq(leat_set_create(&set), 0);
        for (int us = 1; us < 3000; us = us * 3 + 7) {
                leat_deadline deadline = leat_after_us(us);

                cr_assert_eq(number_recv(rx, &got, deadline), LEAT_TIMEOUT);
                cr_assert_geq(now_ns(), deadline);
                deadline = leat_after_us(us);
                cr_assert_eq(leat_set_wait(set, &key, deadline), LEAT_TIMEOUT);
                cr_assert_geq(now_ns(), deadline);
        }
        (void) fill(tx);
        for (int us = 1; us < 3000; us = us * 3 + 7) {
                leat_deadline deadline = leat_after_us(us);

                cr_assert_eq(number_send(tx, &(number){ 1 }, deadline), LEAT_TIMEOUT);
                cr_assert_geq(now_ns(), deadline);
        }
        leat_set_close(&set);
        number_sender_close(&tx);
        number_receiver_close(&rx);
}

Test(endpoints, a_full_channel_says_so_and_keeps_what_it_has) {
        number_sender tx;
        number_receiver rx;
        number got;
        unsigned n;

        cr_assert_eq(number_channel(&tx, &rx), 0);
        n = fill(tx);
        cr_assert_gt(n, 100);
        cr_assert_eq(number_send(tx, &(number){ 1 }, leat_after_ms(5)), LEAT_TIMEOUT);
        for (unsigned i = 0; i < n; i++) {
                cr_assert_eq(number_recv(rx, &got, LEAT_NOW), 0);
                cr_assert_eq(got.value, i);
        }
        cr_assert_eq(number_recv(rx, &got, LEAT_NOW), LEAT_EMPTY, "what failed was sent");
        cr_assert_eq(number_send(tx, &(number){ 9 }, LEAT_NOW), 0);
        number_sender_close(&tx);
        number_receiver_close(&rx);
}

Test(endpoints, a_sender_sees_at_once_that_its_receiver_was_closed_also_with_messages_unread) {
        number_sender tx;
        number_receiver rx;

        cr_assert_eq(number_channel(&tx, &rx), 0);
        cr_assert_eq(number_send(tx, &(number){ 1 }, LEAT_NOW), 0);
        cr_assert_eq(number_send(tx, &(number){ 2 }, LEAT_NOW), 0);
        number_receiver_close(&rx);
        cr_assert_eq(number_send(tx, &(number){ 3 }, LEAT_NOW), LEAT_DISCONNECTED);
        cr_assert_eq(number_send(tx, &(number){ 3 }, leat_after_ms(30000)), LEAT_DISCONNECTED);
        cr_assert_eq(number_send(tx, &(number){ 3 }, LEAT_FOREVER), LEAT_DISCONNECTED);
        number_sender_close(&tx);
}

static void *close_receiver_later(void *receiver) {
        sleep_ms(20);
        number_receiver_close(receiver);
        return NULL;
}

Test(endpoints, a_waiting_sender_is_woken_when_its_receiver_goes) {
        leat_deadline deadlines[] = { LEAT_FOREVER, leat_after_ms(30000) };

        for (int i = 0; i < 2; i++) {
                number_sender tx;
                number_receiver rx;
                pthread_t thread;

                cr_assert_eq(number_channel(&tx, &rx), 0);
                (void) fill(tx);
                pthread_create(&thread, NULL, close_receiver_later, &rx);
                cr_assert_eq(number_send(tx, &(number){ 1 }, deadlines[i]), LEAT_DISCONNECTED);
                pthread_join(thread, NULL);
                number_sender_close(&tx);
        }
}

static void *close_sender_later(void *sender) {
        sleep_ms(20);
        number_sender_close(sender);
        return NULL;
}

Test(endpoints, a_waiting_receiver_is_woken_when_the_last_sender_goes) {
        leat_deadline deadlines[] = { LEAT_FOREVER, leat_after_ms(30000) };

        for (int i = 0; i < 2; i++) {
                number_sender tx;
                number_receiver rx;
                number got;
                pthread_t thread;

                cr_assert_eq(number_channel(&tx, &rx), 0);
                pthread_create(&thread, NULL, close_sender_later, &tx);
                cr_assert_eq(number_recv(rx, &got, deadlines[i]), LEAT_DISCONNECTED);
                pthread_join(thread, NULL);
                number_receiver_close(&rx);
        }
}

Test(endpoints, a_sender_that_was_killed_leaves_what_it_sent_and_then_the_end) {
        number_sender tx;
        number_receiver rx;
        number got;
        pid_t child;

        cr_assert_eq(number_channel(&tx, &rx), 0);
        child = fork();
        if (child == 0) {
                check_equal(number_send(tx, &(number){ 5 }, LEAT_NOW), 0);
                kill(getpid(), SIGKILL);
        }
        number_sender_close(&tx);
        cr_assert_eq(wait_for_exit(child), 128 + SIGKILL);
        cr_assert_eq(number_recv(rx, &got, LEAT_FOREVER), 0);
        cr_assert_eq(got.value, 5);
        cr_assert_eq(number_recv(rx, &got, LEAT_FOREVER), LEAT_DISCONNECTED);
        number_receiver_close(&rx);
}

Test(endpoints, a_channel_ends_with_the_last_clone_and_not_before) {
        number_sender tx, clone, third;
        number_receiver rx;
        number got;

        cr_assert_eq(number_channel(&tx, &rx), 0);
        cr_assert_eq(number_sender_clone(tx, &clone), 0);
        cr_assert_eq(count_descriptors(), before + descriptors_of_channel(), "a clone costs no descriptor");
        number_sender_close(&tx);
        cr_assert_eq(number_recv(rx, &got, LEAT_NOW), LEAT_EMPTY);
        cr_assert_eq(number_send(clone, &(number){ 3 }, LEAT_NOW), 0);
        cr_assert_eq(number_sender_clone(clone, &third), 0);
        number_sender_close(&clone);
        cr_assert_eq(number_recv(rx, &got, LEAT_NOW), 0);
        cr_assert_eq(number_recv(rx, &got, LEAT_NOW), LEAT_EMPTY);
        number_sender_close(&third);
        cr_assert_eq(number_recv(rx, &got, LEAT_NOW), LEAT_DISCONNECTED);
        number_receiver_close(&rx);
}

Test(endpoints, an_empty_message_is_a_message) {
        tick_sender tx;
        tick_receiver rx;
        tick got;

        cr_assert_eq(tick_channel(&tx, &rx), 0);
        cr_assert_eq(tick_recv(rx, &got, LEAT_NOW), LEAT_EMPTY);
        cr_assert_eq(tick_send(tx, &(tick){ 0 }, LEAT_NOW), 0);
        cr_assert_eq(tick_send(tx, &(tick){ 0 }, LEAT_NOW), 0);
        tick_sender_close(&tx);
        cr_assert_eq(tick_recv(rx, &got, LEAT_NOW), 0);
        cr_assert_eq(tick_recv(rx, &got, LEAT_FOREVER), 0);
        cr_assert_eq(tick_recv(rx, &got, LEAT_NOW), LEAT_DISCONNECTED);
        tick_receiver_close(&rx);
}

Test(endpoints, closing_nothing_is_fine_and_using_nothing_says_so) {
        number_sender tx = { 0 };
        number_receiver rx = { 0 };
        number got;
        size_t bytes;
        int fd;

        number_sender_close(&tx);
        number_receiver_close(&rx);
        cr_assert_eq(number_send(tx, &(number){ 1 }, LEAT_NOW), -EBADF);
        cr_assert_eq(number_recv(rx, &got, LEAT_NOW), -EBADF);
        cr_assert_eq(number_capacity(tx, &bytes), -EBADF);
        cr_assert_eq(number_sender_clone(tx, &tx), -EBADF);
        cr_assert_eq(number_arm(rx, &fd), -EBADF);
        cr_assert_eq(number_lost(rx), 0);
}

Test(endpoints, a_message_lives_through_empty_and_timeout_until_the_next_one) {
        text_sender tx;
        text_receiver rx;
        text got, later;

        cr_assert_eq(text_channel(&tx, &rx), 0);
        cr_assert_eq(text_send(tx, &(text){ "first" }, LEAT_NOW), 0);
        cr_assert_eq(text_recv(rx, &got, LEAT_NOW), 0);
        cr_assert_eq(text_recv(rx, &later, LEAT_NOW), LEAT_EMPTY);
        cr_assert_eq(text_recv(rx, &later, leat_after_ms(1)), LEAT_TIMEOUT);
        text_sender_close(&tx);
        cr_assert_eq(text_recv(rx, &later, LEAT_NOW), LEAT_DISCONNECTED);
        cr_assert_str_eq(got.words, "first");
        text_receiver_close(&rx);
}

/* ---- lost receivers ---- */

LEAT_DECLARE(snake);
LEAT_DEFINE_MESSAGE(snake, (u32, id), (receiver, snake, tail));

/* A receiver that waits unread in its own channel has no owner any more. The system's collector of sockets
 * finds that out, and somebody has to start it: a sender that waits does. */
Test(endpoints, a_receiver_lost_in_its_own_channel_is_noticed_by_a_sender_that_waits) {
        leat_deadline deadlines[] = { LEAT_FOREVER, leat_after_ms(25000) };

        for (int i = 0; i < 2; i++) {
                snake_sender tx;
                snake_receiver rx;
                int r;

                cr_assert_eq(snake_channel(&tx, &rx), 0);
                cr_assert_eq(snake_send(tx, &(snake){ .tail = snake_receiver_give(&rx) }, LEAT_NOW), 0);
                /* While it is being collected, room may be there for a moment more. */
                while ((r = snake_send(tx, &(snake){ 0 }, deadlines[i])) == 0)
                        ;
                cr_assert_eq(r, LEAT_DISCONNECTED, "%s", leat_strerror(r));
                snake_sender_close(&tx);
        }
}

/* ---- requests ---- */

static void *answer_all(void *receiver) {
        question_receiver *jobs = receiver;
        question job;

        while (question_recv(*jobs, &job, LEAT_FOREVER) == 0)
                if (job.value != 0)
                        check_equal(answer_send(job.reply, &(answer){ job.value + 1 }, LEAT_FOREVER), 0);
        question_receiver_close(jobs);
        return NULL;
}

Test(endpoints, a_request_gives_a_reply_sender_and_waits_for_the_answer) {
        question_sender tx;
        question_receiver rx;
        answer_receiver answers = { 0 };
        answer got;
        pthread_t thread;

        cr_assert_eq(question_channel(&tx, &rx), 0);
        pthread_create(&thread, NULL, answer_all, &rx);
        for (uint64_t i = 1; i < 50; i++) {
                cr_assert_eq(question_ask(tx, &(question){ .value = i }, &answers, &got, leat_after_ms(30000)), 0);
                cr_assert_eq(got.value, i + 1);
                answer_receiver_close(&answers);
        }
        cr_assert_eq(question_send(tx, &(question){ .value = 0 }, LEAT_FOREVER), 0);
        question_sender_close(&tx);
        pthread_join(thread, NULL);
}

Test(endpoints, a_request_that_is_dropped_is_disconnected_and_one_that_waits_times_out) {
        question_sender tx;
        question_receiver rx;
        answer_receiver answers = { 0 };
        question job;
        answer got;

        cr_assert_eq(question_channel(&tx, &rx), 0);
        cr_assert_eq(question_ask(tx, &(question){ .value = 1 }, &answers, &got, leat_after_ms(5)), LEAT_TIMEOUT);
        cr_assert_not(answer_receiver_is_set(answers));
        cr_assert_eq(question_recv(rx, &job, LEAT_NOW), 0);
        cr_assert_eq(answer_send(job.reply, &(answer){ 1 }, LEAT_NOW), LEAT_DISCONNECTED, "nobody waits any more");
        question_receiver_close(&rx);
        cr_assert_eq(question_ask(tx, &(question){ .value = 1 }, &answers, &got, LEAT_FOREVER), LEAT_DISCONNECTED);
        question_sender_close(&tx);
}

/* ---- arming ---- */

static bool is_readable(int fd) {
        struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

        return poll(&poll_fd, 1, 0) == 1;
}

Test(endpoints, an_armed_receiver_is_readable_when_there_is_something_and_only_then) {
        number_sender tx;
        number_receiver rx;
        number got;
        int fd, again;

        cr_assert_eq(number_channel(&tx, &rx), 0);
        cr_assert_eq(number_arm(rx, &fd), 0);
        cr_assert_not(is_readable(fd));
        cr_assert_eq(number_send(tx, &(number){ 1 }, LEAT_NOW), 0);
        cr_assert(is_readable(fd));
        again = -1;
        cr_assert_eq(number_arm(rx, &again), LEAT_MORE);
        cr_assert_eq(again, -1, "touched");
        cr_assert_eq(number_recv(rx, &got, LEAT_NOW), 0);
        cr_assert_eq(number_recv(rx, &got, LEAT_NOW), LEAT_EMPTY);
        cr_assert_eq(number_arm(rx, &again), 0);
        cr_assert_eq(again, fd, "the same every time");
        cr_assert_not(is_readable(fd));
        number_sender_close(&tx);
        cr_assert(is_readable(fd), "the end is something too");
        cr_assert_eq(number_arm(rx, &again), LEAT_MORE);
        number_receiver_close(&rx);
}

/* ---- interruptions ---- */

static volatile sig_atomic_t interrupted;

static void interrupt(int signal_number) {
        (void) signal_number;
        interrupted++;
}

static pid_t shoot_at_parent(void) {
        struct sigaction action = { .sa_handler = interrupt }; /* No SA_RESTART. */
        pid_t target = getpid(), shooter;

        sigaction(SIGUSR1, &action, NULL);
        shooter = fork();
        if (shooter == 0) {
                watchdog(30);
                while (getppid() == target) {
                        kill(target, SIGUSR1);
                        usleep(200);
                }
                leave_child(0);
        }
        return shooter;
}

static void *feed(void *sender) {
        number_sender *tx = sender;
        sigset_t all;

        sigfillset(&all);
        pthread_sigmask(SIG_BLOCK, &all, NULL);
        for (uint64_t i = 0; i < 50; i++) {
                sleep_ms(1);
                check_equal(number_send(*tx, &(number){ i }, LEAT_FOREVER), 0);
        }
        return NULL;
}

Test(endpoints, signals_neither_surface_nor_shorten_a_wait) {
        number_sender tx;
        number_receiver rx;
        leat_set set;
        pthread_t thread;
        uint64_t key;
        number got;
        pid_t shooter;

        cr_assert_eq(number_channel(&tx, &rx), 0);
        cr_assert_eq(leat_set_create(&set), 0);
        shooter = shoot_at_parent();
        pthread_create(&thread, NULL, feed, &tx);
        for (uint64_t i = 0; i < 50; i++) {
                cr_assert_eq(number_recv(rx, &got, i % 2 ? LEAT_FOREVER : leat_after_ms(30000)), 0);
                cr_assert_eq(got.value, i);
        }
        pthread_join(thread, NULL);
        for (int i = 0; i < 3; i++) {
                leat_deadline deadline = leat_after_ms(20);

                cr_assert_eq(number_recv(rx, &got, deadline), LEAT_TIMEOUT);
                cr_assert_geq(now_ns(), deadline);
                deadline = leat_after_ms(20);
                cr_assert_eq(leat_set_wait(set, &key, deadline), LEAT_TIMEOUT);
                cr_assert_geq(now_ns(), deadline);
        }
        (void) fill(tx);
        cr_assert_eq(number_send(tx, &(number){ 1 }, leat_after_ms(50)), LEAT_TIMEOUT);
        cr_assert_gt(interrupted, 0);
        kill(shooter, SIGKILL);
        (void) wait_for_exit(shooter);
        leat_set_close(&set);
        number_sender_close(&tx);
        number_receiver_close(&rx);
}

/* ---- capacity ---- */

Test(endpoints, a_channel_has_at_least_the_capacity_that_was_asked_for) {
        const size_t asked[] = { 1, 4096, 100000, 200000 };

        for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
                struct leat_channel_options options = { .capacity = asked[i] };
                number_sender tx;
                number_receiver rx;
                size_t granted;

                cr_assert_eq(number_channel_with(&options, &tx, &rx), 0);
                cr_assert_eq(number_capacity(tx, &granted), 0);
                cr_assert_geq(granted, asked[i]);
                cr_assert_eq(number_send(tx, &(number){ 1 }, LEAT_NOW), 0);
                number_sender_close(&tx);
                number_receiver_close(&rx);
        }
}

Test(endpoints, a_huge_capacity_is_granted_as_far_as_the_system_goes) {
        struct leat_channel_options options = { .capacity = SIZE_MAX };
        number_sender tx;
        number_receiver rx;
        size_t granted;

        cr_assert_eq(number_channel_with(&options, &tx, &rx), 0);
        cr_assert_eq(number_capacity(tx, &granted), 0);
        cr_assert_gt(granted, 100000);
        number_sender_close(&tx);
        number_receiver_close(&rx);
}
