/* Cleanup attributes, so that a function that fails half-way gives back what it holds: fill a local,
 * publish last. */
#ifndef LEAT_KERNEL_OWNERSHIP_H
#define LEAT_KERNEL_OWNERSHIP_H

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define CLEANUP(function) __attribute__((cleanup(function)))

static inline void free_text(char **text) {
        free(*text);
}

static inline void close_descriptor(int *descriptor) {
        if (*descriptor >= 0) {
                int saved = errno;

                close(*descriptor);
                errno = saved;
        }
        *descriptor = -1;
}

/* Hand a local over to the caller and keep the cleanup attribute from giving it back. */
static inline char *take_text(char **text) {
        char *taken = *text;

        *text = NULL;
        return taken;
}

static inline int take_descriptor(int *descriptor) {
        int taken = *descriptor;

        *descriptor = -1;
        return taken;
}

#endif
