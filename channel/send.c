/* Sending a message of a type: encode into room that is kept, hand it to the socket, then close what was given. A message whose
 * memory is its image is not even copied. */
#include <errno.h>
#include <stdlib.h>

#include "decode.h"
#include "encode.h"
#include "guard.h"
#include "sender.h"
#include "transmit.h"

static int prepare_handles(struct leat_sender *sender, const struct plan *plan) {
        if (!plan->carries_handles)
                return 0;
        if (!sender->handles) {
                sender->handles = malloc(sizeof(*sender->handles));
                if (!sender->handles)
                        return -ENOMEM;
        }
        sender->handles->count = 0;
        return 0;
}

static int encode(struct leat_sender *sender, const struct plan *plan, const void *message,
                  struct transmission *transmission) {
        struct handles *handles = plan->carries_handles ? sender->handles : NULL;
        int r = encode_message(plan, message, &sender->body, handles);

        if (r == 0 && handles)
                r = handles_write_table(handles, &sender->table);
        transmission->body = sender->body.data;
        transmission->body_size = sender->body.size;
        transmission->handles = handles;
        return r;
}

int leat_sender_send(struct leat_sender *sender, const struct leat_type *type, const void *message,
                     leat_deadline deadline) {
        struct transmission transmission;
        const struct plan *plan;
        CALL_GUARD;
        int r;

        if (!sender)
                return -EBADF;
        r = sender_plan_for(sender, type, &plan);
        if (r == 0)
                r = prepare_handles(sender, plan);
        if (r < 0)
                return r;
        transmission = (struct transmission){ .encoding = plan->plain ? ENCODING_PLAIN : ENCODING_MESSAGEPACK,
                                              .tag = plan->tag,
                                              .body = message,
                                              .body_size = plan->plain_size,
                                              .table = &sender->table,
                                              .sealed_fd = -1 };
        if (!plan->image_is_memory)
                r = encode(sender, plan, message, &transmission);
        if (r == 0)
                r = transmit(sender->connection->fd, &transmission, deadline);
        buffer_reset(&sender->body);
        buffer_reset(&sender->table);
        if (r == 0 && plan->carries_handles)
                handles_release_given(sender->handles); /* The sender itself may be gone after this. */
        return r;
}
