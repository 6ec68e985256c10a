/* One packet that has come, into the receiver's room, and opened as far as that goes without knowing what is
 * in it. */
#ifndef LEAT_CHANNEL_INTAKE_H
#define LEAT_CHANNEL_INTAKE_H

#include "expiry.h"
#include "leat/deadline.h"
#include "packet.h"
#include "receiver.h"

/* A message, as bytes and handles. It lives in the receiver's rooms until the next one is taken; its handles
 * are in the receiver's inbox. */
struct incoming {
        uint8_t encoding;
        bool is_shared; /* Raw bytes that lie in a lane, where their sender can still write; not for us to
                         * change. */
        uint8_t *body;
        size_t size;
        size_t budget; /* How much memory the message may still take when it is decoded. */
};

/* Where the next message goes: not where the one is that the user still holds, if its expiry is watched. */
static inline unsigned intake_room(const struct leat_receiver *receiver) {
        return expiry_is_watched() ? 1 - receiver->room : 0;
}

/* The last message is no more: its handles are closed and its memory is used again. */
void intake_expire(struct leat_receiver *receiver);

/* The next packet on `fd`, the channel's socket or a lane's; its descriptors are the caller's. Results as
 * packet_receive(), and LEAT_NO_DESCRIPTORS: it stays where it is; -ENOMEM. */
int intake_receive(struct leat_receiver *receiver, int fd, struct packet *packet, leat_deadline deadline);

/* The last message expires, and this is the next, if it is good: 0. Its descriptors are taken over in any
 * case. What is wrong, as leat_receiver_recv(). */
int intake_open(struct leat_receiver *receiver, const struct packet *packet, struct incoming *ret_incoming);

/* What was taken turns out to be no good: its handles are closed and its memory is given back at once. */
void intake_reject(struct leat_receiver *receiver);

/* Descriptors that nobody wants. */
void intake_dispose(struct leat_receiver *receiver, const int *fds, size_t n_fds);

/* Ends the channel if what came by it could not even be closed. */
void intake_cut(struct leat_receiver *receiver);

#endif
