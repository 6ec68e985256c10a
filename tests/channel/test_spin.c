/* Spinning: where it is worth it, for how long, and how it gives up. The clock is looked at by what must hold
 * on the slowest machine only: not shorter than it should be. */
#include <criterion/criterion.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "deadline.h"
#include "spin.h"

#include "support.h"

/* Any CPU but ours (which may change meanwhile: nothing here is ever this one). */
#define ANOTHER_CORE 4711U

static void spin_in_vain(struct spinner *spinner) {
        spin_start(spinner);
        while (spin_goes_on(spinner))
                ;
}

static struct spinner fail(unsigned times) {
        struct spinner spinner = { 0 };

        for (unsigned i = 0; i < times; i++) {
                while (!spin_may(&spinner, ANOTHER_CORE))
                        ;
                spin_in_vain(&spinner);
        }
        return spinner;
}

/* Once more if a third party kept the core meanwhile, which counts for many. */
static struct spinner failed(unsigned times) {
        struct spinner spinner;

        do
                spinner = fail(times);
        while (spinner.failures != times);
        return spinner;
}

static unsigned count_skips(struct spinner *spinner) {
        unsigned n = 0;

        while (!spin_may(spinner, ANOTHER_CORE))
                n++;
        return n;
}

static void pin(int core) {
        cpu_set_t set;

        CPU_ZERO(&set);
        CPU_SET((size_t) core, &set);
        cr_assert_eq(sched_setaffinity(0, sizeof(set), &set), 0);
}

Test(spin, lasts_as_long_as_a_sleep_and_no_less) {
        struct spinner spinner = { 0 };
        int64_t start = deadline_now();
        uint64_t looks = 0;

        cr_assert(spin_may(&spinner, ANOTHER_CORE));
        spin_start(&spinner);
        while (spin_goes_on(&spinner))
                looks++;
        cr_assert_geq(deadline_now() - start, SPIN_NS);
        cr_assert_geq(looks, SPIN_CLOCK_LOOKS);
}

/* Naps in which the bell was rung `took` ns before their end. */
static void wake_up(struct spinner *spinner, int64_t took) {
        for (int i = 0; i < 30; i++)
                spin_slept(spinner, 1000000, 2000000 + took, 2000000);
}

static int64_t length_of_spin(struct spinner spinner) {
        int64_t start = deadline_now();

        spin_in_vain(&spinner);
        return deadline_now() - start;
}

/* Who gives up before the other side is awake would never find it awake again. */
Test(spin, lasts_longer_where_wake_ups_do) {
        struct spinner spinner = { 0 };

        wake_up(&spinner, 4 * SPIN_NS);
        cr_assert_geq(length_of_spin(spinner), 4 * SPIN_NS);
        wake_up(&spinner, 1000);
        cr_assert_lt(spinner.wake_up, SPIN_NS / 2, "it was long only for a while");
}

Test(spin, does_not_believe_all_that_is_said_of_wake_ups) {
        struct spinner spinner = { 0 };

        wake_up(&spinner, 1000000000);
        cr_assert_leq(spinner.wake_up, SPIN_MAX_NS, "however long");
        spinner.wake_up = 0;
        spin_slept(&spinner, 1000000, 2000000, 999999);
        spin_slept(&spinner, 1000000, 2000000, 2000001);
        spin_slept(&spinner, 1000000, 2000000, INT64_MIN);
        spin_slept(&spinner, 1000000, 2000000, INT64_MAX);
        cr_assert_eq(spinner.wake_up, 0, "not within the sleep");
}

Test(spin, looks_often_before_it_reads_the_clock) {
        struct spinner spinner = { 0 };

        spin_start(&spinner);
        for (unsigned i = 0; i < SPIN_CLOCK_LOOKS; i++) {
                cr_assert(spin_goes_on(&spinner));
                cr_assert_eq(spinner.end, 0);
        }
        cr_assert(spin_goes_on(&spinner), "the first reading begins the time");
        cr_assert_neq(spinner.end, 0);
}

Test(spin, fails_less_and_less_often) {
        static const unsigned expected[] = { 0, 1, 2, 4, 8, 16, 32, 64, 64, 64 };

        for (unsigned i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
                struct spinner spinner = failed(i);

                cr_assert_eq(count_skips(&spinner), expected[i], "after %u failures", i);
        }
}

Test(spin, goes_on_after_success) {
        struct spinner spinner = failed(5);

        cr_assert_eq(count_skips(&spinner), 16);
        spin_start(&spinner);
        cr_assert(spin_goes_on(&spinner));
        spin_succeeded(&spinner);
        cr_assert_eq(count_skips(&spinner), 0);
        spin_in_vain(&spinner);
        cr_assert(count_skips(&spinner) == 1 || spinner.failures > 1, "the count began anew");
}

static void nap(struct spinner *spinner, unsigned times) {
        for (unsigned i = 0; i < times; i++)
                spin_slept(spinner, 1, 1 + SPIN_NS + SPIN_NS / 2, 0);
}

Test(spin, goes_on_after_short_sleeps_but_not_after_a_long_one) {
        struct spinner spinner = failed(1);

        spinner.skips = 64;
        spin_slept(&spinner, 1, 1000001, 0);
        cr_assert_not(spin_may(&spinner, ANOTHER_CORE));
        nap(&spinner, 2);
        cr_assert(spin_may(&spinner, ANOTHER_CORE));
}

Test(spin, believes_short_sleeps_less_each_time_that_they_promised_too_much) {
        struct spinner spinner = failed(6);

        spinner.skips = 64;
        nap(&spinner, 63);
        cr_assert_not(spin_may(&spinner, ANOTHER_CORE));
        nap(&spinner, 1);
        cr_assert(spin_may(&spinner, ANOTHER_CORE));
        for (int i = 0; i < 6; i++)
                spin_succeeded(&spinner);
        spinner.skips = 64;
        nap(&spinner, 1);
        cr_assert(spin_may(&spinner, ANOTHER_CORE), "spins have kept it");
}

static pid_t start_busy_process(int core) {
        pid_t child = fork();

        cr_assert_geq(child, 0);
        if (child == 0) {
                cpu_set_t set;

                CPU_ZERO(&set);
                CPU_SET((size_t) core, &set);
                (void) sched_setaffinity(0, sizeof(set), &set);
                (void) alarm(60);
                for (;;)
                        (void) spin_core();
        }
        return child;
}

/* Who gives a core to somebody with work of its own has it back after a slice of time: that is worse than any
 * sleep. */
Test(spin, gives_up_at_once_where_a_third_party_keeps_the_core) {
        int core = (int) spin_core() - 1;
        pid_t busy;
        unsigned skips = 0;

        watchdog(30);
        pin(core);
        busy = start_busy_process(core);
        while (skips < 64) {
                struct spinner spinner = fail(1);

                skips = count_skips(&spinner);
        }
        cr_assert_eq(kill(busy, SIGKILL), 0);
        cr_assert_eq(waitpid(busy, NULL, 0), busy);
}

Test(spin, knows_the_core_it_runs_on_and_does_not_spin_when_the_other_side_has_it) {
        struct spinner spinner = { 0 };
        uint32_t core = spin_core();

        cr_assert_neq(core, 0);
        pin((int) core - 1);
        cr_assert_eq(spin_core(), core);
        cr_assert_not(spin_may(&spinner, core));
        cr_assert(spin_may(&spinner, core + 1), "pinned apart");
}

Test(spin, with_one_cpu_and_no_idea_where_the_other_side_is_does_not) {
        struct spinner spinner = { 0 };
        cpu_set_t set;

        cr_assert_eq(sched_getaffinity(0, sizeof(set), &set), 0);
        cr_assert_eq(spin_may(&spinner, 0), CPU_COUNT(&set) > 1);
        pin((int) spin_core() - 1);
        cr_assert_not(spin_may(&spinner, 0));
}
