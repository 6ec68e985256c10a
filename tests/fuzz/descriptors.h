/* Counting open descriptors in every run of a target: one call to the system, where looking into /proc is a
 * hundred. */
#ifndef LEAT_TESTS_FUZZ_DESCRIPTORS_H
#define LEAT_TESTS_FUZZ_DESCRIPTORS_H

#include <poll.h>

#include "support.h"

#define MOST_DESCRIPTORS 256

static inline int count_open(void) {
        static struct pollfd fds[MOST_DESCRIPTORS];
        int n = 0;

        for (int i = 0; i < MOST_DESCRIPTORS; i++)
                fds[i] = (struct pollfd){ .fd = i };
        check(poll(fds, MOST_DESCRIPTORS, 0) >= 0);
        for (int i = 0; i < MOST_DESCRIPTORS; i++)
                n += !(fds[i].revents & POLLNVAL);
        return n;
}

/* What strangers sent is closed by another thread. */
static inline void check_open(int expected) {
        int64_t deadline = clock_ms() + 20000;

        while (count_open() != expected && clock_ms() < deadline)
                sleep_ms(1);
        check_equal(count_open(), expected);
}

#endif
