/* Locals that clean up after themselves, and how to move a value out of one:
 *
 *         close_cleanup int fd = -1;
 *         free_cleanup struct thing *thing = NULL;
 *         …
 *         *ret_fd = take_fd(&fd);
 *         *ret_thing = take_pointer(&thing);
 *
 * A module defines its own with CLEANUP_FUNCTION(name_cleanup_function, struct name *, name_unref) and
 * CLEANUP(name_cleanup_function). */
#ifndef LEAT_CHANNEL_CLEANUP_H
#define LEAT_CHANNEL_CLEANUP_H

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define CLEANUP(function) __attribute__((cleanup(function)))

/* Makes a cleanup function for variables of `type` from a destructor that takes the value. */
#define CLEANUP_FUNCTION(function_name, type, destructor)  \
        static inline void function_name(type *variable) { \
                if (*variable)                             \
                        (void) destructor(*variable);      \
        }                                                  \
        struct cleanup_needs_a_semicolon

/* Closes a descriptor of our own making; -1 is fine. Returns -1, leaves errno alone. Never for what a peer
 * sent: see descriptor_dispose(). No retry at EINTR: on Linux the number is free by then, see close(2). */
static inline int close_fd(int fd) {
        if (fd >= 0) {
                int saved = errno;

                (void) close(fd);
                errno = saved;
        }
        return -1;
}

static inline int take_fd(int *fd) {
        int taken = *fd;

        *fd = -1;
        return taken;
}

static inline void close_fd_cleanup(int *fd) {
        *fd = close_fd(*fd);
}

static inline void free_pointer_cleanup(void *pointer_to_pointer) {
        /* A pointer to a pointer of any type, read without breaking the aliasing rules. */
        void *pointer;

        __builtin_memcpy(&pointer, pointer_to_pointer, sizeof(pointer));
        free(pointer);
}

#define close_cleanup CLEANUP(close_fd_cleanup)
#define free_cleanup  CLEANUP(free_pointer_cleanup)

/* The value of *variable, which becomes NULL. */
#define take_pointer(variable)                                \
        __extension__({                                       \
                __typeof__(variable) take_from_ = (variable); \
                __typeof__(*take_from_) taken_ = *take_from_; \
                *take_from_ = NULL;                           \
                taken_;                                       \
        })

#endif
