/* What several processes hold after a fork, and only one of them may go on using: whoever claims it first. */
#ifndef LEAT_CHANNEL_CLAIM_H
#define LEAT_CHANNEL_CLAIM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "fork.h"

struct claim {
        _Atomic uint64_t
                *claims;  /* How often it was claimed; shared by all who have forked since it was made. */
        uint64_t mine;    /* The count that was this process's own claim. */
        uint64_t forks;   /* fork_counter when it was known to be its own, */
        uint64_t process; /* and fork_generation(). */
};

/* It is this process's own. 0; -ENOMEM. */
int claim_create(struct claim *ret_claim);

/* Nobody has forked since it was known to be this process's own: it still is. No system call. */
static inline bool claim_is_current(const struct claim *claim) {
        return atomic_load_explicit(&fork_counter, memory_order_relaxed) == claim->forks &&
               fork_is_current(claim->process);
}

/* Somebody has forked: claims it again. 0; -EBUSY: another process was first, and that is final. */
int claim_renew(struct claim *claim);

/* Gives back what this process has of it. */
void claim_free(struct claim *claim);

#endif
