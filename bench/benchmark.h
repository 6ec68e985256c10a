/* The benchmarks: what is measured, and of which peers. */
#ifndef LEAT_BENCH_BENCHMARK_H
#define LEAT_BENCH_BENCHMARK_H

#include "measure.h"

enum pin { PIN_SPLIT, PIN_SAME, PIN_NONE, PIN_AS_ASKED };

struct benchmark {
        const char *name, *title;
        enum kind kind;
        size_t size;
        unsigned senders, channels, batch;
        size_t capacity;
        bool quick;         /* Part of the overview. */
        enum pin pin;       /* PIN_AS_ASKED, unless one is what the benchmark is about. */
        const char *family; /* Benchmarks that differ in size, or in senders, or in channels: one plot of a
                         * report. */
        const char *peers;  /* Names; those that were not built are passed over. */
};

/* Ends with one without a name. */
extern const struct benchmark benchmarks[];

/* Whether that is its name, or its family's. */
bool is_called(const struct benchmark *benchmark, const char *name);

/* The peer of that name (of `length` bytes), or NULL when it was not built. */
const struct peer *peer_find(const char *name, size_t length);

/* "one-way" and so on. */
const char *kind_name(enum kind kind);

/* How its results are counted: "messages", "round trips" or "operations". */
const char *kind_unit(enum kind kind);

#define MAX_ROUNDS 1000
#define MAX_PEERS  24

/* What came out: a peer's rounds. */
struct series {
        const struct peer *peer;
        int error; /* 0, or why there are fewer rounds than asked for. */
        int rounds;
        struct result results[MAX_ROUNDS];
};

struct outcome {
        const struct benchmark *benchmark;
        struct task task;
        int peers;
        struct series series[MAX_PEERS];
        double probe_ns[MAX_ROUNDS]; /* Before each round, see probe() in conditions.h; 0: none. */
        int rounds;
};

/* The median of `count` values, with the least and the most of them. */
struct spread {
        double median, least, most;
};
struct spread spread_of(const double *values, int count);

/* Of one number of a series' results, by its offset in struct result. */
struct spread series_spread(const struct series *series, size_t offset);

#endif
