/* A request goes out and its answer comes back some time later through the same loop as everything else,
 * so somebody has to remember who asked. */
#include "waiting.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

int waiting_add(struct waiting *waiting, const char *message_id, leat_deadline deadline,
                leat_plugin_answer *answer, void *data) {
        struct waiter *waiter;

        if (waiting->count >= LEAT_PLUGIN_MAX_WAITING)
                return LEAT_FULL;
        waiter = calloc(1, sizeof(*waiter));
        if (waiter == NULL)
                return -ENOMEM;
        (void) snprintf(waiter->message_id, sizeof(waiter->message_id), "%s", message_id);
        waiter->deadline = deadline;
        waiter->answer = answer;
        waiter->data = data;
        *(waiting->first == NULL ? &waiting->first : waiting->last) = waiter;
        waiting->last = &waiter->next;
        if (waiting->count == 0 || deadline < waiting->earliest)
                waiting->earliest = deadline;
        waiting->count++;
        return 0;
}

static struct waiter *take_at(struct waiting *waiting, struct waiter **link) {
        struct waiter *waiter = *link;

        if (waiter == NULL)
                return NULL;
        *link = waiter->next;
        if (waiter->next == NULL)
                waiting->last = link;
        waiter->next = NULL;
        waiting->count--;
        return waiter;
}

struct waiter *waiting_take(struct waiting *waiting, const char *message_id) {
        struct waiter **link = &waiting->first;

        while (*link != NULL && strcasecmp((*link)->message_id, message_id) != 0)
                link = &(*link)->next;
        return take_at(waiting, link);
}

struct waiter *waiting_take_expired(struct waiting *waiting, leat_deadline now) {
        struct waiter **link = &waiting->first;
        leat_deadline earliest = LEAT_FOREVER;

        if (waiting_earliest(waiting) > now)
                return NULL;
        for (; *link != NULL; link = &(*link)->next) {
                if ((*link)->deadline <= now)
                        return take_at(waiting, link);
                if ((*link)->deadline < earliest)
                        earliest = (*link)->deadline;
        }
        waiting->earliest = earliest; /* Only known once all have been looked at. */
        return NULL;
}

struct waiter *waiting_take_any(struct waiting *waiting) {
        return take_at(waiting, &waiting->first);
}

leat_deadline waiting_earliest(const struct waiting *waiting) {
        return waiting->count == 0 ? LEAT_FOREVER : waiting->earliest;
}
