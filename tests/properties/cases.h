/* Running many cases: each by its number, from one seed, in children, so that what a case leaves behind
 * (types are for ever) ends with them, and one that crashes is named.
 *
 *     PROGRAM [--seed N] [--cases N] [--first N]
 *
 * repeats what another run printed. */
#ifndef TESTS_PROPERTIES_CASES_H
#define TESTS_PROPERTIES_CASES_H

#include <stdint.h>

struct cases {
        uint64_t seed;
        uint64_t first;
        uint64_t n;
};

/* Some more numbers that a program counts, added up over its children and printed. */
#define CASES_COUNTS 8
extern uint64_t *cases_counted;

void cases_parse(struct cases *cases, int argc, char **argv);

/* Calls run(seed, number) for each; returns the program's exit code. `labels` are those of the counts, up to
 * NULL; where `what` is NULL nothing is printed of them. A child ends when enough() says so, and another goes
 * on. */
int cases_run(const struct cases *cases, const char *what, const char *const *labels,
              void (*run)(uint64_t seed, uint64_t number), int (*enough)(void));

#endif
