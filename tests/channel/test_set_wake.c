/* Waking who waits on a set: from other threads, from signal handlers, before the wait and during it, and never in another process. For
 * ThreadSanitizer too. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

#include <leat/leat.h>

#include "in_child.h"
#include "support.h"

LEAT_MESSAGE(number, (u64, value));

enum { TURNS = UNDER_TSAN || UNDER_ASAN ? 2000 : 10000, WAKES_AMONG_MESSAGES = UNDER_TSAN || UNDER_ASAN ? 200 : 1000, ALARMS = 100 };

static const struct leat_channel_options in_a_lane = { .lanes = LEAT_LANES_ALWAYS };
static const struct leat_channel_options by_its_socket = { .lanes = LEAT_LANES_NEVER };

static leat_set set;
static number_sender tx;
static number_receiver rx;

static void open_set(const struct leat_channel_options *options) {
        check_equal(leat_set_create(&set), 0);
        if (!options)
                return;
        check_equal(number_channel_with(options, &tx, &rx), 0);
        check_equal(number_set_add(set, rx, 7), 0);
}

static void close_set(void) {
        leat_set_close(&set);
        number_sender_close(&tx);
        number_receiver_close(&rx);
}

static void expect_wait(leat_deadline deadline, int expected) {
        uint64_t key = 4711;

        check_equal(leat_set_wait(set, &key, deadline), expected);
        check_equal(key, expected == 0 ? 7 : 4711);
}

/* Nothing, a quiet socket, a quiet lane: what a set may be asleep on. */
static const struct leat_channel_options *const members[] = { NULL, &by_its_socket, &in_a_lane };

#define FOR_ALL_MEMBERS(options) \
        for (const struct leat_channel_options *const *options = members; options < members + 3; options++)

static void several_wakes_before_a_wait_are_one(void) {
        FOR_ALL_MEMBERS(options) {
                open_set(*options);
                for (int i = 0; i < 3; i++)
                        check_equal(leat_set_wake(set), 0);
                expect_wait(LEAT_FOREVER, LEAT_WOKEN);
                expect_wait(LEAT_NOW, LEAT_EMPTY);
                check_equal(leat_set_wake(set), 0);
                expect_wait(LEAT_NOW, LEAT_WOKEN);
                expect_wait(leat_after_ms(3), LEAT_TIMEOUT);
                check_equal(leat_set_wake(set), 0);
                close_set(); /* Nobody hears of it. */
        }
        check_equal(leat_set_wake((leat_set){ NULL }), -EBADF);
}

/* Also where waits call the system no more, because a lane is busy. */
static void the_very_next_wait_is_woken_whoever_is_ready(void) {
        for (int i = 1; i < 3; i++) {
                open_set(members[i]);
                check_equal(number_send(tx, &(number){ 1 }, LEAT_NOW), 0);
                for (int distance = 0; distance < 60; distance++) {
                        for (int waits = 0; waits < distance; waits++)
                                expect_wait(LEAT_NOW, 0); /* Not read, so it stays ready. */
                        check_equal(leat_set_wake(set), 0);
                        expect_wait(LEAT_NOW, LEAT_WOKEN);
                }
                close_set();
        }
}

static void *wake_later(void *milliseconds) {
        sleep_ms(*(int *) milliseconds);
        check_equal(leat_set_wake(set), 0);
        return NULL;
}

static void a_sleeping_wait_is_woken_by_another_thread(void) {
        int milliseconds = 30;
        pthread_t waker;

        FOR_ALL_MEMBERS(options)
                for (int with_deadline = 0; with_deadline < 2; with_deadline++) {
                        open_set(*options);
                        check_equal(pthread_create(&waker, NULL, wake_later, &milliseconds), 0);
                        expect_wait(with_deadline ? leat_after_ms(25000) : LEAT_FOREVER, LEAT_WOKEN);
                        pthread_join(waker, NULL);
                        expect_wait(LEAT_NOW, LEAT_EMPTY);
                        close_set();
                }
}

static leat_set other_set;
static int turn; /* Plain memory: a wake hands it over. */

static void *take_turns(void *unused) {
        (void) unused;
        for (int i = 0; i < TURNS; i++) {
                uint64_t key;

                check_equal(leat_set_wait(other_set, &key, LEAT_FOREVER), LEAT_WOKEN);
                check_equal(turn++, 2 * i + 1);
                check_equal(leat_set_wake(set), 0);
        }
        return NULL;
}

/* One lost, and both sleep for ever. */
static void two_threads_wake_each_other_in_turns(void) {
        pthread_t other;

        FOR_ALL_MEMBERS(options) {
                turn = 0;
                open_set(*options);
                check_equal(leat_set_create(&other_set), 0);
                check_equal(pthread_create(&other, NULL, take_turns, NULL), 0);
                for (int i = 0; i < TURNS; i++) {
                        check_equal(turn++, 2 * i);
                        check_equal(leat_set_wake(other_set), 0);
                        expect_wait(LEAT_FOREVER, LEAT_WOKEN);
                }
                pthread_join(other, NULL);
                leat_set_close(&other_set);
                close_set();
        }
}

static _Atomic int woken;
static _Atomic bool done;

static void *wake_again_and_again(void *unused) {
        (void) unused;
        for (int i = 0; i < WAKES_AMONG_MESSAGES; i++) {
                check_equal(leat_set_wake(set), 0);
                while (atomic_load(&woken) == i)
                        usleep(10);
        }
        atomic_store(&done, true);
        return NULL;
}

static void *send_until_done(void *unused) {
        uint64_t i = 0;

        (void) unused;
        while (!atomic_load(&done))
                check_equal(number_send(tx, &(number){ i++ }, leat_after_ms(25000)), 0);
        number_sender_close(&tx);
        return NULL;
}

/* The reader spins, sleeps, or finds what it looks for at once, as it comes. */
static void wakes_are_heard_among_messages_and_no_message_is_lost(void) {
        pthread_t waker, sender;
        uint64_t next = 0, key;
        number got;
        int r;

        for (int i = 1; i < 3; i++) {
                atomic_store(&woken, 0);
                atomic_store(&done, false);
                open_set(members[i]);
                next = 0;
                check_equal(pthread_create(&waker, NULL, wake_again_and_again, NULL), 0);
                check_equal(pthread_create(&sender, NULL, send_until_done, NULL), 0);
                do {
                        r = leat_set_wait(set, &key, leat_after_ms(25000));
                        if (r == LEAT_WOKEN) {
                                atomic_fetch_add(&woken, 1);
                                continue;
                        }
                        check_equal(r, 0);
                        while ((r = number_recv(rx, &got, LEAT_NOW)) == 0)
                                check_equal(got.value, next++);
                } while (r != LEAT_DISCONNECTED);
                pthread_join(waker, NULL);
                pthread_join(sender, NULL);
                check_equal(atomic_load(&woken), WAKES_AMONG_MESSAGES);
                close_set();
        }
}

/* ---- signals ---- */

static void wake_by_signal(int signal_number) {
        int saved = errno;

        (void) signal_number;
        errno = EXDEV;
        if (leat_set_wake(set) != 0 || errno != EXDEV)
                leave_child(3);
        errno = saved;
}

static void start_alarms(long first_us, long interval_us) {
        struct itimerval times = { .it_value.tv_usec = first_us, .it_interval.tv_usec = interval_us };

        check(setitimer(ITIMER_REAL, &times, NULL) == 0);
}

static void a_signal_handler_may_wake(void) {
        struct sigaction before;

        for (int restart = 0; restart < 2; restart++) {
                struct sigaction action = { .sa_handler = wake_by_signal, .sa_flags = restart ? SA_RESTART : 0 };

                check(sigaction(SIGALRM, &action, &before) == 0);
                FOR_ALL_MEMBERS(options) {
                        open_set(*options);
                        check(raise(SIGALRM) == 0);
                        expect_wait(LEAT_FOREVER, LEAT_WOKEN);
                        start_alarms(20000, 0);
                        expect_wait(LEAT_FOREVER, LEAT_WOKEN);
                        expect_wait(LEAT_NOW, LEAT_EMPTY);
                        start_alarms(500, 500); /* At any place in the wait. */
                        for (int i = 0; i < ALARMS; i++)
                                expect_wait(LEAT_FOREVER, LEAT_WOKEN);
                        start_alarms(0, 0);
                        (void) leat_set_wake(set);
                        expect_wait(LEAT_NOW, LEAT_WOKEN);
                        expect_wait(LEAT_NOW, LEAT_EMPTY);
                        close_set();
                }
                check(sigaction(SIGALRM, &before, NULL) == 0);
        }
}

/* ---- event loops ---- */

static bool becomes_readable(int fd) {
        struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

        return poll(&poll_fd, 1, 0) == 1;
}

static void an_armed_descriptor_becomes_readable_by_a_wake(void) {
        int fd = -1, same = -1;

        FOR_ALL_MEMBERS(options) {
                open_set(*options);
                for (int i = 0; i < 3; i++) {
                        expect_wait(LEAT_NOW, LEAT_EMPTY);
                        check_equal(leat_set_arm(set, &fd), 0);
                        check(!becomes_readable(fd));
                        check_equal(leat_set_wake(set), 0);
                        check(becomes_readable(fd));
                        check_equal(leat_set_arm(set, &same), LEAT_MORE);
                        expect_wait(LEAT_NOW, LEAT_WOKEN);
                }
                expect_wait(LEAT_NOW, LEAT_EMPTY);
                check_equal(leat_set_wake(set), 0);
                check_equal(leat_set_arm(set, &same), LEAT_MORE);
                expect_wait(LEAT_NOW, LEAT_WOKEN);
                expect_wait(LEAT_NOW, LEAT_EMPTY);
                check_equal(leat_set_arm(set, &same), 0);
                check_equal(same, fd);
                check(!becomes_readable(fd));
                close_set();
        }
}

/* ---- processes ---- */

/* Only one of the two can go on with lanes; in the other they are ready, to be told. */
static void expect_nothing(const struct leat_channel_options *options, leat_deadline deadline) {
        if (options != &in_a_lane)
                expect_wait(deadline, deadline == LEAT_NOW ? LEAT_EMPTY : LEAT_TIMEOUT);
}

static void be_woken_as_a_child(const struct leat_channel_options *options) {
        struct sigaction action = { .sa_handler = wake_by_signal };
        int fd;

        watchdog(WATCHDOG_SECONDS);
        check_equal(leat_set_wake(set), 0); /* Before this process has used the set. */
        expect_wait(LEAT_FOREVER, LEAT_WOKEN);
        expect_nothing(options, LEAT_NOW);
        if (options != &in_a_lane) {
                check(sigaction(SIGALRM, &action, NULL) == 0);
                start_alarms(10000, 0);
                expect_wait(LEAT_FOREVER, LEAT_WOKEN);
                expect_wait(LEAT_NOW, LEAT_EMPTY);
                check_equal(leat_set_arm(set, &fd), 0);
                check_equal(leat_set_wake(set), 0);
                check(becomes_readable(fd));
        }
        leat_set_close(&set);
        leave_child(0);
}

static void a_wake_stays_in_its_process(void) {
        FOR_ALL_MEMBERS(options)
                for (int pending = 0; pending < 2; pending++) {
                        pid_t child;

                        open_set(*options);
                        expect_wait(LEAT_NOW, LEAT_EMPTY);
                        if (pending)
                                check_equal(leat_set_wake(set), 0);
                        child = fork();
                        check(child >= 0);
                        if (child == 0)
                                be_woken_as_a_child(*options);
                        if (pending)
                                expect_wait(LEAT_NOW, LEAT_WOKEN);
                        else
                                expect_nothing(*options, leat_after_ms(40));
                        check_equal(wait_for_exit(child), 0);
                        expect_nothing(*options, LEAT_NOW);
                        check_equal(leat_set_wake(set), 0);
                        expect_wait(LEAT_FOREVER, LEAT_WOKEN);
                        close_set();
                }
}

/* A child hears nothing of what its parent had pending. */
static void what_was_pending_is_not_inherited(void) {
        pid_t child;

        open_set(&by_its_socket);
        check_equal(leat_set_wake(set), 0);
        child = fork();
        check(child >= 0);
        if (child == 0) {
                watchdog(WATCHDOG_SECONDS);
                expect_wait(LEAT_NOW, LEAT_EMPTY);
                check_equal(number_send(tx, &(number){ 1 }, LEAT_NOW), 0);
                expect_wait(LEAT_NOW, 0);
                leave_child(0);
        }
        check_equal(wait_for_exit(child), 0);
        expect_wait(LEAT_FOREVER, LEAT_WOKEN);
        close_set();
}

/* ---- without descriptors ---- */

static void needs_its_descriptors_from_the_start(void) {
        struct rlimit few = { .rlim_cur = 64, .rlim_max = 64 };
        int fds[64], n = 0, before = count_descriptors();

        check(setrlimit(RLIMIT_NOFILE, &few) == 0);
        while (n < 64 && (fds[n] = dup(0)) >= 0)
                n++;
        check(n > 2);
        for (int spared = 0; spared < 2; spared++) {
                set.object = NULL;
                check_equal(leat_set_create(&set), -EMFILE);
                check(set.object == NULL);
                close(fds[--n]);
        }
        check_equal(leat_set_create(&set), 0);
        check_equal(leat_set_wake(set), 0);
        expect_wait(LEAT_NOW, LEAT_WOKEN);
        leat_set_close(&set);
        while (n > 0)
                close(fds[--n]);
        check_equal(count_descriptors(), before);
}

int main(void) {
        int before;

        watchdog(150);
        before = count_descriptors();
        several_wakes_before_a_wait_are_one();
        the_very_next_wait_is_woken_whoever_is_ready();
        a_signal_handler_may_wake();
        an_armed_descriptor_becomes_readable_by_a_wake();
        a_wake_stays_in_its_process();
        what_was_pending_is_not_inherited();
        a_sleeping_wait_is_woken_by_another_thread();
        two_threads_wake_each_other_in_turns();
        wakes_are_heard_among_messages_and_no_message_is_lost();
        if (!is_left_out("needs_its_descriptors_from_the_start"))
                run_in_child(needs_its_descriptors_from_the_start);
        check_equal(settle_descriptors(before), before);
        return 0;
}
