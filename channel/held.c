/* A sender that was lent comes back, or comes from several sides: each time as a new descriptor of a socket
 * that is open here already. Who keeps what comes would run out of descriptors with a handful of channels. So
 * a sender of a channel that one holds a sender of gets that one's connection, as a clone does, and the new
 * descriptor is closed.
 *
 * Which socket it is tells SO_COOKIE: a number that the system gives to a socket once, and to no other (since
 * Linux 5.4; before, to no other in its network namespace). Asking for it is a system call, so nobody asks
 * when a channel is made: that waits in a list until the first sender arrives, and the table has it then. A
 * process that never receives senders pays for a lock.
 *
 * All of it is found only with the lock held, and so is a connection that is being closed: one whose last
 * reference is gone is left alone, it waits for the lock to leave. A forked child has the same descriptors,
 * so its table is right; the lock is held across the fork.
 *
 * A stranger may send the socket of a channel that is held, as another type. One of the two was a lie, and
 * nobody knows which; what arrived is not received. Types that could read each other (one has fields
 * appended) are not the same one either, but no lie can be proved: such a sender keeps its own descriptor and
 * its own fingerprint, so neither is ever taken for the other. */
#include "held.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "connection.h"
#include "leat/error.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool is_off; /* Forks cannot be watched, so the lock might stay locked in a child. */

static struct connection *unasked; /* Of these the cookie has not been asked for. */

/* By their cookies; a power of two of lists. */
static struct connection **lists;
static size_t n_lists;
static size_t n_listed;

#define LEAST_LISTS 64

static void before_fork(void) {
        (void) pthread_mutex_lock(&lock);
}

static void after_fork(void) {
        (void) pthread_mutex_unlock(&lock);
}

static void watch(void) {
        is_off = pthread_atfork(before_fork, after_fork, after_fork) != 0;
}

/* False: there is no table. */
static bool lock_table(void) {
        static pthread_once_t once = PTHREAD_ONCE_INIT;

        (void) pthread_once(&once, watch);
        return !is_off && pthread_mutex_lock(&lock) == 0;
}

static void unlock_table(void) {
        (void) pthread_mutex_unlock(&lock);
}

static uint64_t cookie_of(int fd) {
        uint64_t cookie;
        socklen_t size = sizeof(cookie);

        return getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &size) == 0 ? cookie : 0;
}

static void link_to(struct connection **list, struct connection *connection) {
        struct held *held = &connection->held;

        held->next = *list;
        held->link = list;
        if (held->next)
                held->next->held.link = &held->next;
        *list = connection;
}

static void unlink_from_list(struct connection *connection) {
        struct held *held = &connection->held;

        *held->link = held->next;
        if (held->next)
                held->next->held.link = held->link;
        held->link = NULL;
}

/* Cookies are given out in turn. */
static struct connection **list_for(uint64_t cookie) {
        return &lists[cookie & (n_lists - 1)];
}

/* Where there is no memory lists become longer, or there is no table. */
static void grow(void) {
        size_t n = n_lists > 0 ? 2 * n_lists : LEAST_LISTS, n_old = n_lists;
        struct connection **larger = calloc(n, sizeof(struct connection *)), **old = lists;

        if (!larger)
                return;
        lists = larger;
        n_lists = n;
        for (size_t i = 0; i < n_old; i++)
                while (old[i]) {
                        struct connection *connection = old[i];

                        unlink_from_list(connection);
                        link_to(list_for(connection->held.cookie), connection);
                }
        free(old);
}

static void list(struct connection *connection) {
        if (n_listed >= n_lists)
                grow();
        if (n_lists == 0)
                return;
        link_to(list_for(connection->held.cookie), connection);
        n_listed++;
}

static void ask_all(void) {
        while (unasked) {
                struct connection *connection = unasked;

                unlink_from_list(connection);
                connection->held.cookie = cookie_of(connection->fd);
                if (connection->held.cookie != 0)
                        list(connection);
        }
}

/* False: it is being closed. */
static bool is_open(const struct connection *connection) {
        return __atomic_load_n(&connection->references, __ATOMIC_RELAXED) > 0;
}

static bool ref_if_open(struct connection *connection) {
        int references = __atomic_load_n(&connection->references, __ATOMIC_RELAXED);

        while (references > 0)
                if (__atomic_compare_exchange_n(&connection->references, &references, references + 1, false,
                                                __ATOMIC_RELAXED, __ATOMIC_RELAXED))
                        return true;
        return false;
}

static int find(struct held_arrival *arrival, struct connection **ret_connection) {
        int r = LEAT_EMPTY;

        for (struct connection *held = *list_for(arrival->cookie); held; held = held->held.next) {
                if (held->held.cookie != arrival->cookie || !is_open(held))
                        continue;
                if (!fingerprint_compatible(&held->fingerprint, arrival->fingerprint)) {
                        arrival->held_as = held->fingerprint;
                        r = LEAT_TYPE_MISMATCH;
                } else if (held->ordered == arrival->ordered &&
                           held->fingerprint.n_tails == arrival->fingerprint->n_tails && ref_if_open(held)) {
                        *ret_connection = held;
                        return 0;
                }
        }
        return r;
}

int held_find(struct held_arrival *arrival, struct connection **ret_connection) {
        int r = LEAT_EMPTY;

        arrival->cookie = cookie_of(arrival->fd);
        if (arrival->cookie == 0 || !lock_table())
                return LEAT_EMPTY;
        ask_all();
        if (n_lists > 0)
                r = find(arrival, ret_connection);
        unlock_table();
        return r;
}

void held_add(struct connection *connection) {
        if (connection->held.is_added || !lock_table())
                return;
        connection->held.is_added = true;
        if (connection->held.cookie == 0)
                link_to(&unasked, connection);
        else
                list(connection);
        unlock_table();
}

void held_forget(struct connection *connection) {
        if (!connection->held.is_added || !lock_table())
                return;
        if (connection->held.link) {
                if (connection->held.cookie != 0)
                        n_listed--;
                unlink_from_list(connection);
        }
        unlock_table();
}
