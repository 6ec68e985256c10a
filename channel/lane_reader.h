/* A receiver's end of one lane: what is in its ring, as messages. */
#ifndef LEAT_CHANNEL_LANE_READER_H
#define LEAT_CHANNEL_LANE_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buffer.h"
#include "fork.h"
#include "lane.h"
#include "ring.h"

/* A socket holds some 270 packets of one byte, and its sender finds room for a message beside a quarter of
 * them; each arming brings one at the most. */
#define LANE_READER_DRAINED_AFTER 32

enum lane_state {
        LANE_OFFERED, /* Its marker has not come; nothing is read. */
        LANE_FILLED,  /* As above, and something was in it. */
        LANE_AWAKE,   /* Open: it is looked at. */
        LANE_ARMED,   /* Open, and empty when it was last looked at; a bell will tell. */
        LANE_DROPPED  /* Only there for who looks at what lies in it. */
};

struct lane_reader {
        struct ring_reader ring;
        enum lane_state state;
        bool is_hung;  /* It is at its end: what is in the ring is all that comes, */
        uint64_t last; /* and it cannot reach beyond here, whoever goes on writing. */

        /* A message that comes in pieces: which is gathered, or, being too large, dropped as it comes. */
        enum { LANE_WITHOUT_STREAM, LANE_GATHERS, LANE_DROPS } stream;
        uint8_t encoding;
        uint64_t total;
        uint64_t arrived;
        struct buffer gathered;

        struct lane_identity identity;
        int memory; /* For a forked child, which has to map it anew. */
        int socket;
        uint64_t process;   /* fork_generation() of the process that has it mapped. */
        unsigned armings;   /* Since the bells were drained. */
        unsigned fruitless; /* Looks in a row that found nothing. */
        uint32_t place;     /* In the receiver's poller, */
        uint32_t set_place; /* and in its set's. */
        struct leat_receiver *receiver;

        struct fork_descriptor in_child; /* Of the socket, if no child may have it. */
};

struct lane_message {
        uint8_t encoding;
        size_t size;
        enum { LANE_IN_ROOM, LANE_IN_RING, LANE_GATHERED, LANE_ON_SOCKET } where;
};

/* Maps the memory of an offer that has been checked. Owns both descriptors after success only. 0; negative
 * errno. */
int lane_reader_create(struct leat_receiver *receiver, const struct lane_offer *offer, int memory, int socket,
                       struct lane_reader **ret_lane);

/* Closes and unmaps. NULL is fine; returns NULL. */
struct lane_reader *lane_reader_free(struct lane_reader *lane);

/* The next message, once it is whole: its bytes are in `room` or in lane->gathered, or a packet of the lane's
 * socket. 0; LEAT_EMPTY; LEAT_TOO_LARGE (and it is gone); LEAT_DISCONNECTED: what is there makes no sense;
 * -ENOMEM (and it is gone). LANE_IN_RING (raw bytes) and LANE_ON_SOCKET leave the record: lane_reader_hold()
 * and lane_reader_skip() go on behind it. */
int lane_reader_take(struct lane_reader *lane, struct buffer *room, size_t message_limit,
                     struct lane_message *ret_message);
void lane_reader_skip(struct lane_reader *lane);

/* Where its bytes are, until lane_reader_let_go(). */
void *lane_reader_hold(struct lane_reader *lane, const struct lane_message *message);
void lane_reader_let_go(struct lane_reader *lane);

/* In a forked child, which has no mapping: maps it anew. 0; as ring_memory_map(). */
int lane_reader_map(struct lane_reader *lane);

static inline bool lane_reader_is_open(const struct lane_reader *lane) {
        return lane->state == LANE_AWAKE || lane->state == LANE_ARMED;
}

static inline bool lane_reader_is_empty(const struct lane_reader *lane) {
        struct ring_record record;

        return ring_peek(&lane->ring, &record) == RING_EMPTY;
}

/* Its socket is at its end. */
static inline void lane_reader_hang(struct lane_reader *lane) {
        if (lane->is_hung)
                return;
        lane->is_hung = true;
        lane->last = lane->ring.position + lane->ring.limit;
}

/* Tells the sender how far it has been read. May call the system. */
void lane_reader_publish(struct lane_reader *lane);

/* Nothing is there and a bell will tell when that changes: true. */
bool lane_reader_arm(struct lane_reader *lane);

#endif
