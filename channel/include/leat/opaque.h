/* Ends of channels of whatever type: what handles channels of many types alike, or passes on what it does not know, needs no
 * type for it.
 *
 *         leat_opaque_sender some = draw_sender_to_opaque(&tx);       moves: tx is empty now
 *         r = draw_sender_from_opaque(&some, &tx);                    back, or LEAT_TYPE_MISMATCH, and `some` stays
 *
 * An opaque end knows its channel's type by its fingerprint and keeps it wherever it goes, as it keeps its lane, its place in a
 * set, and all that waits in it. It stands in messages, (sender, leat_opaque, f) and (receiver, leat_opaque, f), where an end of any
 * type arrives. What it has of other ends' calls is what can be without a type; T is leat_opaque then:
 *
 *     T_sender_is_set, T_sender_clone, T_sender_give, T_sender_take, T_sender_close; the same but clone for receivers;
 *     T_sender_is_connected, T_receiver_is_connected, T_sender_counters, T_receiver_counters, T_capacity, T_arm, T_release,
 *     T_lost, T_versions, T_schemas, T_peer, T_set_add, T_set_add_sender, T_set_add_sender_end, T_route_to, T_spawn_sender,
 *     T_spawn_receiver, T_inherited_sender, T_inherited_receiver (an end of any type)
 *
 * and messages go by it undecoded, see leat/undecoded.h:
 *
 *         r = leat_opaque_recv(rx, &message, LEAT_FOREVER);
 *         r = leat_opaque_send(tx, &message, LEAT_FOREVER);           LEAT_TYPE_MISMATCH: tx is of another type */
#ifndef LEAT_OPAQUE_H
#define LEAT_OPAQUE_H

/* Which includes this one in turn, at its end: whichever comes first, the macros are there below, and these
 * types for whoever declares a message. */
#include "leat/message.h"

#ifdef __cplusplus
extern "C" {
#endif

/* T_sender_from_opaque, T_receiver_from_opaque: moves *opaque to *ret_…, as an end of this type, if messages
 * of one type can be read as the other's. From a field of a received message too: it is taken. 0;
 * LEAT_TYPE_MISMATCH; -EBADF (there is none), -EINVAL, -EPROTO (no such type), -ENOMEM. On failure *opaque is
 * as it was. */
LEAT_PUBLIC int leat_sender_cast(struct leat_sender **opaque, const struct leat_type *type,
                                 struct leat_sender **ret_sender);
LEAT_PUBLIC int leat_receiver_cast(struct leat_receiver **opaque, const struct leat_type *type,
                                   struct leat_receiver **ret_receiver);

/* It stands for any type where an end is declared, and is none itself: there are no messages of it, and no
 * schema. */
LEAT_FUNCTION_ const struct leat_type *leat_opaque_type(void) {
        static void *plan;
        static const struct leat_type type = { LEAT_TABLE_VERSION, LEAT_TYPE_opaque, "leat_opaque", 0, NULL, 0, &plan };

        return &type;
}

LEAT_END_STRUCTS_(leat_opaque);
LEAT_END_FUNCTIONS_(leat_opaque)
LEAT_HANDLE_FUNCTIONS_(leat_opaque, sender)
LEAT_HANDLE_FUNCTIONS_(leat_opaque, receiver)
LEAT_SPAWN_FUNCTIONS_(leat_opaque, sender)
LEAT_SPAWN_FUNCTIONS_(leat_opaque, receiver)

LEAT_FUNCTION_ int leat_opaque_recv(leat_opaque_receiver receiver, leat_undecoded *ret_message, leat_deadline deadline) {
        return leat_receiver_recv_undecoded(receiver.object, ret_message, deadline);
}
LEAT_FUNCTION_ int leat_opaque_send(leat_opaque_sender sender, leat_undecoded *message, leat_deadline deadline) {
        return leat_sender_forward(sender.object, message, deadline);
}

#ifdef __cplusplus
}
#endif

#endif
