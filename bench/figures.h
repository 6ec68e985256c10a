/* Figures made of a result's benchmarks. */
#ifndef LEAT_BENCH_FIGURES_H
#define LEAT_BENCH_FIGURES_H

#include <stdbool.h>

#include "html.h"

/* The page that is written, and where to put plots besides. */
struct page {
        FILE *out;
        const char *plots;  /* A folder, or NULL. */
        const char *note;   /* The conditions, in a line. */
        json_t *benchmarks; /* Of all results, each name once. */
        struct line *lines; /* MAX_LINES of them, for whichever figure is made. */
        bool failed;        /* A plot's file could not be written. */
};

/* Benchmarks that differ in one thing, a number of theirs as json.c has it. */
struct family {
        const char *name, *x, *x_title;
        enum unit x_unit;
        const char *description;
};

/* A number of a peer, as json.c has it; "round_trip_ns/p50" is one within another. */
struct number {
        const char *path, *title;
        enum unit unit;
        const char *remark;
};

/* One plot of a family. */
struct curve {
        const char *id, *title;
        const struct family *family;
        const struct number *number;
};

void put_curve(struct page *page, const struct curve *curve);

/* Of a benchmark: how its round trips are distributed, or one number of each peer. */
void put_distribution(struct page *page, const json_t *benchmark);
void put_dots(struct page *page, const json_t *benchmark);

/* Of all benchmarks of a kind that have one peer and no family: one number each. */
bool is_single(const json_t *benchmark);
void put_singles(struct page *page, const char *kind);

#endif
