/* One route: an end to receive from, and either a function of the program or an end to send to. */
#ifndef LEAT_CHANNEL_ROUTE_H
#define LEAT_CHANNEL_ROUTE_H

#include <stdalign.h>
#include <stddef.h>

#include "fork.h"
#include "leat/undecoded.h"
#include "routes.h"

struct route {
        struct route *next;
        struct route **link; /* What points to it. */
        enum { ROUTE_OUTSIDE, ROUTE_RECEIVES, ROUTE_WAITS_FOR_ROOM } in_set;
        struct leat_receiver *receiver;
        uint64_t n_dropped; /* Of the receiver's, so many are counted. */
        struct fork_descriptor socket;

        const struct leat_type *type;
        struct leat_route how;

        struct leat_sender *target; /* NULL: for the program. */
        leat_undecoded pending;     /* Taken, and not passed on yet. */
        int room;                   /* What is watched instead of the target's own socket; -1: nothing. */
        unsigned n_in_vain;         /* Tries that found no room, one after the other. */

        alignas(max_align_t) unsigned char message[];
};

/* What a route is called in the set. It is an address, so no number is ever looked for; the lowest bit says what is waited for. */
static inline uint64_t route_key(const struct route *route) {
        return (uint64_t) (uintptr_t) route | (route->in_set == ROUTE_WAITS_FOR_ROOM);
}

static inline struct route *route_of_key(uint64_t key) {
        return (struct route *) (uintptr_t) (key & ~UINT64_C(1));
}

/* What both kinds have in common, and room for a message. Takes the receiver on success only. 0; -EBUSY, -ENOMEM. */
int route_prepare(struct leat_receiver **receiver, const struct leat_route *how, size_t message_size,
                  struct route **ret_route);

/* The set watches the target from now on, and nothing else of the route. 0; negative errno: it watches nothing. */
int forward_wait(struct routes *routes, struct route *route);

/* What of it was only for forwarding. */
void forward_close(struct route *route);

#endif
