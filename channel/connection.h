/* One end of a channel's socket, counted: all clones of a sender in a process share it. */
#ifndef LEAT_CHANNEL_CONNECTION_H
#define LEAT_CHANNEL_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>

#include "fingerprint.h"
#include "held.h"
#include "leat/endpoint.h"

struct connection {
        int references;
        int fd;
        bool own;      /* A receiver's that no other process ever received from. */
        bool ended;    /* The other end is gone and nothing waits unread. */
        bool accepted; /* By a server: the system knows who connected. */
        struct fingerprint
                fingerprint;   /* Of the channel's type, as its maker said it: passed on unchanged. */
        bool ordered;          /* One order over all senders: never lanes. Travels with the endpoints. */
        enum leat_lanes lanes; /* What its maker said, or else the environment. */
        size_t ring_limit;     /* Bytes that may wait in a lane; its maker's capacity, 0: nobody has said. */
        struct held held;      /* A sender's. */
};

/* Owns `fd` after success only. 0; -ENOMEM. */
int connection_create(int fd, const struct fingerprint *fingerprint, struct connection **ret);

/* NULL: as it is. */
void connection_set_options(struct connection *connection, const struct leat_channel_options *options);

/* Bytes that may wait in a lane for a sender that sends bodies like this one. */
size_t connection_ring_limit(const struct connection *connection, size_t body_size);

/* Whether a lane can ever belong to it. */
bool connection_allows_lanes(const struct connection *connection);

struct connection *connection_ref(struct connection *connection);

/* Closes the socket with the last reference. NULL is fine; returns NULL. */
struct connection *connection_unref(struct connection *connection);

#endif
