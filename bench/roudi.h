/* RouDi, the daemon without which iceoryx does not work: it makes the shared memory, and brings both sides
 * together. */
#ifndef LEAT_BENCH_ROUDI_H
#define LEAT_BENCH_ROUDI_H

#include <stddef.h>
#include <sys/types.h>

struct roudi {
        pid_t pid;  /* 0: one was running already, and is used as it is. */
        int output; /* Kept open, so that it may still say something. */
        int turn;   /* Held while it is used. */
};

/* Returns when it is ready; its memory is for `count` messages of `size` bytes. 0, or a negative errno. */
int roudi_start(size_t size, unsigned count, struct roudi *ret_roudi);

/* Returns when it has ended, and has removed what it made. */
void roudi_stop(struct roudi *roudi);

#endif
