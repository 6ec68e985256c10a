/* close(2) can wait without end: for the server of a FUSE file, for a lock that a peer holds on the file, for
 * a socket's SO_LINGER. A receiver that tidies up what a stranger sent must not wait with it. So such
 * descriptors go on a list, and one thread closes them; if it hangs, it hangs alone.
 *
 * The thread lives only while there is something to close, and a little longer, since making one costs more
 * than many closings: nothing has to be stopped when a program ends, and an idle one has no thread that it
 * did not start.
 *
 * The list is a stack that is pushed to by compare-and-swap and popped by the one thread alone, so it is
 * whole at every moment; a process may fork at any of them. A child finds its copies of the descriptors on
 * its copy of the list, and closes them in a thread of its own. (What the parent's threads had in their hands
 * at that moment can slip through: the child cannot tell whether the number is still that file, and must not
 * close a number that may be somebody else's.)
 *
 * When it hangs and the list is full, nobody else shall suffer for whom it hangs for. What comes then gets a
 * thread of its own, a helper: so it is closed, or it is known to hang as well, and the channel that brought
 * it can be cut. */
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

/* Over the bound: how many pauses to make for the thread, and, when they were in vain, how long to make none.
 * Pauses are counted and not the time, which goes on when the whole machine stands still; and they are many,
 * since a virtual CPU may stand still by itself. */
#define PAUSES        500
#define PAUSE_NS      INT64_C(1000000)
#define IMPATIENCE_NS INT64_C(5000000000)

/* How long to wait for one that may be slow to close, looking so often. */
#define PATIENCE_NS INT64_C(100000000)
#define GLANCE_NS   INT64_C(20000)

static _Atomic int64_t impatient_until;

/* How many the thread has closed, and the count at which one was waited for in vain: while it stays the same
 * the thread hangs, and whatever else is waited for would be in vain, too. */
static _Atomic uint64_t n_closed = 1, in_vain;

static void close_slowly(int fd) {
        const struct linger none = { .l_onoff = 0 };

        /* Here and not where the descriptor came in: it takes the socket's lock, which a peer may hold. Fails
         * on what is no socket, which is just as well. */
        (void) setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
        (void) close_fd(fd);
}

/* What a helper closes. */
struct errand {
        int fd;
        atomic_int refs; /* The helper's, and that of who waits. */
        atomic_bool is_begun, is_done;
};

/* So many of them may hang, too. */
#define MAX_HELPERS 64

/* So many of the pauses for one are short, before as many others as are made for the thread. */
#define SHORT_PAUSES 50

static atomic_int n_helpers;
static _Atomic uint64_t helped; /* The fork_generation() of the process in which they are. */

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

static int create_thread(void *(*run)(void *), void *data) {
        pthread_attr_t attributes;
        sigset_t all, before;
        pthread_t thread;
        int r;

        r = pthread_attr_init(&attributes);
        if (r != 0)
                return -r;

        (void) pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
        (void) pthread_attr_setstacksize(&attributes, STACK_SIZE);

        /* The thread inherits the mask: no handler of the program ever runs in a thread that it does not
         * know. */
        (void) sigfillset(&all);
        (void) pthread_sigmask(SIG_SETMASK, &all, &before);
        r = pthread_create(&thread, &attributes, run, data);
        (void) pthread_sigmask(SIG_SETMASK, &before, NULL);

        (void) pthread_attr_destroy(&attributes);
        return -r;
}

static int start_reaper(void) {
        (void) sem_init(&bell, 0, 0); /* In a child it may be in any state. */
        return create_thread(reaper_thread, NULL);
}

/* A thread that is only slow gets under the bound; one that hangs does not. */
static bool thread_keeps_up(void) {
        const struct timespec pause = { .tv_nsec = PAUSE_NS };

        if (deadline_now() < atomic_load(&impatient_until))
                return false;
        for (int i = 0; atomic_load(&n_pending) >= REAPER_BOUND; i++) {
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
        else if (start_reaper() < 0)
                reap_here();
        return true;
}

static void errand_unref(struct errand *errand) {
        if (atomic_fetch_sub(&errand->refs, 1) == 1)
                free(errand);
}

static void *helper_thread(void *data) {
        struct errand *errand = data;

        (void) pthread_setname_np(pthread_self(), "leat-reaper");
        atomic_store(&errand->is_begun, true);
        close_slowly(errand->fd);
        (void) atomic_fetch_sub(&n_helpers, 1);
        atomic_store(&errand->is_done, true);
        errand_unref(errand);
        return NULL;
}

static bool take_helpers_place(void) {
        uint64_t generation = fork_generation(), before = atomic_load(&helped);

        if (before != generation && atomic_compare_exchange_strong(&helped, &before, generation))
                atomic_store(&n_helpers, 0); /* They are the parent's. */
        if (atomic_fetch_add(&n_helpers, 1) < MAX_HELPERS)
                return true;
        (void) atomic_fetch_sub(&n_helpers, 1);
        return false;
}

/* The caller's reference is in *ret_errand. False: there are too many helpers, or no thread is to be had. */
static bool send_helper(int fd, struct errand **ret_errand) {
        struct errand *errand = malloc(sizeof(*errand));

        if (!errand || !take_helpers_place()) {
                free(errand);
                return false;
        }
        errand->fd = fd;
        atomic_init(&errand->refs, 2);
        atomic_init(&errand->is_begun, false);
        atomic_init(&errand->is_done, false);
        if (create_thread(helper_thread, errand) < 0) {
                (void) atomic_fetch_sub(&n_helpers, 1);
                free(errand);
                return false;
        }
        *ret_errand = errand;
        return true;
}

static int close_beside(int fd) {
        struct errand *errand;
        int r = 0;

        if (!send_helper(fd, &errand))
                return hand_over(fd) ? -ENOBUFS : 0;
        for (int i = 0; r == 0 && !atomic_load(&errand->is_done);) {
                const struct timespec pause = { .tv_nsec = i < SHORT_PAUSES ? GLANCE_NS : PAUSE_NS };

                if (i == SHORT_PAUSES + PAUSES)
                        r = -ENOBUFS;
                else
                        (void) ppoll(NULL, 0, &pause, NULL);
                /* A thread that has not been let run yet is no proof of anything. */
                i += atomic_load(&errand->is_begun);
        }
        errand_unref(errand);
        return r;
}

int reaper_close(int fd) {
        if (atomic_load(&n_pending) >= REAPER_BOUND && !thread_keeps_up())
                return close_beside(fd);
        (void) hand_over(fd);
        return 0;
}

void reaper_close_at_leisure(int fd) {
        (void) hand_over(fd);
}

void reaper_close_seen(int fd) {
        int64_t end = deadline_now() + PATIENCE_NS;
        uint64_t before = atomic_load(&n_closed);
        struct errand *errand;

        if (before == atomic_load(&in_vain) && send_helper(fd, &errand)) {
                errand_unref(errand); /* It may hang as well: not waited for. */
                return;
        }
        if (!hand_over(fd) || before == atomic_load(&in_vain))
                return;
        /* Until the thread has nothing left is as good as until this one is closed: it takes the newest
         * first. */
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
