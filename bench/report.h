/* What becomes of an outcome: text for people, JSON for programs. */
#ifndef LEAT_BENCH_REPORT_H
#define LEAT_BENCH_REPORT_H

#include <jansson.h>

#include "conditions.h"

void print_conditions(const struct conditions *conditions, const char *pinning, double seconds, int rounds);
void print_outcome(const struct outcome *outcome);

/* The outcome, as described in json.c. NULL when memory ran out. */
json_t *json_of_conditions(const struct conditions *conditions, const char *pinning, double seconds,
                           int rounds);
json_t *json_of_outcome(const struct outcome *outcome);

#endif
