/* Messages that are read later, or passed on unread. What lies in a receiver's rooms lives until the next
 * one; here its bytes and handles become an object of their own, with all that decoding needs.
 *
 * MessagePack is decoded in a copy: its strings are moved, and what is forwarded afterwards, or read as
 * another type, has to be what came.
 *
 * Going out, everything is lent but receivers, which can only be given; all is closed with the object, when
 * the message is gone. Nor is a stranger's descriptor closed in any other way: that may take long (see
 * reaper.c). */
#include "leat/undecoded.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "decode.h"
#include "guard.h"
#include "handles.h"
#include "incoming.h"
#include "lanes.h"
#include "raw.h"
#include "sender.h"

struct leat_undecoded_message {
        struct fingerprint fingerprint; /* Of the channel's type. */
        enum encoding encoding;
        struct buffer bytes; /* In which the body lies. */
        uint8_t *body;
        size_t size;
        size_t budget;       /* Memory that may be taken for decoding it. */
        struct inbox *inbox; /* NULL: it has no handles. */
        int sealed_fd;       /* The body in sealed memory, once it was tried to send it so; else -1. */

        struct buffer copy; /* What was decoded points into these. */
        struct arena arena;
};

/* ---- coming ---- */

/* A large body has memory of its own already. */
static int keep_body(struct leat_undecoded_message *message, struct leat_receiver *receiver,
                     const struct incoming *incoming) {
        struct buffer *sealed = &receiver->sealed;
        int r;

        message->size = incoming->size;
        if (sealed->size > 0 && sealed->size >= sealed->capacity / 2) {
                message->bytes = *sealed;
                message->body = incoming->body;
                *sealed = (struct buffer){ 0 };
                return 0;
        }
        r = buffer_reserve_within(&message->bytes, incoming->size, incoming->size);
        if (r == 0 && incoming->size > 0)
                memcpy(message->bytes.data, incoming->body, incoming->size);
        message->body = message->bytes.data;
        return r;
}

static int keep(struct leat_undecoded_message *message, struct leat_receiver *receiver,
                const struct incoming *incoming) {
        int r = keep_body(message, receiver, incoming);

        if (r < 0) {
                intake_reject(receiver);
                counters_refuse(&receiver->counters, incoming->size);
                return r;
        }
        if (incoming->is_shared)
                lanes_let_go(receiver->lanes);
        if (receiver->inbox && receiver->inbox->count > 0)
                message->inbox = take_pointer(&receiver->inbox);
        message->fingerprint = receiver->connection->fingerprint;
        message->encoding = (enum encoding) incoming->encoding;
        message->budget = incoming->budget;
        return 0;
}

int leat_receiver_recv_undecoded(struct leat_receiver *receiver, leat_undecoded *ret_undecoded,
                                 leat_deadline deadline) {
        struct leat_undecoded_message *message;
        struct incoming incoming;
        CALL_GUARD;
        int r;

        if (!receiver)
                return -EBADF;
        message = calloc(1, sizeof(*message)); /* Before a message is taken, which would be lost. */
        if (!message)
                return -ENOMEM;
        message->sealed_fd = -1;
        r = incoming_take(receiver, &incoming, deadline);
        if (r == 0)
                r = keep(message, receiver, &incoming);
        if (r == 0)
                ret_undecoded->object = message;
        else
                free(message);
        return r;
}

size_t leat_undecoded_size(leat_undecoded undecoded) {
        return undecoded.object ? undecoded.object->size : 0;
}

/* ---- decoding ---- */

/* What was decoded before is no more. */
static void start_over(struct leat_undecoded_message *message, size_t budget) {
        arena_free(&message->arena);
        arena_reset(&message->arena, budget);
        buffer_free(&message->copy);
        for (size_t i = 0; message->inbox && i < message->inbox->count; i++)
                message->inbox->slots[i].used = false;
}

static int copy_body(struct leat_undecoded_message *message) {
        int r = buffer_reserve_within(&message->copy, message->size, message->size);

        return r == 0 ? buffer_append(&message->copy, message->body, message->size) : r;
}

/* Aside, so that the user's struct is touched only by a message that is good. */
static int decode(struct leat_undecoded_message *message, const struct plan *plan, void *ret_message) {
        bool changes = message->encoding == ENCODING_MESSAGEPACK;
        void *decoded;
        int r = arena_allocate(&message->arena, 1, plan->type->size, &decoded);

        if (r == 0 && changes)
                r = copy_body(message);
        if (r == 0)
                r = decode_message(plan, message->encoding, changes ? message->copy.data : message->body,
                                   message->size, &message->arena, message->inbox, decoded);
        if (r == 0)
                memcpy(ret_message, decoded, plan->type->size);
        return r;
}

int leat_undecoded_decode(leat_undecoded undecoded, const struct leat_type *type, void *ret_message) {
        struct leat_undecoded_message *message = undecoded.object;
        const struct plan *plan;
        CALL_GUARD;
        int r;

        if (!message)
                return -EBADF;
        r = plan_get(type, &plan);
        if (r < 0)
                return r;
        if (!fingerprint_compatible(&plan->fingerprint, &message->fingerprint))
                return LEAT_TYPE_MISMATCH;
        start_over(message, message->budget + type->size + ARENA_GRAIN);
        return decode(message, plan, ret_message);
}

/* ---- going on ---- */

/* LEAT_EMPTY: it was taken. */
static int add_handle(struct handles *handles, struct inbox_slot *slot) {
        leat_descriptor descriptor = { 0 };
        leat_shared_memory memory = { 0 };
        struct endpoint_field end = { 0 };
        size_t index;

        switch (slot->kind) {
        case HANDLE_DESCRIPTOR:
                descriptor.number_plus_one = slot->descriptor + 1;
                return handles_add(handles, LEAT_KIND_descriptor, &descriptor, &index);
        case HANDLE_MEMORY:
                memory.object = slot->memory;
                return handles_add(handles, LEAT_KIND_shared_memory, &memory, &index);
        case HANDLE_SENDER:
                end.object = slot->sender;
                return handles_add(handles, LEAT_KIND_sender, &end, &index);
        default:
                end = (struct endpoint_field){ .object = slot->receiver, .given = &slot->receiver };
                return handles_add(handles, LEAT_KIND_receiver, &end, &index);
        }
}

/* In the order in which they came, by which the body speaks of them. */
static int list_handles(const struct leat_undecoded_message *message, struct handles *handles,
                        struct buffer *table) {
        int r = 0;

        handles->count = handles->n_descriptors = 0;
        for (size_t i = 0; r == 0 && i < message->inbox->count; i++)
                r = add_handle(handles, &message->inbox->slots[i]);
        if (r == LEAT_EMPTY)
                return -EINVAL;
        return r == 0 ? handles_write_table(handles, table) : r;
}

static struct transmission transmission_of(const struct leat_undecoded_message *message,
                                           const struct leat_sender *sender, const struct handles *handles,
                                           const struct buffer *table) {
        return (struct transmission){ .encoding = (uint8_t) message->encoding,
                                      .tag = fingerprint_tag(&sender->connection->fingerprint),
                                      .body = message->body,
                                      .body_size = message->size,
                                      .table = table,
                                      .handles = handles,
                                      .sealed_fd = -1 };
}

static int forward_with_handles(struct leat_sender *sender, const struct leat_undecoded_message *message,
                                leat_deadline deadline) {
        struct handles *handles = malloc(sizeof(*handles));
        struct buffer table = { 0 };
        struct transmission transmission;
        int r;

        if (!handles)
                return -ENOMEM;
        r = list_handles(message, handles, &table);
        if (r == 0)
                r = handles_settle(handles, deadline);
        if (r == 0) {
                transmission = transmission_of(message, sender, handles, &table);
                r = sender_transmit(sender, &transmission, deadline);
        } else {
                counters_note_sent(&sender->counters, 0, r);
        }
        handles_finish(handles);
        if (r == 0)
                handles_release_given(handles);
        buffer_free(&table);
        free(handles);
        return r;
}

/* Made once, however often there is no room for it. In a lane most go another way. */
static int seal(struct leat_undecoded_message *message, const struct leat_sender *sender,
                struct transmission *transmission) {
        int r = 0;

        if (!transmit_is_large(transmission) || (sender->lane && message->size <= LANE_STREAM_MAX))
                return 0;
        if (message->sealed_fd < 0)
                r = transmit_seal(transmission, &message->sealed_fd);
        transmission->sealed_fd = message->sealed_fd;
        return r;
}

static int forward(struct leat_sender *sender, struct leat_undecoded_message *message,
                   leat_deadline deadline) {
        static const struct buffer no_table;
        struct transmission transmission;
        int r;

        if (message->inbox)
                return forward_with_handles(sender, message, deadline);
        transmission = transmission_of(message, sender, NULL, &no_table);
        r = seal(message, sender, &transmission);
        return r == 0 ? sender_transmit(sender, &transmission, deadline) : r;
}

int leat_sender_forward(struct leat_sender *sender, leat_undecoded *undecoded, leat_deadline deadline) {
        CALL_GUARD;
        int r;

        if (!sender || !undecoded->object)
                return -EBADF;
        if (raw_has_loan(sender))
                return -EBUSY;
        if (!fingerprint_compatible(&undecoded->object->fingerprint, &sender->connection->fingerprint))
                return LEAT_TYPE_MISMATCH;
        r = forward(sender, undecoded->object, deadline);
        if (r == 0)
                leat_undecoded_close(undecoded); /* The sender may have been in it. */
        return r;
}

void leat_undecoded_close(leat_undecoded *undecoded) {
        struct leat_undecoded_message *closed = take_pointer(&undecoded->object);
        CALL_GUARD;

        if (!closed)
                return;
        if (closed->inbox)
                (void) inbox_empty(closed->inbox);
        free(closed->inbox);
        (void) close_fd(closed->sealed_fd);
        arena_free(&closed->arena);
        buffer_free(&closed->copy);
        buffer_free(&closed->bytes);
        free(closed);
}
