/* ZeroMQ: a pair over ipc://, with its own messages and a high-water mark that lets its thread run ahead. An
 * empty message is the last. */
#include <errno.h>
#include <string.h>
#include <zmq.h>

#include "joining.h"
#include "peers.h"

#define QUEUED_BYTES    (4 << 20)
#define QUEUED_MESSAGES 100000

struct link {
        struct joining joining;
        int queued; /* Messages. */
        void *context, *socket;
        zmq_msg_t received;
};

static void close_link(struct link *link) {
        if (link->socket) {
                (void) zmq_msg_close(&link->received);
                (void) zmq_close(link->socket);
        }
        if (link->context)
                (void) zmq_ctx_term(link->context);
        joining_close(link);
}

static int open_link(const struct peer *peer, const struct setup *setup, struct link **ret_link) {
        int r = joining_open(sizeof(**ret_link), ret_link);

        (void) peer;
        if (r == 0)
                (*ret_link)->queued = (int) messages_in(QUEUED_BYTES, setup->size, QUEUED_MESSAGES);
        return r;
}

static int send_message(struct link *link, enum direction direction, const void *bytes, size_t size) {
        zmq_msg_t message;
        int r = 0;

        (void) direction;
        if (zmq_msg_init_size(&message, size) < 0)
                return -errno;
        if (size > 0)
                memcpy(zmq_msg_data(&message), bytes, size);
        while (zmq_msg_send(&message, link->socket, 0) < 0 && r == 0)
                if (errno != EINTR)
                        r = -errno;
        if (r != 0)
                (void) zmq_msg_close(&message);
        return r;
}

static int receive_message(struct link *link, enum direction direction, const void **ret_message,
                           size_t *ret_size) {
        (void) direction;
        while (zmq_msg_recv(&link->received, link->socket, 0) < 0)
                if (errno != EINTR)
                        return -errno;
        *ret_message = zmq_msg_data(&link->received);
        *ret_size = zmq_msg_size(&link->received);
        return *ret_size > 0;
}

static int take_side(struct link *link, enum side side, unsigned index) {
        (void) index;
        joining_take_side(&link->joining, side);
        link->context = zmq_ctx_new();
        if (!link->context)
                return -errno;
        link->socket = zmq_socket(link->context, ZMQ_PAIR);
        if (!link->socket)
                return -errno;
        (void) zmq_msg_init(&link->received);
        if (zmq_setsockopt(link->socket, ZMQ_SNDHWM, &link->queued, sizeof(link->queued)) < 0 ||
            zmq_setsockopt(link->socket, ZMQ_RCVHWM, &link->queued, sizeof(link->queued)) < 0 ||
            (side == ANSWERER ? zmq_bind(link->socket, link->joining.url)
                              : zmq_connect(link->socket, link->joining.url)) < 0)
                return -errno;
        return joining_greet(&link->joining, &peer_zeromq, link);
}

static void end_direction(struct link *link, enum direction direction) {
        if (send_message(link, direction, NULL, 0) == 0)
                joining_wait(&link->joining);
}

const struct peer peer_zeromq = {
        .name = "zeromq",
        .title = "ZeroMQ pair over ipc",
        .wait = "blocking",
        .open = open_link,
        .take_side = take_side,
        .send = send_message,
        .receive = receive_message,
        .end = end_direction,
        .leave = joining_leave,
        .close = close_link,
};
