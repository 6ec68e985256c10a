/* Receiving a message of a type: what came is decoded, and shown to the user only when all of it is good. Raw
 * bytes are copied out of a lane before they are shown, or, borrowed, shown where they lie. */
#include <errno.h>
#include <string.h>

#include "decode.h"
#include "guard.h"
#include "incoming.h"
#include "lanes.h"
#include "leat/raw.h"

static int decode(struct leat_receiver *receiver, const struct plan *plan, const struct incoming *incoming,
                  void *ret_message) {
        enum encoding encoding = (enum encoding) incoming->encoding;
        void *decoded;
        int r;

        if (encoding == ENCODING_RAW || (encoding == ENCODING_PLAIN && plan->image_is_memory))
                return decode_message(plan, encoding, incoming->body, incoming->size, NULL, NULL,
                                      ret_message);
        arena_reset(&receiver->arena, incoming->budget + plan->type->size + ARENA_GRAIN);
        /* Decoded aside, so that the user's struct is touched only by a message that is good. */
        r = arena_allocate(&receiver->arena, 1, plan->type->size, &decoded);
        if (r == 0)
                r = decode_message(plan, encoding, incoming->body, incoming->size, &receiver->arena,
                                   receiver->inbox, decoded);
        if (r == 0)
                memcpy(ret_message, decoded, plan->type->size);
        return r;
}

/* The system may be called from here on. */
static int take_slowly(struct leat_receiver *receiver, struct incoming *ret_incoming,
                       leat_deadline deadline) {
        CALL_GUARD;

        return incoming_take(receiver, ret_incoming, deadline);
}

static int take(struct leat_receiver *receiver, struct incoming *ret_incoming, leat_deadline deadline) {
        if (receiver->lanes &&
            (incoming_take_at_once(receiver, ret_incoming) ||
             (deadline != LEAT_NOW && lanes_spin(receiver) && incoming_take_at_once(receiver, ret_incoming))))
                return 0;
        return take_slowly(receiver, ret_incoming, deadline);
}

static int check_type(const struct leat_receiver *receiver, const struct leat_type *type,
                      const struct plan **ret_plan) {
        const struct fingerprint *own;
        int r;

        if (receiver->plan && type == receiver->plan->type) {
                *ret_plan = receiver->plan;
                return 0;
        }
        r = plan_get(type, ret_plan);
        if (r < 0)
                return r;
        own = receiver->plan ? &receiver->plan->fingerprint : &receiver->connection->fingerprint;
        return *ret_plan == receiver->plan || fingerprint_compatible(&(*ret_plan)->fingerprint, own)
                       ? 0
                       : -EINVAL;
}

static int show(struct leat_receiver *receiver, const struct plan *plan, const struct incoming *incoming,
                void *ret_message) {
        int r = decode(receiver, plan, incoming, ret_message);

        if (r != 0) {
                CALL_GUARD;

                if (r == LEAT_TYPE_MISMATCH) /* Of an end, so there is an inbox. */
                        mismatch_copy(&receiver->mismatch, &receiver->inbox->mismatch);
                intake_reject(receiver);
                counters_refuse(&receiver->counters, incoming->size);
        }
        return r;
}

/* Not compiled into its caller, whose fast way would save registers for it. */
static __attribute__((noinline)) int recv_slowly(struct leat_receiver *receiver, const struct leat_type *type,
                                                 void *ret_message, leat_deadline deadline) {
        struct incoming incoming;
        const struct plan *plan;
        int r = check_type(receiver, type, &plan);

        if (r == 0)
                r = take(receiver, &incoming, deadline);
        if (r != 0)
                return r;
        r = incoming_make_own(receiver, &incoming);
        if (r == 0)
                return show(receiver, plan, &incoming, ret_message);
        counters_refuse(&receiver->counters, incoming.size);
        return r;
}

int leat_receiver_recv(struct leat_receiver *receiver, const struct leat_type *type, void *ret_message,
                       leat_deadline deadline) {
        if (!receiver)
                return -EBADF;
        if (receiver->lanes && lanes_take_image(receiver->lanes, type, ret_message))
                return 0;
        return recv_slowly(receiver, type, ret_message, deadline);
}

int leat_receiver_borrow(struct leat_receiver *receiver, const struct leat_type *type, leat_raw *ret_view,
                         leat_deadline deadline) {
        struct incoming incoming;
        const struct plan *plan;
        int r;

        if (!receiver)
                return -EBADF;
        r = check_type(receiver, type, &plan);
        if (r == 0)
                r = plan->encoding == ENCODING_RAW ? take(receiver, &incoming, deadline) : -EINVAL;
        return r == 0 ? show(receiver, plan, &incoming, ret_view) : r;
}
