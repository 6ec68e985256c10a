/* Closes a descriptor that may be none, and makes it none. */
#ifndef LEAT_BENCH_CLOSE_FD_H
#define LEAT_BENCH_CLOSE_FD_H

#include <unistd.h>

static inline void close_fd(int *fd) {
        if (*fd >= 0)
                (void) close(*fd);
        *fd = -1;
}

#endif
