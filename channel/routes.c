/* What a router's thread does: wait on a set, receive one message of the route that is ready, call the program, let go of the message. One
 * message at a time keeps it fair, as the set gives each ready member one turn a round.
 *
 * A route is its own key in the set, so nothing is looked up or numbered, however many there have been.
 *
 * The thread does not exist in a forked child, and could have been in the middle of anything. So the child touches none of this; its
 * copies of the sockets are closed by a fork handler, or senders would take the child for somebody who may still read. */
#include "route.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>

#include "cleanup.h"
#include "deadline.h"
#include "members.h"
#include "receiver.h"

/* So long a route rests for which there are no descriptors or no memory, and the thread when it cannot wait. */
#define REST_NS INT64_C(10000000)

/* So often in a row a route looks for room at once when there seems to be some. */
#define MOST_IN_VAIN 16

static void link_route(struct route **list, struct route *route) {
        route->next = *list;
        route->link = list;
        if (route->next)
                route->next->link = &route->next;
        *list = route;
}

static void unlink_route(struct route *route) {
        *route->link = route->next;
        if (route->next)
                route->next->link = route->link;
        route->next = NULL;
}

struct route **route_next(struct route *route) {
        return &route->next;
}

static uint64_t count_dropped(const struct leat_receiver *receiver) {
        struct leat_counters counters = { 0 };

        (void) leat_receiver_counters(receiver, &counters);
        return counters.refusals;
}

int route_prepare(struct leat_receiver **receiver, const struct leat_route *how, size_t message_size,
                  struct route **ret_route) {
        free_cleanup struct route *route = NULL;
        int r;

        if ((*receiver)->set)
                return -EBUSY;
        route = malloc(sizeof(*route) + message_size);
        if (!route)
                return -ENOMEM;
        *route = (struct route){ .how = *how, .room = -1, .n_dropped = count_dropped(*receiver) };
        r = receiver_close_in_child(*receiver, &route->socket);
        if (r < 0)
                return r;
        route->receiver = leat_receiver_take(receiver);
        *ret_route = take_pointer(&route);
        return 0;
}

int route_create(const struct leat_type *type, struct leat_receiver **receiver, const struct leat_route *how,
                 struct route **ret_route) {
        int r;

        if (!*receiver)
                return -EBADF;
        if (!type || !how || !how->handle || !how->call)
                return -EINVAL;
        r = route_prepare(receiver, how, type->size, ret_route);
        if (r == 0)
                (*ret_route)->type = type;
        return r;
}

void route_end(struct route *route, int why) {
        fork_forget(&route->socket);
        leat_receiver_close(&route->receiver);
        forward_close(route);
        if (route->how.end)
                route->how.end(route->how.context, why);
        free(route);
}

int routes_open(struct routes *routes) {
        *routes = (struct routes){ .process = fork_generation() };
        return leat_set_create(&routes->set);
}

/* The set watches nothing of it any more. (A receiver that is at its end has left by itself.) */
static void withdraw(struct routes *routes, struct route *route) {
        if (route->in_set != ROUTE_OUTSIDE)
                (void) leat_set_remove(routes->set, route_key(route));
        route->in_set = ROUTE_OUTSIDE;
        route->room = close_fd(route->room);
}

static void leave(struct routes *routes, struct route *route, int why) {
        withdraw(routes, route);
        unlink_route(route);
        route_end(route, why);
}

static void receive(struct routes *routes, struct route *route) {
        int r;

        if (route->in_set == ROUTE_RECEIVES)
                return;
        withdraw(routes, route);
        route->in_set = ROUTE_RECEIVES;
        r = leat_set_add_receiver(routes->set, route->receiver, route_key(route));
        if (r < 0) {
                route->in_set = ROUTE_OUTSIDE;
                leave(routes, route, r);
        }
}

void routes_add(struct routes *routes, struct route *route) {
        link_route(&routes->active, route);
        receive(routes, route);
}

/* It needs what cannot be had now, and the set would say at once that it is ready. */
static void rest(struct routes *routes, struct route *route) {
        withdraw(routes, route);
        unlink_route(route);
        if (!routes->resting)
                routes->rest_ends = deadline_now() + REST_NS;
        link_route(&routes->resting, route);
}

/* Another can take its place in the target's channel at any moment, so this may be in vain, again and again. It is always in vain while
 * too many descriptors of this user are in flight: then there seems to be room, and nothing tells when there is. */
static void wait_for_room(struct routes *routes, struct route *route) {
        withdraw(routes, route);
        if (++route->n_in_vain == MOST_IN_VAIN) {
                route->n_in_vain = 0;
                rest(routes, route);
        } else if (forward_wait(routes, route) < 0) {
                rest(routes, route);
        }
}

static void skip(struct routes *routes, uint64_t n) {
        (void) atomic_fetch_add(&routes->n_skipped, n);
}

static bool is_shortage(int r) {
        switch (r) {
        case LEAT_NO_DESCRIPTORS:
        case -EMFILE:
        case -ENFILE:
        case -ENOBUFS:
        case -ENOMEM:
        case -ENOSPC:
                return true;
        default:
                return false;
        }
}

static void pass_on(struct routes *routes, struct route *route) {
        int r = leat_sender_forward(route->target, &route->pending, LEAT_NOW);

        switch (r) {
        case 0:
                route->n_in_vain = 0;
                break;
        case LEAT_FULL:
                wait_for_room(routes, route);
                return;
        case LEAT_DISCONNECTED:
                leave(routes, route, -EPIPE);
                return;
        default:
                if (is_shortage(r)) {
                        rest(routes, route);
                        return;
                }
                /* This one cannot go there: too large, or its handles are not wanted. */
                leat_undecoded_close(&route->pending);
                skip(routes, 1);
        }
        receive(routes, route);
}

static void end_rest(struct routes *routes) {
        struct route *route = take_pointer(&routes->resting), *next;

        for (; route; route = next) {
                next = route->next;
                link_route(&routes->active, route);
                if (route->pending.object)
                        pass_on(routes, route);
                else
                        receive(routes, route);
        }
}

/* A one-shot route goes on without the program, so that its senders hear of no end. */
static void retire(struct route *route) {
        void (*end)(void *, int) = route->how.end;

        route->how.call = NULL;
        route->how.end = NULL;
        if (end)
                end(route->how.context, 0);
}

static void handle(struct routes *routes, struct route *route) {
        if (route->how.call) {
                route->how.call(route->how.handle, route->message, route->how.context);
                if (!fork_is_current(routes->process))
                        pthread_exit(NULL);
        }
        leat_receiver_release(route->receiver);
        if (route->how.once && route->how.call)
                retire(route);
}

/* What a receive could not even take waits still. */
static void skip_dropped(struct routes *routes, struct route *route) {
        uint64_t n = count_dropped(route->receiver);

        skip(routes, n - route->n_dropped);
        route->n_dropped = n;
}

static int take(struct route *route) {
        return route->target ? leat_receiver_recv_undecoded(route->receiver, &route->pending, LEAT_NOW)
                             : leat_receiver_recv(route->receiver, route->type, route->message, LEAT_NOW);
}

static void take_and_handle(struct routes *routes, struct route *route) {
        int r = take(route);

        skip_dropped(routes, route);
        switch (r) {
        case 0:
                if (route->target)
                        pass_on(routes, route);
                else
                        handle(routes, route);
                return;
        case LEAT_EMPTY:
                return;
        case LEAT_DISCONNECTED:
                leave(routes, route, r);
                return;
        default:
                if (is_shortage(r))
                        rest(routes, route);
                else if (r < 0)
                        leave(routes, route, r);
        }
}

/* The system does not let the set wait, and nothing tells when it will: the thread would do nothing but ask. */
static void pause_instead_of_waiting(void) {
        const struct timespec pause = { .tv_nsec = REST_NS };

        (void) ppoll(NULL, 0, &pause, NULL);
}

void routes_serve(struct routes *routes) {
        uint64_t key;
        int r = leat_set_wait(routes->set, &key, routes->resting ? routes->rest_ends : LEAT_FOREVER);

        if (r == 0) {
                struct route *route = route_of_key(key);

                if (route->pending.object)
                        pass_on(routes, route);
                else
                        take_and_handle(routes, route);
        } else if (r < 0) {
                pause_instead_of_waiting();
        }
        if (routes->resting && deadline_passed(routes->rest_ends))
                end_rest(routes);
}

void routes_end(struct routes *routes, int why) {
        while (routes->active)
                leave(routes, routes->active, why);
        while (routes->resting)
                leave(routes, routes->resting, why);
}

void routes_close(struct routes *routes) {
        leat_set_close(&routes->set);
}

void routes_leave_behind(struct routes *routes) {
        struct leat_set_members *set = routes->set.object;

        if (!set)
                return;
        set->poller.fd = close_fd(set->poller.fd);
        wake_close(&set->wake);
}
