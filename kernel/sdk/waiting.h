/* The answers that a plugin waits for: which message, until when, whom to tell. */
#ifndef LEAT_SDK_WAITING_H
#define LEAT_SDK_WAITING_H

#include <stddef.h>

#include "leat/plugin.h"

struct waiter {
        struct waiter *next;
        char message_id[LEAT_GUID_SIZE];
        leat_deadline deadline;
        leat_plugin_answer *answer;
        void *data;
};

/* All zero is an empty list. Oldest first, since answers mostly come in the order of their questions. */
struct waiting {
        struct waiter *first;
        struct waiter **last; /* Where the next one is linked in; NULL stands for &first. */
        size_t count;
        leat_deadline earliest; /* No deadline in the list is before this one. */
};

/* 0; LEAT_FULL at LEAT_PLUGIN_MAX_WAITING; -ENOMEM. */
int waiting_add(struct waiting *waiting, const char *message_id, leat_deadline deadline,
                leat_plugin_answer *answer, void *data);

/* Takes out the one that waits for this message, or one whose deadline is not after `now`, or the oldest.
 * NULL: there is none. The caller frees it. */
struct waiter *waiting_take(struct waiting *waiting, const char *message_id);
struct waiter *waiting_take_expired(struct waiting *waiting, leat_deadline now);
struct waiter *waiting_take_any(struct waiting *waiting);

/* When to look for expired ones next: never too late, possibly too early; LEAT_FOREVER when nobody waits. */
leat_deadline waiting_earliest(const struct waiting *waiting);

#endif
