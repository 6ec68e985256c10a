/* iceoryx: chunks of shared memory, loaned, filled and published to a subscriber for which a publisher waits
 * when its queue is full, so that nothing is lost. One peer sleeps in a WaitSet, one asks again and again.
 * The sides meet by way of the daemon. A message that begins with END is the last. */
#include <errno.h>
#include <fcntl.h>
#include <iceoryx_binding_c/api.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "close_fd.h"
#include "peers.h"
#include "roudi.h"

#define QUEUED_BYTES    (2 << 20)
#define QUEUED_MESSAGES 256 /* No queue of its own is longer. */
#define IN_HAND         4   /* Chunks of a publisher and a subscriber that are in no queue. */
#define MEETING_MS      10000
#define END             UINT64_MAX

enum waiting { IN_WAIT_SET, POLLING };

struct link {
        enum waiting waiting;
        struct roudi roudi;
        pid_t owner; /* The process that forks both sides: what has a name is called after it. */
        size_t size;
        unsigned queued;
        int done[2]; /* A pipe; at its end the answerer is gone. */
        bool joined;
        iox_pub_storage_t publisher_storage;
        iox_sub_storage_t subscriber_storage;
        iox_ws_storage_t wait_set_storage;
        iox_pub_t publisher;
        iox_sub_t subscriber;
        iox_ws_t wait_set;
        const void *chunk;
        void *copy; /* Of what was received: the chunk is its publisher's memory. */
};

static const char *const names[] = { [ASKER] = "asker", [ANSWERER] = "answerer" };

static int open_link(const struct peer *peer, const struct setup *setup, struct link **ret_link) {
        struct link *link = calloc(1, sizeof(*link));
        int r;

        if (!link)
                return -ENOMEM;
        *link = (struct link){ .waiting = (enum waiting) peer->variant, .owner = getpid() };
        link->size = setup->size;
        link->queued = messages_in(QUEUED_BYTES, setup->size, QUEUED_MESSAGES);
        link->copy = malloc(setup->size);
        r = !link->copy ? -ENOMEM : pipe2(link->done, O_CLOEXEC) < 0 ? -errno : 0;
        if (r == 0) {
                r = roudi_start(setup->size, N_DIRECTIONS * (link->queued + IN_HAND), &link->roudi);
                if (r == 0) {
                        *ret_link = link;
                        return 0;
                }
                close_fd(&link->done[0]);
                close_fd(&link->done[1]);
        }
        free(link->copy);
        free(link);
        return r;
}

static void leave(struct link *link) {
        close_fd(&link->done[0]);
        close_fd(&link->done[1]);
}

/* The library does not remove these when its process is killed. */
static void forget_names(const struct link *link) {
        for (int side = ASKER; side <= ANSWERER; side++)
                for (int lock = 0; lock <= 1; lock++) {
                        char path[64];

                        (void) snprintf(path, sizeof(path), "/tmp/leat-bench-%d-%s%s", (int) link->owner,
                                        names[side], lock ? ".lock" : "");
                        (void) unlink(path);
                }
}

/* The library says good-bye to the daemon at exit(). */
static void part(struct link *link) {
        if (link->chunk)
                iox_sub_release_chunk(link->subscriber, link->chunk);
        if (link->wait_set) {
                iox_ws_detach_subscriber_state(link->wait_set, link->subscriber, SubscriberState_HAS_DATA);
                iox_ws_deinit(link->wait_set);
        }
        iox_sub_deinit(link->subscriber);
        iox_pub_deinit(link->publisher);
}

static void close_link(struct link *link) {
        if (link->joined)
                part(link);
        leave(link);
        if (link->owner == getpid()) {
                roudi_stop(&link->roudi);
                forget_names(link);
        }
        free(link->copy);
        free(link);
}

static iox_pub_t publish(struct link *link, const char *instance, enum direction direction) {
        iox_pub_options_t options;

        iox_pub_options_init(&options);
        options.subscriberTooSlowPolicy = ConsumerTooSlowPolicy_WAIT_FOR_CONSUMER;
        return iox_pub_init(&link->publisher_storage, "leat-bench", instance,
                            direction == THERE ? "there" : "back", &options);
}

static iox_sub_t subscribe(struct link *link, const char *instance, enum direction direction) {
        iox_sub_options_t options;

        iox_sub_options_init(&options);
        options.queueCapacity = link->queued;
        options.queueFullPolicy = QueueFullPolicy_BLOCK_PRODUCER;
        return iox_sub_init(&link->subscriber_storage, "leat-bench", instance,
                            direction == THERE ? "there" : "back", &options);
}

/* Before this what is published is lost. */
static int meet(const struct link *link) {
        static const struct timespec pause = { .tv_nsec = 1000000 };

        for (int ms = 0; ms < MEETING_MS; ms++) {
                if (iox_pub_has_subscribers(link->publisher) &&
                    iox_sub_get_subscription_state(link->subscriber) == SubscribeState_SUBSCRIBED)
                        return 0;
                (void) nanosleep(&pause, NULL);
        }
        return -ETIMEDOUT;
}

static int take_side(struct link *link, enum side side, unsigned index) {
        char instance[32], name[48];

        (void) index;
        close_fd(&link->done[side == ASKER ? 1 : 0]);
        (void) snprintf(instance, sizeof(instance), "%d", (int) link->owner);
        (void) snprintf(name, sizeof(name), "leat-bench-%s-%s", instance, names[side]);
        iox_set_loglevel(Iceoryx_LogLevel_Error);
        iox_runtime_init(name);
        link->publisher = publish(link, instance, side == ASKER ? THERE : BACK);
        link->subscriber = subscribe(link, instance, side == ASKER ? BACK : THERE);
        if (link->waiting == IN_WAIT_SET) {
                link->wait_set = iox_ws_init(&link->wait_set_storage);
                if (iox_ws_attach_subscriber_state(link->wait_set, link->subscriber, SubscriberState_HAS_DATA,
                                                   0, NULL) != WaitSetResult_SUCCESS)
                        return -EIO;
        }
        link->joined = true;
        return meet(link);
}

static int loan(struct link *link, size_t size, void **ret_chunk) {
        enum iox_AllocationResult result = iox_pub_loan_chunk(link->publisher, ret_chunk, (uint32_t) size);

        return result == AllocationResult_SUCCESS ? 0 : -ENOBUFS;
}

static int send_message(struct link *link, enum direction direction, const void *bytes, size_t size) {
        void *chunk;
        int r = loan(link, size, &chunk);

        (void) direction;
        if (r != 0)
                return r;
        memcpy(chunk, bytes, size);
        iox_pub_publish_chunk(link->publisher, chunk);
        return 0;
}

static int fill(struct link *link, uint64_t word, size_t size) {
        void *chunk;
        int r = loan(link, size, &chunk);

        if (r != 0)
                return r;
        message_fill(chunk, word, size);
        iox_pub_publish_chunk(link->publisher, chunk);
        return 0;
}

static void wait_for_message(const struct link *link) {
        iox_notification_info_t notification;
        uint64_t missed;

        if (link->waiting == IN_WAIT_SET)
                (void) iox_ws_wait(link->wait_set, &notification, 1, &missed);
}

/* 1, and the chunk is the caller's until the next; 0: it was the last. */
static int take_chunk(struct link *link, const void **ret_chunk) {
        enum iox_ChunkReceiveResult result;
        uint64_t first;

        if (link->chunk)
                iox_sub_release_chunk(link->subscriber, link->chunk);
        link->chunk = NULL;
        while ((result = iox_sub_take_chunk(link->subscriber, ret_chunk)) ==
               ChunkReceiveResult_NO_CHUNK_AVAILABLE)
                wait_for_message(link);
        if (result != ChunkReceiveResult_SUCCESS)
                return -EIO;
        link->chunk = *ret_chunk;
        memcpy(&first, link->chunk, sizeof(first));
        return first != END;
}

static int receive_message(struct link *link, enum direction direction, const void **ret_message,
                           size_t *ret_size) {
        const void *chunk;
        int r = take_chunk(link, &chunk);

        (void) direction;
        if (r <= 0)
                return r;
        memcpy(link->copy, chunk, link->size);
        *ret_message = link->copy;
        *ret_size = link->size;
        return 1;
}

static int sum(struct link *link, size_t size, uint64_t *ret_word, uint64_t *ret_sum) {
        const void *chunk;
        int r = take_chunk(link, &chunk);

        if (r <= 0)
                return r;
        memcpy(ret_word, chunk, sizeof(*ret_word));
        *ret_sum = message_sum(chunk, size);
        return 1;
}

/* The asker stays until the answerer has read all. */
static void end_direction(struct link *link, enum direction direction) {
        uint64_t end = END;
        char byte;

        if (send_message(link, direction, &end, sizeof(end)) != 0)
                return;
        while (read(link->done[0], &byte, 1) < 0 && errno == EINTR)
                ;
}

#define ICEORYX_PEER(is, called, titled, waits, of)          \
        const struct peer is = { .name = called,             \
                                 .title = titled,            \
                                 .wait = waits,              \
                                 .variant = of,              \
                                 .largest = 256 << 20,       \
                                 .exits = true,              \
                                 .open = open_link,          \
                                 .take_side = take_side,     \
                                 .send = send_message,       \
                                 .receive = receive_message, \
                                 .fill = fill,               \
                                 .sum = sum,                 \
                                 .end = end_direction,       \
                                 .leave = leave,             \
                                 .close = close_link }

ICEORYX_PEER(peer_iceoryx, "iceoryx", "iceoryx, WaitSet", "blocking", IN_WAIT_SET);
ICEORYX_PEER(peer_iceoryx_polling, "iceoryx-polling", "iceoryx, polling", "spinning", POLLING);
