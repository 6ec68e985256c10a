/* Messages that are taken as they came, to be read later or passed on unread:
 *
 *         leat_undecoded kept = { 0 };
 *         r = draw_recv_undecoded(rx, &kept, LEAT_FOREVER);
 *         …                                                       other messages are received meanwhile,
 *         r = draw_decode(kept, &job);                            it is read when its time has come,
 *         r = draw_forward(tx, &kept, LEAT_NOW);                  or goes into another channel, handles and all
 *         leat_undecoded_close(&kept);
 *
 * An undecoded message is the caller's own: it outlives the next receive and the receiver itself, and may be used in another
 * thread (by one thread at a time). Its handles are closed with it. Nothing has been checked of it but what can be without
 * knowing its type; it may be LEAT_MALFORMED still. */
#ifndef LEAT_UNDECODED_H
#define LEAT_UNDECODED_H

#include "leat/endpoint.h"

#ifdef __cplusplus
extern "C" {
#endif

struct leat_undecoded_message;

typedef struct leat_undecoded {
        struct leat_undecoded_message *object;
} leat_undecoded;

/* T_recv_undecoded: receives one message into *ret_undecoded, the caller's to close. As leat_receiver_recv,
 * but for what only decoding finds out, and what that is the receiver does not count; the message before it
 * expires as by any receive. A large body is not copied once more. */
LEAT_PUBLIC int leat_receiver_recv_undecoded(struct leat_receiver *receiver, leat_undecoded *ret_undecoded,
                                             leat_deadline deadline);

/* T_decode: reads it as a message of this type. What *ret_message points to, and the handles in it that were
 * not taken, live as long as the undecoded message does, or until it is decoded again: it stays as it was, to
 * be decoded as often as wanted, also as another type, and forwarded. A handle that was taken is missing from
 * then on: its field is empty.
 *
 * 0; LEAT_TYPE_MISMATCH (the channel that it came by is of a type that cannot be read as this one; or a
 * channel in it is), LEAT_MALFORMED, LEAT_TOO_LARGE (decoded, over the limit of the receiver that took it);
 * -EBADF (there is none), -EINVAL, -EPROTO (no such type), -ENOMEM. Needs as much memory once more as the
 * message has. */
LEAT_PUBLIC int leat_undecoded_decode(leat_undecoded undecoded, const struct leat_type *type, void *ret_message);

/* T_forward: sends it on by another channel, as it is, with its handles; on success it is closed and zeroed
 * here, and so is what was decoded of it. On any other result nothing has changed; of a large one without
 * handles, which is put into memory of its own to be sent, that memory and its descriptor are kept for the
 * next try.
 *
 * As leat_sender_send; LEAT_TYPE_MISMATCH: messages of one channel's type cannot be read as the other's.
 * -EBADF: there is none, or no sender; -EINVAL: a handle was taken out of it; -EBUSY: a receiver in it is in
 * a set. */
LEAT_PUBLIC int leat_sender_forward(struct leat_sender *sender, leat_undecoded *undecoded, leat_deadline deadline);

/* Bytes on the wire without the header; 0 for none. */
LEAT_PUBLIC size_t leat_undecoded_size(leat_undecoded undecoded);

/* Closes and zeroes; NULL inside is fine. Handles that nobody took are closed, and their other sides learn of
 * it. */
LEAT_PUBLIC void leat_undecoded_close(leat_undecoded *undecoded);

#ifdef __cplusplus
}
#endif

#endif
