/* The sending end from the inside. */
#ifndef LEAT_CHANNEL_SENDER_H
#define LEAT_CHANNEL_SENDER_H

#include "buffer.h"
#include "connection.h"
#include "handles.h"
#include "plan.h"

struct leat_sender {
        /* A received one is owned by its receiver until somebody takes it: then this points to the receiver's own
         * pointer to it, which whoever takes or closes it sets to NULL. */
        struct leat_sender **slot;
        struct connection *connection;
        const struct plan *plan; /* NULL while nobody knows as what type it arrived. */
        struct buffer body;      /* Room for messages in the making. */
        struct buffer table;
        struct handles *handles; /* Made with the first message that can carry one. */
};

/* Owns the connection after success only. 0; -ENOMEM. */
int sender_create(struct connection *connection, const struct plan *plan, struct leat_sender **ret_sender);

/* The plan by which a caller's table is encoded for this sender: a caller compiled elsewhere may have a table of its own
 * for the same type. 0; -EINVAL for another type, -EPROTO, -ENOMEM. */
int sender_plan_for(const struct leat_sender *sender, const struct leat_type *type,
                    const struct plan **ret_plan);

/* Prepares a socket to be one that senders wait on; see packet_send(). */
void sender_prepare_socket(int fd);

#endif
