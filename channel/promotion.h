/* Whether and how a sender that began on the channel's socket gets a lane. */
#ifndef LEAT_CHANNEL_PROMOTION_H
#define LEAT_CHANNEL_PROMOTION_H

#include "connection.h"
#include "lane_writer.h"
#include "transmit.h"

enum promotion_state {
        PROMOTION_COUNTING, /* Is it busy? */
        PROMOTION_OFFERED,  /* The receiver has not answered yet. */
        PROMOTION_ACCEPTED, /* The marker is not in the socket yet. */
        PROMOTION_DONE,     /* It has its lane. */
        PROMOTION_REFUSED   /* It stays on the socket for good. */
};

/* All zero: a sender that has sent nothing. */
struct promotion {
        enum promotion_state state;
        uint32_t sent;   /* Messages of the present row, */
        uint64_t weight; /* and what they weigh: a large one as many small ones. */
        uint32_t misses; /* Offers that could not be made. */
        bool is_modest;  /* One for large messages was refused, perhaps for its size. */
        int64_t since;   /* When the row began. */
        struct lane_writer *lane;
};

/* Before a message goes out: the lane, the caller's from now on, if it is open for this very message; or
 * NULL. Never waits. */
struct lane_writer *promotion_step(struct promotion *promotion, const struct connection *connection);

/* This message went by the socket. May make an offer; never waits. */
void promotion_count(struct promotion *promotion, const struct connection *connection,
                     const struct transmission *transmission);

/* Of a clone: what it need not find out again. */
struct promotion promotion_clone(const struct promotion *promotion);

void promotion_end(struct promotion *promotion);

#endif
