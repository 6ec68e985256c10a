/* One message on a socket: a header, its bytes, and the descriptors that go along (SOCK_SEQPACKET with
 * SCM_RIGHTS). Knows sockets and deadlines, and nothing of types.
 *
 * All numbers are little-endian:
 *
 *     0  u8   version, LEAT_WIRE_VERSION; never 0
 *     1  u8   kind
 *     2  u8   encoding of the body
 *     3  u8   0
 *     4  u32  tag of the message's type
 *     8  u16  number of descriptors of the user's handles
 *    10  u16  0
 *    12  u32  size of the table of handles
 *    16  u64  size of the body
 *    24  the table, then the body; or, when they are in sealed memory, any number of bytes of padding
 *
 * Every version keeps bytes 0 and 3 so, and 24 bytes at the least: by these another version is told from
 * rubbish. */
#ifndef LEAT_CHANNEL_PACKET_H
#define LEAT_CHANNEL_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "leat/deadline.h"
#include "leat/version.h"

#define PACKET_HEADER_SIZE 24

/* Table and body together, when they travel in the packet itself; above, they go into sealed memory. */
#define PACKET_MAX_INLINE ((size_t) 64 << 10)
#define PACKET_MAX_SIZE   (PACKET_HEADER_SIZE + PACKET_MAX_INLINE)

/* A room for a message of `size` bytes is never smaller than a packet, which may be received into it next: it
 * would move under the message. */
static inline size_t packet_room_size(size_t size) {
        return size < PACKET_MAX_SIZE ? PACKET_MAX_SIZE : size;
}

/* What the system passes at once: SCM_MAX_FD, see unix(7). */
#define PACKET_MAX_DESCRIPTORS 253

enum packet_kind {
        PACKET_MESSAGE = 1, /* Table and body follow. */
        PACKET_SEALED = 2,  /* Table and body are in sealed memory, the first descriptor. */
        PACKET_GREETING =
                3, /* A client's first packet to a server: the body is its type's fingerprint and text. */
        PACKET_OFFER = 4, /* These three are about lanes, see lane.h. An offer comes with two descriptors. */
        PACKET_MARKER = 5,
        PACKET_BARRIER = 6
};

struct packet_header {
        enum packet_kind kind;
        uint8_t encoding;
        uint16_t n_handles;
        uint32_t tag;
        uint32_t table_size;
        uint64_t body_size;
};

void packet_write_header(const struct packet_header *header, uint8_t to[static PACKET_HEADER_SIZE]);

/* 0; LEAT_VERSION_MISMATCH: nothing else is known of it. LEAT_MALFORMED: too short, no version, an unknown
 * kind, something in a field that must be 0, or sizes that do not fit the packet's own. */
int packet_read_header(const uint8_t *packet, size_t size, struct packet_header *ret_header);

/* How many descriptors a packet must come with, by its first PACKET_HEADER_SIZE bytes; 0 when these say
 * nothing. */
size_t packet_promised_descriptors(const uint8_t *packet, size_t size);

/* Sends one packet. 0; LEAT_FULL, LEAT_TIMEOUT, LEAT_DISCONNECTED, LEAT_REFUSED (it takes no descriptors);
 * -EMSGSIZE: larger than the socket's buffer allows; any other negative errno. *waits (NULL: nobody asks)
 * becomes one more when it waited; a blocking call, with LEAT_FOREVER, tells only when it gave up in
 * between. */
int packet_send(int fd, struct iovec *parts, size_t n_parts, const int *fds, size_t n_fds,
                leat_deadline deadline, uint64_t *waits);

/* Packets about lanes are no longer than this. */
#define PACKET_START_SIZE 64

struct packet {
        uint8_t *data;                    /* The caller's room, */
        size_t capacity;                  /* PACKET_MAX_SIZE bytes of it unless less can come. */
        uint8_t start[PACKET_START_SIZE]; /* Its first bytes. */
        size_t size;
        size_t n_fds;
        int fds[PACKET_MAX_DESCRIPTORS];
        bool spares_room;   /* Asked for by the caller: packets about lanes are in `start` alone. */
        bool too_long;      /* It did not fit the room. */
        bool fds_are_lost;  /* Not all descriptors arrived. */
        bool fds_are_stuck; /* Of those beyond what was asked for there are some that cannot even be
                             * closed. */
        bool waited;        /* Whatever came of it. As *waits of packet_send(). */
};

/* An offer, a marker or a barrier, by what it says it is. */
static inline bool packet_is_about_lanes(const struct packet *packet) {
        return packet->size >= PACKET_HEADER_SIZE && packet->size <= PACKET_START_SIZE &&
               packet->start[0] == LEAT_WIRE_VERSION && packet->start[1] >= PACKET_OFFER &&
               packet->start[1] <= PACKET_BARRIER;
}

/* Prepares a socket to be one that senders wait on. */
void packet_prepare_sending(int fd);

/* Lets the system look for receivers that were lost inside unread messages. Who waits for a receiver calls it
 * now and then. */
void packet_start_collector(void);

/* Receives one packet with at most `max_fds` descriptors, all close-on-exec and now the caller's; the others
 * are disposed of, and lost. 0; LEAT_EMPTY, LEAT_TIMEOUT, LEAT_DISCONNECTED; a negative errno. */
int packet_receive(int fd, struct packet *packet, size_t max_fds, leat_deadline deadline);

/* The start of the next packet, which stays where it is. 0 and *ret_size; LEAT_EMPTY, LEAT_TIMEOUT; negative
 * errno. *waited becomes true when it waits. */
int packet_peek(int fd, uint8_t *data, size_t capacity, size_t *ret_size, leat_deadline deadline,
                bool *waited);

#endif
