/* A place in the configuration, as an error names it. */
#ifndef LEAT_KERNEL_PLACE_H
#define LEAT_KERNEL_PLACE_H

#include <stdbool.h>
#include <stddef.h>

struct place {
        const char *path; /* Of the file. */
        const char *text; /* What is in it; valid JSON. */
        size_t size;
        bool in_list;     /* In an element of the list of plugins; otherwise at the top. */
        const char *list; /* How the file spells "plugins". */
        size_t index;     /* The element. */
};

/* One line, without control characters: file, line, the key `name` (NULL: the object as a whole), and `what`
 * is the matter with it. Free it; NULL when out of memory. */
char *place_complain(const struct place *place, const char *name, const char *what);

#endif
