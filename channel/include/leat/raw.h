/* Bytes as a message: what is sent is what arrives, with nothing around it.
 *
 *         leat_raw_sender tx; leat_raw_receiver rx; leat_raw view;
 *         r = leat_raw_channel(&tx, &rx);
 *         r = leat_raw_send(tx, &(leat_raw){ data, size }, LEAT_FOREVER);
 *         r = leat_raw_recv(rx, &view, LEAT_FOREVER);
 *
 * leat_raw is a type like those that LEAT_MESSAGE makes, with all the calls listed in leat/message.h; it is
 * sent from where it lies, without being encoded first. What is received lies in memory of the receiver's
 * own, aligned to 8 bytes, and lives as long as any message does. A size of 0 is a message too; data that is
 * NULL with a size is -EINVAL. Endpoints of it can stand in messages: (sender, leat_raw, pixels). As a field,
 * use `bytes`; it is a message with one of these there.
 *
 * Loan and borrow spare the copies as well, where there is a lane (see enum leat_lanes):
 *
 *         void *room;
 *         r = leat_loan(tx, 65536, &room, LEAT_FOREVER);          a place in the channel to write into,
 *         …                                                       written by the caller,
 *         r = leat_loan_send(tx, used, LEAT_FOREVER);             and sent as it lies there
 *
 *         r = leat_borrow(rx, &view, LEAT_FOREVER);               a look at it where it lies
 *         …
 *         leat_raw_release(rx);                                   the place is the sender's again
 *
 * Either side may use either call: what was loaned can be received, what was sent can be borrowed. */
#ifndef LEAT_RAW_H
#define LEAT_RAW_H

#include "leat/message.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct leat_raw {
        const void *data;
        size_t size;
} leat_raw;

LEAT_DECLARE(leat_raw);
LEAT_TYPE_(leat_raw, raw, 1, { "bytes", LEAT_KIND_bytes, LEAT_SHAPE_one, 1, 0, 0, sizeof(leat_raw), NULL });

/* Lends room for a message of at most `size` bytes (1 GiB at most), aligned to 8 bytes, whose content is
 * undefined, but nothing that did not belong to this channel before: what is sent without having been written
 * tells nothing else. It lies in the sender's lane when it has one and the room is at most half of the
 * channel's capacity less 32 bytes (so that there is room for the next while one is borrowed; a quarter or
 * less lets both sides work at once); otherwise in memory of the sender's own, and nothing is spared. Waits
 * for room only in the first case. In the lane the receiver's process can see what is written, sent or not.
 *
 * There is one loan at a time. Until it is sent or cancelled every other sending by this sender, and another
 * loan, is -EBUSY; clones are not affected. Closing or giving the sender cancels it. The room is the caller's
 * to write until then, and no longer; a process that was forked in between has no loan.
 *
 * 0; LEAT_FULL, LEAT_TIMEOUT, LEAT_DISCONNECTED; LEAT_TOO_LARGE (over 1 GiB); -EBUSY, -ENOMEM; -EINVAL (a
 * sender of another type). */
LEAT_PUBLIC int leat_sender_loan(struct leat_sender *sender, size_t size, void **ret_room,
                                 leat_deadline deadline);

/* Sends the first `used` bytes of the loan, as one message, and ends it. From a lane this never waits. On any
 * result but 0 the loan goes on: it can be sent again, or cancelled. As leat_sender_send; -EINVAL when there
 * is no loan or it is smaller. */
LEAT_PUBLIC int leat_sender_send_loan(struct leat_sender *sender, size_t used, leat_deadline deadline);

/* Ends the loan; nothing is sent. Without a loan nothing happens. */
LEAT_PUBLIC void leat_sender_cancel_loan(struct leat_sender *sender);

/* As leat_receiver_recv, but the bytes may stay where the sender has put them. They can be read until the
 * next receive or borrow on this receiver that takes something, or leat_raw_release, which gives the room
 * back: until then the sender can use it no more, nor any that comes behind it, so hold it briefly. Giving
 * the receiver away, even in vain, ends it; a process forked meanwhile does not have it. Bytes that came by
 * the socket, or were sent (not loaned) and fill more than half of the lane, are copied as ever.
 *
 * For peers that trust each other's hands: while the bytes are in a lane, the sender's process can still
 * change them, although Leat's own calls do not: what was checked may no longer hold when it is used. Nothing
 * else is at its mercy. From a peer that is not trusted so far, receive with leat_raw_recv. -EINVAL: a
 * receiver of another type. */
LEAT_PUBLIC int leat_receiver_borrow(struct leat_receiver *receiver, const struct leat_type *type,
                                     leat_raw *ret_view, leat_deadline deadline);

LEAT_FUNCTION_ int leat_loan(leat_raw_sender sender, size_t size, void **ret_room, leat_deadline deadline) {
        return leat_sender_loan(sender.object, size, ret_room, deadline);
}
LEAT_FUNCTION_ int leat_loan_send(leat_raw_sender sender, size_t used, leat_deadline deadline) {
        return leat_sender_send_loan(sender.object, used, deadline);
}
LEAT_FUNCTION_ void leat_loan_cancel(leat_raw_sender sender) {
        leat_sender_cancel_loan(sender.object);
}
LEAT_FUNCTION_ int leat_borrow(leat_raw_receiver receiver, leat_raw *ret_view, leat_deadline deadline) {
        return leat_receiver_borrow(receiver.object, leat_raw_type(), ret_view, deadline);
}

#ifdef __cplusplus
}
#endif

#endif
