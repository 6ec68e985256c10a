/* Under what conditions a result came about: without them it says little. */
#ifndef LEAT_BENCH_CONDITIONS_H
#define LEAT_BENCH_CONDITIONS_H

#include "benchmark.h"

struct conditions {
        char processor[256], kernel[256], machine[64], time[32];
        long cores;
};

void conditions_read(struct conditions *ret_conditions);

/* The cores for a way of pinning: the first two that this process may use. With only one it is used for
 * both. */
struct cores cores_of(enum pin pin);

/* How near the two cores are to each other, in nanoseconds: the least round trip of a spinning ring. A host
 * can move virtual cores, and everything that shares memory becomes 2 to 10 times as slow or fast: 90 to 140
 * is near, over 350 far. 0 when both sides share a core; of sides that are not pinned, of the first two
 * cores. */
double probe(struct cores cores);

#endif
