/* What arrives on the channel's socket about its lanes: offers, markers, barriers. */
#ifndef LEAT_CHANNEL_LANES_CONTROL_H
#define LEAT_CHANNEL_LANES_CONTROL_H

#include "packet.h"
#include "receiver.h"

/* Does what a packet about lanes says, and answers an offer. Its descriptors are taken over. The message that
 * the user holds goes on living. 0; LEAT_MALFORMED. */
int lanes_take_control(struct leat_receiver *receiver, const struct packet *packet);

#endif
