/* Deadlines, from the inside: what is left of one, in the shapes that system calls want. */
#ifndef LEAT_CHANNEL_DEADLINE_H
#define LEAT_CHANNEL_DEADLINE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/time.h>
#include <time.h>

#include "leat/deadline.h"

/* Nanoseconds of CLOCK_MONOTONIC; at least 1, so that it is never LEAT_NOW. No system call where the vDSO
 * works. */
int64_t deadline_now(void);

/* LEAT_NOW has always passed, LEAT_FOREVER never. */
bool deadline_passed(leat_deadline deadline);

/* Time left, never negative and never more than `at_most_ns`: for ppoll(2), which is called in a loop. Give
 * INT64_MAX for no other bound (LEAT_FOREVER is then 292 years). */
struct timespec deadline_left(leat_deadline deadline, int64_t at_most_ns);

/* The same for SO_SNDTIMEO and SO_RCVTIMEO, where zero means "without end": rounded up, at least 1 µs. */
struct timeval deadline_left_timeval(leat_deadline deadline, int64_t at_most_ns);

#endif
