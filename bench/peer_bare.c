/* The bare ring as a peer: with each way of waiting, published with every record or with every 16. */
#include <errno.h>
#include <stdlib.h>

#include "bare_ring.h"
#include "peers.h"

#define RING_SIZE (1 << 20)
#define PIECE     (128 << 10) /* Copied, while the other side copies the piece before. */

struct link {
        struct bare_ring producers[N_DIRECTIONS], consumers[N_DIRECTIONS];
        unsigned char *buffer;
};

static void close_link(struct link *link) {
        for (int i = 0; i < N_DIRECTIONS; i++)
                bare_ring_destroy(&link->producers[i]);
        free(link->buffer);
        free(link);
}

/* In place a record is never cut, and four of the largest should fit; copied pieces are best kept within the
 * cache. */
static int open_link(const struct peer *peer, const struct setup *setup, struct link **ret_link) {
        struct link *link = calloc(1, sizeof(*link));
        size_t size = RING_SIZE, piece = PIECE;
        bool copies = peer->send != NULL;
        int r = 0;

        if (!link)
                return -ENOMEM;
        if (!copies)
                for (piece = setup->size; size < 4 * setup->size;)
                        size *= 2;
        link->buffer = aligned_alloc(64, (setup->size + 63) / 64 * 64);
        if (!link->buffer)
                r = -ENOMEM;
        for (int i = 0; i < N_DIRECTIONS && r == 0; i++)
                r = bare_ring_create(i == THERE || copies ? size : RING_SIZE, piece,
                                     (enum bare_wait)(peer->variant % 4), peer->variant >= 4 ? 16 : 1,
                                     &link->producers[i], &link->consumers[i]);
        if (r != 0)
                close_link(link);
        else
                *ret_link = link;
        return r;
}

static int send_record(struct link *link, enum direction direction, const void *message, size_t size) {
        return bare_send(&link->producers[direction], message, size) ? 0 : -EPIPE;
}

static int send_records(struct link *link, const void *messages, size_t size, unsigned count) {
        const unsigned char *message = messages;

        for (unsigned i = 0; i < count; i++, message += size)
                if (!bare_send(&link->producers[THERE], message, size))
                        return -EPIPE;
        return 0;
}

static void publish(struct link *link) {
        bare_publish(&link->producers[THERE]);
}

static int receive_record(struct link *link, enum direction direction, const void **ret_message,
                          size_t *ret_size) {
        uint64_t size;

        if (!bare_receive(&link->consumers[direction], link->buffer, &size))
                return 0;
        *ret_message = link->buffer;
        *ret_size = size;
        return 1;
}

static int fill(struct link *link, uint64_t word, size_t size) {
        void *room = bare_reserve(&link->producers[THERE], size);

        if (!room)
                return -EPIPE;
        message_fill(room, word, size);
        bare_commit(&link->producers[THERE], size, size);
        return 0;
}

static int sum(struct link *link, size_t size, uint64_t *ret_word, uint64_t *ret_sum) {
        uint64_t left;
        const uint64_t *message = bare_peek(&link->consumers[THERE], &left);

        if (!message)
                return 0;
        if (left != size)
                return -EBADMSG;
        *ret_word = message[0];
        *ret_sum = message_sum(message, size);
        bare_consume(&link->consumers[THERE], size);
        return 1;
}

static void end_direction(struct link *link, enum direction direction) {
        bare_ring_close(&link->producers[direction]);
}

#define BARE_PEER_WITH(is, called, titled, waiting, of, ...) \
        const struct peer is = { .name = called,             \
                                 .title = titled,            \
                                 .wait = waiting,            \
                                 .variant = of,              \
                                 .open = open_link,          \
                                 .end = end_direction,       \
                                 .close = close_link,        \
                                 __VA_ARGS__ }
#define BARE_PEER(is, called, titled, waiting, of) \
        BARE_PEER_WITH(is, called, titled, waiting, of, .send = send_record, .receive = receive_record)
#define BARE_PEER_16(is, called, titled, waiting, of)                                             \
        BARE_PEER_WITH(is, called, titled, waiting, 4 + of, .one_way = true, .send = send_record, \
                       .send_all = send_records, .flush = publish, .receive = receive_record)

BARE_PEER(peer_bare_spin, "bare-spin", "bare ring, spinning", "spinning", BARE_SPIN);
BARE_PEER(peer_bare, "bare", "bare ring, adaptive", "adaptive", BARE_ADAPTIVE);
BARE_PEER(peer_bare_futex, "bare-futex", "bare ring, futex", "blocking", BARE_FUTEX);
BARE_PEER_16(peer_bare_spin_16, "bare-spin-16", "bare ring, spinning, published every 16", "spinning",
             BARE_SPIN);
BARE_PEER_16(peer_bare_16, "bare-16", "bare ring, adaptive, published every 16", "adaptive", BARE_ADAPTIVE);
BARE_PEER_WITH(peer_bare_in_place, "bare-in-place", "bare ring, adaptive, in place", "adaptive",
               BARE_ADAPTIVE, .one_way = true, .fill = fill, .sum = sum);
