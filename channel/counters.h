/* What an endpoint has done, counted. Lanes' fast ways count nothing: what they keep anyway tells. */
#ifndef LEAT_CHANNEL_COUNTERS_H
#define LEAT_CHANNEL_COUNTERS_H

#include <stddef.h>
#include <stdint.h>

#include "leat/counters.h"
#include "leat/error.h"

struct lanes;

/* A body, as it is counted. */
static inline uint64_t counters_bytes(size_t size) {
        return ((uint64_t) size + 7) & ~(uint64_t) 7;
}

/* One message more, of a body of `size` bytes. */
static inline void counters_add(struct leat_counters *counters, size_t size) {
        counters->messages++;
        counters->bytes += counters_bytes(size);
}

/* What came of sending one by another way than the fast one. */
static inline void counters_note_sent(struct leat_counters *counters, size_t size, int r) {
        if (r == 0)
                counters_add(counters, size);
        else if (r == LEAT_FULL || r == LEAT_TIMEOUT)
                counters->refusals++;
}

/* What was counted when it was taken turns out to be no good. */
static inline void counters_refuse(struct leat_counters *counters, size_t size) {
        counters->messages--;
        counters->bytes -= counters_bytes(size);
        counters->refusals++;
}

/* What came of taking one by another way than the fast one. */
void counters_note_taken(struct leat_counters *counters, size_t size, int r);

/* Adds what was taken by the fast way from the lane whose turn it is. To be called before its turn or its
 * position changes in any other way, counters_start_turn() after that. */
void counters_settle_turn(struct lanes *lanes);
void counters_start_turn(struct lanes *lanes);

#endif
