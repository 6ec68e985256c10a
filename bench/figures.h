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

/* One plot of a family of benchmarks. */
struct curve {
        const char *family, *x; /* What its benchmarks differ in: "size", "senders", "channels". */
        const char *y; /* A number of a peer, as json.c has it; "round_trip_ns/p50" is one within another. */
        struct plot plot;
};

void put_curve(struct page *page, const struct curve *curve);

/* Of a benchmark: how its round trips are distributed, or one number of each peer. */
void put_distribution(struct page *page, const json_t *benchmark);
void put_dots(struct page *page, const json_t *benchmark);

/* Of all benchmarks of a kind that have one peer and no family: one number each. */
bool is_single(const json_t *benchmark);
void put_singles(struct page *page, const char *kind);

#endif
