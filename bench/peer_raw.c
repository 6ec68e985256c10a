/* The yardstick: the socket pair that a Leat channel stands on, with nothing around it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "peer.h"

struct link {
        int tx[N_DIRECTIONS], rx[N_DIRECTIONS];
};

struct raw_message {
        uint64_t sequence;
        unsigned char rest[MESSAGE_SIZE - sizeof(uint64_t)];
};

static void close_fd(int *fd) {
        if (*fd >= 0)
                (void) close(*fd);
        *fd = -1;
}

static void raw_close(struct link *link) {
        for (int i = 0; i < N_DIRECTIONS; i++) {
                close_fd(&link->tx[i]);
                close_fd(&link->rx[i]);
        }
        free(link);
}

static int raw_open(struct link **ret_link) {
        struct link *link = malloc(sizeof(*link));

        if (!link)
                return -ENOMEM;
        for (int i = 0; i < N_DIRECTIONS; i++)
                link->tx[i] = link->rx[i] = -1;
        for (int i = 0; i < N_DIRECTIONS; i++) {
                int pair[2];

                if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
                        int r = -errno;

                        raw_close(link);
                        return r;
                }
                link->tx[i] = pair[0];
                link->rx[i] = pair[1];
        }
        *ret_link = link;
        return 0;
}

static void raw_take_side(struct link *link, enum side side) {
        close_fd(&link->rx[side == ASKER ? THERE : BACK]);
        close_fd(&link->tx[side == ASKER ? BACK : THERE]);
}

static int raw_send(struct link *link, enum direction direction, uint64_t sequence) {
        struct raw_message message = { .sequence = sequence };
        ssize_t n;

        do
                n = send(link->tx[direction], &message, sizeof(message), MSG_NOSIGNAL);
        while (n < 0 && errno == EINTR);
        return n == sizeof(message) ? 0 : -errno;
}

static int raw_receive(struct link *link, enum direction direction, uint64_t *ret_sequence) {
        struct raw_message message;
        ssize_t n;

        do
                n = recv(link->rx[direction], &message, sizeof(message), 0);
        while (n < 0 && errno == EINTR);
        if (n <= 0)
                return n < 0 ? -errno : 0;
        *ret_sequence = message.sequence;
        return n == sizeof(message) ? 1 : -EBADMSG;
}

static void raw_end(struct link *link, enum direction direction) {
        close_fd(&link->tx[direction]);
}

const struct peer peer_raw = {
        .name = "socket pair",
        .open = raw_open,
        .take_side = raw_take_side,
        .send = raw_send,
        .receive = raw_receive,
        .end = raw_end,
        .close = raw_close,
};
