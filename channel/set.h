/* What a receiver needs to know of its set. */
#ifndef LEAT_CHANNEL_SET_H
#define LEAT_CHANNEL_SET_H

#include "leat/set.h"

/* The receiver is at its end or about to be closed: it leaves its set. */
void set_forget_receiver(struct leat_receiver *receiver);

struct lane_reader;

/* The set's poller watches a new lane of its member, or no longer. 0; negative errno. */
int set_watch_lane(struct leat_receiver *receiver, struct lane_reader *lane);
void set_forget_lane(struct leat_receiver *receiver, struct lane_reader *lane);

/* The channel's socket is at its end, and there still are lanes. */
void set_forget_socket(struct leat_receiver *receiver);

#endif
