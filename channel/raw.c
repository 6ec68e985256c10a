/* Raw bytes: what they are when they are sent, and loans, by which they are not even copied.
 *
 * A loan is room in the sender's lane, or, without one, in the memory where its messages are made anyway. A
 * lane's room is only reserved: nothing of it can be seen before it is sent, so that a loan can be dropped by
 * forgetting it. */
#include "raw.h"

#include <errno.h>
#include <string.h>

#include "guard.h"
#include "receiver.h"

int raw_read(const void *message, leat_raw *ret_raw) {
        leat_raw raw;

        memcpy(&raw, message, sizeof(raw));
        if (!raw.data && raw.size > 0)
                return -EINVAL;
        *ret_raw = raw;
        return 0;
}

bool raw_drop_inherited_loan(struct leat_sender *sender) {
        if (!sender->loan.room || fork_is_current(sender->loan.process))
                return false;
        leat_sender_cancel_loan(sender);
        return true;
}

/* Zeroed: what its borrower sends without having written it must not be what else was in this process's
 * memory. (Of a lane the receiver sees every byte anyway, and none was ever anything but the channel's.) */
static int loan_memory(struct leat_sender *sender, size_t size, void **ret_room) {
        int r = buffer_reserve(&sender->body, size > 0 ? size : 1);

        if (r < 0)
                return r;
        memset(sender->body.data, 0, size);
        *ret_room = sender->body.data;
        return 0;
}

static void keep_loan(struct leat_sender *sender, void *room, size_t size, bool in_lane) {
        sender->loan =
                (struct loan){ .room = room, .size = size, .in_lane = in_lane, .process = fork_generation() };
}

/* Waits for room in the lane; what no record can hold, and what goes by the socket, is written in memory. */
static int loan_slowly(struct leat_sender *sender, size_t size, leat_deadline deadline) {
        void *room;
        int r;

        if (sender->lane && !lane_writer_is_inherited(sender->lane)) {
                r = lane_writer_loan(sender->lane, size, deadline, &room);
                if (r == 0)
                        keep_loan(sender, room, size, true);
                else
                        counters_note_sent(&sender->counters, 0, r);
                if (r != LEAT_TOO_LARGE)
                        return r;
        }
        r = loan_memory(sender, size, &room);
        if (r == 0)
                keep_loan(sender, room, size, false);
        return r;
}

int leat_sender_loan(struct leat_sender *sender, size_t size, void **ret_room, leat_deadline deadline) {
        const struct plan *plan;
        void *room;
        int r;

        if (!sender)
                return -EBADF;
        r = sender_plan_for(sender, leat_raw_type(), &plan);
        if (r < 0)
                return r;
        if (raw_has_loan(sender))
                return -EBUSY;
        if (size > RECEIVER_MESSAGE_LIMIT)
                return LEAT_TOO_LARGE;
        room = sender->lane ? lane_writer_place(sender->lane, size) : NULL;
        if (room)
                keep_loan(sender, room, size, true);
        else
                r = loan_slowly(sender, size, deadline);
        if (r == 0)
                *ret_room = sender->loan.room;
        return r;
}

static void forget_loan(struct leat_sender *sender) {
        sender->loan = (struct loan){ .room = NULL };
        buffer_reset(&sender->body);
}

static int send_memory(struct leat_sender *sender, size_t used, leat_deadline deadline) {
        static const struct buffer no_table;
        struct transmission transmission = { .encoding = ENCODING_RAW,
                                             .tag = fingerprint_tag(&sender->connection->fingerprint),
                                             .body = sender->loan.room,
                                             .body_size = used,
                                             .table = &no_table,
                                             .sealed_fd = -1 };
        CALL_GUARD;

        return sender_transmit(sender, &transmission, deadline);
}

int leat_sender_send_loan(struct leat_sender *sender, size_t used, leat_deadline deadline) {
        int r;

        if (!sender)
                return -EBADF;
        if (!raw_has_loan(sender) || used > sender->loan.size)
                return -EINVAL;
        r = sender->loan.in_lane ? lane_writer_send_loan(sender->lane, ENCODING_RAW, used)
                                 : send_memory(sender, used, deadline);
        if (r == 0)
                forget_loan(sender);
        return r;
}

void leat_sender_cancel_loan(struct leat_sender *sender) {
        if (!sender || !sender->loan.room)
                return;
        if (sender->loan.in_lane)
                lane_writer_drop_loan(sender->lane);
        forget_loan(sender);
}
