/* The handles of one message on its way out: which descriptors go along, what the receiver is told of each,
 * and which of them are to be closed here once they are gone. */
#ifndef LEAT_CHANNEL_HANDLES_H
#define LEAT_CHANNEL_HANDLES_H

#include <stdint.h>

#include "buffer.h"
#include "connection.h"
#include "leat/endpoint.h"

/* On the wire, one byte; for endpoints, followed by a byte of flags and a fingerprint. */
enum handle_kind { HANDLE_DESCRIPTOR = 1, HANDLE_MEMORY = 2, HANDLE_SENDER = 3, HANDLE_RECEIVER = 4 };

/* On the wire only: a receiver, and behind its fingerprint its lanes, see lanes_move.h. */
#define HANDLE_RECEIVER_WITH_LANES 5

enum handle_flag { HANDLE_ORDERED = 1 };

/* The generated endpoint structs all look like this. */
struct endpoint_field {
        void *object;
        void *given;
};

/* Where the giver keeps what it gives; all NULL when the handle is only lent. */
union giver {
        void *any;
        int *descriptor;
        struct leat_memory **memory;
        struct leat_sender **sender;
        struct leat_receiver **receiver;
};

struct handle {
        enum handle_kind kind;
        int fd;
        const struct connection *connection; /* An endpoint's. */
        struct leat_sender *sender;
        struct leat_receiver *receiver; /* One with lanes. */
        int gathered;                   /* Made for its lanes when the message is settled; otherwise -1. */
        union giver giver;
};

struct handles {
        size_t count;
        size_t n_descriptors;
        struct handle list[LEAT_MAX_HANDLES];
};

/* The field's handle goes into the list, *ret_index tells where; an unset field gives LEAT_EMPTY and no
 * entry. `field` points to the field in the user's message. LEAT_TOO_LARGE, -EINVAL, -EBUSY: see
 * leat_sender_send. */
int handles_add(struct handles *handles, unsigned kind, const void *field, size_t *ret_index);

/* What must be done before it all goes out, in the channels that the handles belong to. 0; LEAT_FULL,
 * LEAT_TIMEOUT, a negative errno. Whatever comes of it and of the sending, handles_finish() is called after
 * that. */
int handles_settle(struct handles *handles, leat_deadline deadline);

/* Closes what was made for this sending. */
void handles_finish(struct handles *handles);

/* Lists the descriptors that go along, in the order of the table; returns how many:
 * handles->n_descriptors. */
size_t handles_list_descriptors(const struct handles *handles, int *fds);

/* Appends the table that describes them to a message in the making. 0; -ENOMEM. */
int handles_write_table(const struct handles *handles, struct buffer *message);

/* The message is sent: closes what was given. The sender through which it went, and with it this list, may be
 * gone after this. */
void handles_release_given(const struct handles *handles);

#endif
