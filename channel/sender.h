/* The sending end from the inside. */
#ifndef LEAT_CHANNEL_SENDER_H
#define LEAT_CHANNEL_SENDER_H

#include "buffer.h"
#include "connection.h"
#include "counters.h"
#include "handles.h"
#include "lane_writer.h"
#include "plan.h"
#include "promotion.h"
#include "transmit.h"

/* Room that the user writes into, see raw.c. */
struct loan {
        uint8_t *room; /* NULL: there is none. */
        size_t size;
        bool in_lane;
        uint64_t process; /* fork_generation() of the process that has it. */
};

struct leat_sender {
        /* A received one is owned by its receiver until somebody takes it: then this points to the receiver's
         * own pointer to it, which whoever takes or closes it sets to NULL. */
        struct leat_sender **slot;
        struct connection *connection;
        const struct plan *plan; /* NULL while nobody knows as what type it arrived. */
        struct buffer body;      /* Room for messages in the making. */
        struct buffer table;
        struct handles *handles; /* Made with the first message that can carry one. */
        struct loan loan;        /* While it lasts nothing else is sent. */

        struct lane_writer *lane; /* NULL while all goes by the channel's socket. */
        struct promotion promotion;
        /* The table that was used last, and its plan, so that it need not be compared again. */
        const struct leat_type *sent_type;
        const struct plan *sent_plan;
        const struct leat_type
                *image_type; /* The same table, if its messages' memory is what is sent; else NULL. */
        /* What a receiver must have read before anything that this sender sends: it is a copy of one with a
         * lane. */
        bool has_barrier;
        struct lane_barrier barrier;
        struct leat_counters counters; /* Of all but its lane's, see sender_count_lane(). */
};

/* Owns the connection after success only. 0; -ENOMEM. */
int sender_create(struct connection *connection, const struct plan *plan, struct leat_sender **ret_sender);

/* The plan by which a caller's table is encoded for this sender: a caller compiled elsewhere may have a table
 * of its own for the same type. 0; -EINVAL for another type, -EPROTO, -ENOMEM. */
int sender_plan_for(struct leat_sender *sender, const struct leat_type *type, const struct plan **ret_plan);

/* In a forked child: its parent's lane is not its own, and it goes on by the socket. */
void sender_forget_inherited_lane(struct leat_sender *sender);

/* Sends by the sender's lane or by its channel's socket. As transmit(). */
int sender_transmit(struct leat_sender *sender, struct transmission *transmission, leat_deadline deadline);

/* Adds what went by the fast way of its lane, and how often that waited. */
void sender_count_lane(const struct leat_sender *sender, struct leat_counters *counters);

/* Before it goes along in a message: what it has sent by its lane is to be received before what its copy will
 * send. 0; LEAT_FULL, LEAT_TIMEOUT, a negative errno. */
int sender_settle(struct leat_sender *sender, leat_deadline deadline);

#endif
