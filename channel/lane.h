/* What both ends of a lane agree on: its name, the packets about it on the channel's socket, the records in
 * its ring, and the bell. A lane is a ring in shared memory and a socket pair of its own, between one sender
 * and the channel's receiver. */
#ifndef LEAT_CHANNEL_LANE_H
#define LEAT_CHANNEL_LANE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "leat/deadline.h"
#include "packet.h"

/* Bytes that may wait in a lane unless its channel says otherwise: enough for messages to come while their
 * reader wakes up. A sender of large ones has more, so that its reader is so far behind that it reads from
 * the cache that both share, and not from the writer's. */
#define LANE_DEFAULT_LIMIT   ((size_t) 1 << 20)
#define LANE_LIMIT_FOR_LARGE ((size_t) 4 << 20)
#define LANE_LARGE_BODY      ((size_t) 256 << 10)

/* A message of more bytes than this is not streamed through a ring, but goes as one sealed body. It bounds
 * what a receiver has to gather for each of its lanes. */
#define LANE_STREAM_MAX (((size_t) 16 << 20) + 4096)

struct lane_identity {
        uint8_t bytes[16]; /* Random. */
};

/* The kinds of the records in the ring; aux is the encoding where there is one. */
enum lane_record {
        LANE_MESSAGE = 1, /* The body of a whole message. */
        LANE_PACKET = 2,  /* Empty: the message is the next packet on the lane's socket. */
        LANE_FIRST = 3,   /* A u64, the size of a body that comes in pieces, and the first of them. */
        LANE_PIECE = 4,   /* More of it. It is whole when the size is reached. */
        LANE_ABORT = 5    /* Empty: no more of it comes. */
};

/* PACKET_OFFER, with two descriptors: the memory, and the receiver's end of the lane's socket. */
struct lane_offer {
        struct lane_identity identity;
        uint64_t size; /* Of the ring's data. */
        uint64_t limit;
};

/* PACKET_BARRIER: take nothing more from the channel's socket before that lane is read up to here. */
struct lane_barrier {
        struct lane_identity identity;
        uint64_t position;
};

#define LANE_OFFER_DESCRIPTORS 2

/* Put one of them into the channel's socket; `tag` is that of the channel's type. Results as packet_send. */
int lane_send_offer(int fd, uint32_t tag, const struct lane_offer *offer, int memory, int socket,
                    leat_deadline deadline);
int lane_send_marker(int fd, uint32_t tag, const struct lane_identity *identity, leat_deadline deadline);
int lane_send_barrier(int fd, uint32_t tag, const struct lane_barrier *barrier, leat_deadline deadline);

/* Read the body of one. 0; LEAT_MALFORMED. */
int lane_read_offer(const uint8_t *body, size_t size, struct lane_offer *ret_offer);
int lane_read_marker(const uint8_t *body, size_t size, struct lane_identity *ret_identity);
int lane_read_barrier(const uint8_t *body, size_t size, struct lane_barrier *ret_barrier);

/* Whether a lane that comes by this channel's socket, both the receiver's ends, leads to a sender, and not
 * back to something that a receiver reads from. Both have names after this. Never waits. */
bool lane_leads_away(int channel, int socket);

/* As above for an offered one, which no receiver has had before. */
bool lane_is_new(int channel, int socket);

/* The receiver's answer to an offer, on the lane's socket: one byte. */
enum lane_answer { LANE_ACCEPTED = 'A', LANE_REFUSED = 'R' };

/* Does not wait. 0: accepted; LEAT_EMPTY: no answer yet; LEAT_REFUSED. */
int lane_take_answer(int socket);

/* 0; LEAT_DISCONNECTED. A socket that is full of bells counts as rung. Without memory it waits a little, and
 * then ends the lane. */
int lane_ring_bell(int socket);

/* Takes away the bells that wait, but nothing else: a packet (of 24 bytes or more) stays where it is, and
 * what is behind it. 0: nothing waits any more; LEAT_MORE: a packet does; LEAT_DISCONNECTED: the end, or
 * bells without end; -ENOMEM, -ENOBUFS: bells may wait still. */
int lane_drain_bells(int socket);

#endif
