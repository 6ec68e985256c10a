/* A router is a thread and a queue of what was added for it. Everything else (the set, the routes in it) is
 * the thread's alone, so that receiving takes no lock. The thread and the program hold one reference each:
 * whoever is last frees it, as a handler may close its own router and a program may close one whose handler
 * does not return.
 *
 * A set that belongs to another thread can only be woken. One wake is enough for all that is added until the
 * thread takes the queue. */
#include "leat/router.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

#include "cleanup.h"
#include "deadline.h"
#include "fork.h"
#include "guard.h"
#include "routes.h"

struct leat_routing {
        atomic_int references;
        bool is_default;
        struct routes routes;
        atomic_bool has_news; /* Something was added, or asked for. */

        pthread_mutex_t lock; /* Of what follows. */
        struct route *queue, **queue_end;
        bool is_closing; /* Nothing is added any more. */
        bool is_done;
        pthread_cond_t done;

        struct leat_routing *next; /* In a child's list. */
};

/* The one whose handler this thread runs. */
static _Thread_local struct leat_routing *mine;

static void unref(struct leat_routing *router) {
        if (atomic_fetch_sub(&router->references, 1) > 1)
                return;
        (void) pthread_cond_destroy(&router->done);
        (void) pthread_mutex_destroy(&router->lock);
        free(router);
}

static struct route *take_queue(struct leat_routing *router, bool *ret_is_closing) {
        struct route *taken;

        (void) pthread_mutex_lock(&router->lock);
        taken = take_pointer(&router->queue);
        router->queue_end = &router->queue;
        atomic_store(&router->has_news, false);
        *ret_is_closing = router->is_closing;
        (void) pthread_mutex_unlock(&router->lock);
        return taken;
}

/* Whether to go on. */
static bool take_news(struct leat_routing *router) {
        bool is_closing = false;
        struct route *route, *next;

        if (!atomic_load(&router->has_news))
                return true;
        route = take_queue(router, &is_closing);
        for (; route; route = next) {
                next = take_pointer(route_next(route));
                if (is_closing)
                        route_end(route, -ESHUTDOWN);
                else
                        routes_add(&router->routes, route);
        }
        return !is_closing;
}

static void *router_thread(void *data) {
        struct leat_routing *router = data;

        mine = router;
        (void) pthread_setname_np(pthread_self(), "leat-router");
        while (take_news(router)) {
                routes_serve(&router->routes);
                if (!fork_is_current(router->routes.process))
                        return NULL; /* An `end` has forked, and this is the child. */
        }
        routes_end(&router->routes, -ESHUTDOWN);
        routes_close(&router->routes);
        (void) pthread_mutex_lock(&router->lock);
        router->is_done = true;
        (void) pthread_cond_broadcast(&router->done);
        (void) pthread_mutex_unlock(&router->lock);
        unref(router);
        return NULL;
}

static int start_thread(struct leat_routing *router) {
        pthread_attr_t attributes;
        sigset_t all, before;
        pthread_t thread;
        int r = pthread_attr_init(&attributes);

        if (r != 0)
                return -r;
        (void) pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
        /* It inherits the mask: the program's signal handlers run in threads that the program knows. */
        (void) sigfillset(&all);
        (void) pthread_sigmask(SIG_SETMASK, &all, &before);
        r = pthread_create(&thread, &attributes, router_thread, router);
        (void) pthread_sigmask(SIG_SETMASK, &before, NULL);
        (void) pthread_attr_destroy(&attributes);
        return -r;
}

static int create(bool is_default, struct leat_routing **ret_router) {
        free_cleanup struct leat_routing *router = calloc(1, sizeof(*router));
        int r;

        if (!router)
                return -ENOMEM;
        r = routes_open(&router->routes);
        if (r < 0)
                return r;
        atomic_init(&router->references, 2);
        router->is_default = is_default;
        router->queue_end = &router->queue;
        (void) pthread_mutex_init(&router->lock, NULL);
        (void) pthread_cond_init(&router->done, NULL);
        r = start_thread(router);
        if (r < 0) {
                routes_close(&router->routes);
                return r;
        }
        *ret_router = take_pointer(&router);
        return 0;
}

int leat_router_create(leat_router *ret_router) {
        CALL_GUARD;

        return create(false, &ret_router->object);
}

/* What a child has of its parent's router cannot be freed, as nobody knows what the thread was doing. It
 * stays reachable, so that it is no leak. */
static void leave_behind(struct leat_routing *router) {
        static struct leat_routing *_Atomic list;

        routes_leave_behind(&router->routes);
        router->next = atomic_load(&list);
        while (!atomic_compare_exchange_weak(&list, &router->next, router))
                ;
}

/* The lock is held. */
static void tell(struct leat_routing *router) {
        if (!atomic_exchange(&router->has_news, true) && mine != router)
                (void) leat_set_wake(router->routes.set);
}

static void ask_to_end(struct leat_routing *router) {
        if (router->is_closing)
                return;
        router->is_closing = true;
        tell(router);
}

static void close_router(struct leat_routing *router) {
        if (!fork_is_current(router->routes.process)) {
                leave_behind(router);
                return;
        }
        (void) pthread_mutex_lock(&router->lock);
        ask_to_end(router);
        (void) pthread_mutex_unlock(&router->lock);
        unref(router);
}

void leat_router_close(leat_router *router) {
        struct leat_routing *closed = take_pointer(&router->object);
        CALL_GUARD;

        if (closed && !closed->is_default)
                close_router(closed);
}

int leat_router_default(leat_router *ret_router) {
        static struct leat_routing *_Atomic of_process;
        struct leat_routing *known = atomic_load(&of_process), *made;
        CALL_GUARD;
        int r;

        if (known && fork_is_current(known->routes.process)) {
                ret_router->object = known;
                return 0;
        }
        r = create(true, &made);
        if (r < 0)
                return r;
        if (atomic_compare_exchange_strong(&of_process, &known, made)) {
                if (known)
                        leave_behind(known);
                known = made;
        } else {
                close_router(made); /* Another thread was faster. */
        }
        ret_router->object = known;
        return 0;
}

static int check_router(leat_router router) {
        if (!router.object)
                return -EBADF;
        return fork_is_current(router.object->routes.process) ? 0 : -ESRCH;
}

static bool enqueue(struct leat_routing *router, struct route *route) {
        bool is_open;

        (void) pthread_mutex_lock(&router->lock);
        is_open = !router->is_closing;
        if (is_open) {
                *router->queue_end = route;
                router->queue_end = route_next(route);
                tell(router);
        }
        (void) pthread_mutex_unlock(&router->lock);
        return is_open;
}

static void hand_over(struct leat_routing *router, struct route *route) {
        if (!enqueue(router, route))
                route_end(route, -ESHUTDOWN);
}

int leat_router_add(leat_router router, const struct leat_type *type, struct leat_receiver **receiver,
                    const struct leat_route *how) {
        struct route *route;
        CALL_GUARD;
        int r = check_router(router);

        if (r == 0)
                r = route_create(type, receiver, how, &route);
        if (r == 0)
                hand_over(router.object, route);
        return r;
}

int leat_router_forward(leat_router router, struct leat_receiver **receiver, struct leat_sender **target,
                        void (*end)(void *context, int why), void *context) {
        struct route *route;
        CALL_GUARD;
        int r = check_router(router);

        if (r == 0)
                r = route_create_forward(receiver, target, end, context, &route);
        if (r == 0)
                hand_over(router.object, route);
        return r;
}

/* The lock is held. Returns ETIMEDOUT or 0; it may wake up for nothing. */
static int wait_for_end(struct leat_routing *router, leat_deadline deadline) {
        struct timespec until = { .tv_sec = (time_t) (deadline / INT64_C(1000000000)),
                                  .tv_nsec = (long) (deadline % INT64_C(1000000000)) };

        if (deadline == LEAT_FOREVER)
                return pthread_cond_wait(&router->done, &router->lock);
        return pthread_cond_clockwait(&router->done, &router->lock, CLOCK_MONOTONIC, &until);
}

int leat_router_shutdown(leat_router router, leat_deadline deadline) {
        struct leat_routing *asked = router.object;
        CALL_GUARD;
        int r = check_router(router);

        if (r < 0)
                return r;
        (void) pthread_mutex_lock(&asked->lock);
        ask_to_end(asked);
        while (!asked->is_done && mine != asked && r == 0)
                r = wait_for_end(asked, deadline);
        r = asked->is_done || mine == asked ? 0 : LEAT_TIMEOUT;
        (void) pthread_mutex_unlock(&asked->lock);
        return r;
}

uint64_t leat_router_skipped(leat_router router) {
        return router.object ? atomic_load(&router.object->routes.n_skipped) : 0;
}
