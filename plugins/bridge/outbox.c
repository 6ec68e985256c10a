/* A client that reads slowly must cost a bounded amount of memory and nobody else's time. Events are a stream
 * of which the newest part matters most, so the oldest go first, and the client is told how many once it
 * reads again. Requests come from others, who must not be able to throw it off: one that does not fit is not
 * taken, and who asked hears so. Answers it asked for itself, so none is dropped, and a client that lets them
 * pile up has stopped being one. */
#include "outbox.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <leat/error.h>

#include "envelope.h"

void outbox_init(struct outbox *outbox) {
        *outbox = (struct outbox){ 0 };
        TAILQ_INIT(&outbox->entries);
        TAILQ_INIT(&outbox->events);
}

/* What it costs, so that a thousand tiny ones are counted too. */
static size_t cost(size_t size) {
        return sizeof(struct outbox_entry) + size;
}

/* Counted, but in no list yet; NULL: no memory. */
static struct outbox_entry *new_entry(struct outbox *outbox, const void *line, size_t size,
                                      enum outbox_class class) {
        struct outbox_entry *entry = malloc(cost(size));
        if (!entry)
                return NULL;
        *entry = (struct outbox_entry){ .class = class, .size = size };
        memcpy(entry->data, line, size);
        outbox->sizes[class] += cost(size);
        outbox->counts[class]++;
        return entry;
}

static void remove_entry(struct outbox *outbox, struct outbox_entry *entry) {
        TAILQ_REMOVE(&outbox->entries, entry, link);
        if (entry->class == OUTBOX_EVENT)
                TAILQ_REMOVE(&outbox->events, entry, event_link);
        if (entry == outbox->notice)
                outbox->notice = NULL;
        outbox->sizes[entry->class] -= cost(entry->size);
        outbox->counts[entry->class]--;
        free(entry);
}

/* One of which a part is written must be finished. */
static bool is_begun(const struct outbox *outbox, const struct outbox_entry *entry) {
        return outbox->written > 0 && entry == TAILQ_FIRST(&outbox->entries);
}

static void lose_oldest(struct outbox *outbox) {
        struct outbox_entry *entry = TAILQ_FIRST(&outbox->events);
        while (entry && outbox->sizes[OUTBOX_EVENT] > OUTBOX_LIMIT) {
                struct outbox_entry *next = TAILQ_NEXT(entry, event_link);
                if (!next)
                        return;
                if (!is_begun(outbox, entry)) {
                        remove_entry(outbox, entry);
                        outbox->lost++;
                }
                entry = next;
        }
}

int outbox_add_event(struct outbox *outbox, const void *line, size_t size) {
        struct outbox_entry *entry = new_entry(outbox, line, size, OUTBOX_EVENT);
        if (!entry)
                return -ENOMEM;
        TAILQ_INSERT_TAIL(&outbox->entries, entry, link);
        TAILQ_INSERT_TAIL(&outbox->events, entry, event_link);
        lose_oldest(outbox);
        return 0;
}

static int add_last(struct outbox *outbox, const void *line, size_t size, enum outbox_class class) {
        struct outbox_entry *entry = new_entry(outbox, line, size, class);
        if (!entry)
                return -ENOMEM;
        TAILQ_INSERT_TAIL(&outbox->entries, entry, link);
        return 0;
}

int outbox_add_reply(struct outbox *outbox, const void *line, size_t size) {
        return add_last(outbox, line, size, OUTBOX_REPLY);
}

int outbox_add_request(struct outbox *outbox, const void *line, size_t size) {
        size_t before = outbox->sizes[OUTBOX_REQUEST];
        if (before > 0 && before + cost(size) > OUTBOX_LIMIT)
                return LEAT_FULL;
        return add_last(outbox, line, size, OUTBOX_REQUEST);
}

static void insert_first(struct outbox *outbox, struct outbox_entry *entry) {
        if (outbox->written > 0)
                TAILQ_INSERT_AFTER(&outbox->entries, TAILQ_FIRST(&outbox->entries), entry, link);
        else
                TAILQ_INSERT_HEAD(&outbox->entries, entry, link);
}

int outbox_add_first(struct outbox *outbox, const void *line, size_t size) {
        struct outbox_entry *entry = new_entry(outbox, line, size, OUTBOX_REPLY);
        if (!entry)
                return -ENOMEM;
        insert_first(outbox, entry);
        return 0;
}

bool outbox_overflows(const struct outbox *outbox) {
        /* A single large answer is no sign of a client that does not read. */
        return outbox->sizes[OUTBOX_REPLY] > OUTBOX_LIMIT && outbox->counts[OUTBOX_REPLY] > 1;
}

bool outbox_is_empty(const struct outbox *outbox) {
        return TAILQ_EMPTY(&outbox->entries);
}

size_t outbox_size(const struct outbox *outbox) {
        size_t size = 0;
        for (size_t class = 0; class < OUTBOX_CLASSES; class ++)
                size += outbox->sizes[class];
        return size;
}

/* Goes where the lost ones would have been: before all others. It takes the place of one that still waits, or
 * those would pile up while the client only sends. */
static int tell_lost(struct outbox *outbox) {
        char text[64];
        blob_auto line = { 0 };
        bool again = outbox->notice && !is_begun(outbox, outbox->notice);
        uint64_t lost = outbox->lost + (again ? outbox->told : 0);
        snprintf(text, sizeof text, "EventsLost %" PRIu64, lost);
        int r = envelope_write_refusal(REFUSAL_EVENTS_LOST, text, NULL, &line);
        if (r != 0)
                return r;
        struct outbox_entry *entry = new_entry(outbox, line.data, line.size, OUTBOX_NOTICE);
        if (!entry)
                return -ENOMEM;
        if (again)
                remove_entry(outbox, outbox->notice);
        insert_first(outbox, entry);
        outbox->notice = entry;
        outbox->told = lost;
        outbox->lost = 0;
        return 0;
}

static void take_off(struct outbox *outbox, size_t size) {
        size += outbox->written;
        struct outbox_entry *entry;
        while ((entry = TAILQ_FIRST(&outbox->entries)) && size >= entry->size) {
                size -= entry->size;
                remove_entry(outbox, entry);
        }
        outbox->written = size;
}

static ssize_t write_some(const struct outbox *outbox, int descriptor) {
        struct iovec parts[64];
        size_t count = 0, skip = outbox->written;
        struct outbox_entry *entry;
        TAILQ_FOREACH(entry, &outbox->entries, link) {
                if (count == sizeof parts / sizeof *parts)
                        break;
                parts[count++] = (struct iovec){ entry->data + skip, entry->size - skip };
                skip = 0;
        }
        struct msghdr message = { .msg_iov = parts, .msg_iovlen = count };
        return sendmsg(descriptor, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

int outbox_flush(struct outbox *outbox, int descriptor) {
        while (!outbox_is_empty(outbox) || outbox->lost > 0) {
                int r = outbox->lost > 0 ? tell_lost(outbox) : 0;
                if (r < 0)
                        return r;
                ssize_t n = write_some(outbox, descriptor);
                if (n >= 0)
                        take_off(outbox, (size_t) n);
                else if (errno == EAGAIN)
                        return LEAT_FULL;
                else if (errno != EINTR)
                        return -errno;
        }
        return 0;
}

void outbox_free(struct outbox *outbox) {
        struct outbox_entry *entry;
        while ((entry = TAILQ_FIRST(&outbox->entries)))
                remove_entry(outbox, entry);
        outbox->written = 0;
}
