/* What Leat's channels must reach, as ratios to other ways of moving the same messages. */
#ifndef LEAT_BENCH_TARGETS_H
#define LEAT_BENCH_TARGETS_H

#include <stdbool.h>

enum bound {
        RATE_AT_LEAST, /* So many times the other's messages a second. */
        RATE_ABOVE,
        TIME_AT_MOST, /* So many times the other's time for each; of round trips, the median one. */
        CPU_BELOW     /* Nobody is compared with: a part of a core, of the receiver. */
};

/* Whether a ratio depends on how near the two cores are to each other (see probe()): what makes system calls
 * does not become slower with the distance, so beside it shared memory can only be judged near. */
enum reach { EVERYWHERE, ONLY_NEAR, LESS_WHEN_FAR };

struct target {
        const char *measure; /* Those in a row with the same one are measured in turns. */
        const char *goal;
        const char *benchmark, *peer; /* Whose figure it is. */
        const char *other_benchmark;  /* NULL: the same. */
        const char *others;           /* Names; of several the one that is hardest to reach counts. */
        enum bound bound;
        double factor;
        enum reach reach;
        double far_factor; /* For LESS_WHEN_FAR. */
        bool tolerant;     /* "Within" and "no less" allow 5 %. */
};

#define TOLERANCE 0.05
#define NEAR_NS   150 /* A probe below this is near. */

/* Ends with one without a measure. */
extern const struct target targets[];

#endif
