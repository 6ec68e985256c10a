/* The sending end: its life and its socket. What is sent by it is in send.c. */
#include "sender.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "cleanup.h"
#include "guard.h"

int sender_create(struct connection *connection, const struct plan *plan, struct leat_sender **ret_sender) {
        struct leat_sender *sender = calloc(1, sizeof(*sender));

        if (!sender)
                return -ENOMEM;
        sender->connection = connection;
        sender->plan = plan;
        *ret_sender = sender;
        return 0;
}

void sender_prepare_socket(int fd) {
        /* So that a blocking send looks up now and then, see packet.c. Shared by all holders, who all want it. */
        struct timeval second = { .tv_sec = 1 };

        (void) setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &second, sizeof(second));
}

int leat_sender_clone(struct leat_sender *sender, struct leat_sender **ret_clone) {
        int r;

        if (!sender)
                return -EBADF;
        r = sender_create(connection_ref(sender->connection), sender->plan, ret_clone);
        if (r < 0)
                connection_unref(sender->connection);
        return r;
}

int sender_plan_for(const struct leat_sender *sender, const struct leat_type *type,
                    const struct plan **ret_plan) {
        const struct plan *plan;
        int r = plan_get(type, &plan);

        if (r < 0)
                return r;
        if (plan != sender->plan &&
            !fingerprint_compatible(&plan->fingerprint, &sender->connection->fingerprint))
                return -EINVAL;
        *ret_plan = plan;
        return 0;
}

int leat_sender_capacity(struct leat_sender *sender, size_t *ret_bytes) {
        int bytes;
        socklen_t size = sizeof(bytes);

        if (!sender)
                return -EBADF;
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
        connection_unref(closed->connection);
        buffer_free(&closed->body);
        buffer_free(&closed->table);
        free(closed->handles);
        free(closed);
}
