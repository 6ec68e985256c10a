/* Sending messages of a type: encode into room that is kept, hand it to the lane or the socket, then close
 * what was given. A message whose memory is its image, and raw bytes, are not even copied here.
 *
 * What goes into a lane without waiting makes no system call, and so has no CALL_GUARD. */
#include <errno.h>
#include <stdlib.h>

#include "encode.h"
#include "guard.h"
#include "raw.h"
#include "sender.h"
#include "transmit.h"

/* Messages that a lane's receiver sees at once: more would keep it waiting, fewer cost a fence more. */
#define BATCH 64

static int prepare_handles(struct leat_sender *sender, const struct plan *plan) {
        if (!plan->carries_handles)
                return 0;
        if (!sender->handles) {
                sender->handles = malloc(sizeof(*sender->handles));
                if (!sender->handles)
                        return -ENOMEM;
        }
        sender->handles->count = sender->handles->n_descriptors = 0;
        return 0;
}

static int encode(struct leat_sender *sender, const struct plan *plan, const void *message,
                  struct transmission *transmission) {
        struct handles *handles;
        int r = prepare_handles(sender, plan);

        if (r < 0)
                return r;
        handles = plan->carries_handles ? sender->handles : NULL;
        r = encode_message(plan, message, &sender->body, handles);
        if (r == 0 && handles)
                r = handles_write_table(handles, &sender->table);
        transmission->body = sender->body.data;
        transmission->body_size = sender->body.size;
        transmission->handles = handles;
        return r;
}

/* Finds the body where it is, or makes it in the sender's room. */
static int prepare(struct leat_sender *sender, const struct plan *plan, const void *message,
                   struct transmission *ret_transmission) {
        struct transmission transmission = { .encoding = (uint8_t) plan->encoding,
                                             .tag = plan->tag,
                                             .body = message,
                                             .body_size = plan->plain_size,
                                             .table = &sender->table,
                                             .sealed_fd = -1 };
        leat_raw raw;
        int r = 0;

        if (plan->encoding == ENCODING_RAW) {
                r = raw_read(message, &raw);
                if (r < 0)
                        return r;
                transmission.body = raw.data;
                transmission.body_size = raw.size;
        } else if (!plan->image_is_memory) {
                r = encode(sender, plan, message, &transmission);
        }
        *ret_transmission = transmission;
        return r;
}

static void clear(struct leat_sender *sender) {
        buffer_reset(&sender->body);
        buffer_reset(&sender->table);
}

static bool has_handles(const struct transmission *transmission) {
        return transmission->handles && transmission->handles->count > 0;
}

static bool gives(const struct handles *handles, const struct leat_sender *sender) {
        for (size_t i = 0; i < handles->count; i++)
                if (handles->list[i].kind == HANDLE_SENDER && handles->list[i].giver.sender &&
                    *handles->list[i].giver.sender == sender)
                        return true;
        return false;
}

/* Whatever it takes. *ret_gone: the message gave its own sender away. */
static int transmit_prepared(struct leat_sender *sender, struct transmission *transmission,
                             leat_deadline deadline, bool *ret_gone) {
        struct handles *handles = has_handles(transmission) ? sender->handles : NULL;
        CALL_GUARD;
        int r = 0;

        *ret_gone = false;
        if (handles)
                r = handles_settle(handles, deadline);
        if (r != 0)
                counters_note_sent(&sender->counters, 0, r);
        else
                r = sender_transmit(sender, transmission, deadline);
        clear(sender);
        if (handles)
                handles_finish(handles);
        if (r == 0 && handles) {
                *ret_gone = gives(handles, sender);
                handles_release_given(handles); /* The sender itself may be gone after this. */
        }
        return r;
}

static int check_sender(struct leat_sender *sender, const struct leat_type *type,
                        const struct plan **ret_plan) {
        if (!sender)
                return -EBADF;
        if (raw_has_loan(sender))
                return -EBUSY;
        return sender_plan_for(sender, type, ret_plan);
}

/* Not compiled into its caller, whose fast way would save registers for it. */
static __attribute__((noinline)) int send_slowly(struct leat_sender *sender, const struct leat_type *type,
                                                 const void *message, leat_deadline deadline) {
        struct transmission transmission;
        const struct plan *plan;
        bool gone;
        int r = check_sender(sender, type, &plan);

        if (r < 0)
                return r;
        r = prepare(sender, plan, message, &transmission);
        if (r == 0 && sender->lane && !has_handles(&transmission)) {
                r = lane_writer_try(sender->lane, transmission.encoding, transmission.body,
                                    transmission.body_size);
                if (r == LEAT_MORE)
                        return transmit_prepared(sender, &transmission, deadline, &gone);
        } else if (r == 0) {
                return transmit_prepared(sender, &transmission, deadline, &gone);
        }
        if (!plan->image_is_memory)
                clear(sender);
        return r;
}

int leat_sender_send(struct leat_sender *sender, const struct leat_type *type, const void *message,
                     leat_deadline deadline) {
        if (sender && sender->lane && type && type == sender->image_type) {
                int r = lane_writer_try(sender->lane, ENCODING_PLAIN, message, type->size);

                if (r != LEAT_MORE)
                        return r;
        }
        return send_slowly(sender, type, message, deadline);
}

/* Puts one of many into the lane, where nobody sees it yet. LEAT_MORE: it takes more than that; it stays
 * prepared. */
static int append(struct leat_sender *sender, const struct plan *plan, const void *message,
                  struct transmission *transmission) {
        int r = prepare(sender, plan, message, transmission);

        if (r == 0 && (!sender->lane || has_handles(transmission) ||
                       !lane_writer_append(sender->lane, transmission->encoding, transmission->body,
                                           transmission->body_size)))
                return LEAT_MORE;
        clear(sender);
        return r;
}

/* Puts messages whose memory is their image into the lane, up to BATCH and as many as nothing stands in the
 * way of. */
static size_t append_images(struct leat_sender *sender, const struct plan *plan,
                            const unsigned char *messages, size_t n) {
        size_t size = plan->plain_size, n_appended = 0, most = n < BATCH ? n : BATCH;

        if (!sender->lane || !plan->image_is_memory)
                return 0;
        while (n_appended < most &&
               lane_writer_append(sender->lane, ENCODING_PLAIN, messages + n_appended * size, size))
                n_appended++;
        return n_appended;
}

/* Sends up to BATCH messages and adds what was sent to *sent. */
static int send_batch(struct leat_sender *sender, const struct plan *plan, const unsigned char *messages,
                      size_t n, leat_deadline deadline, size_t *sent) {
        size_t n_appended = append_images(sender, plan, messages, n);
        struct transmission transmission;
        bool gone = false;
        int r = 0, published = 0;

        while (r == 0 && n_appended < n && n_appended < BATCH) {
                r = append(sender, plan, messages + n_appended * plan->type->size, &transmission);
                if (r == 0)
                        n_appended++;
        }
        if (n_appended > 0)
                published = lane_writer_publish(sender->lane);
        if (published != 0) {
                clear(sender);
                return published;
        }
        *sent += n_appended;
        if (r != LEAT_MORE)
                return r;
        r = transmit_prepared(sender, &transmission, deadline, &gone);
        if (r == 0)
                ++*sent;
        return r == 0 && gone && n_appended + 1 < n ? -EBADF : r;
}

int leat_sender_send_all(struct leat_sender *sender, const struct leat_type *type, const void *messages,
                         size_t n, size_t *ret_sent, leat_deadline deadline) {
        const unsigned char *first = messages;
        const struct plan *plan;
        size_t sent = 0;
        int r = check_sender(sender, type, &plan);

        while (r == 0 && sent < n)
                r = send_batch(sender, plan, first + sent * type->size, n - sent, deadline, &sent);
        if (ret_sent)
                *ret_sent = sent;
        return r;
}
