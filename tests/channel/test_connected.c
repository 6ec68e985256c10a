/* Knowing that the other side is gone without receiving or sending anything: by a question, and in a set. */
#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <leat/leat.h>

#include "support.h"
#include "transport.h"

LEAT_MESSAGE(number, (u64, value));
LEAT_MESSAGE(errand, (sender, number, done), (receiver, number, source));

static int before;
static leat_set set;
static number_sender tx;
static number_receiver rx;

static void start(void) {
        before = count_descriptors();
        cr_assert_eq(leat_set_create(&set), 0);
        cr_assert_eq(number_channel(&tx, &rx), 0);
}

static void finish(void) {
        leat_set_close(&set);
        number_sender_close(&tx);
        number_receiver_close(&rx);
        cr_assert_eq(settle_descriptors(before), before, "a descriptor leaked");
}

TestSuite(connected, .init = start, .fini = finish);

static void send_one(number_sender to, uint64_t value) {
        cr_assert_eq(number_send(to, &(number){ value }, LEAT_NOW), 0);
}

/* So many that a sender of an automatic channel has a lane then. */
static void prove_busy(void) {
        number got;

        for (uint64_t i = 0; i < 300; i++) {
                send_one(tx, i);
                cr_assert_eq(number_recv(rx, &got, LEAT_NOW), 0);
                cr_assert_eq(got.value, i);
        }
}

static void expect_key(uint64_t key, leat_deadline deadline) {
        uint64_t got = 0;

        cr_assert_eq(leat_set_wait(set, &got, deadline), 0);
        cr_assert_eq(got, key);
}

static void expect_nothing(void) {
        uint64_t key;

        cr_assert_eq(leat_set_wait(set, &key, LEAT_NOW), LEAT_EMPTY);
}

/* ---- the question ---- */

Test(connected, a_sender_is_until_its_receiver_is_closed_whatever_waits_unread) {
        for (int busy = 0; busy < 2; busy++) {
                cr_assert(number_sender_is_connected(tx));
                if (busy)
                        prove_busy();
                send_one(tx, 1);
                cr_assert(number_sender_is_connected(tx));
                number_receiver_close(&rx);
                cr_assert_not(number_sender_is_connected(tx));
                cr_assert_eq(number_send(tx, &(number){ 2 }, LEAT_NOW), LEAT_DISCONNECTED);
                cr_assert_not(number_sender_is_connected(tx));
                number_sender_close(&tx);
                cr_assert_eq(number_channel(&tx, &rx), 0);
        }
}

Test(connected, a_receiver_is_until_its_last_sender_is_closed_whatever_waits_unread) {
        number_sender clone;
        number got;

        for (int busy = 0; busy < 2; busy++) {
                cr_assert_eq(number_sender_clone(tx, &clone), 0);
                if (busy)
                        prove_busy();
                send_one(tx, 1);
                send_one(clone, 2);
                number_sender_close(&tx);
                cr_assert(number_receiver_is_connected(rx));
                number_sender_close(&clone);
                cr_assert_not(number_receiver_is_connected(rx));
                cr_assert_eq(number_recv(rx, &got, LEAT_NOW), 0);
                cr_assert_not(number_receiver_is_connected(rx));
                cr_assert_eq(number_recv(rx, &got, LEAT_NOW), 0);
                cr_assert_eq(number_recv(rx, &got, LEAT_NOW), LEAT_DISCONNECTED);
                cr_assert_not(number_receiver_is_connected(rx));
                number_receiver_close(&rx);
                cr_assert_eq(number_channel(&tx, &rx), 0);
        }
}

Test(connected, asking_takes_nothing_and_costs_no_message) {
        number got;

        for (uint64_t i = 0; i < 200; i++) {
                cr_assert(number_sender_is_connected(tx));
                send_one(tx, i);
                cr_assert(number_receiver_is_connected(rx));
                cr_assert_eq(number_recv(rx, &got, LEAT_NOW), 0);
                cr_assert_eq(got.value, i);
        }
        cr_assert_eq(number_recv(rx, &got, LEAT_NOW), LEAT_EMPTY);
}

Test(connected, nothing_is_not) {
        cr_assert_not(number_sender_is_connected((number_sender){ 0 }));
        cr_assert_not(number_receiver_is_connected((number_receiver){ 0 }));
        cr_assert_eq(number_set_add_sender_end(set, (number_sender){ 0 }, 1), -EBADF);
        cr_assert_eq(number_set_add_sender_end((leat_set){ NULL }, tx, 1), -EBADF);
}

Test(connected, an_end_in_an_unread_message_is_there_until_the_message_is_dropped) {
        errand_sender out;
        errand_receiver in;
        number_sender lent = tx;

        for (int busy = 0; busy < 2; busy++) {
                if (busy)
                        prove_busy();
                cr_assert_eq(errand_channel(&out, &in), 0);
                cr_assert_eq(number_set_add_sender_end(set, tx, 1), 0);
                cr_assert_eq(errand_send(out, &(errand){ .source = number_receiver_give(&rx) }, LEAT_NOW), 0);
                cr_assert(number_sender_is_connected(tx));
                expect_nothing();
                errand_receiver_close(&in);
                expect_key(1, leat_after_ms(30000));
                cr_assert_not(number_sender_is_connected(tx));
                cr_assert_eq(leat_set_remove(set, 1), 0);
                number_sender_close(&tx);
                errand_sender_close(&out);
                cr_assert_eq(number_channel(&tx, &rx), 0);
        }
        /* The same of a sender. */
        lent = tx;
        cr_assert_eq(errand_channel(&out, &in), 0);
        cr_assert_eq(errand_send(out, &(errand){ .done = number_sender_give(&lent) }, LEAT_NOW), 0);
        tx = lent;
        cr_assert_not(number_sender_is_set(tx));
        cr_assert(number_receiver_is_connected(rx));
        errand_receiver_close(&in);
        for (int i = 0; i < 3000 && number_receiver_is_connected(rx); i++)
                sleep_ms(10); /* Another thread may have to close it. */
        cr_assert_not(number_receiver_is_connected(rx));
        errand_sender_close(&out);
}

Test(connected, a_receiver_that_moved_is_still_there) {
        errand_sender out;
        errand_receiver in;
        errand got;

        prove_busy();
        cr_assert_eq(errand_channel(&out, &in), 0);
        cr_assert_eq(number_set_add_sender_end(set, tx, 1), 0);
        cr_assert_eq(errand_send(out, &(errand){ .source = number_receiver_give(&rx) }, LEAT_NOW), 0);
        cr_assert_eq(errand_recv(in, &got, LEAT_NOW), 0);
        cr_assert(number_sender_is_connected(tx));
        cr_assert(number_receiver_is_connected(got.source));
        expect_nothing();
        errand_release(in);
        cr_assert_not(number_sender_is_connected(tx));
        expect_key(1, LEAT_NOW);
        errand_sender_close(&out);
        errand_receiver_close(&in);
}

Test(connected, a_client_that_nobody_accepted_sees_its_server_go) {
        number_server_end server;
        number_sender client;

        cr_assert_eq(number_server(&server), 0);
        cr_assert_eq(number_connect(number_server_name(server), &client, leat_after_ms(30000)), 0);
        cr_assert(number_sender_is_connected(client));
        number_server_close(&server);
        cr_assert_not(number_sender_is_connected(client));
        number_sender_close(&client);
}

/* ---- in a set ---- */

Test(connected, in_a_set_a_sender_is_ready_by_its_end_only) {
        number got;

        for (int busy = 0; busy < 2; busy++) {
                cr_assert_eq(number_set_add_sender_end(set, tx, 4), 0);
                cr_assert_eq(number_set_add_sender_end(set, tx, 4), -EEXIST);
                expect_nothing(); /* Though there is room. */
                if (busy)
                        prove_busy(); /* It gets its lane while it is in the set. */
                while (number_send(tx, &(number){ 1 }, LEAT_NOW) == 0)
                        ;
                expect_nothing();
                cr_assert_eq(number_recv(rx, &got, LEAT_NOW), 0);
                expect_nothing();
                number_receiver_close(&rx);
                for (int i = 0; i < 3; i++)
                        expect_key(4, leat_after_ms(30000));
                cr_assert_eq(leat_set_remove(set, 4), 0);
                expect_nothing();
                number_sender_close(&tx);
                cr_assert_eq(number_channel(&tx, &rx), 0);
        }
}

Test(connected, a_sender_whose_receiver_is_gone_already_is_ready_at_once) {
        number_receiver_close(&rx);
        cr_assert_eq(number_set_add_sender_end(set, tx, 1), 0);
        expect_key(1, LEAT_NOW);
}

Test(connected, many_senders_of_a_channel_are_in_one_set_each_by_its_key) {
        enum { CLONES = 5 };
        number_sender clones[CLONES];
        bool told[CLONES] = { false };
        uint64_t key;

        cr_assert_eq(number_set_add_sender(set, tx, 99), 0);
        cr_assert_eq(leat_set_remove(set, 99), 0);
        for (uint64_t i = 0; i < CLONES; i++) {
                cr_assert_eq(number_sender_clone(tx, &clones[i]), 0);
                cr_assert_eq(number_set_add_sender_end(set, clones[i], i), 0);
        }
        cr_assert_eq(number_set_add_sender_end(set, tx, 2), -EEXIST);
        expect_nothing();
        cr_assert_eq(leat_set_remove(set, 0), 0);
        number_sender_close(&clones[0]);
        expect_nothing();
        number_receiver_close(&rx);
        for (int i = 1; i < CLONES; i++) {
                cr_assert_eq(leat_set_wait(set, &key, leat_after_ms(30000)), 0);
                cr_assert_lt(key, CLONES);
                cr_assert_not(told[key]);
                told[key] = true;
                cr_assert_eq(leat_set_remove(set, key), 0);
                number_sender_close(&clones[key]);
        }
        cr_assert_not(told[0]);
        expect_nothing();
}

Test(connected, room_and_end_of_a_sender_are_two_members) {
        cr_assert_eq(number_set_add_sender(set, tx, 1), 0);
        cr_assert_eq(number_set_add_sender_end(set, tx, 2), 0);
        expect_key(1, LEAT_NOW);
        expect_key(1, LEAT_NOW);
        cr_assert_eq(leat_set_remove(set, 1), 0);
        expect_nothing();
        number_receiver_close(&rx);
        expect_key(2, LEAT_NOW);
}

Test(connected, an_end_makes_an_armed_set_readable) {
        struct pollfd poll_fd = { .events = POLLIN };

        cr_assert_eq(number_set_add_sender_end(set, tx, 1), 0);
        expect_nothing();
        cr_assert_eq(leat_set_arm(set, &poll_fd.fd), 0);
        cr_assert_eq(poll(&poll_fd, 1, 0), 0);
        number_receiver_close(&rx);
        cr_assert_eq(poll(&poll_fd, 1, 30000), 1);
        expect_key(1, LEAT_NOW);
}

/* ---- processes ---- */

/* It has what it inherited, and does nothing. */
static pid_t fork_one_that_waits(void) {
        pid_t child = fork();

        cr_assert_geq(child, 0);
        if (child == 0) {
                watchdog(30);
                for (;;)
                        pause();
        }
        return child;
}

static void kill_it(pid_t child) {
        cr_assert_eq(kill(child, SIGKILL), 0);
        cr_assert_eq(wait_for_exit(child), 128 + SIGKILL);
}

Test(connected, a_killed_process_that_alone_had_the_receiver_ends_a_wait) {
        pid_t child, killer;

        for (int busy = 0; busy < 2; busy++) {
                if (busy)
                        prove_busy();
                child = fork();
                if (child == 0) {
                        number got;

                        watchdog(30);
                        number_sender_close(&tx);
                        for (;;)
                                (void) number_recv(rx, &got, LEAT_FOREVER);
                }
                for (int i = 0; busy && i < 10; i++)
                        send_one(tx, 1); /* For some of them the child takes the lane. */
                number_receiver_close(&rx);
                cr_assert_eq(number_set_add_sender_end(set, tx, 1), 0);
                killer = fork();
                if (killer == 0) {
                        sleep_ms(20);
                        kill(child, SIGKILL);
                        leave_child(0);
                }
                expect_key(1, leat_after_ms(30000));
                cr_assert_not(number_sender_is_connected(tx));
                cr_assert_eq(wait_for_exit(child), 128 + SIGKILL);
                cr_assert_eq(wait_for_exit(killer), 0);
                cr_assert_eq(leat_set_remove(set, 1), 0);
                number_sender_close(&tx);
                cr_assert_eq(number_channel(&tx, &rx), 0);
        }
}

Test(connected, a_child_that_inherited_the_other_end_is_there_too) {
        pid_t child = fork_one_that_waits();

        cr_assert_eq(number_set_add_sender_end(set, tx, 1), 0);
        number_receiver_close(&rx);
        expect_nothing();
        kill_it(child);
        expect_key(1, leat_after_ms(30000));
        cr_assert_not(number_sender_is_connected(tx));
        cr_assert_eq(leat_set_remove(set, 1), 0);
        number_sender_close(&tx);

        cr_assert_eq(number_channel(&tx, &rx), 0);
        child = fork_one_that_waits();
        number_sender_close(&tx);
        cr_assert(number_receiver_is_connected(rx));
        kill_it(child);
        cr_assert_not(number_receiver_is_connected(rx));
}

Test(connected, in_a_child_the_question_is_about_the_channel_and_not_about_the_parents_lane) {
        sigset_t usr1;
        pid_t child;
        int got;

        prove_busy();
        cr_assert_eq(number_set_add_sender_end(set, tx, 1), 0);
        sigemptyset(&usr1);
        sigaddset(&usr1, SIGUSR1);
        cr_assert_eq(sigprocmask(SIG_BLOCK, &usr1, NULL), 0);
        child = fork();
        if (child == 0) {
                uint64_t key;

                watchdog(30);
                check(number_sender_is_connected(tx));
                check_equal(leat_set_wait(set, &key, LEAT_NOW), LEAT_EMPTY);
                number_receiver_close(&rx); /* The parent has it still. */
                check(number_sender_is_connected(tx));
                check_equal(leat_set_wait(set, &key, LEAT_NOW), LEAT_EMPTY);
                kill(getppid(), SIGUSR1);
                check_equal(leat_set_wait(set, &key, leat_after_ms(25000)), 0);
                check_equal(key, 1);
                check(!number_sender_is_connected(tx));
                leat_set_close(&set);
                leave_child(0);
        }
        cr_assert_eq(sigwait(&usr1, &got), 0);
        number_receiver_close(&rx);
        cr_assert_eq(wait_for_exit(child), 0);
        cr_assert_not(number_sender_is_connected(tx));
}
