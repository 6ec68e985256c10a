/* A router: a thread that receives for you, and calls a function of yours for each message.
 *
 *         static void on_job(draw *job, void *context) { … }
 *         static void on_end(void *context, int why) { free(context); }
 *
 *         r = leat_router_create(&router);
 *         r = draw_route(router, &jobs, on_job, on_end, context);      jobs is the router's now
 *         …
 *         r = leat_router_shutdown(router, leat_after_ms(1000));       no handler runs any more
 *         leat_router_close(&router);
 *
 * A route is a receiver that was given to a router, and what is to be done with its messages. All handlers of
 * a router run on its one thread, one after the other, so they must not wait long; who needs more has more
 * routers. The routes take turns: each that has something gets one message a round, however much it has to
 * say. A message lives until its handler returns; what it does not take of its handles is closed then.
 * Handlers may do everything: send, add routes, shut the router down. A route can lead into another channel
 * instead, see leat_router_forward.
 *
 * `end` (NULL: none) is called once for each route, after the last call of its handler. From then on the
 * router knows nothing of the context any more: until then, whatever else was called, it must stay. `why`
 * says how it came to that:
 *
 *     LEAT_DISCONNECTED      no sender is left, and all that was sent was handled
 *     0                      the one message of a one-shot route was handled
 *     -EPIPE                 the channel that the route led to has no receiver any more: found when the next
 *                            message is to be sent
 *                            there, which is lost, as is what waits behind it, and not counted
 *     -ESHUTDOWN             the router was shut down
 *     another negative errno the receiver cannot be received from or waited for (-EBUSY, -ENOMEM, -ENOSPC:
 *     see leat/endpoint.h,
 *                            leat/set.h)
 *
 * Messages that are no good (malformed, of another type, too large) are skipped and counted, see
 * leat_router_skipped. When the process is at its limit of descriptors, a route whose next message needs some
 * rests for 10 ms at a time, and the others go on.
 *
 * A router may be used by all threads at once, until it is closed. The thread is called leat-router and
 * blocks all signals. A child of fork(2) has no such thread: there every call says -ESRCH, but
 * leat_router_default, which makes a new one, and leat_router_close. The child has no copies of the routes'
 * receivers either, so their senders hear of the parent's end. (It has copies of the senders that routes lead
 * to, until it ends or starts another program.) A handler that forks should not return in the child: its
 * thread ends there, and with it the process. */
#ifndef LEAT_ROUTER_H
#define LEAT_ROUTER_H

#include <stdbool.h>

#include "leat/endpoint.h"

#ifdef __cplusplus
extern "C" {
#endif

struct leat_routing;

typedef struct leat_router {
        struct leat_routing *object;
} leat_router;

/* Starts the thread. -EMFILE, -ENFILE (it takes two descriptors), -ENOMEM, -EAGAIN (no thread to be had). */
LEAT_PUBLIC int leat_router_create(leat_router *ret_router);

/* The process's own router, made when it is first asked for. It cannot be closed, and if somebody shuts it
 * down it stays so. Errors as leat_router_create. */
LEAT_PUBLIC int leat_router_default(leat_router *ret_router);

/* What T_route and T_route_once fill in. */
struct leat_route {
        void (*handle)(void);                                             /* The program's function, */
        void (*call)(void (*handle)(void), void *message, void *context); /* and who knows what it takes. */
        void (*end)(void *context, int why);
        void *context;
        bool once; /* Ends after one message; what else comes is dropped, and sending it succeeds. */
};

/* Gives a receiver to the router: 0, and *receiver is zero. If the router was shut down before, `end` is
 * called at once, by this thread. On any other result nothing was given and nothing is called: -EBADF (no
 * router or no receiver), -EINVAL (no handler), -EBUSY (the receiver is in a set), -ESRCH, -ENOMEM. */
LEAT_PUBLIC int leat_router_add(leat_router router, const struct leat_type *type, struct leat_receiver **receiver,
                                const struct leat_route *route);

/* T_route_to: gives both ends to the router, which sends everything that the receiver brings into the channel
 * of the target, undecoded, with its handles; see leat/undecoded.h. While there is no room, what comes waits
 * in the first channel, up to its capacity: it is not taken faster than the second is read. Many routes may
 * lead into one channel, by clones of its sender. `end` (NULL: none) is as above; why is -EPIPE when the
 * target has no receiver any more. What cannot be sent there (too many handles, refused) is skipped and
 * counted.
 *
 * As leat_router_add; LEAT_TYPE_MISMATCH: messages of one channel's type cannot be read as the other's. */
LEAT_PUBLIC int leat_router_forward(leat_router router, struct leat_receiver **receiver, struct leat_sender **target,
                                    void (*end)(void *context, int why), void *context);

/* Ends all routes, and waits until that is done: 0, and no function of the program is called any more. Asked
 * again, it says so again. LEAT_TIMEOUT (with LEAT_NOW, too): a handler or an `end` still runs; all the same
 * it is the router's last. Called by one of these it does not wait: 0, and it is done when they have
 * returned. -EBADF, -ESRCH. */
LEAT_PUBLIC int leat_router_shutdown(leat_router router, leat_deadline deadline);

/* How many messages all its routes have skipped or lost. */
LEAT_PUBLIC uint64_t leat_router_skipped(leat_router router);

/* Shuts down without waiting, and zeroes; NULL inside is fine. What a running handler uses has to stay until
 * its route's `end`. */
LEAT_PUBLIC void leat_router_close(leat_router *router);

#ifdef __cplusplus
}
#endif

#endif
