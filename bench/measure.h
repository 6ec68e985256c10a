/* One measurement: two processes, one link, so many seconds. */
#ifndef LEAT_BENCH_MEASURE_H
#define LEAT_BENCH_MEASURE_H

#include "peer.h"

enum measurement { ONE_WAY, ROUND_TRIP, N_MEASUREMENTS };

/* The cores that the two sides are pinned to; -1: not pinned. */
struct cores {
        int asker, answerer;
};

/* Nanoseconds for one message, or one round trip. 0, or the negative of an errno: -EBADMSG when a message was lost,
 * doubled or out of order. */
int measure(const struct peer *peer, enum measurement what, double seconds, struct cores cores, double *ret_ns);

#endif
