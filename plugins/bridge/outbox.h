/* What waits to be written to one TCP client. */
#ifndef BRIDGE_OUTBOX_H
#define BRIDGE_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

/* Bytes of each class that may wait; one line alone may be larger. */
#define OUTBOX_LIMIT ((size_t) 1 << 20)

enum outbox_class {
        OUTBOX_EVENT,   /* Beyond the limit the oldest are lost, counted and told. */
        OUTBOX_REQUEST, /* One that is too much is not taken: its sender can be told. */
        OUTBOX_REPLY,   /* A response or an error. Beyond the limit the client is given up. */
        OUTBOX_NOTICE,  /* How many events were lost: at most two, one of which has begun to be written. */
        OUTBOX_CLASSES,
};

struct outbox_entry {
        TAILQ_ENTRY(outbox_entry) link;
        TAILQ_ENTRY(outbox_entry) event_link;
        enum outbox_class class;
        size_t size;
        char data[];
};

TAILQ_HEAD(outbox_entries, outbox_entry);

struct outbox {
        struct outbox_entries entries;
        struct outbox_entries events; /* Those of them that may be lost. */
        size_t sizes[OUTBOX_CLASSES], counts[OUTBOX_CLASSES];
        size_t written;              /* Of the first entry. */
        uint64_t lost;               /* Events, since the client was last told. */
        struct outbox_entry *notice; /* The newest that waits; NULL: none. */
        uint64_t told;               /* What it says. */
};

void outbox_init(struct outbox *outbox);

/* Copies a line to the end. -ENOMEM. */
int outbox_add_event(struct outbox *outbox, const void *line, size_t size);
int outbox_add_reply(struct outbox *outbox, const void *line, size_t size);

/* The same; LEAT_FULL: there is no room for it, and it is not taken. */
int outbox_add_request(struct outbox *outbox, const void *line, size_t size);

/* A reply, before everything that has not begun to be written. */
int outbox_add_first(struct outbox *outbox, const void *line, size_t size);

/* Whether the client left more replies unread than it may. */
bool outbox_overflows(const struct outbox *outbox);

bool outbox_is_empty(const struct outbox *outbox);
size_t outbox_size(const struct outbox *outbox);

/* Writes what the socket takes without waiting, first of all how many events were lost. 0: all is written;
 * LEAT_FULL: there is more; the negative of an errno: the connection is of no use any more, or -ENOMEM. */
int outbox_flush(struct outbox *outbox, int descriptor);

void outbox_free(struct outbox *outbox);

#endif
