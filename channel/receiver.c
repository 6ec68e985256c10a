/* The receiving end: its life, its socket, and polling it from an event loop. What it does with a packet is
 * in intake.c, what a message is in recv.c. */
#include "receiver.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "cleanup.h"
#include "guard.h"
#include "lanes.h"
#include "packet.h"
#include "set.h"

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83 /* Linux 6.16 */
#endif

int receiver_create(struct connection *connection, const struct plan *plan,
                    struct leat_receiver **ret_receiver) {
        struct leat_receiver *receiver = calloc(1, sizeof(*receiver));

        if (!receiver)
                return -ENOMEM;
        receiver->connection = connection;
        receiver->plan = plan;
        receiver->message_limit = RECEIVER_MESSAGE_LIMIT;
        receiver->handle_limit = LEAT_MAX_HANDLES;
        receiver->lane_limit = LANES_DEFAULT_LIMIT;
        receiver->lane_memory = LANES_DEFAULT_MEMORY;
        poller_init(&receiver->poller);
        receiver->place = POLLER_NOWHERE;
        *ret_receiver = receiver;
        return 0;
}

static size_t limit(size_t asked, size_t now, size_t ceiling) {
        return asked == 0 ? now : asked < ceiling ? asked : ceiling;
}

void receiver_limit(struct leat_receiver *receiver, const struct leat_receiver_limits *limits) {
        receiver->message_limit =
                limit(limits->message_limit, receiver->message_limit, RECEIVER_MESSAGE_LIMIT);
        receiver->handle_limit = limit(limits->handle_limit, receiver->handle_limit, LEAT_MAX_HANDLES);
        receiver->lane_limit = limit(limits->lane_limit, receiver->lane_limit, SIZE_MAX);
        receiver->lane_memory = limit(limits->lane_memory, receiver->lane_memory, SIZE_MAX);
        if (receiver->lanes && receiver->plan)
                lanes_set_plan(receiver->lanes, receiver->plan, receiver->message_limit);
}

int leat_receiver_limit(struct leat_receiver *receiver, const struct leat_receiver_limits *limits) {
        if (!receiver)
                return -EBADF;
        if (!limits)
                return -EINVAL;
        receiver_limit(receiver, limits);
        return 0;
}

/* Every socket's buffer has room for a packet so large: the least is SOCK_MIN_SNDBUF, some 4.5 KiB, see
 * socket(7). */
#define ALWAYS_INLINE ((size_t) 4096 - PACKET_HEADER_SIZE)

/* Whether any descriptor can come by this channel: a handle, or the body of a message too large for a packet,
 * or for a buffer that somebody has made small (see transmit.c). */
bool receiver_takes_descriptors(const struct plan *plan) {
        return !plan || !plan->plain || plan->plain_size > ALWAYS_INLINE;
}

void receiver_prepare_socket(const struct connection *connection, const struct plan *plan) {
        int fd = connection->fd, on = 1, off = 0;

        (void) setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on));
        if (!connection_allows_lanes(connection) && !receiver_takes_descriptors(plan))
                (void) setsockopt(fd, SOL_SOCKET, SO_PASSRIGHTS, &off,
                                  sizeof(off)); /* Unknown before 6.16. */
}

void receiver_become(struct leat_receiver *receiver, const struct plan *plan) {
        receiver->plan = plan;
        receiver_prepare_socket(receiver->connection, plan);
        if (receiver->lanes && plan)
                lanes_set_plan(receiver->lanes, plan, receiver->message_limit);
}

int receiver_close_in_child(struct leat_receiver *receiver, struct fork_descriptor *socket) {
        int r = fork_close_in_child(socket, &receiver->connection->fd);

        if (r < 0)
                return r;
        receiver->stays_here = true;
        lanes_close_in_child(receiver);
        return 0;
}

int leat_receiver_arm(struct leat_receiver *receiver, int *ret_descriptor) {
        struct pollfd poll_fd = { .events = POLLIN };
        CALL_GUARD;
        int r;

        if (!receiver)
                return -EBADF;
        r = lanes_watch(receiver);
        if (r < 0)
                return r;
        if (receiver->lanes && (lanes_have_something(receiver) || !lanes_arm(receiver)))
                return LEAT_MORE;
        poll_fd.fd = receiver->connection->fd;
        if (receiver->cut || poll(&poll_fd, 1, 0) > 0)
                return LEAT_MORE;
        *ret_descriptor = receiver->poller.fd;
        return 0;
}

uint64_t leat_receiver_lost(const struct leat_receiver *receiver) {
        return receiver ? receiver->lost : 0;
}

int leat_receiver_versions(const struct leat_receiver *receiver, struct leat_versions *ret_versions) {
        if (!receiver)
                return -EBADF;
        if (receiver->other_version == 0)
                return -ENODATA;
        *ret_versions =
                (struct leat_versions){ .ours = LEAT_WIRE_VERSION, .theirs = receiver->other_version };
        return 0;
}

int leat_receiver_schemas(const struct leat_receiver *receiver, struct leat_schemas *ret_schemas) {
        return receiver ? mismatch_tell(&receiver->mismatch, ret_schemas) : -EBADF;
}

struct leat_receiver *leat_receiver_take(struct leat_receiver **field) {
        struct leat_receiver *receiver = take_pointer(field);

        if (receiver && receiver->slot) {
                *receiver->slot = NULL;
                receiver->slot = NULL;
        }
        return receiver;
}

void leat_receiver_close(struct leat_receiver **receiver) {
        struct leat_receiver *closed = leat_receiver_take(receiver);
        CALL_GUARD;

        if (!closed)
                return;
        if (closed->set)
                set_forget_receiver(closed);
        lanes_free(closed);
        poller_close(&closed->poller);
        connection_unref(closed->connection);
        if (closed->inbox)
                (void) inbox_empty(closed->inbox);
        free(closed->inbox);
        buffer_free(&closed->rooms[0]);
        buffer_free(&closed->rooms[1]);
        buffer_free(&closed->sealed);
        arena_free(&closed->arena);
        free(closed);
}
