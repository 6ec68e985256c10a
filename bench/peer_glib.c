/* GLib's queue between two threads. It carries pointers, so each message is allocated by its sender. */
#include <errno.h>
#include <glib.h>
#include <stdlib.h>
#include <string.h>

#include "peers.h"

#define ROOM 8192 /* The queue has no bound of its own: a sender far ahead would only measure its memory. */

struct link {
        GAsyncQueue *queues[N_DIRECTIONS];
        size_t size;
        void *received[N_DIRECTIONS];
};

static char end_of_messages;

static void close_link(struct link *link) {
        for (int i = 0; i < N_DIRECTIONS; i++) {
                g_async_queue_unref(link->queues[i]);
                g_free(link->received[i]);
        }
        free(link);
}

static int open_link(const struct peer *peer, const struct setup *setup, struct link **ret_link) {
        struct link *link = calloc(1, sizeof(*link));

        (void) peer;
        if (!link)
                return -ENOMEM;
        link->size = setup->size;
        for (int i = 0; i < N_DIRECTIONS; i++)
                link->queues[i] = g_async_queue_new();
        *ret_link = link;
        return 0;
}

static int push(struct link *link, enum direction direction, const void *message, size_t size) {
        void *copy = g_malloc(size);

        memcpy(copy, message, size);
        while (g_async_queue_length(link->queues[direction]) > ROOM)
                g_thread_yield();
        g_async_queue_push(link->queues[direction], copy);
        return 0;
}

static int pop(struct link *link, enum direction direction, const void **ret_message, size_t *ret_size) {
        void *message = g_async_queue_pop(link->queues[direction]);

        if (message == &end_of_messages)
                return 0;
        g_free(link->received[direction]);
        link->received[direction] = message;
        *ret_message = message;
        *ret_size = link->size;
        return 1;
}

static void end_direction(struct link *link, enum direction direction) {
        g_async_queue_push(link->queues[direction], &end_of_messages);
}

const struct peer peer_glib = {
        .name = "gasyncqueue",
        .title = "GAsyncQueue (in one process)",
        .wait = "blocking",
        .threads = true,
        .open = open_link,
        .send = push,
        .receive = pop,
        .end = end_direction,
        .close = close_link,
};
