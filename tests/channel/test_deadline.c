/* Deadlines: points in time that saturate at both ends. */
#include <criterion/criterion.h>
#include <limits.h>
#include <stdint.h>

#include "deadline.h"

#define NS_PER_S INT64_C(1000000000)

static int64_t ns(struct timespec time) {
        return (int64_t) time.tv_sec * NS_PER_S + time.tv_nsec;
}

Test(deadline, now_has_always_passed_and_forever_never) {
        cr_assert(deadline_passed(LEAT_NOW));
        cr_assert_not(deadline_passed(LEAT_FOREVER));
        cr_assert(deadline_passed(-1));
        cr_assert(deadline_passed(INT64_MIN));
        cr_assert(deadline_passed(deadline_now()));
        cr_assert_not(deadline_passed(leat_after_ms(3600 * 1000)));
}

Test(deadline, after_is_measured_from_the_monotonic_clock) {
        int64_t before = deadline_now();
        leat_deadline ms = leat_after_ms(5), us = leat_after_us(5), nanoseconds = leat_after_ns(5);
        int64_t after = deadline_now();

        cr_assert(ms >= before + 5000000 && ms <= after + 5000000);
        cr_assert(us >= before + 5000 && us <= after + 5000);
        cr_assert(nanoseconds >= before + 5 && nanoseconds <= after + 5);
}

Test(deadline, a_count_of_zero_or_less_has_passed_but_is_not_now) {
        const int64_t counts[] = { 0, -1, -1000, INT64_MIN };

        for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++) {
                const leat_deadline passed[] = {
                        leat_after_ms(counts[i]),
                        leat_after_us(counts[i]),
                        leat_after_ns(counts[i]),
                };

                for (size_t j = 0; j < 3; j++) {
                        cr_assert(deadline_passed(passed[j]));
                        cr_assert_neq(passed[j], LEAT_NOW);
                }
        }
}

Test(deadline, a_count_out_of_range_is_forever) {
        cr_assert_eq(leat_after_ms(INT64_MAX), LEAT_FOREVER);
        cr_assert_eq(leat_after_us(INT64_MAX), LEAT_FOREVER);
        cr_assert_eq(leat_after_ns(INT64_MAX), LEAT_FOREVER);
        cr_assert_eq(leat_after_ms(INT64_MAX / 1000000), LEAT_FOREVER);
        cr_assert_lt(leat_after_ms(INT64_MAX / 2000000), LEAT_FOREVER);
}

Test(deadline, what_is_left_is_never_negative_nor_more_than_asked) {
        cr_assert_eq(ns(deadline_left(LEAT_NOW, 1000)), 0);
        cr_assert_eq(ns(deadline_left(INT64_MIN, 1000)), 0);
        cr_assert_eq(ns(deadline_left(deadline_now(), 1000)), 0);
        cr_assert_eq(ns(deadline_left(LEAT_FOREVER, 1000)), 1000);
        cr_assert_eq(ns(deadline_left(LEAT_FOREVER, INT64_MAX)), INT64_MAX);
        cr_assert_eq(ns(deadline_left(leat_after_ms(3600 * 1000), 3 * NS_PER_S / 2)), 3 * NS_PER_S / 2);
        cr_assert_eq(ns(deadline_left(leat_after_ms(1000), 0)), 0);
        cr_assert_eq(ns(deadline_left(leat_after_ms(1000), -1)), 0);

        int64_t left = ns(deadline_left(leat_after_ms(3600 * 1000), INT64_MAX));

        cr_assert(left > 0 && left <= 3600 * NS_PER_S);
}

Test(deadline, a_timeval_is_never_zero_because_that_means_without_end) {
        struct timeval left = deadline_left_timeval(LEAT_NOW, NS_PER_S);

        cr_assert(left.tv_sec == 0 && left.tv_usec == 1);
        left = deadline_left_timeval(deadline_now(), NS_PER_S);
        cr_assert(left.tv_sec == 0 && left.tv_usec == 1);
}

Test(deadline, a_timeval_is_rounded_up_so_that_nobody_wakes_too_early) {
        struct timeval left = deadline_left_timeval(LEAT_FOREVER, 1);

        cr_assert(left.tv_sec == 0 && left.tv_usec == 1);
        left = deadline_left_timeval(LEAT_FOREVER, 2001);
        cr_assert(left.tv_sec == 0 && left.tv_usec == 3);
        left = deadline_left_timeval(LEAT_FOREVER, NS_PER_S - 1);
        cr_assert(left.tv_sec == 1 && left.tv_usec == 0);
        left = deadline_left_timeval(LEAT_FOREVER, INT64_MAX);
        cr_assert(left.tv_sec > 0 && left.tv_usec >= 0 && left.tv_usec < 1000000);
}
