/* A set: who is ready is said once a round, and nobody is forgotten. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

#include <leat/leat.h>

#include "lanes.h"
#include "members.h"
#include "support.h"
#include "transport.h"

LEAT_MESSAGE(number, (u64, value));

static int before;
static leat_set set;

static void start(void) {
        before = count_descriptors();
        cr_assert_eq(leat_set_create(&set), 0);
}

static void finish(void) {
        leat_set_close(&set);
        cr_assert_null(set.object);
        cr_assert_eq(count_descriptors(), before, "a descriptor leaked");
}

TestSuite(set, .init = start, .fini = finish);

static void expect_key(uint64_t key) {
        uint64_t got = 0;

        cr_assert_eq(leat_set_wait(set, &got, LEAT_NOW), 0);
        cr_assert_eq(got, key);
}

static void expect_nothing(void) {
        uint64_t got = 4711;

        /* What was fetched before may be told once more; then it is over. */
        for (int i = 0; i < 3; i++)
                if (leat_set_wait(set, &got, LEAT_NOW) == LEAT_EMPTY)
                        break;
        got = 4711;
        cr_assert_eq(leat_set_wait(set, &got, LEAT_NOW), LEAT_EMPTY);
        cr_assert_eq(got, 4711);
}

Test(set, goes_empty_message_empty_closed_and_then_the_receiver_has_left_it) {
        number_sender tx;
        number_receiver rx;
        number got;
        uint64_t key;

        cr_assert_eq(number_channel(&tx, &rx), 0);
        cr_assert_eq(number_set_add(set, rx, 7), 0);
        expect_nothing();
        cr_assert_eq(leat_set_wait(set, &key, leat_after_ms(3)), LEAT_TIMEOUT);
        cr_assert_eq(number_send(tx, &(number){ 1 }, LEAT_NOW), 0);
        expect_key(7);
        cr_assert_eq(leat_set_wait(set, &key, leat_after_ms(30000)), 0, "what is not read stays ready");
        cr_assert_eq(leat_set_wait(set, &key, LEAT_FOREVER), 0);
        cr_assert_eq(number_recv(rx, &got, LEAT_NOW), 0);
        expect_nothing();
        number_sender_close(&tx);
        expect_key(7);
        cr_assert_eq(number_recv(rx, &got, LEAT_NOW), LEAT_DISCONNECTED);
        expect_nothing();
        cr_assert_eq(leat_set_remove(set, 7), -ENOENT);
        cr_assert_eq(number_set_add(set, rx, 8), 0, "it may come back");
        expect_key(8);
        number_receiver_close(&rx);
}

Test(set, knows_a_channel_that_was_closed_before_it_was_added) {
        number_sender tx;
        number_receiver rx;
        number got;

        cr_assert_eq(number_channel(&tx, &rx), 0);
        cr_assert_eq(number_send(tx, &(number){ 3 }, LEAT_NOW), 0);
        number_sender_close(&tx);
        cr_assert_eq(number_set_add(set, rx, 1), 0);
        expect_key(1);
        cr_assert_eq(number_recv(rx, &got, LEAT_NOW), 0);
        expect_key(1);
        cr_assert_eq(number_recv(rx, &got, LEAT_NOW), LEAT_DISCONNECTED);
        expect_nothing();
        number_receiver_close(&rx);
}

Test(set, refuses_what_is_there_already_and_finds_what_is_not_there) {
        number_sender tx, other_tx;
        number_receiver rx, other_rx;
        leat_set other;

        cr_assert_eq(number_channel(&tx, &rx), 0);
        cr_assert_eq(number_channel(&other_tx, &other_rx), 0);
        cr_assert_eq(leat_set_create(&other), 0);
        cr_assert_eq(number_set_add(set, rx, 1), 0);
        cr_assert_eq(number_set_add(set, rx, 2), -EBUSY);
        cr_assert_eq(number_set_add(other, rx, 1), -EBUSY);
        cr_assert_eq(number_set_add(set, other_rx, 1), -EEXIST);
        cr_assert_eq(number_set_add(set, other_rx, 0), 0, "0 is a key");
        cr_assert_eq(number_set_add_sender(set, tx, UINT64_MAX), 0);
        cr_assert_eq(number_set_add_sender(set, tx, 5), -EEXIST);
        cr_assert_eq(leat_set_watch(set, -1, POLLIN, 6), -EBADF);
        cr_assert_eq(leat_set_remove(set, 6), -ENOENT);
        cr_assert_eq(leat_set_remove(set, UINT64_MAX), 0);
        cr_assert_eq(leat_set_remove(set, 1), 0);
        cr_assert_eq(leat_set_remove(set, 1), -ENOENT);
        cr_assert_eq(number_set_add(other, rx, 1), 0);
        number_receiver_close(&rx);
        number_receiver_close(&other_rx);
        number_sender_close(&tx);
        number_sender_close(&other_tx);
        leat_set_close(&other);
}

Test(set, that_is_none_says_so) {
        leat_set none = { NULL };
        uint64_t key;
        int fd;

        cr_assert_eq(leat_set_wait(none, &key, LEAT_NOW), -EBADF);
        cr_assert_eq(leat_set_watch(none, 0, POLLIN, 1), -EBADF);
        cr_assert_eq(leat_set_remove(none, 1), -EBADF);
        cr_assert_eq(leat_set_arm(none, &fd), -EBADF);
        leat_set_close(&none);
}

Test(set, can_be_closed_before_its_members_and_they_work_on) {
        number_sender tx;
        number_receiver rx;
        number got;

        cr_assert_eq(number_channel(&tx, &rx), 0);
        cr_assert_eq(number_set_add(set, rx, 1), 0);
        leat_set_close(&set);
        cr_assert_eq(leat_set_create(&set), 0);
        cr_assert_eq(number_set_add(set, rx, 1), 0);
        cr_assert_eq(number_send(tx, &(number){ 1 }, LEAT_NOW), 0);
        expect_key(1);
        cr_assert_eq(number_recv(rx, &got, LEAT_NOW), 0);
        number_sender_close(&tx);
        number_receiver_close(&rx);
}

Test(set, tells_nothing_of_a_member_that_left_or_of_who_took_its_place) {
        number_sender tx[3];
        number_receiver rx[3];
        uint64_t key;

        for (int i = 0; i < 3; i++) {
                cr_assert_eq(number_channel(&tx[i], &rx[i]), 0);
                cr_assert_eq(number_set_add(set, rx[i], (uint64_t) i), 0);
                cr_assert_eq(number_send(tx[i], &(number){ 1 }, LEAT_NOW), 0);
        }
        expect_key(0); /* All three are fetched. */
        cr_assert_eq(leat_set_remove(set, 1), 0);
        number_receiver_close(&rx[2]);
        number_sender_close(&tx[2]);
        cr_assert_eq(number_channel(&tx[2], &rx[2]), 0);
        cr_assert_eq(number_set_add(set, rx[2], 9), 0); /* In the place of one, and quiet. */
        cr_assert_eq(leat_set_wait(set, &key, LEAT_NOW), 0);
        cr_assert_eq(key, 0);
        for (int i = 0; i < 3; i++) {
                number_sender_close(&tx[i]);
                number_receiver_close(&rx[i]);
        }
}

Test(set, is_fair_while_one_member_floods) {
        enum { MEMBERS = 100 };
        number_sender tx[MEMBERS];
        number_receiver rx[MEMBERS];
        int n_heard[MEMBERS] = { 0 };
        number got;
        uint64_t key;

        for (uint64_t i = 0; i < MEMBERS; i++) {
                cr_assert_eq(number_channel(&tx[i], &rx[i]), 0);
                cr_assert_eq(number_set_add(set, rx[i], i), 0);
        }
        for (int i = 0; i < 100; i++)
                cr_assert_eq(number_send(tx[0], &(number){ 1 }, LEAT_NOW), 0);
        for (int i = 1; i < MEMBERS; i++)
                cr_assert_eq(number_send(tx[i], &(number){ 1 }, LEAT_NOW), 0);
        /* One message each time, and the flood never ends. */
        for (int i = 0; i < 3 * MEMBERS; i++) {
                cr_assert_eq(leat_set_wait(set, &key, LEAT_NOW), 0);
                if (number_recv(rx[key], &got, LEAT_NOW) == 0)
                        n_heard[key]++;
                (void) number_send(tx[0], &(number){ 1 }, LEAT_NOW);
        }
        for (int i = 1; i < MEMBERS; i++)
                cr_assert_eq(n_heard[i], 1, "%d was not heard", i);
        for (int i = 0; i < MEMBERS; i++) {
                number_sender_close(&tx[i]);
                number_receiver_close(&rx[i]);
        }
}

Test(set, a_sender_is_ready_when_there_may_be_room_or_its_receiver_is_gone) {
        number_sender tx;
        number_receiver rx;
        number got;
        uint64_t key;

        cr_assert_eq(number_channel(&tx, &rx), 0);
        while (number_send(tx, &(number){ 1 }, LEAT_NOW) == 0)
                ;
        cr_assert_eq(number_set_add_sender(set, tx, 3), 0);
        expect_nothing();
        while (number_recv(rx, &got, LEAT_NOW) == 0)
                ;
        expect_key(3);
        cr_assert_eq(number_send(tx, &(number){ 1 }, LEAT_NOW), 0);
        while (number_send(tx, &(number){ 1 }, LEAT_NOW) == 0)
                ;
        expect_nothing();
        number_receiver_close(&rx);
        cr_assert_eq(leat_set_wait(set, &key, LEAT_FOREVER), 0);
        cr_assert_eq(number_send(tx, &(number){ 1 }, LEAT_NOW), LEAT_DISCONNECTED);
        cr_assert_eq(leat_set_remove(set, 3), 0);
        number_sender_close(&tx);
}

Test(set, watches_plain_descriptors_beside_receivers) {
        number_sender tx;
        number_receiver rx;
        int pipe_fds[2], file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
        bool seen[3] = { false };
        uint64_t key;
        char byte;

        cr_assert_eq(pipe2(pipe_fds, O_CLOEXEC), 0);
        cr_assert_eq(number_channel(&tx, &rx), 0);
        cr_assert_eq(leat_set_watch(set, pipe_fds[0], POLLIN, 1), 0);
        cr_assert_eq(number_set_add(set, rx, 2), 0);
        cr_assert_eq(leat_set_watch(set, file, POLLIN, 3), -EPERM, "a file is always ready");
        expect_nothing();
        cr_assert_eq(write(pipe_fds[1], "x", 1), 1);
        cr_assert_eq(number_send(tx, &(number){ 1 }, LEAT_NOW), 0);
        for (int i = 0; i < 2; i++) {
                cr_assert_eq(leat_set_wait(set, &key, LEAT_NOW), 0);
                seen[key] = true;
        }
        cr_assert(seen[1] && seen[2]);
        cr_assert_eq(read(pipe_fds[0], &byte, 1), 1);
        cr_assert_eq(leat_set_remove(set, 2), 0);
        expect_nothing();
        close(pipe_fds[1]);
        expect_key(1); /* The end counts, too. */
        cr_assert_eq(leat_set_remove(set, 1), 0);
        cr_assert_eq(leat_set_watch(set, pipe_fds[0], 0, 1), 0);
        expect_key(1);
        cr_assert_eq(leat_set_remove(set, 1), 0);
        close(pipe_fds[0]);
        close(file);
        number_sender_close(&tx);
        number_receiver_close(&rx);
}

/* The caller was told to remove it first, and did not. */
Test(set, a_deadline_holds_even_when_a_descriptor_was_closed_before_it_was_removed) {
        int pipe_fds[2], twin;
        uint64_t key;

        cr_assert_eq(pipe2(pipe_fds, O_CLOEXEC), 0);
        twin = fcntl(pipe_fds[0], F_DUPFD_CLOEXEC, 3);
        cr_assert_eq(write(pipe_fds[1], "x", 1), 1);
        cr_assert_eq(leat_set_watch(set, pipe_fds[0], POLLIN, 1), 0);
        close(pipe_fds[0]);
        cr_assert_eq(leat_set_remove(set, 1), 0);
        cr_assert_eq(leat_set_wait(set, &key, LEAT_NOW), LEAT_EMPTY);
        cr_assert_eq(leat_set_wait(set, &key, leat_after_ms(5)), LEAT_TIMEOUT);
        close(twin);
        close(pipe_fds[1]);
}

Test(set, can_be_armed_and_polled_by_another_loop) {
        struct pollfd poll_fd = { .events = POLLIN };
        number_sender tx;
        number_receiver rx;
        number got;

        cr_assert_eq(number_channel(&tx, &rx), 0);
        cr_assert_eq(number_set_add(set, rx, 1), 0);
        cr_assert_eq(leat_set_arm(set, &poll_fd.fd), 0);
        cr_assert_eq(poll(&poll_fd, 1, 0), 0);
        cr_assert_eq(number_send(tx, &(number){ 1 }, LEAT_NOW), 0);
        cr_assert_eq(poll(&poll_fd, 1, 0), 1);
        cr_assert_eq(leat_set_arm(set, &poll_fd.fd), LEAT_MORE);
        expect_key(1);
        cr_assert_eq(number_recv(rx, &got, LEAT_NOW), 0);
        expect_nothing();
        cr_assert_eq(leat_set_arm(set, &poll_fd.fd), 0);
        number_sender_close(&tx);
        number_receiver_close(&rx);
}

/* ---- members with lanes ---- */

enum { CROWD = 400 };

struct crowd {
        number_sender tx[CROWD];
        number_receiver rx[CROWD];
};

static void add_channel(enum leat_lanes lanes, number_sender *ret_tx, number_receiver *ret_rx, uint64_t key) {
        struct leat_channel_options options = { .lanes = lanes };

        cr_assert_eq(number_channel_with(&options, ret_tx, ret_rx), 0);
        cr_assert_eq(number_set_add(set, *ret_rx, key), 0);
}

Test(set, members_with_lanes_have_their_turns_whoever_comes_and_goes_between_them) {
        enum { LANES = 4 };
        number_sender tx[LANES], quiet_tx;
        number_receiver rx[LANES], quiet_rx;
        int n_heard[LANES] = { 0 };
        number got;
        uint64_t key;

        for (uint64_t i = 0; i < LANES; i++) {
                add_channel(LEAT_LANES_ALWAYS, &tx[i], &rx[i], i);
                cr_assert_eq(number_send(tx[i], &(number){ 1 }, LEAT_NOW), 0);
        }
        add_channel(LEAT_LANES_NEVER, &quiet_tx, &quiet_rx, 99);
        for (int i = 0; i < 3 * LANES; i++) {
                cr_assert_eq(leat_set_wait(set, &key, LEAT_NOW), 0);
                cr_assert_lt(key, LANES);
                n_heard[key]++; /* Not read, so it stays ready. */
        }
        for (int i = 0; i < LANES; i++)
                cr_assert_eq(n_heard[i], 3, "%d had %d turns", i, n_heard[i]);
        /* The next one, then the next but one, then the last of all. */
        cr_assert_eq(leat_set_wait(set, &key, LEAT_NOW), 0);
        cr_assert_eq(leat_set_remove(set, (key + 1) % LANES), 0);
        number_receiver_close(&rx[(key + 2) % LANES]);
        cr_assert_eq(number_recv(rx[key], &got, LEAT_NOW), 0);
        expect_key((key + 3) % LANES);
        cr_assert_eq(leat_set_remove(set, (key + 3) % LANES), 0);
        expect_nothing();
        cr_assert_eq(leat_set_remove(set, key), 0);
        expect_nothing();
        cr_assert_eq(number_set_add(set, rx[(key + 1) % LANES], 7), 0);
        expect_key(7);
        for (int i = 0; i < LANES; i++) {
                number_sender_close(&tx[i]);
                number_receiver_close(&rx[i]);
        }
        number_sender_close(&quiet_tx);
        number_receiver_close(&quiet_rx);
}

static int64_t cpu_time(void) {
        struct timespec now;

        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
        return (int64_t) now.tv_sec * 1000000000 + now.tv_nsec;
}

/* The least of several rounds, since a machine may be busy with something else. */
static int64_t time_of_waits(number_sender tx, number_receiver rx) {
        int64_t least = INT64_MAX;
        number got;

        for (int round = 0; round < 10; round++) {
                int64_t begun = cpu_time(), took;

                for (int i = 0; i < 500; i++) {
                        cr_assert_eq(number_send(tx, &(number){ 1 }, LEAT_NOW), 0);
                        expect_key(1);
                        cr_assert_eq(number_recv(rx, &got, LEAT_NOW), 0);
                }
                took = cpu_time() - begun;
                if (took < least)
                        least = took;
        }
        return least;
}

/* To walk all of them makes it some 40 times as long. */
/* The clone's barrier has been taken out of the socket, the lane is read up to there, and it is not the
 * sockets' turn in the set. */
Test(set, says_that_the_socket_has_something_behind_a_barrier_that_was_just_reached) {
        enum { IN_LANE = 200, TURN = 64 };
        number_sender tx, clone;
        number_receiver rx;
        uint64_t key;
        number got;

        add_channel(LEAT_LANES_ALWAYS, &tx, &rx, 1);
        for (uint64_t i = 0; i < IN_LANE; i++)
                cr_assert_eq(number_send(tx, &(number){ i }, LEAT_NOW), 0);
        cr_assert_eq(number_sender_clone(tx, &clone), 0);
        cr_assert_eq(number_send(clone, &(number){ IN_LANE }, LEAT_NOW), 0);
        for (uint64_t i = 0; i < IN_LANE; i++) {
                if (i % TURN == 0)
                        sleep_ms(1); /* The sockets' turn in the receiver comes with the next one. */
                do
                        expect_key(1);
                while (set.object->until_look == 0);
                cr_assert_eq(number_recv(rx, &got, LEAT_NOW), 0);
                cr_assert_eq(got.value, i);
        }
        cr_assert_neq(rx.object->lanes->barrier.position, 0);
        cr_assert_eq(leat_set_wait(set, &key, leat_after_ms(20000)), 0);
        cr_assert_eq(number_recv(rx, &got, LEAT_NOW), 0);
        cr_assert_eq(got.value, IN_LANE);
        number_sender_close(&tx);
        number_sender_close(&clone);
        number_receiver_close(&rx);
}

Test(set, a_wait_costs_the_same_however_many_quiet_members_there_are_without_lanes) {
        static struct crowd crowd;
        number_sender tx;
        number_receiver rx;
        int64_t alone, among_many;

        add_channel(LEAT_LANES_ALWAYS, &tx, &rx, 1);
        alone = time_of_waits(tx, rx);
        for (uint64_t i = 0; i < CROWD; i++)
                add_channel(LEAT_LANES_NEVER, &crowd.tx[i], &crowd.rx[i], 2 + i);
        among_many = time_of_waits(tx, rx);
        cr_assert_lt(among_many, 5 * alone, "%lld ns for 500 waits, and %lld among many",
                     (long long) alone, (long long) among_many);
        for (int i = 0; i < CROWD; i++) {
                number_sender_close(&crowd.tx[i]);
                number_receiver_close(&crowd.rx[i]);
        }
        number_sender_close(&tx);
        number_receiver_close(&rx);
}

Test(set, a_sender_that_cannot_be_added_is_not_in_it) {
        struct leat_channel_options options = { .lanes = LEAT_LANES_ALWAYS };
        number_sender tx;
        number_receiver rx;

        cr_assert_eq(number_channel_with(&options, &tx, &rx), 0);
        cr_assert_eq(number_set_add_sender(set, tx, 1), 0);
        cr_assert_eq(number_set_add_sender(set, tx, 2), -EEXIST);
        cr_assert_eq(leat_set_remove(set, 2), -ENOENT);
        expect_key(1);
        expect_key(1);
        cr_assert_eq(leat_set_remove(set, 1), 0);
        expect_nothing();
        number_receiver_close(&rx);
        number_sender_close(&tx);
}

/* ---- fork ---- */

Test(set, works_on_in_both_processes_after_fork_and_neither_disturbs_the_other) {
        number_sender tx, gone_tx;
        number_receiver rx, gone_rx;
        number got;
        uint64_t key;
        pid_t child;

        cr_assert_eq(number_channel(&tx, &rx), 0);
        cr_assert_eq(number_channel(&gone_tx, &gone_rx), 0);
        cr_assert_eq(number_set_add(set, rx, 1), 0);
        cr_assert_eq(number_set_add(set, gone_rx, 2), 0);
        child = fork();
        if (child == 0) {
                watchdog(30);
                number_receiver_close(&gone_rx); /* Leaves the child's set, not the parent's. */
                check_equal(leat_set_wait(set, &key, LEAT_NOW), LEAT_EMPTY);
                check_equal(number_send(tx, &(number){ 1 }, LEAT_NOW), 0);
                check_equal(leat_set_wait(set, &key, leat_after_ms(30000)), 0);
                check_equal(key, 1);
                check_equal(number_recv(rx, &got, LEAT_NOW), 0);
                check_equal(leat_set_remove(set, 1), 0);
                leat_set_close(&set);
                leave_child(0);
        }
        cr_assert_eq(wait_for_exit(child), 0);
        cr_assert_eq(number_send(gone_tx, &(number){ 7 }, LEAT_NOW), 0);
        cr_assert_eq(leat_set_wait(set, &key, leat_after_ms(30000)), 0);
        /* The child went on with the other one's lanes, which is to be told; and its offer of a lane is in
         * the socket. Lanes and sockets have turns: so two by the socket, one in turn. */
        for (int told = 0; lanes_from_the_start() && key == 1 && told < 3; told++) {
                cr_assert_eq(number_recv(rx, &got, LEAT_NOW), -EBUSY);
                cr_assert_eq(leat_set_wait(set, &key, leat_after_ms(30000)), 0);
        }
        cr_assert_eq(key, 2);
        cr_assert_eq(number_recv(gone_rx, &got, LEAT_NOW), 0);
        cr_assert_eq(number_send(tx, &(number){ 8 }, LEAT_NOW), 0);
        cr_assert_eq(leat_set_wait(set, &key, leat_after_ms(30000)), 0);
        while (key != 1)
                cr_assert_eq(leat_set_wait(set, &key, leat_after_ms(30000)), 0);
        if (lanes_from_the_start())
                cr_assert_eq(number_recv(rx, &got, LEAT_NOW), -EBUSY);
        number_sender_close(&tx);
        number_sender_close(&gone_tx);
        number_receiver_close(&rx);
        number_receiver_close(&gone_rx);
}

Test(set, in_a_child_senders_that_had_lanes_are_ready_by_their_channels_socket) {
        struct leat_channel_options options = { .lanes = LEAT_LANES_ALWAYS };
        number_sender tx, clone;
        number_receiver rx;
        pid_t child;

        cr_assert_eq(number_channel_with(&options, &tx, &rx), 0);
        cr_assert_eq(number_sender_clone(tx, &clone), 0);
        cr_assert_eq(number_set_add_sender(set, tx, 1), 0);
        expect_key(1);
        cr_assert_eq(number_set_add_sender(set, clone, 2), 0);
        child = fork();
        if (child == 0) {
                bool told[3] = { false };
                uint64_t key;

                watchdog(30);
                for (int i = 0; i < 4; i++) {
                        check_equal(leat_set_wait(set, &key, leat_after_ms(25000)), 0);
                        check(key == 1 || key == 2);
                        told[key] = true;
                }
                check(told[1] && told[2]);
                check_equal(leat_set_remove(set, 2), 0);
                while (number_send(tx, &(number){ 7 }, LEAT_NOW) == 0)
                        ;
                check_equal(leat_set_remove(set, 1), 0);
                check_equal(leat_set_wait(set, &key, LEAT_NOW), LEAT_EMPTY);
                leat_set_close(&set);
                leave_child(0);
        }
        cr_assert_eq(wait_for_exit(child), 0);
        child = fork();
        if (child == 0) { /* Added there, and never used before. */
                leat_set other;
                uint64_t key;

                watchdog(30);
                check_equal(leat_set_create(&other), 0);
                check_equal(number_set_add_sender(other, tx, 3), 0);
                /* The first child has filled it. */
                check_equal(leat_set_wait(other, &key, LEAT_NOW), LEAT_EMPTY);
                leat_set_close(&other);
                leave_child(0);
        }
        cr_assert_eq(leat_set_remove(set, 2), 0);
        expect_key(1); /* The lane is the parent's as before. */
        cr_assert_eq(number_send(tx, &(number){ 8 }, LEAT_NOW), 0);
        number_receiver_close(&rx);
        cr_assert_eq(wait_for_exit(child), 0);
        number_sender_close(&tx);
        number_sender_close(&clone);
}
