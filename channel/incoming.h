/* Taking the next message out of a channel, as bytes and handles: nothing is known yet of what they mean. */
#ifndef LEAT_CHANNEL_INCOMING_H
#define LEAT_CHANNEL_INCOMING_H

#include "intake.h"

/* The message before it expires as soon as a packet has come. Results as leat_receiver_recv. */
int incoming_take(struct leat_receiver *receiver, struct incoming *ret_incoming, leat_deadline deadline);

/* The next message of the lane whose turn it is, when it lies there whole and nothing stands in its way. No
 * system call. */
bool incoming_take_at_once(struct leat_receiver *receiver, struct incoming *ret_incoming);

/* The next packet on the channel's socket: as above, and LEAT_MORE: it was about a lane. */
int incoming_take_from_socket(struct leat_receiver *receiver, struct incoming *ret_incoming,
                              leat_deadline deadline);

struct lane_reader;

/* The next message of a lane. As above, without waiting; LEAT_DISCONNECTED: what is in it makes no sense. */
int incoming_take_from_lane(struct leat_receiver *receiver, struct lane_reader *lane,
                            struct incoming *ret_incoming);

/* Copies what is shared. 0; -ENOMEM. */
int incoming_make_own(struct leat_receiver *receiver, struct incoming *incoming);

#endif
