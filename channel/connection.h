/* One end of a channel's socket, counted: all clones of a sender in a process share it. */
#ifndef LEAT_CHANNEL_CONNECTION_H
#define LEAT_CHANNEL_CONNECTION_H

#include <stdbool.h>

#include "fingerprint.h"

struct connection {
        int references;
        int fd;
        bool ended; /* The other end is gone and nothing waits unread. */
        struct fingerprint
                fingerprint; /* Of the channel's type, as its maker said it: passed on unchanged. */
};

/* Owns `fd` after success only. 0; -ENOMEM. */
int connection_create(int fd, const struct fingerprint *fingerprint, struct connection **ret);

struct connection *connection_ref(struct connection *connection);

/* Closes the socket with the last reference. NULL is fine; returns NULL. */
struct connection *connection_unref(struct connection *connection);

#endif
