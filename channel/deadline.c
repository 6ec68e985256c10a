/* Deadlines are points in time: a call that is interrupted and goes on, or a loop of calls, waits no longer
 * than its caller said. System calls want what is left, so the one subtraction, with all its ends, is made
 * here.
 *
 * Every sum saturates: the far end of the scale is LEAT_FOREVER, and a signed overflow would be undefined. */
#include "deadline.h"

#define NS_PER_US INT64_C(1000)
#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S  INT64_C(1000000000)

int64_t deadline_now(void) {
        struct timespec now;
        int64_t ns;

        /* Cannot fail: the clock exists on every Linux and the pointer is good. */
        (void) clock_gettime(CLOCK_MONOTONIC, &now);
        ns = (int64_t) now.tv_sec * NS_PER_S + (int64_t) now.tv_nsec;
        return ns > LEAT_NOW ? ns : 1;
}

bool deadline_passed(leat_deadline deadline) {
        if (deadline == LEAT_FOREVER)
                return false;
        return deadline <= LEAT_NOW || deadline <= deadline_now();
}

static int64_t left_ns(leat_deadline deadline, int64_t at_most_ns) {
        int64_t now, left;

        if (deadline <= LEAT_NOW || at_most_ns <= 0)
                return 0;
        if (deadline == LEAT_FOREVER)
                return at_most_ns;

        now = deadline_now();
        left = deadline > now ? deadline - now : 0; /* Both are positive: no overflow. */
        return left < at_most_ns ? left : at_most_ns;
}

struct timespec deadline_left(leat_deadline deadline, int64_t at_most_ns) {
        int64_t left = left_ns(deadline, at_most_ns);

        return (struct timespec){
                .tv_sec = (time_t) (left / NS_PER_S),
                .tv_nsec = (long) (left % NS_PER_S),
        };
}

struct timeval deadline_left_timeval(leat_deadline deadline, int64_t at_most_ns) {
        int64_t left = left_ns(deadline, at_most_ns);
        int64_t us = left / NS_PER_US + (left % NS_PER_US != 0);

        if (us == 0)
                us = 1;
        return (struct timeval){
                .tv_sec = (time_t) (us / (NS_PER_S / NS_PER_US)),
                .tv_usec = (suseconds_t) (us % (NS_PER_S / NS_PER_US)),
        };
}

static leat_deadline after(int64_t count, int64_t unit_ns) {
        int64_t now = deadline_now();

        if (count <= 0)
                return now; /* Has passed, but is not LEAT_NOW: the call says LEAT_TIMEOUT. */
        if (count > (LEAT_FOREVER - now) / unit_ns)
                return LEAT_FOREVER;
        return now + count * unit_ns;
}

leat_deadline leat_after_ms(int64_t milliseconds) {
        return after(milliseconds, NS_PER_MS);
}

leat_deadline leat_after_us(int64_t microseconds) {
        return after(microseconds, NS_PER_US);
}

leat_deadline leat_after_ns(int64_t nanoseconds) {
        return after(nanoseconds, 1);
}
