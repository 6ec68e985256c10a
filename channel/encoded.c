/* A message encoded once, to go to many. The sealed memory of a large one is made once too, since nobody can
 * change it: the first send makes it and every later one passes the same. */
#include <errno.h>
#include <stdlib.h>

#include "cleanup.h"
#include "encode.h"
#include "guard.h"
#include "raw.h"
#include "sender.h"
#include "transmit.h"

struct leat_encoding {
        int references;
        int sealed_fd;
        const struct plan *plan;
        struct buffer body;
};

int leat_message_encode(const struct leat_type *type, const void *message, leat_encoded *ret_encoded) {
        leat_encoded encoded = { .object = calloc(1, sizeof(*encoded.object)) };
        int r;

        if (!encoded.object)
                return -ENOMEM;
        encoded.object->references = 1;
        encoded.object->sealed_fd = -1;
        r = plan_get(type, &encoded.object->plan);
        if (r == 0)
                r = encode_message(encoded.object->plan, message, &encoded.object->body, NULL);
        if (r != 0)
                leat_encoded_close(&encoded);
        else
                *ret_encoded = encoded;
        return r;
}

/* Two threads may send it for the first time at once: the loser's memory is closed. */
static int sealed_once(struct leat_encoding *encoding, const struct transmission *transmission, int *ret_fd) {
        int published = __atomic_load_n(&encoding->sealed_fd, __ATOMIC_ACQUIRE);
        int made, r;

        if (published < 0) {
                r = transmit_seal(transmission, &made);
                if (r < 0)
                        return r;
                if (__atomic_compare_exchange_n(&encoding->sealed_fd, &published, made, false,
                                                __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
                        published = made;
                else
                        (void) close_fd(made);
        }
        *ret_fd = published;
        return 0;
}

int leat_sender_send_encoded(struct leat_sender *sender, leat_encoded encoded, leat_deadline deadline) {
        struct leat_encoding *encoding = encoded.object;
        static const struct buffer no_table;
        struct transmission transmission;
        const struct plan *plan;
        CALL_GUARD;
        int r;

        if (!sender)
                return -EBADF;
        if (!encoding)
                return -EINVAL;
        if (raw_has_loan(sender))
                return -EBUSY;
        r = sender_plan_for(sender, encoding->plan->type, &plan);
        if (r < 0)
                return r;
        transmission = (struct transmission){ .encoding = (uint8_t) plan->encoding,
                                              .tag = plan->tag,
                                              .body = encoding->body.data,
                                              .body_size = encoding->body.size,
                                              .table = &no_table,
                                              .sealed_fd = -1 };
        if (!sender->lane && transmit_is_large(&transmission)) {
                r = sealed_once(encoding, &transmission, &transmission.sealed_fd);
                if (r < 0)
                        return r;
        }
        return sender_transmit(sender, &transmission, deadline);
}

leat_encoded leat_encoded_share(leat_encoded encoded) {
        if (encoded.object)
                (void) __atomic_add_fetch(&encoded.object->references, 1, __ATOMIC_RELAXED);
        return encoded;
}

size_t leat_encoded_size(leat_encoded encoded) {
        return encoded.object ? encoded.object->body.size : 0;
}

void leat_encoded_close(leat_encoded *encoded) {
        struct leat_encoding *closed = take_pointer(&encoded->object);

        if (!closed || __atomic_sub_fetch(&closed->references, 1, __ATOMIC_ACQ_REL) > 0)
                return;
        (void) close_fd(closed->sealed_fd);
        buffer_free(&closed->body);
        free(closed);
}
