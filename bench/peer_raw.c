/* What the system gives without a library: packets, streams and pipes, one pair for each direction, a call a
 * message. Buffers of the system's default size, and of 4 MiB. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "close_fd.h"
#include "peers.h"

#define LARGE_BUFFER (4 << 20)
#define READ_AHEAD   (256 << 10) /* What a stream's reader takes at once, if there is so much. */

enum transport { PACKETS, PACKETS_4M, STREAM, STREAM_4M, PIPE };

struct link {
        enum transport transport;
        int tx[N_DIRECTIONS], rx[N_DIRECTIONS];
        size_t size;
        unsigned char *buffer; /* Of a stream: what was read and is not handed out is from start to end. */
        size_t capacity, start, end;
};

static void close_link(struct link *link) {
        for (int i = 0; i < N_DIRECTIONS; i++) {
                close_fd(&link->tx[i]);
                close_fd(&link->rx[i]);
        }
        free(link->buffer);
        free(link);
}

/* Root may go beyond net.core.wmem_max; anybody else gets what that allows. */
static void enlarge(int fd) {
        int bytes = LARGE_BUFFER;

        if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes)) < 0)
                (void) setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
}

static int open_pair(enum transport transport, int *ret_tx, int *ret_rx) {
        int type = transport == PACKETS || transport == PACKETS_4M ? SOCK_SEQPACKET : SOCK_STREAM;
        int pair[2], r = transport == PIPE ? pipe2(pair, O_CLOEXEC)
                                           : socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, pair);

        if (r < 0)
                return -errno;
        *ret_rx = pair[0];
        *ret_tx = pair[1];
        if (transport == PACKETS_4M || transport == STREAM_4M)
                enlarge(*ret_tx);
        return 0;
}

static int open_link(const struct peer *peer, const struct setup *setup, struct link **ret_link) {
        struct link *link = calloc(1, sizeof(*link));
        int r = 0;

        if (!link)
                return -ENOMEM;
        *link = (struct link){ (enum transport) peer->variant, { -1, -1 }, { -1, -1 }, .size = setup->size };
        link->capacity = setup->size > READ_AHEAD ? setup->size : READ_AHEAD;
        link->buffer = aligned_alloc(64, (link->capacity + 63) / 64 * 64);
        if (!link->buffer)
                r = -ENOMEM;
        for (int i = 0; i < N_DIRECTIONS && r == 0; i++)
                r = open_pair(link->transport, &link->tx[i], &link->rx[i]);
        if (r != 0)
                close_link(link);
        else
                *ret_link = link;
        return r;
}

static int take_side(struct link *link, enum side side, unsigned index) {
        (void) index;
        close_fd(&link->rx[side == ASKER ? THERE : BACK]);
        close_fd(&link->tx[side == ASKER ? BACK : THERE]);
        return 0;
}

static ssize_t write_some(const struct link *link, enum direction direction, const unsigned char *bytes,
                          size_t size) {
        ssize_t n;

        do
                n = link->transport == PIPE ? write(link->tx[direction], bytes, size)
                                            : send(link->tx[direction], bytes, size, MSG_NOSIGNAL);
        while (n < 0 && errno == EINTR);
        return n < 0 ? -errno : n;
}

static int send_bytes(struct link *link, enum direction direction, const void *message, size_t size) {
        const unsigned char *bytes = message;

        while (size > 0) {
                ssize_t n = write_some(link, direction, bytes, size);

                if (n < 0)
                        return (int) n;
                bytes += n;
                size -= (size_t) n;
        }
        return 0;
}

static int send_all_bytes(struct link *link, const void *messages, size_t size, unsigned count) {
        return send_bytes(link, THERE, messages, count * size);
}

static int send_packets(struct link *link, const void *messages, size_t size, unsigned count) {
        struct mmsghdr headers[64];
        struct iovec parts[64];
        unsigned done = 0;

        if (count > 64)
                return -EINVAL;
        memset(headers, 0, sizeof(headers));
        for (unsigned i = 0; i < count; i++) {
                parts[i] = (struct iovec){ (unsigned char *) (uintptr_t) messages + i * size, size };
                headers[i].msg_hdr = (struct msghdr){ .msg_iov = &parts[i], .msg_iovlen = 1 };
        }
        while (done < count) {
                int n = sendmmsg(link->tx[THERE], headers + done, count - done, MSG_NOSIGNAL);

                if (n < 0 && errno != EINTR)
                        return -errno;
                done += n > 0 ? (unsigned) n : 0;
        }
        return 0;
}

static ssize_t read_some(int fd, void *buffer, size_t size) {
        ssize_t n;

        do
                n = read(fd, buffer, size);
        while (n < 0 && errno == EINTR);
        return n < 0 ? -errno : n;
}

static int receive_packet(struct link *link, enum direction direction, const void **ret_message,
                          size_t *ret_size) {
        ssize_t n = read_some(link->rx[direction], link->buffer, link->capacity);

        if (n <= 0)
                return (int) n;
        *ret_message = link->buffer;
        *ret_size = (size_t) n;
        return 1;
}

static int receive_bytes(struct link *link, enum direction direction, const void **ret_message,
                         size_t *ret_size) {
        while (link->end - link->start < link->size) {
                size_t left = link->end - link->start;
                ssize_t n;

                if (link->start + link->size > link->capacity || left == 0) {
                        memmove(link->buffer, link->buffer + link->start, left);
                        link->start = 0;
                        link->end = left;
                }
                n = read_some(link->rx[direction], link->buffer + link->end, link->capacity - link->end);
                if (n <= 0)
                        return n == 0 && left > 0 ? -EBADMSG : (int) n;
                link->end += (size_t) n;
        }
        *ret_message = link->buffer + link->start;
        *ret_size = link->size;
        link->start += link->size;
        return 1;
}

static void end_direction(struct link *link, enum direction direction) {
        close_fd(&link->tx[direction]);
}

#define RAW_PEER(is, called, titled, of, most, many, all, receives) \
        const struct peer is = { .name = called,                    \
                                 .title = titled,                   \
                                 .wait = "blocking",                \
                                 .variant = of,                     \
                                 .largest = most,                   \
                                 .many_senders = many,              \
                                 .open = open_link,                 \
                                 .take_side = take_side,            \
                                 .send = send_bytes,                \
                                 .send_all = all,                   \
                                 .receive = receives,               \
                                 .end = end_direction,              \
                                 .close = close_link }

RAW_PEER(peer_seqpacket, "seqpacket", "SEQPACKET pair", PACKETS, 128 << 10, true, send_packets,
         receive_packet);
RAW_PEER(peer_seqpacket_4m, "seqpacket-4m", "SEQPACKET pair, 4 MiB", PACKETS_4M, 2 << 20, true, send_packets,
         receive_packet);
RAW_PEER(peer_stream, "stream", "STREAM pair", STREAM, 0, false, send_all_bytes, receive_bytes);
RAW_PEER(peer_stream_4m, "stream-4m", "STREAM pair, 4 MiB", STREAM_4M, 0, false, send_all_bytes,
         receive_bytes);
RAW_PEER(peer_pipe, "pipe", "pipe", PIPE, 0, false, send_all_bytes, receive_bytes);
