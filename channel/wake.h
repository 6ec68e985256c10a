/* A word to somebody who waits, from any thread and from signal handlers. It says nothing but that it was
 * said, and twice is once.
 *
 * The word is a mark in memory; the descriptor is for who sleeps already. The waiter watches it for edges
 * (EPOLLET) and so need never read it: what counts is the mark, which is looked at before each sleep and
 * after it. */
#ifndef LEAT_CHANNEL_WAKE_H
#define LEAT_CHANNEL_WAKE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct wake {
        /* Nobody has said anything: fork_generation(). Somebody has: its complement. Anything else is from
         * before a fork. */
        _Atomic uint64_t mark;
        _Atomic uint64_t process; /* Whose descriptor it is; 0: there is none yet. */
        _Atomic int fd;
};

void wake_init(struct wake *wake);

/* A descriptor to sleep on, in a process that has none of its own: an inherited one is the parent's too. 0;
 * -EMFILE, -ENFILE, -ENOMEM. It is the caller's, to be handed over by wake_use(). */
int wake_create_descriptor(int *ret_fd);

/* From now on this descriptor is written; the one before is closed. */
void wake_use(struct wake *wake, int fd);

/* Whether wake_use() was called in this process. */
bool wake_is_open(const struct wake *wake);

/* May be called by anybody at any time, but not when it is being closed. Leaves errno alone. */
void wake_say(struct wake *wake);

/* Whether anything was said that was not taken yet. */
bool wake_was_said(const struct wake *wake);

/* The same, and takes it. */
bool wake_take(struct wake *wake);

/* False: something was said, or nothing is known yet in this process. One load, for a fast path. */
static inline bool wake_is_quiet(const struct wake *wake, uint64_t generation) {
        return atomic_load_explicit(&wake->mark, memory_order_relaxed) == generation;
}

void wake_close(struct wake *wake);

#endif
