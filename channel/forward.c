/* Routes that lead into another channel. The router's thread must not wait for room there: it takes one
 * message, and while that finds no room it watches the target instead of the receiver. So what comes
 * meanwhile waits where it is, and its senders find no room either. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "cleanup.h"
#include "descriptor.h"
#include "fingerprint.h"
#include "receiver.h"
#include "route.h"
#include "sender.h"

int route_create_forward(struct leat_receiver **receiver, struct leat_sender **target,
                         void (*end)(void *context, int why), void *context, struct route **ret_route) {
        const struct leat_route how = { .end = end, .context = context };
        int r;

        if (!*receiver || !*target)
                return -EBADF;
        if (!fingerprint_compatible(&(*receiver)->connection->fingerprint,
                                    &(*target)->connection->fingerprint))
                return LEAT_TYPE_MISMATCH;
        r = route_prepare(receiver, &how, 0, ret_route);
        if (r == 0)
                (*ret_route)->target = leat_sender_take(target);
        return r;
}

/* An epoll has each socket once, and clones of a sender share one: many routes may lead into one channel. */
static int watch_duplicate(struct routes *routes, struct route *route) {
        close_cleanup int fd = -1;
        int r = descriptor_duplicate(route->target->connection->fd, &fd);

        if (r == 0)
                r = leat_set_watch(routes->set, fd, POLLOUT, route_key(route));
        if (r == 0)
                route->room = take_fd(&fd);
        return r;
}

int forward_wait(struct routes *routes, struct route *route) {
        int r;

        route->in_set = ROUTE_WAITS_FOR_ROOM;
        r = leat_set_add_sender(routes->set, route->target, route_key(route));
        if (r == -EEXIST)
                r = watch_duplicate(routes, route);
        if (r < 0)
                route->in_set = ROUTE_OUTSIDE;
        return r;
}

void forward_close(struct route *route) {
        leat_undecoded_close(&route->pending);
        leat_sender_close(&route->target);
}
