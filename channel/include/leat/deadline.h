/* Deadlines: every call that can wait takes one. A deadline is a point in time, not a duration, so that a
 * loop of calls can share it. */
#ifndef LEAT_DEADLINE_H
#define LEAT_DEADLINE_H

#include <stdint.h>

#include "leat/error.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Nanoseconds of CLOCK_MONOTONIC, see clock_gettime(2). */
typedef int64_t leat_deadline;

/* Try once, never wait: LEAT_EMPTY or LEAT_FULL says that it could not be done now. */
#define LEAT_NOW ((leat_deadline) 0)

/* Wait without end. */
#define LEAT_FOREVER ((leat_deadline) INT64_MAX)

/* The deadline so many milliseconds, microseconds or nanoseconds from now. A count of zero or less is a
 * deadline that has passed (the call tries once, then says LEAT_TIMEOUT); one that is out of range is
 * LEAT_FOREVER. */
LEAT_PUBLIC leat_deadline leat_after_ms(int64_t milliseconds);
LEAT_PUBLIC leat_deadline leat_after_us(int64_t microseconds);
LEAT_PUBLIC leat_deadline leat_after_ns(int64_t nanoseconds);

#ifdef __cplusplus
}
#endif

#endif
