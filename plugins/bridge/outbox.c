/* A client that reads slowly must cost a bounded amount of memory and nobody else's time. Events are a stream of which
 * the newest part matters most, so the oldest go first, and the client is told how many once it reads again; answers
 * were asked for, so none is dropped, and a client that lets them pile up has stopped being one. */
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

static struct outbox_entry *entry_new(const void *line, size_t size, bool event) {
        struct outbox_entry *entry = malloc(sizeof *entry + size);
        if (!entry)
                return NULL;
        *entry = (struct outbox_entry){ .event = event, .size = size };
        memcpy(entry->data, line, size);
        return entry;
}

/* What it costs, so that a thousand tiny ones are counted too. */
static size_t cost(const struct outbox_entry *entry) {
        return sizeof *entry + entry->size;
}

static void remove_entry(struct outbox *outbox, struct outbox_entry *entry) {
        TAILQ_REMOVE(&outbox->entries, entry, link);
        if (entry->event) {
                TAILQ_REMOVE(&outbox->events, entry, event_link);
                outbox->events_size -= cost(entry);
        } else {
                outbox->replies_size -= cost(entry);
        }
        free(entry);
}

/* One of which a part is written must be finished. */
static bool is_begun(const struct outbox *outbox, const struct outbox_entry *entry) {
        return outbox->written > 0 && entry == TAILQ_FIRST(&outbox->entries);
}

static void lose_oldest(struct outbox *outbox) {
        struct outbox_entry *entry = TAILQ_FIRST(&outbox->events);
        while (entry && outbox->events_size > OUTBOX_EVENTS_LIMIT) {
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
        struct outbox_entry *entry = entry_new(line, size, true);
        if (!entry)
                return -ENOMEM;
        TAILQ_INSERT_TAIL(&outbox->entries, entry, link);
        TAILQ_INSERT_TAIL(&outbox->events, entry, event_link);
        outbox->events_size += cost(entry);
        lose_oldest(outbox);
        return 0;
}

int outbox_add_reply(struct outbox *outbox, const void *line, size_t size) {
        struct outbox_entry *entry = entry_new(line, size, false);
        if (!entry)
                return -ENOMEM;
        TAILQ_INSERT_TAIL(&outbox->entries, entry, link);
        outbox->replies_size += cost(entry);
        return 0;
}

int outbox_add_first(struct outbox *outbox, const void *line, size_t size) {
        struct outbox_entry *entry = entry_new(line, size, false);
        if (!entry)
                return -ENOMEM;
        if (outbox->written > 0)
                TAILQ_INSERT_AFTER(&outbox->entries, TAILQ_FIRST(&outbox->entries), entry, link);
        else
                TAILQ_INSERT_HEAD(&outbox->entries, entry, link);
        outbox->replies_size += cost(entry);
        return 0;
}

bool outbox_overflows(const struct outbox *outbox) {
        /* A single large answer is no sign of a client that does not read. */
        const struct outbox_entry *first = TAILQ_FIRST(&outbox->entries);
        return outbox->replies_size > OUTBOX_REPLIES_LIMIT && TAILQ_NEXT(first, link);
}

bool outbox_is_empty(const struct outbox *outbox) {
        return TAILQ_EMPTY(&outbox->entries);
}

size_t outbox_size(const struct outbox *outbox) {
        return outbox->events_size + outbox->replies_size;
}

/* Goes where the lost ones would have been: before all others. */
static int tell_lost(struct outbox *outbox) {
        char text[64];
        blob_auto line = { 0 };
        snprintf(text, sizeof text, "EventsLost %" PRIu64, outbox->lost);
        int r = envelope_write_refusal(REFUSAL_EVENTS_LOST, text, NULL, &line);
        if (r == 0)
                r = outbox_add_first(outbox, line.data, line.size);
        if (r == 0)
                outbox->lost = 0;
        return r;
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
