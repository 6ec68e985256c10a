/* nng: a pair of version 0 over ipc://, with messages of its own, so that nothing is copied more often than
 * it must, and buffers in front of its threads. An empty message is the last. */
#include <errno.h>
#include <nng/nng.h>
#include <nng/protocol/pair0/pair.h>
#include <stdlib.h>
#include <string.h>

#include "joining.h"
#include "peers.h"

#define QUEUED_BYTES    (4 << 20)
#define QUEUED_MESSAGES 1024

struct link {
        struct joining joining;
        int queued; /* Messages. */
        bool has_socket;
        nng_socket socket;
        nng_msg *received;
};

static int as_errno(int error) {
        if (error == 0)
                return 0;
        if ((error & NNG_ESYSERR) != 0)
                return -(error & ~NNG_ESYSERR);
        switch (error) {
        case NNG_ENOMEM:
                return -ENOMEM;
        case NNG_ETIMEDOUT:
                return -ETIMEDOUT;
        case NNG_ECLOSED:
        case NNG_ECONNSHUT:
        case NNG_ECONNRESET:
                return -EPIPE;
        default:
                return -EIO;
        }
}

static void close_link(struct link *link) {
        if (link->received)
                nng_msg_free(link->received);
        if (link->has_socket)
                (void) nng_close(link->socket);
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
        nng_msg *message;
        int r = nng_msg_alloc(&message, size);

        (void) direction;
        if (r != 0)
                return as_errno(r);
        if (size > 0)
                memcpy(nng_msg_body(message), bytes, size);
        r = nng_sendmsg(link->socket, message, 0);
        if (r != 0)
                nng_msg_free(message);
        return as_errno(r);
}

static int receive_message(struct link *link, enum direction direction, const void **ret_message,
                           size_t *ret_size) {
        nng_msg *message;
        int r = nng_recvmsg(link->socket, &message, 0);

        (void) direction;
        if (r != 0)
                return as_errno(r);
        if (link->received)
                nng_msg_free(link->received);
        link->received = message;
        *ret_message = nng_msg_body(message);
        *ret_size = nng_msg_len(message);
        return *ret_size > 0;
}

static int listen_or_dial(struct link *link, enum side side) {
        if (side == ANSWERER)
                return nng_listen(link->socket, link->joining.url, NULL, 0);
        return nng_dial(link->socket, link->joining.url, NULL,
                        NNG_FLAG_NONBLOCK); /* Until the other listens. */
}

static int take_side(struct link *link, enum side side, unsigned index) {
        int r = nng_pair0_open(&link->socket);

        (void) index;
        joining_take_side(&link->joining, side);
        if (r != 0)
                return as_errno(r);
        link->has_socket = true;
        if ((r = nng_socket_set_int(link->socket, NNG_OPT_SENDBUF, link->queued)) != 0 ||
            (r = nng_socket_set_int(link->socket, NNG_OPT_RECVBUF, link->queued)) != 0 ||
            (r = nng_socket_set_size(link->socket, NNG_OPT_RECVMAXSZ, 0)) != 0 ||
            (r = nng_socket_set_ms(link->socket, NNG_OPT_RECONNMINT, 10)) != 0 ||
            (r = listen_or_dial(link, side)) != 0)
                return as_errno(r);
        return joining_greet(&link->joining, &peer_nng, link);
}

static void end_direction(struct link *link, enum direction direction) {
        if (send_message(link, direction, NULL, 0) == 0)
                joining_wait(&link->joining);
}

const struct peer peer_nng = {
        .name = "nng",
        .title = "nng pair over ipc",
        .wait = "blocking",
        .open = open_link,
        .take_side = take_side,
        .send = send_message,
        .receive = receive_message,
        .end = end_direction,
        .leave = joining_leave,
        .close = close_link,
};
