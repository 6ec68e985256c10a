/* What waits to be written to one TCP client. */
#ifndef BRIDGE_OUTBOX_H
#define BRIDGE_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

/* Bytes of events that may wait: beyond it the oldest are lost (one event alone may be larger). And bytes of
 * everything else, beyond which the client is given up. */
#define OUTBOX_EVENTS_LIMIT  ((size_t) 1 << 20)
#define OUTBOX_REPLIES_LIMIT ((size_t) 1 << 20)

struct outbox_entry {
        TAILQ_ENTRY(outbox_entry) link;
        TAILQ_ENTRY(outbox_entry) event_link;
        bool event;
        size_t size;
        char data[];
};

TAILQ_HEAD(outbox_entries, outbox_entry);

struct outbox {
        struct outbox_entries entries;
        struct outbox_entries events; /* Those of them that may be lost. */
        size_t events_size, replies_size;
        size_t written; /* Of the first entry. */
        uint64_t lost;  /* Events, since the client was last told. */
};

void outbox_init(struct outbox *outbox);

/* Copies a line to the end. -ENOMEM. */
int outbox_add_event(struct outbox *outbox, const void *line, size_t size);
int outbox_add_reply(struct outbox *outbox, const void *line, size_t size);

/* The same, before everything that has not begun to be written. */
int outbox_add_first(struct outbox *outbox, const void *line, size_t size);

/* Whether the client left more unread than may never be dropped. */
bool outbox_overflows(const struct outbox *outbox);

bool outbox_is_empty(const struct outbox *outbox);
size_t outbox_size(const struct outbox *outbox);

/* Writes what the socket takes without waiting, first of all how many events were lost. 0: all is written; LEAT_FULL:
 * there is more; the negative of an errno: the connection is of no use any more, or -ENOMEM. */
int outbox_flush(struct outbox *outbox, int descriptor);

void outbox_free(struct outbox *outbox);

#endif
