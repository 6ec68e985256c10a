/* One measurement: so many seconds of one peer, in processes made for it. */
#ifndef LEAT_BENCH_MEASURE_H
#define LEAT_BENCH_MEASURE_H

#include <semaphore.h>
#include <stdatomic.h>

#include "peer.h"

enum kind {
        ONE_WAY,
        ROUND_TRIP,
        IDLE_ROUND_TRIP, /* A pause of 1 ms before each, so that every wait sleeps. */
        IN_PLACE,        /* One way, filled and summed where it lies. */
        PACED,           /* One message every millisecond, one way: what the receiver's waiting costs. */
        SILENT,          /* Busy in the warm-up only: what an idle channel costs. */
        OPERATION,       /* The peer's own ask() and answer(). */
        N_KINDS
};

/* The cores that the sides are pinned to; -1: not pinned. */
struct cores {
        int asker, answerer;
};

struct task {
        enum kind kind;
        struct setup setup;
        unsigned batch; /* Messages that one send_all() takes; 1: send(). */
        double seconds;
        double warm_up; /* Seconds of the same before it, at the least, that are not measured; see side.c. */
        struct cores cores;
};

/* 0: there were too few for it. */
struct percentiles {
        double least, p50, p90, p99, p999;
};

/* How many round trips took how long, in steps of an eighth of an octave from 32 ns to 1 s; what is beyond
 * either end is counted there. */
#define HISTOGRAM_STEPS 200
struct histogram {
        uint32_t counts[HISTOGRAM_STEPS];
};

/* Where a step begins, in nanoseconds. */
double histogram_from(unsigned step);

/* Of round trips in nanoseconds, which are sorted by this. */
void summarize(uint32_t *ns, size_t count, struct percentiles *ret_percentiles,
               struct histogram *ret_histogram);

struct result {
        double per_second;             /* Messages, round trips or operations. */
        double cpu_ns;                 /* Of both sides, for each of these. */
        double answerer_cpu;           /* The part of one core that the answerer took, 0 to 1. */
        struct percentiles round_trip; /* In nanoseconds; zero for what has none. */
        struct histogram histogram;
};

/* 0, or the negative of an errno: -EBADMSG when a message was lost, doubled, changed or out of order,
 * -ENOTSUP when the peer cannot do this, -ETIMEDOUT when it came to no end, -EOWNERDEAD when a side was ended
 * by a signal. */
int measure(const struct peer *peer, const struct task *task, struct result *ret_result);

/* Whether the peer can do this at all. */
bool is_able(const struct peer *peer, const struct task *task);

/* What a side does, in its own process or thread: fills in its report. */
struct report {
        uint64_t count;
        int64_t start_ns, end_ns, cpu_ns;
        struct percentiles round_trip;
        struct histogram histogram;
        int error;
};

/* What stands between the warm-up and the measured part: it opens when the answerer has read all that was
 * sent before. */
struct gate {
        atomic_uint unannounced; /* Askers that have not said yet how many messages their warm-up has. */
        atomic_ullong messages;  /* How many the others have, together. */
        sem_t open;              /* Once for each asker. */
};

struct report ask(const struct peer *peer, struct link *link, const struct task *task, unsigned index,
                  struct gate *gate);
struct report answer(const struct peer *peer, struct link *link, const struct task *task, struct gate *gate);

#endif
