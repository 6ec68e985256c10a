/* The routes of a router, as its thread sees them: nobody else touches what is in here, but for the count. */
#ifndef LEAT_CHANNEL_ROUTES_H
#define LEAT_CHANNEL_ROUTES_H

#include <stdatomic.h>
#include <stdint.h>

#include "leat/router.h"
#include "leat/set.h"

struct route;

struct routes {
        leat_set set;
        struct route *active;
        struct route *resting; /* Not in the set, until there may be descriptors or memory again. */
        int64_t rest_ends;     /* CLOCK_MONOTONIC in ns, of all that rest. */
        uint64_t process;      /* fork_generation() of the thread's process. */
        _Atomic uint64_t n_skipped;
};

/* A route that stands alone; takes the ends on success only. Any thread may call these. 0; -EBADF, -EINVAL,
 * -EBUSY, -ENOMEM; and of two ends LEAT_TYPE_MISMATCH. */
int route_create(const struct leat_type *type, struct leat_receiver **receiver, const struct leat_route *how,
                 struct route **ret_route);
int route_create_forward(struct leat_receiver **receiver, struct leat_sender **target,
                         void (*end)(void *context, int why), void *context, struct route **ret_route);

/* Its ends are closed, and then the program is told. Of one that stands alone; any thread may call it. */
void route_end(struct route *route, int why);

/* For lists of those that stand alone. */
struct route **route_next(struct route *route);

/* 0; -EMFILE, -ENFILE, -ENOMEM. */
int routes_open(struct routes *routes);

/* The routes have it from now on; it ends when it cannot be waited for. */
void routes_add(struct routes *routes, struct route *route);

/* Waits until something is to be done, or until the set is woken, and does it. */
void routes_serve(struct routes *routes);

/* Ends all. */
void routes_end(struct routes *routes, int why);

/* There are none any more. */
void routes_close(struct routes *routes);

/* In a forked child: closes what descriptors the routes themselves have. */
void routes_leave_behind(struct routes *routes);

#endif
