/* Noticing that one is a forked child, and what must not be inherited. */
#ifndef LEAT_CHANNEL_FORK_H
#define LEAT_CHANNEL_FORK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* A number, never 0, that stays the same for the life of a process and differs from that of every process it
 * was forked from. (Two children of one parent may share theirs.) Keep it beside what belongs to one process,
 * and compare before use. No system call after the first time. */
uint64_t fork_generation(void);

/* Where it lies; NULL before the first time. */
extern _Atomic uint64_t *_Atomic fork_page;

/* Whether this is still the process of that generation; two loads. */
static inline bool fork_is_current(uint64_t generation) {
        _Atomic uint64_t *page = atomic_load_explicit(&fork_page, memory_order_relaxed);

        return (page && atomic_load_explicit(page, memory_order_relaxed) == generation) ||
               fork_generation() == generation;
}

/* Grows with each fork(2), in the parent and in the child, from the first time that somebody asks for it; see
 * claim.h. A raw clone(2) is not counted. 0; -ENOMEM. */
int fork_count(uint64_t *ret_count);
extern _Atomic uint64_t fork_counter;

/* A descriptor whose closing means something to others, so that a child's copy of it must not stay open. */
struct fork_descriptor {
        struct fork_descriptor *next;
        struct fork_descriptor **link; /* What points to it; NULL when it is in no list. */
        int *fd;
};

/* From now on a forked child closes its copy of *fd, which becomes -1 there. 0; -ENOMEM. */
int fork_close_in_child(struct fork_descriptor *descriptor, int *fd);

/* No longer. Fine for one that is all zero, and in the child. */
void fork_forget(struct fork_descriptor *descriptor);

#endif
