/* The ids of plugins: 1 to 64 bytes of UTF-8 without control characters, compared without case. */
#ifndef LEAT_KERNEL_IDENTIFIER_H
#define LEAT_KERNEL_IDENTIFIER_H

#include <stdbool.h>

enum { IDENTIFIER_MAX = 64 };

/* The id under which the kernel itself speaks; nobody else may have it. */
#define IDENTIFIER_KERNEL "kernel"

/* What is wrong with the id, as the end of a sentence ("is empty"); NULL when it is valid. */
const char *identifier_problem(const char *id);

/* Whether both are the same id: case does not count, in any alphabet. */
bool identifier_equal(const char *a, const char *b);

#endif
