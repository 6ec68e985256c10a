/* Measuring in turns: one measurement of each, and again, so that whatever else the machine does meets all of
 * them. */
#ifndef LEAT_BENCH_ROUNDS_H
#define LEAT_BENCH_ROUNDS_H

#include <stdio.h>

#include "benchmark.h"

/* `size` 0: the benchmark's own. */
struct task task_of(const struct benchmark *benchmark, enum pin pin, size_t size, double seconds);

/* The peers of the benchmark that were built, each with nothing measured yet. */
void choose_peers(struct outcome *outcome);

/* One measurement more; of a series that has failed, none. Shown on a terminal as `what`, `turn` of
 * `turns`. */
void take_turn(struct series *series, const struct task *task, const char *what, int turn, int turns);

/* All turns of an outcome whose peers are chosen. */
void measure_rounds(struct outcome *outcome, int rounds);

/* About how many seconds a measurement takes, with all that belongs to it. */
double seconds_of(const struct peer *peer, const struct task *task);

/* "this takes about 3 minutes" */
void print_estimate(FILE *out, double seconds);

#endif
