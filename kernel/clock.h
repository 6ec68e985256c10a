/* The time that deadlines are measured in. */
#ifndef LEAT_KERNEL_CLOCK_H
#define LEAT_KERNEL_CLOCK_H

#include <time.h>

#include "leat/deadline.h"

static inline leat_deadline clock_now(void) {
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (leat_deadline) now.tv_sec * 1000000000 + now.tv_nsec;
}

static inline leat_deadline clock_add_ms(leat_deadline start, uint32_t milliseconds) {
        return start + (leat_deadline) milliseconds * 1000000;
}

#endif
