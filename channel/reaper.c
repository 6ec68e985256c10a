/* close(2) can wait without end: for the server of a FUSE file, for a lock that a peer holds on the file, for
 * a socket's SO_LINGER. A receiver that tidies up what a stranger sent must not wait with it. So such
 * descriptors go on a list, and one thread closes them; if it hangs, it hangs alone.
 *
 * The thread lives only while there is something to close, and a little longer, since making one costs more than
 * many closings: nothing has to be stopped when a program ends, and an idle one has no thread that it did not
 * start.
 *
 * The list is a stack that is pushed to by compare-and-swap and popped by the one thread alone, so it is
 * whole at every moment; a process may fork at any of them. A child finds its copies of the descriptors on
 * its copy of the list, and closes them in a thread of its own. (One descriptor can slip through: the one
 * that the parent's thread had popped but not yet closed at that moment. The child cannot tell whether the
 * number is still that file, and must not close a number that may be somebody else's.) */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "cleanup.h"
#include "deadline.h"
#include "fork.h"
#include "reaper.h"

#define STACK_SIZE ((size_t) 256 * 1024) /* Only addresses; sanitizers need more than the minimum. */

struct item {
        struct item *next;
        int fd;
};

static struct item *_Atomic stack;
static atomic_int n_pending; /* On the stack, without the one in the thread's hand. */
static atomic_int n_open;    /* With it. */

/* The fork_generation() of the process whose thread works on the stack; 0 when there is none. */
static _Atomic uint64_t owner;

/* Posted when there is something on the stack. */
static sem_t bell;

/* So long the thread waits for more before it ends. */
#define THREAD_IDLE_NS INT64_C(20000000)

/* Over the bound: how many pauses to make for the thread, and, when they were in vain, how long to make none. Pauses are counted and not
 * the time, which goes on when the whole machine stands still; and they are many, since a virtual CPU may stand still by itself. */
#define PAUSES        500
#define PAUSE_NS      INT64_C(1000000)
#define IMPATIENCE_NS INT64_C(5000000000)

/* How long to wait for one that may be slow to close, looking so often. */
#define PATIENCE_NS INT64_C(100000000)
#define GLANCE_NS   INT64_C(20000)

static _Atomic int64_t impatient_until;

/* How many the thread has closed, and the count at which one was waited for in vain: while it stays the same the thread hangs, and whatever else
 * is waited for would be in vain, too. */
static _Atomic uint64_t n_closed = 1, in_vain;

static void close_slowly(int fd) {
        const struct linger none = { .l_onoff = 0 };

        /* Here and not where the descriptor came in: it takes the socket's lock, which a peer may hold. Fails
         * on what is no socket, which is just as well. */
        (void) setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
        (void) close_fd(fd);
}

static void push(struct item *item) {
        item->next = atomic_load(&stack);
        while (!atomic_compare_exchange_weak(&stack, &item->next, item))
                ;
}

/* Only for the owner: as nobody else takes items off, the top one cannot be freed or come back meanwhile. */
static struct item *pop(void) {
        struct item *top = atomic_load(&stack);

        while (top && !atomic_compare_exchange_weak(&stack, &top, top->next))
                ;
        return top;
}

static bool try_own(uint64_t generation) {
        uint64_t before = atomic_load(&owner);

        /* An owner of another generation lived in a parent of ours; here it does not exist. */
        while (before != generation)
                if (atomic_compare_exchange_weak(&owner, &before, generation))
                        return true;
        return false;
}

static void close_all(void) {
        struct item *item;

        while ((item = pop())) {
                int fd = item->fd;

                free(item);
                (void) atomic_fetch_sub(&n_pending, 1);
                close_slowly(fd);
                (void) atomic_fetch_add(&n_closed, 1);
                (void) atomic_fetch_sub(&n_open, 1);
        }
}

/* Returns whether there is more to close. */
static bool wait_for_more(void) {
        struct timespec until;
        int64_t ns;

        (void) clock_gettime(CLOCK_MONOTONIC, &until);
        ns = until.tv_nsec + THREAD_IDLE_NS;
        until.tv_sec += ns / 1000000000;
        until.tv_nsec = ns % 1000000000;
        while (sem_clockwait(&bell, CLOCK_MONOTONIC, &until) < 0 && errno == EINTR)
                ;
        return atomic_load(&stack);
}

static void *reaper_thread(void *unused) {
        uint64_t generation = fork_generation();

        (void) unused;
        (void) pthread_setname_np(pthread_self(), "leat-reaper");
        do {
                do
                        close_all();
                while (wait_for_more());
                atomic_store(&owner, 0);
                /* Who pushed before that store saw an owner and started no thread: look once more. */
        } while (atomic_load(&stack) && try_own(generation));
        return NULL;
}

/* Where no thread can be had. */
static void reap_here(void) {
        do {
                close_all();
                atomic_store(&owner, 0);
        } while (atomic_load(&stack) && try_own(fork_generation()));
}

static int create_thread(void) {
        pthread_attr_t attributes;
        sigset_t all, before;
        pthread_t thread;
        int r;

        r = pthread_attr_init(&attributes);
        if (r != 0)
                return -r;

        (void) sem_init(&bell, 0, 0); /* In a child it may be in any state. */
        (void) pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
        (void) pthread_attr_setstacksize(&attributes, STACK_SIZE);

        /* The thread inherits the mask: no handler of the program ever runs in a thread that it does not
         * know. */
        (void) sigfillset(&all);
        (void) pthread_sigmask(SIG_SETMASK, &all, &before);
        r = pthread_create(&thread, &attributes, reaper_thread, NULL);
        (void) pthread_sigmask(SIG_SETMASK, &before, NULL);

        (void) pthread_attr_destroy(&attributes);
        return -r;
}

/* A thread that is only slow gets under the bound; one that hangs does not. */
static bool thread_keeps_up(void) {
        const struct timespec pause = { .tv_nsec = PAUSE_NS };

        if (deadline_now() < atomic_load(&impatient_until))
                return false;
        for (int i = 0; atomic_load(&n_pending) > REAPER_BOUND; i++) {
                if (i == PAUSES) {
                        atomic_store(&impatient_until, deadline_now() + IMPATIENCE_NS);
                        return false;
                }
                (void) ppoll(NULL, 0, &pause, NULL);
        }
        return true;
}

/* Puts it before the thread. False when that cannot be had: then it is closed already. */
static bool hand_over(int fd) {
        struct item *item;

        item = malloc(sizeof(*item));
        if (!item) {
                close_slowly(fd);
                return false;
        }

        item->fd = fd;
        (void) atomic_fetch_add(&n_pending, 1);
        (void) atomic_fetch_add(&n_open, 1);
        push(item);

        if (!try_own(fork_generation()))
                (void) sem_post(&bell);
        else if (create_thread() < 0)
                reap_here();
        return true;
}

int reaper_close(int fd) {
        if (!hand_over(fd))
                return 0;
        return atomic_load(&n_pending) <= REAPER_BOUND || thread_keeps_up() ? 0 : -ENOBUFS;
}

void reaper_close_seen(int fd) {
        int64_t end = deadline_now() + PATIENCE_NS;
        uint64_t before = atomic_load(&n_closed);

        if (!hand_over(fd) || before == atomic_load(&in_vain))
                return;
        /* Until the thread has nothing left is as good as until this one is closed: it takes the newest first. */
        while (atomic_load(&n_open) > 0) {
                struct timespec pause = deadline_left(end, GLANCE_NS);

                if (deadline_passed(end)) {
                        if (atomic_load(&n_closed) == before)
                                atomic_store(&in_vain, before);
                        return;
                }
                (void) ppoll(NULL, 0, &pause, NULL);
        }
}
