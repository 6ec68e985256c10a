/* Opaque ends. An end knows its channel's type by the fingerprint that it keeps for ever, and its lanes, its
 * set and what waits in it are not matters of type; so becoming opaque is only to change the name, and costs
 * nothing. Being named again is as arriving in a field. */
#include "leat/opaque.h"

#include <errno.h>

#include "guard.h"
#include "receiver.h"
#include "sender.h"

int leat_sender_cast(struct leat_sender **opaque, const struct leat_type *type,
                     struct leat_sender **ret_sender) {
        const struct plan *plan;
        int r;

        if (!*opaque)
                return -EBADF;
        r = plan_for_end(type, &(*opaque)->connection->fingerprint, &plan);
        if (r != 0)
                return r;
        (*opaque)->plan = plan;
        *ret_sender = leat_sender_take(opaque);
        return 0;
}

int leat_receiver_cast(struct leat_receiver **opaque, const struct leat_type *type,
                       struct leat_receiver **ret_receiver) {
        const struct plan *plan;
        CALL_GUARD;
        int r;

        if (!*opaque)
                return -EBADF;
        r = plan_for_end(type, &(*opaque)->connection->fingerprint, &plan);
        if (r == LEAT_TYPE_MISMATCH)
                mismatch_note(&(*opaque)->mismatch, leat_type_schema(type),
                              &(*opaque)->connection->fingerprint);
        if (r != 0)
                return r;
        receiver_become(*opaque, plan);
        *ret_receiver = leat_receiver_take(opaque);
        return 0;
}
