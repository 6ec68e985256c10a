/* nanomsg: a pair over ipc://, with messages that it allocates itself, so that it need not copy them. Its
 * default buffers: with 4 MiB, messages of 1 MiB stall. A message of one byte is the last: it sends no empty
 * one. */
#include <errno.h>
#include <nanomsg/nn.h>
#include <nanomsg/pair.h>
#include <string.h>

#include "joining.h"
#include "peers.h"

struct link {
        struct joining joining;
        bool has_socket;
        int socket;
        void *received;
};

/* Its own errors lie beyond the system's. */
static int as_errno(void) {
        int error = nn_errno();

        return error < NN_HAUSNUMERO ? -error : -EPIPE;
}

static void close_link(struct link *link) {
        if (link->received)
                (void) nn_freemsg(link->received);
        if (link->has_socket)
                (void) nn_close(link->socket);
        joining_close(link);
}

static int open_link(const struct peer *peer, const struct setup *setup, struct link **ret_link) {
        (void) peer;
        (void) setup;
        return joining_open(sizeof(**ret_link), ret_link);
}

static int send_message(struct link *link, enum direction direction, const void *bytes, size_t size) {
        void *message = nn_allocmsg(size, 0);

        (void) direction;
        if (!message)
                return as_errno();
        if (size > 0)
                memcpy(message, bytes, size);
        while (nn_send(link->socket, &message, NN_MSG, 0) < 0)
                if (nn_errno() != EINTR) {
                        int r = as_errno();

                        (void) nn_freemsg(message);
                        return r;
                }
        return 0;
}

static int receive_message(struct link *link, enum direction direction, const void **ret_message,
                           size_t *ret_size) {
        void *message;
        int size;

        (void) direction;
        while ((size = nn_recv(link->socket, &message, NN_MSG, 0)) < 0)
                if (nn_errno() != EINTR)
                        return as_errno();
        if (link->received)
                (void) nn_freemsg(link->received);
        link->received = message;
        *ret_message = message;
        *ret_size = (size_t) size;
        return size > 1;
}

static int set(int socket, int option, int value) {
        return nn_setsockopt(socket, NN_SOL_SOCKET, option, &value, sizeof(value));
}

static int take_side(struct link *link, enum side side, unsigned index) {
        (void) index;
        joining_take_side(&link->joining, side);
        link->socket = nn_socket(AF_SP, NN_PAIR);
        if (link->socket < 0)
                return as_errno();
        link->has_socket = true;
        if (set(link->socket, NN_RCVMAXSIZE, -1) < 0 || set(link->socket, NN_RECONNECT_IVL, 10) < 0 ||
            (side == ANSWERER ? nn_bind(link->socket, link->joining.url)
                              : nn_connect(link->socket, link->joining.url)) < 0)
                return as_errno();
        return joining_greet(&link->joining, &peer_nanomsg, link);
}

static void end_direction(struct link *link, enum direction direction) {
        if (send_message(link, direction, "", 1) == 0)
                joining_wait(&link->joining);
}

const struct peer peer_nanomsg = {
        .name = "nanomsg",
        .title = "nanomsg pair over ipc",
        .wait = "blocking",
        .open = open_link,
        .take_side = take_side,
        .send = send_message,
        .receive = receive_message,
        .end = end_direction,
        .leave = joining_leave,
        .close = close_link,
};
