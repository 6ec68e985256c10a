/* The page around the plots. */
#ifndef LEAT_BENCH_HTML_H
#define LEAT_BENCH_HTML_H

#include <jansson.h>

#include "plot.h"

void html_begin(FILE *out);
void html_end(FILE *out);

/* Of each result: machine, kernel, cores, pinning, rounds, date, command. */
void html_conditions(FILE *out, json_t *results);

/* Those of the first result that has benchmarks, in a line, for a plot that is shown alone. */
void conditions_note(const json_t *results, char *ret_text, size_t size);

void html_legend(FILE *out);

/* The table of goals, when a result has one. */
void html_targets(FILE *out, json_t *results);

/* A string of an object, "" when there is none. */
const char *text_of(const json_t *object, const char *key);

#endif
