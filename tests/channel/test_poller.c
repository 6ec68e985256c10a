/* Places that come and go while events about them are on their way. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

#include "poller.h"

#include "in_child.h"
#include "support.h"

#define MANY 200

static int before;
static struct poller poller;
static int events[MANY]; /* eventfds; their owners are their places here. */
static uint32_t places[MANY];

static void start(void) {
        before = count_descriptors();
        poller_init(&poller);
        for (size_t i = 0; i < MANY; i++) {
                events[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
                cr_assert_geq(events[i], 0);
        }
}

static void finish(void) {
        poller_close(&poller);
        for (size_t i = 0; i < MANY; i++)
                (void) close(events[i]);
        cr_assert_eq(count_descriptors(), before, "a descriptor leaked");
}

TestSuite(poller, .init = start, .fini = finish);

static int add(size_t index, uint32_t flags, unsigned kind) {
        return poller_add(&poller, events[index], flags, kind, &events[index], &places[index]);
}

static void add_all(size_t n) {
        for (size_t i = 0; i < n; i++)
                cr_assert_eq(add(i, EPOLLIN, 7), 0);
}

static void fire(size_t index) {
        cr_assert_eq(eventfd_write(events[index], 1), 0);
}

static void calm(size_t index) {
        eventfd_t value;

        (void) eventfd_read(events[index], &value);
}

/* The owner's index of the next event of the batch, -1 at its end. */
static int next(void) {
        struct poller_event event;

        if (!poller_next(&poller, &event))
                return -1;
        cr_assert_eq(event.kind, 7);
        cr_assert_eq(event.events, EPOLLIN);
        return (int) ((int *) event.owner - events);
}

Test(poller, without_a_use_it_opens_nothing) {
        cr_assert_eq(poller.fd, -1);
        cr_assert_not(poller_has_fetched(&poller));
        poller_remove(&poller, POLLER_NOWHERE);
        poller_close(&poller);
        poller_close(&poller);
        cr_assert_eq(count_descriptors(), before + MANY);
}

Test(poller, an_event_says_whose_it_is_and_what) {
        struct poller_event event;

        cr_assert_eq(add(0, EPOLLIN, 3), 0);
        cr_assert_eq(add(1, EPOLLIN | EPOLLOUT, 4), 0);
        cr_assert_eq(poller_fetch(&poller, LEAT_FOREVER), 1);
        cr_assert(poller_has_fetched(&poller));
        cr_assert(poller_next(&poller, &event));
        cr_assert_eq(event.kind, 4);
        cr_assert_eq(event.owner, &events[1]);
        cr_assert_eq(event.events, EPOLLOUT);
        cr_assert_not(poller_has_fetched(&poller));
        cr_assert_not(poller_next(&poller, &event));
}

Test(poller, more_than_a_batch_all_come_and_none_is_forgotten) {
        bool seen[MANY] = { false };
        size_t n = 0;

        add_all(MANY);
        for (size_t i = 0; i < MANY; i++)
                fire(i);
        while (n < MANY) {
                int r = poller_fetch(&poller, LEAT_NOW), index;

                cr_assert_gt(r, 0);
                cr_assert_leq(r, POLLER_BATCH);
                cr_assert_eq(poller_fetch(&poller, LEAT_FOREVER), r,
                             "nothing new before the batch was handed out");
                while ((index = next()) >= 0) {
                        cr_assert_not(seen[index], "level-triggered ones take turns: %d", index);
                        seen[index] = true;
                        calm((size_t) index);
                        n++;
                }
        }
        cr_assert_eq(poller_fetch(&poller, LEAT_NOW), 0);
}

Test(poller, an_event_about_one_that_left_is_dropped) {
        add_all(3);
        for (size_t i = 0; i < 3; i++)
                fire(i);
        cr_assert_eq(poller_fetch(&poller, LEAT_NOW), 3);
        poller_remove(&poller, places[0]);
        poller_remove(&poller, places[1]);
        poller_remove(&poller, places[2]);
        cr_assert_eq(next(), -1);
        cr_assert_eq(poller_fetch(&poller, LEAT_NOW), 0);
}

Test(poller, an_event_is_never_taken_for_the_next_tenants) {
        add_all(3);
        fire(0);
        fire(1);
        cr_assert_eq(poller_fetch(&poller, LEAT_NOW), 2);
        poller_remove(&poller, places[0]);
        cr_assert_eq(add(50, EPOLLIN, 7), 0);
        cr_assert_eq(places[50], places[0], "the place is used again");
        cr_assert_eq(next(), 1);
        cr_assert_eq(next(), -1);

        /* Not even the same descriptor's again: what it had to say is said anew. */
        fire(50);
        cr_assert_eq(poller_fetch(&poller, LEAT_NOW), 2);
        poller_remove(&poller, places[50]);
        cr_assert_eq(add(50, EPOLLIN, 7), 0);
        cr_assert_eq(next(), 1);
        cr_assert_eq(next(), -1);
        calm(1);
        cr_assert_eq(poller_fetch(&poller, LEAT_NOW), 1);
        cr_assert_eq(next(), 50);
}

Test(poller, places_are_used_again_and_not_made_without_end) {
        for (size_t round = 0; round < 1000; round++) {
                add_all(5);
                for (size_t i = 0; i < 5; i++)
                        poller_remove(&poller, places[i]);
        }
        cr_assert_leq(poller.n_places, 8);
        add_all(MANY);
        for (size_t i = 0; i < MANY; i++)
                for (size_t j = 0; j < i; j++)
                        cr_assert_neq(places[i], places[j]);
}

Test(poller, what_cannot_be_registered_takes_no_place) {
        uint32_t untouched = 1234;
        int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

        add_all(2);
        for (size_t i = 0; i < 100; i++) {
                cr_assert_eq(poller_add(&poller, events[0], EPOLLIN, 7, NULL, &untouched), -EEXIST);
                cr_assert_eq(poller_add(&poller, -1, EPOLLIN, 7, NULL, &untouched), -EBADF);
                cr_assert_eq(poller_add(&poller, file, EPOLLIN, 7, NULL, &untouched), -EPERM);
        }
        cr_assert_eq(untouched, 1234);
        cr_assert_leq(poller.n_places, 8);
        fire(0);
        cr_assert_eq(poller_fetch(&poller, LEAT_NOW), 1);
        cr_assert_eq(next(), 0);
        (void) close(file);
}

Test(poller, without_a_descriptor_it_fails_and_is_opened_at_the_next_use) {
        const struct rlimit none = { .rlim_cur = 0, .rlim_max = 4096 },
                            enough = { .rlim_cur = 4096, .rlim_max = 4096 };

        cr_assert_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
        cr_assert_eq(poller_open(&poller), -EMFILE);
        cr_assert_eq(add(0, EPOLLIN, 7), -EMFILE);
        cr_assert_eq(setrlimit(RLIMIT_NOFILE, &enough), 0);
        cr_assert_eq(add(0, EPOLLIN, 7), 0);
        fire(0);
        cr_assert_eq(poller_fetch(&poller, LEAT_NOW), 1);
}

Test(poller, a_deadline_is_not_early_and_a_try_does_not_wait) {
        leat_deadline deadline = leat_after_us(20300);

        add_all(1);
        cr_assert_eq(poller_fetch(&poller, LEAT_NOW), 0);
        cr_assert_eq(poller_fetch(&poller, deadline), 0);
        cr_assert_geq(leat_after_ns(0), deadline);
        cr_assert_eq(poller_fetch(&poller, deadline), 0, "one that has passed");
}

static void do_nothing(int signal_number) {
        (void) signal_number;
}

Test(poller, a_signal_is_told) {
        const struct itimerval often = { .it_interval = { .tv_usec = 20000 },
                                         .it_value = { .tv_usec = 20000 } };
        struct sigaction action = { .sa_handler = do_nothing };

        add_all(1);
        cr_assert_eq(sigaction(SIGALRM, &action, NULL), 0);
        cr_assert_eq(setitimer(ITIMER_REAL, &often, NULL), 0);
        cr_assert_eq(poller_fetch(&poller, LEAT_FOREVER), -EINTR);
        watchdog(WATCHDOG_SECONDS); /* The same timer. */
        cr_assert_not(poller_has_fetched(&poller));
}

Test(poller, one_can_ask_whether_an_event_waits_without_fetching_it) {
        cr_assert_eq(add(0, EPOLLIN | EPOLLET, 7), 0);
        cr_assert_not(poller_is_readable(&poller));
        fire(0);
        cr_assert(poller_is_readable(&poller));
        cr_assert(poller_is_readable(&poller));
        cr_assert_eq(poller_fetch(&poller, LEAT_NOW), 1);
        cr_assert_eq(next(), 0);
        cr_assert_not(poller_is_readable(&poller), "edge-triggered: told once");
        cr_assert_eq(poller_fetch(&poller, LEAT_NOW), 0);
        fire(0);
        cr_assert_eq(poller_fetch(&poller, LEAT_NOW), 1, "and again when there is more");
}

Test(poller, a_closed_one_can_be_used_again) {
        add_all(2);
        fire(1);
        poller_close(&poller);
        cr_assert_eq(add(0, EPOLLIN, 7), 0);
        cr_assert_eq(poller_fetch(&poller, LEAT_NOW), 0, "nothing is left of the last time");
        fire(0);
        cr_assert_eq(poller_fetch(&poller, LEAT_NOW), 1);
}

/* ---- fork ---- */

static void use_in_child(void) {
        int inherited = poller.fd;

        check(poller_has_fetched(&poller));
        check_equal(poller_open(&poller), 0);
        check(poller.fd != inherited);
        check(!poller_has_fetched(&poller)); /* The parent's. */
        check_equal(poller_fetch(&poller, LEAT_NOW), 2);
        check_equal(next() + next(), 0 + 1);
        poller_remove(&poller, places[0]);
        poller_remove(&poller, places[2]);
        check_equal(add(3, EPOLLIN, 7), 0);
        check_equal(poller_fetch(&poller, LEAT_NOW), 1);
        check_equal(next(), 1);
}

static void remove_in_child(void) {
        poller_remove(&poller, places[0]);
        poller_remove(&poller, places[1]);
        poller_close(&poller);
}

static void parent_is_not_disturbed(void) {
        cr_assert_eq(next() + next(), 0 + 1);
        cr_assert_eq(poller_fetch(&poller, LEAT_NOW), 2);
        cr_assert_eq(next() + next(), 0 + 1);
        fire(2);
        cr_assert_eq(poller_fetch(&poller, LEAT_NOW), 3);
}

Test(poller, a_forked_child_makes_its_own_with_all_that_is_registered) {
        add_all(3);
        fire(0);
        fire(1);
        cr_assert_eq(poller_fetch(&poller, LEAT_NOW), 2);
        run_in_child(use_in_child);
        fire(3);
        parent_is_not_disturbed();
}

Test(poller, a_forked_child_that_removes_and_closes_takes_nothing_from_its_parent) {
        add_all(3);
        fire(0);
        fire(1);
        cr_assert_eq(poller_fetch(&poller, LEAT_NOW), 2);
        run_in_child(remove_in_child);
        parent_is_not_disturbed();
}
