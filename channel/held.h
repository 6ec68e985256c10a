/* Which channels this process holds senders of, so that one that comes again costs no descriptor. */
#ifndef LEAT_CHANNEL_HELD_H
#define LEAT_CHANNEL_HELD_H

#include <stdbool.h>
#include <stdint.h>

#include "fingerprint.h"

struct connection;

/* In a connection. */
struct held {
        struct connection *next;
        struct connection **link; /* What points to it; NULL: it is not in the table. */
        uint64_t cookie;          /* The system's number of its socket; 0: it has not been asked for. */
        bool is_added;            /* Once it was; stays so. All else changes under the table's lock only. */
};

/* What arrived as a sender. */
struct held_arrival {
        int fd;
        const struct fingerprint *fingerprint;
        bool ordered;
        uint64_t cookie; /* Found out by held_find(); goes into its connection. */
        struct fingerprint
                held_as; /* After LEAT_TYPE_MISMATCH: what the type of that channel was until now. */
};

/* Whether a sender of that very channel is held, of the same type: 0, and a reference to its connection; the
 * descriptor is still the caller's. LEAT_EMPTY: there is none; LEAT_TYPE_MISMATCH: there is, but of a type
 * that cannot be the same channel's. */
int held_find(struct held_arrival *arrival, struct connection **ret_connection);

/* A sender's connection can be found from now on, until it is forgotten. Fine when it was added before. */
void held_add(struct connection *connection);

/* Nobody finds it any more. Fine for one that was never added. To be called before its socket is closed. */
void held_forget(struct connection *connection);

#endif
