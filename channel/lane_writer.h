/* A sender's lane: its ring, its socket, and how messages go through them. */
#ifndef LEAT_CHANNEL_LANE_WRITER_H
#define LEAT_CHANNEL_LANE_WRITER_H

#include <string.h>

#include "fork.h"
#include "lane.h"
#include "leat/error.h"
#include "ring.h"
#include "spin.h"
#include "transmit.h"
#include "tsan.h"

struct lane_writer {
        struct ring_writer ring;
        size_t largest;      /* Body of one record; a larger one goes in pieces. */
        uint64_t generation; /* The process whose lane it is: a child has no mapping. */
        uint32_t until_look; /* Messages until it looks up from its ring; 0: now, and for ever once it has
                             * ended. */
        uint64_t looked_up;  /* Messages until the last look; see lane_writer_messages(). */
        uint64_t otherwise;  /* Bytes of the ring that hold no message of the fast way. */
        uint64_t waits;
        uint32_t looks; /* Since the socket was looked at. */
        int64_t looked_at;
        bool ended; /* Nobody reads any more. */
        int socket;
        uint64_t barred; /* Up to here a barrier is in the channel's socket already; 0: nothing needs one. */
        size_t wanted;   /* What found no room last. */
        bool wants_socket; /* It was a packet, and it was the socket that had none. */
        struct spinner spinner;
        struct lane_identity identity;
        struct fork_descriptor fork_descriptor;
};

/* The parts of a new lane that are the receiver's. */
struct lane_parts {
        struct lane_offer offer;
        int memory;
        int socket;
};

/* A lane in which `limit` bytes may wait. 0, and both are the caller's: the lane, and the parts' two
 * descriptors; a negative errno. */
int lane_writer_create(size_t limit, struct lane_writer **ret_lane, struct lane_parts *ret_parts);

/* Its socket ends. In a forked child only what the child itself has of it is given back. NULL is fine;
 * returns NULL. */
struct lane_writer *lane_writer_free(struct lane_writer *lane);

/* Whether there is anything that a copy of its sender must come after and no barrier says so yet. Of a
 * parent's lane too. */
static inline bool lane_writer_needs_barrier(const struct lane_writer *lane) {
        return lane->ring.first != lane->barred;
}

/* Up to where it is committed. Of a parent's lane too. */
static inline struct lane_barrier lane_writer_barrier(const struct lane_writer *lane) {
        return (struct lane_barrier){ .identity = lane->identity, .position = lane->ring.first };
}

static inline bool lane_writer_is_inherited(const struct lane_writer *lane) {
        return !fork_is_current(lane->generation);
}

/* Nobody reads it any more, as far as is known without asking the system. */
static inline bool lane_writer_has_ended(const struct lane_writer *lane) {
        return lane->ended || lane->ring.broken || ring_reader_is_closed(&lane->ring);
}

/* Messages between two looks up from the ring. */
#define LANE_WRITER_LOOKS_AFTER 16U

/* What was sent by the fast way, and every loan: so one that is still out is among them, and one that comes
 * back is taken back with lane_writer_drop_loan(). */
static inline uint64_t lane_writer_messages(const struct lane_writer *lane) {
        return lane->looked_up + LANE_WRITER_LOOKS_AFTER - lane->until_look;
}

/* The bytes of so many of them, each rounded up. */
static inline uint64_t lane_writer_bytes(const struct lane_writer *lane, uint64_t messages) {
        return lane->ring.head - lane->otherwise - messages * RING_HEADER_SIZE;
}

/* Sends any message. Results as transmit(). */
int lane_writer_send(struct lane_writer *lane, const struct transmission *transmission,
                     leat_deadline deadline);

/* Rings; LEAT_DISCONNECTED, and the lane has ended. */
int lane_writer_ring(struct lane_writer *lane);

/* Looks up from the ring, as is due every few messages. False: nobody reads any more. */
bool lane_writer_look_up(struct lane_writer *lane);

/* Room in the ring for a message; NULL when something stands in its way. Nothing need be put there. */
static inline void *lane_writer_place(struct lane_writer *lane, size_t size) {
        void *place;

        if (size > lane->largest || !fork_is_current(lane->generation) ||
            (__builtin_expect(lane->until_look == 0, 0) && !lane_writer_look_up(lane)) ||
            atomic_load_explicit(ring_word(lane->ring.memory, RING_READER_CLOSED), memory_order_relaxed) != 0)
                return NULL;
        place = ring_reserve(&lane->ring, size);
        if (place)
                lane->until_look--;
        return place;
}

/* Puts a message into the ring, where nobody sees it yet; false when something stands in its way. */
static inline __attribute__((always_inline)) bool
lane_writer_append(struct lane_writer *lane, uint8_t encoding, const void *body, size_t size) {
        void *place = lane_writer_place(lane, size);

        if (!place)
                return false;
        if (size > 0)
                memcpy(place, body, size);
        ring_append(&lane->ring,
                    (struct ring_record){ .size = (uint32_t) size, .kind = LANE_MESSAGE, .aux = encoding });
        return true;
}

/* Lets the receiver see what was appended. 0; LEAT_DISCONNECTED. */
static inline int lane_writer_publish(struct lane_writer *lane) {
        if (lane->ring.first == lane->ring.head)
                return 0; /* Nothing to wake anybody for. */
        tsan_lane_release(&lane->identity);
        ring_publish(&lane->ring);
        return __builtin_expect(ring_takes_reader_waits(&lane->ring), 0) ? lane_writer_ring(lane) : 0;
}

/* The fast path: a whole message when nothing stands in its way. 0; LEAT_DISCONNECTED; LEAT_MORE: there is
 * more to it, take lane_writer_send(). */
static inline __attribute__((always_inline)) int lane_writer_try(struct lane_writer *lane, uint8_t encoding,
                                                                 const void *body, size_t size) {
        if (__builtin_expect(!lane_writer_append(lane, encoding, body, size), 0))
                return LEAT_MORE;
        return lane_writer_publish(lane);
}

/* Room in the ring to write a body into, waited for. It stays until the next call on this lane; nothing need
 * be sent. 0; LEAT_TOO_LARGE: no record is ever so large; LEAT_FULL, LEAT_TIMEOUT, LEAT_DISCONNECTED. */
int lane_writer_loan(struct lane_writer *lane, size_t size, leat_deadline deadline, void **ret_place);

/* Sends the first `size` bytes of what was lent. 0; LEAT_DISCONNECTED. */
int lane_writer_send_loan(struct lane_writer *lane, uint8_t encoding, size_t size);

/* It will not be sent. */
static inline void lane_writer_drop_loan(struct lane_writer *lane) {
        lane->looked_up--;
}

/* For a set: whether what found no room last would find it now (or the lane has ended, which sending
 * tells). */
bool lane_writer_has_room(struct lane_writer *lane);

/* About to sleep until it does: false when it does now. */
bool lane_writer_arm(struct lane_writer *lane);

/* Whether it is the socket that room is waited for in. */
static inline bool lane_writer_wants_socket(const struct lane_writer *lane) {
        return lane->wants_socket;
}

/* Becomes readable when room was waited for and came, or at the end; writable when it was the socket's. */
static inline int lane_writer_socket(const struct lane_writer *lane) {
        return lane->socket;
}

#endif
