/* All lanes of one receiver, and its channel's socket beside them. */
#ifndef LEAT_CHANNEL_LANES_H
#define LEAT_CHANNEL_LANES_H

#include <string.h>

#include "claim.h"
#include "incoming.h"
#include "lane_reader.h"
#include "receiver.h"
#include "spin.h"
#include "tsan.h"

#define LANES_DEFAULT_LIMIT  64
#define LANES_DEFAULT_MEMORY ((size_t) 256 << 20)

/* So many descriptors of the process's limit are left for everything else: who is short of them goes on
 * without lanes. */
#define LANES_SPARED_DESCRIPTORS 16

/* Who is busy with lanes, a receiver or a set, looks at its sockets so often. */
#define LANES_LOOK_NS INT64_C(50000)

/* What one lane may say before it is another one's turn. A message costs its bytes and LANES_MESSAGE_COST. */
#define LANES_TURN         ((int64_t) 256 << 10)
#define LANES_MESSAGE_COST 4096

struct lanes {
        struct lane_reader *current; /* Whose turn it is; NULL when none. */
        int64_t turn;                /* What is left of it. */
        int64_t settled_turn;        /* What was left when its messages were counted last, */
        uint64_t settled_position;   /* and how far it was read. */
        const struct leat_type
                *image_type; /* Messages of this type can be copied as they lie there; NULL: they cannot. */
        struct ring_record image; /* As which they come. */
        struct lane_reader *held; /* In which the user's raw message lies; NULL: in none. */
        struct buffer spare;      /* Room of an old message, in which a large one may be gathered. */
        struct claim claim;       /* After a fork one process reads. */

        struct lane_reader **list;
        size_t n;
        size_t capacity;
        size_t next;    /* Behind the one whose turn it is. */
        size_t n_awake; /* Open and not armed. */
        size_t mapped;
        struct spinner spinner;
        int64_t looked; /* When the sockets were looked at last. */
        bool socket_is_ready;
        struct lane_barrier barrier; /* The channel's socket waits for a lane; position 0: it does not. */
};

/* Whether nothing stands in the way of reading whole messages from the lane whose turn it is. */
static inline bool lanes_are_readable(const struct lanes *lanes) {
        const struct lane_reader *lane = lanes->current;

        return lane && lanes->turn > 0 && claim_is_current(&lanes->claim) &&
               lane->stream == LANE_WITHOUT_STREAM && !lane->is_hung;
}

/* The next record of the lane whose turn it is, when it is a whole message. No system call, no lock. */
static inline bool lanes_peek_message(const struct lanes *lanes, struct ring_record *ret_record) {
        if (!lanes_are_readable(lanes) || ring_peek(&lanes->current->ring, ret_record) != RING_RECORD ||
            ret_record->kind != LANE_MESSAGE)
                return false;
        tsan_lane_acquire(&lanes->current->identity);
        return true;
}

/* Copies its bytes and goes on behind it. */
static inline void lanes_take_peeked(struct lanes *lanes, struct ring_record record, void *ret_bytes) {
        struct lane_reader *lane = lanes->current;

        if (record.size > 0)
                memcpy(ret_bytes, ring_payload(&lane->ring), record.size);
        lanes->turn -= (int64_t) record.size + LANES_MESSAGE_COST;
        if (ring_consume(&lane->ring, record))
                lane_reader_publish(lane);
}

/* A message whose memory is its image, when the next thing in the current lane is one. */
static inline bool lanes_take_image(struct lanes *lanes, const struct leat_type *type, void *ret_message) {
        if (!type || type != lanes->image_type || !lanes_are_readable(lanes) ||
            !ring_next_is(&lanes->current->ring, lanes->image))
                return false;
        tsan_lane_acquire(&lanes->current->identity);
        lanes_take_peeked(lanes, lanes->image, ret_message);
        return true;
}

/* Adds a lane, within the receiver's limits. It is watched from now on, but not read before it is open. Owns
 * both descriptors after success only. 0; LEAT_REFUSED over the limits; negative errno. */
int lanes_add(struct leat_receiver *receiver, const struct lane_offer *offer, int memory, int socket,
              struct lane_reader **ret_lane);

/* As above, one that both ends know already, in one process: it is open from the start. */
int lanes_add_open(struct leat_receiver *receiver, const struct lane_offer *offer, int memory, int socket);

/* No forked child keeps the lanes' sockets, as receiver_close_in_child(): for those that are there. */
void lanes_close_in_child(struct leat_receiver *receiver);

/* One that came along with its receiver, unwatched; its new owner's limits are not asked. Otherwise as
 * above. */
int lanes_add_moved(struct leat_receiver *receiver, const struct lane_offer *offer, int memory, int socket,
                    struct lane_reader **ret_lane);

/* It is known as what the receiver receives, and up to which size. */
void lanes_set_plan(struct lanes *lanes, const struct plan *plan, size_t message_limit);

/* The lane of that name; NULL when there is none (any more). */
struct lane_reader *lanes_find(const struct leat_receiver *receiver, const struct lane_identity *identity);

/* It is looked at from now on: all that its sender sent by the channel's socket has been taken, or it was
 * armed. */
void lanes_wake(struct lane_reader *lane);

/* A lane is at its end, or makes no sense. */
void lanes_drop(struct leat_receiver *receiver, struct lane_reader *lane);

/* The raw message that the user has lies in this lane, and no longer. */
void *lanes_hold(struct lanes *lanes, struct lane_reader *lane, const struct lane_message *message);
void lanes_let_go(struct lanes *lanes);

static inline void *lanes_hold_peeked(struct lanes *lanes, struct ring_record record) {
        struct lane_message message = { .encoding = record.aux, .size = record.size, .where = LANE_IN_RING };

        lanes->turn -= (int64_t) record.size + LANES_MESSAGE_COST;
        return lanes_hold(lanes, lanes->current, &message);
}

/* After a fork: this process goes on receiving. 0; -EBUSY: another one does; -ENOMEM and the like. */
int lanes_claim(struct leat_receiver *receiver);

/* A core other than this one on which a sender of an open lane runs (0: it is not known); `core` when there
 * is none. */
uint32_t lanes_other_core(const struct lanes *lanes, uint32_t core);

/* When one of the writers last rang, as they say; 0: not known. */
int64_t lanes_rang(const struct lanes *lanes);

/* Waits awake until the current lane has something; false when that is not worth it, or did not help. Calls
 * the system only to let others have the core now and then. */
bool lanes_spin(struct leat_receiver *receiver);

/* As incoming_take(), for a receiver with lanes. */
int lanes_take(struct leat_receiver *receiver, struct incoming *ret_incoming, leat_deadline deadline);

/* Whether a receive would find something (or fail), as far as the rings and what was seen of the sockets
 * tell. No system call but after a fork. */
bool lanes_have_something(struct leat_receiver *receiver);

/* All that is awake is armed: true, and a bell will tell. False: there is something. */
bool lanes_arm(struct leat_receiver *receiver);

/* Registers a lane's socket with a poller, of its receiver or of a set. 0; as poller_add(). */
int lanes_register(struct lane_reader *lane, struct poller *poller, uint32_t *ret_place);

/* Registers all that can become ready with the receiver's poller. 0; negative errno. */
int lanes_watch(struct leat_receiver *receiver);

/* Something has happened at a lane's socket. */
void lanes_notice(struct lane_reader *lane, uint32_t events);

/* NULL is fine; returns NULL. */
struct lanes *lanes_free(struct leat_receiver *receiver);

#endif
