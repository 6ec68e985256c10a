/* One process that floods, one that says something now and then on each of many quiet channels, and the one
 * that hears both: the test. */
#ifndef TESTS_FAIRNESS_H
#define TESTS_FAIRNESS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <leat/leat.h>

#include "support.h"

enum {
        QUIET_CHANNELS = 63,
        FIRST_BEATS = QUIET_CHANNELS,
        MAX_BEATS = 1 << 16,
        FILES = 8,
        PAUSE_US = 500,
        WAIT_MS = 30000
};

#define LARGE ((size_t) 256 << 10)

/* What the flood is of. The slow are small ones that the hearer takes its time for, so many after so many
 * that it does not. */
enum flood_kind { NOTHING, SMALL, BIG, HANDLES, MALFORMED, SLOW, N_KINDS };
enum { SLOW_ONES = 300, SLOW_US = 100, SLOW_BEATS_US = 15000 };

LEAT_MESSAGE(beat, (u32, channel), (u32, number),
             (i64, sent_at)); /* `number` is its place among all beats. */
LEAT_MESSAGE(drop, (u64, number), (boolean, good));
LEAT_MESSAGE(bale, (u64, number), (bytes, data), (array, descriptor, files));
LEAT_MESSAGE(ends, (array, receiver, beat, quiet), (receiver, drop, drops), (receiver, bale, bales));

/* What the three share: which of the hearer's messages were taken when. */
struct shared {
        atomic_bool flooded;              /* The flood has come: the beats after the first may begin. */
        _Atomic uint64_t taken;           /* Of the flood, by the hearer, so far. */
        _Atomic uint64_t told[MAX_BEATS]; /* What that was when the sending of a beat had returned. */
};

/* Both make their channels themselves and give the receivers away by `home`, so that each end is a process's
 * own. They end by _exit(). */
_Noreturn void flood(enum flood_kind kind, ends_sender home);
_Noreturn void beats(struct shared *shared, unsigned n_beats, long pause_us, unsigned seed, ends_sender home);

static inline int64_t now_ns(void) {
        return (int64_t) leat_after_ns(0);
}

#endif
