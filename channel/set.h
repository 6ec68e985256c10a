/* What a receiver needs to know of its set. */
#ifndef LEAT_CHANNEL_SET_H
#define LEAT_CHANNEL_SET_H

#include "leat/set.h"

/* The receiver is at its end or about to be closed: it leaves its set. */
void set_forget_receiver(struct leat_receiver *receiver);

#endif
