/* On which line of a JSON text a key stands. */
#ifndef LEAT_KERNEL_JSON_LINE_H
#define LEAT_KERNEL_JSON_LINE_H

#include <stddef.h>

/* One step on the way to a value: into the member `key` of an object, or, when `key` is NULL, into the
 * element `index` of an array. */
struct json_step {
        const char *key;
        size_t index;
};

/* The line (from 1) on which the last step's key or element stands, or that of the last step that could be
 * found. `text` must be valid JSON; keys are compared byte by byte, the last of duplicate keys counts. */
unsigned json_line(const char *text, size_t size, const struct json_step *steps, size_t n_steps);

#endif
