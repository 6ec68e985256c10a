/* What a channel between processes replaces: a queue of plain 64-byte structs between two threads, under a
 * mutex and two condition variables. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "peers.h"

#define MESSAGE_SIZE 64
#define ROOM         8192 /* Messages. */

struct queue {
        pthread_mutex_t lock;
        pthread_cond_t not_empty, not_full;
        size_t first, count;
        bool ended;
        unsigned char messages[ROOM][MESSAGE_SIZE];
};

struct link {
        struct queue queues[N_DIRECTIONS];
        unsigned char received[N_DIRECTIONS][MESSAGE_SIZE];
};

static int open_link(const struct peer *peer, const struct setup *setup, struct link **ret_link) {
        struct link *link = setup->size == MESSAGE_SIZE ? calloc(1, sizeof(*link)) : NULL;

        (void) peer;
        if (!link)
                return setup->size == MESSAGE_SIZE ? -ENOMEM : -ENOTSUP;
        for (int i = 0; i < N_DIRECTIONS; i++) {
                (void) pthread_mutex_init(&link->queues[i].lock, NULL);
                (void) pthread_cond_init(&link->queues[i].not_empty, NULL);
                (void) pthread_cond_init(&link->queues[i].not_full, NULL);
        }
        *ret_link = link;
        return 0;
}

static int push(struct link *link, enum direction direction, const void *message, size_t size) {
        struct queue *queue = &link->queues[direction];

        (void) pthread_mutex_lock(&queue->lock);
        while (queue->count == ROOM)
                (void) pthread_cond_wait(&queue->not_full, &queue->lock);
        memcpy(queue->messages[(queue->first + queue->count) % ROOM], message, size);
        if (queue->count++ == 0)
                (void) pthread_cond_signal(&queue->not_empty);
        (void) pthread_mutex_unlock(&queue->lock);
        return 0;
}

static int pop(struct link *link, enum direction direction, const void **ret_message, size_t *ret_size) {
        struct queue *queue = &link->queues[direction];
        bool found;

        (void) pthread_mutex_lock(&queue->lock);
        while (queue->count == 0 && !queue->ended)
                (void) pthread_cond_wait(&queue->not_empty, &queue->lock);
        found = queue->count > 0;
        if (found) {
                memcpy(link->received[direction], queue->messages[queue->first], MESSAGE_SIZE);
                queue->first = (queue->first + 1) % ROOM;
                if (queue->count-- == ROOM)
                        (void) pthread_cond_signal(&queue->not_full);
        }
        (void) pthread_mutex_unlock(&queue->lock);
        *ret_message = link->received[direction];
        *ret_size = MESSAGE_SIZE;
        return found;
}

static void end_direction(struct link *link, enum direction direction) {
        struct queue *queue = &link->queues[direction];

        (void) pthread_mutex_lock(&queue->lock);
        queue->ended = true;
        (void) pthread_cond_signal(&queue->not_empty);
        (void) pthread_mutex_unlock(&queue->lock);
}

static void close_link(struct link *link) {
        free(link);
}

const struct peer peer_queue = {
        .name = "mutex-queue",
        .title = "mutex queue (in one process)",
        .wait = "blocking",
        .largest = MESSAGE_SIZE,
        .threads = true,
        .open = open_link,
        .send = push,
        .receive = pop,
        .end = end_direction,
        .close = close_link,
};
