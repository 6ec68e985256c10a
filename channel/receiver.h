/* The receiving end from the inside. */
#ifndef LEAT_CHANNEL_RECEIVER_H
#define LEAT_CHANNEL_RECEIVER_H

#include <stdint.h>

#include "arena.h"
#include "buffer.h"
#include "connection.h"
#include "counters.h"
#include "fork.h"
#include "inbox.h"
#include "leat/set.h"
#include "mismatch.h"
#include "plan.h"
#include "poller.h"

/* The largest message unless said otherwise, and the ceiling. */
#define RECEIVER_MESSAGE_LIMIT ((size_t) 1 << 30)

/* What is registered with a poller, by its kind: the receiver and its channel's socket, or a struct
 * lane_reader. */
enum receiver_watch { RECEIVER_SOCKET, RECEIVER_LANE };

struct leat_receiver {
        struct leat_receiver **slot; /* As a sender's. */
        struct connection *connection;
        struct lanes *lanes;     /* NULL while there has been none. */
        const struct plan *plan; /* NULL while nobody knows as what type it arrived. */
        size_t message_limit;
        size_t handle_limit;
        size_t lane_limit; /* Lanes at a time, and bytes of all their rings together. */
        size_t lane_memory;

        /* The message that the user holds, until the next one. Where expiry is watched (see expiry.h) packets
         * alternate between two rooms, otherwise the first serves always. */
        struct buffer rooms[2];
        unsigned room;
        struct buffer sealed; /* The body of a large one. */
        struct arena arena;
        struct inbox *inbox; /* Made with the first message that has handles. */

        struct leat_counters
                counters;      /* Without `lost`, and what the lane whose turn it is has brought since it was
                           * settled. */
        uint64_t lost;         /* Messages lost at the limit of descriptors. */
        uint8_t other_version; /* Of the last packet that had another than ours; 0: none had. */
        struct mismatch mismatch;  /* The last one. */
        bool short_of_descriptors; /* It has happened once. */
        bool cut;                  /* What it sends cannot even be closed: it is not listened to any more. */

        struct leat_set_members *set; /* The set that it is in, and as what. */
        uint64_t set_key;

        bool stays_here; /* A forked child closes its copies of the sockets. */

        struct poller poller; /* Opened on demand. */
        uint32_t place;       /* Of the channel's socket in it. */
};

/* Owns the connection after success only. 0; -ENOMEM. */
int receiver_create(struct connection *connection, const struct plan *plan,
                    struct leat_receiver **ret_receiver);

/* As leat_receiver_limit(). */
void receiver_limit(struct leat_receiver *receiver, const struct leat_receiver_limits *limits);

/* It is known now as what it receives; NULL: as what, remains to be seen. */
void receiver_become(struct leat_receiver *receiver, const struct plan *plan);

/* That of every message of its channel. */
static inline uint32_t receiver_tag(const struct leat_receiver *receiver) {
        return fingerprint_tag(&receiver->connection->fingerprint);
}

/* Whether any descriptor can come by a channel of this type: a handle, or the body of a message too large for
 * a packet. */
bool receiver_takes_descriptors(const struct plan *plan);

/* From now on a forked child closes its copies of the channel's socket, by `socket`, and of the lanes', that
 * come and go. Nobody there may use the receiver any more. Forget `socket` before closing. 0; -ENOMEM. */
int receiver_close_in_child(struct leat_receiver *receiver, struct fork_descriptor *socket);

/* Prepares a socket to be received from. */
void receiver_prepare_socket(const struct connection *connection, const struct plan *plan);

#endif
