/* The sending end: its life, and which way its messages take. What they are is in send.c.
 *
 * A lane belongs to one sender. Whoever gets a copy of the sender (a clone, the receiver of a message with
 * it, a forked child) begins on the socket, behind a barrier there: nothing after it is received before the
 * lane has been read as far as it was written when the copy was made. So messages keep the order in which one
 * passed its sender on. */
#include "sender.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "cleanup.h"
#include "guard.h"
#include "raw.h"

int sender_create(struct connection *connection, const struct plan *plan, struct leat_sender **ret_sender) {
        struct leat_sender *sender = calloc(1, sizeof(*sender));

        if (!sender)
                return -ENOMEM;
        sender->connection = connection;
        sender->plan = plan;
        held_add(connection);
        *ret_sender = sender;
        return 0;
}

/* The address of the ring means nothing here. */
void sender_forget_inherited_lane(struct leat_sender *sender) {
        if (!sender->lane || !lane_writer_is_inherited(sender->lane))
                return;
        (void) raw_drop_inherited_loan(sender);
        sender_count_lane(sender, &sender->counters);
        sender->has_barrier = lane_writer_needs_barrier(sender->lane);
        sender->barrier = lane_writer_barrier(sender->lane);
        sender->lane = lane_writer_free(sender->lane);
        sender->promotion = (struct promotion){ 0 };
}

static int send_barrier(const struct leat_sender *sender, const struct lane_barrier *barrier,
                        leat_deadline deadline) {
        return lane_send_barrier(sender->connection->fd, fingerprint_tag(&sender->connection->fingerprint),
                                 barrier, deadline);
}

static int flush_barrier(struct leat_sender *sender, leat_deadline deadline) {
        int r = 0;

        if (sender->has_barrier)
                r = send_barrier(sender, &sender->barrier, deadline);
        if (r == 0)
                sender->has_barrier = false;
        return r;
}

void sender_count_lane(const struct leat_sender *sender, struct leat_counters *counters) {
        uint64_t lent = sender->loan.room && sender->loan.in_lane ? 1 : 0;
        uint64_t messages = lane_writer_messages(sender->lane) - lent;

        counters->messages += messages;
        counters->bytes += lane_writer_bytes(sender->lane, messages);
        counters->waits += sender->lane->waits;
}

static int send_somehow(struct leat_sender *sender, const struct transmission *transmission,
                        leat_deadline deadline) {
        int r;

        sender_forget_inherited_lane(sender);
        if (sender->lane)
                return lane_writer_send(sender->lane, transmission, deadline);
        r = flush_barrier(sender, deadline);
        if (r != 0)
                return r;
        sender->lane = promotion_step(&sender->promotion, sender->connection);
        if (sender->lane)
                return lane_writer_send(sender->lane, transmission, deadline);
        r = transmit(sender->connection->fd, transmission, deadline);
        if (r == 0)
                promotion_count(&sender->promotion, sender->connection, transmission);
        return r;
}

int sender_transmit(struct leat_sender *sender, struct transmission *transmission, leat_deadline deadline) {
        int r;

        transmission->waits = &sender->counters.waits;
        r = send_somehow(sender, transmission, deadline);
        counters_note_sent(&sender->counters, transmission->body_size, r);
        return r;
}

int sender_settle(struct leat_sender *sender, leat_deadline deadline) {
        struct lane_barrier barrier;
        int r;

        sender_forget_inherited_lane(sender);
        r = flush_barrier(sender, deadline);
        if (r == 0 && sender->lane && lane_writer_needs_barrier(sender->lane)) {
                barrier = lane_writer_barrier(sender->lane);
                r = send_barrier(sender, &barrier, deadline);
                if (r == 0)
                        sender->lane->barred = barrier.position;
        }
        /* Nobody is left to receive anything in any order. */
        return r == LEAT_DISCONNECTED ? 0 : r;
}

int leat_sender_clone(struct leat_sender *sender, struct leat_sender **ret_clone) {
        struct leat_sender *clone;
        int r;

        if (!sender)
                return -EBADF;
        sender_forget_inherited_lane(sender);
        r = sender_create(connection_ref(sender->connection), sender->plan, &clone);
        if (r < 0) {
                connection_unref(sender->connection);
                return r;
        }
        clone->promotion = promotion_clone(&sender->promotion);
        clone->has_barrier = sender->lane ? lane_writer_needs_barrier(sender->lane) : sender->has_barrier;
        clone->barrier = sender->lane ? lane_writer_barrier(sender->lane) : sender->barrier;
        *ret_clone = clone;
        return 0;
}

int sender_plan_for(struct leat_sender *sender, const struct leat_type *type, const struct plan **ret_plan) {
        const struct plan *plan;
        int r;

        if (type && type == sender->sent_type) {
                *ret_plan = sender->sent_plan;
                return 0;
        }
        r = plan_get(type, &plan);
        if (r < 0)
                return r;
        if (plan != sender->plan &&
            !fingerprint_compatible(&plan->fingerprint, &sender->connection->fingerprint))
                return -EINVAL;
        sender->sent_type = type;
        sender->sent_plan = plan;
        sender->image_type = plan->image_is_memory ? type : NULL;
        *ret_plan = plan;
        return 0;
}

int leat_sender_capacity(struct leat_sender *sender, size_t *ret_bytes) {
        int bytes;
        socklen_t size = sizeof(bytes);

        if (!sender)
                return -EBADF;
        if (sender->lane && !lane_writer_is_inherited(sender->lane)) {
                *ret_bytes = sender->lane->ring.limit;
                return 0;
        }
        if (getsockopt(sender->connection->fd, SOL_SOCKET, SO_SNDBUF, &bytes, &size) < 0)
                return -errno;
        *ret_bytes = (size_t) bytes;
        return 0;
}

struct leat_sender *leat_sender_take(struct leat_sender **field) {
        struct leat_sender *sender = take_pointer(field);

        if (sender && sender->slot) {
                *sender->slot = NULL;
                sender->slot = NULL;
        }
        return sender;
}

void leat_sender_close(struct leat_sender **sender) {
        struct leat_sender *closed = leat_sender_take(sender);
        CALL_GUARD;

        if (!closed)
                return;
        /* The lane first: the end of the channel's socket must not be seen before its own. */
        lane_writer_free(closed->lane);
        promotion_end(&closed->promotion);
        connection_unref(closed->connection);
        buffer_free(&closed->body);
        buffer_free(&closed->table);
        free(closed->handles);
        free(closed);
}
