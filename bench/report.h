/* What becomes of an outcome: text for people, JSON for programs. */
#ifndef LEAT_BENCH_REPORT_H
#define LEAT_BENCH_REPORT_H

#include <jansson.h>

#include "conditions.h"

void print_conditions(const struct conditions *conditions, const char *pinning, double seconds, int rounds);
void print_conditions_markdown(const struct conditions *conditions, const char *command, double seconds,
                               int rounds, int runs);
void print_outcome(const struct outcome *outcome);

/* The outcome, as described in json.c. NULL when memory ran out. */
json_t *json_of_conditions(const struct conditions *conditions, const char *command, const char *pinning,
                           double seconds, int rounds);
json_t *json_of_outcome(const struct outcome *outcome);

/* Reads a result and appends it to the array. 0, or -1 after saying what is wrong. */
int report_read(const char *file, json_t *results);

/* Draws all results on one page, and if `plots` is not NULL each plot into a file in that folder too. 0, or
 * -1 after saying what is wrong. */
int report_write(json_t *results, const char *page, const char *plots);

#endif
