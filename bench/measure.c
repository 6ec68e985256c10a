/* The processes of a measurement. This one only makes them and waits, so that whatever a peer's library keeps
 * (threads, sockets, memory) ends with them, and so that one that hangs can be ended. They report in shared
 * memory. A signal that ends this program is held back until the sides have ended and what bears a name is
 * removed. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "measure.h"

#define MAX_SIDES        65 /* The answerer and its askers. */
#define PATIENCE_SECONDS 20 /* Beyond the time that a measurement takes. */
#define GRACE_NS         100000000

struct shared {
        pthread_barrier_t start; /* Of the warm-up. */
        struct gate gate;
        struct report reports[MAX_SIDES]; /* The answerer's is the first. */
};

struct place {
        const struct peer *peer;
        const struct task *task;
        struct link *link;
        struct shared *shared;
        unsigned number;
};

static int pin(int core) {
        cpu_set_t cores;

        if (core < 0)
                return 0;
        CPU_ZERO(&cores);
        CPU_SET((size_t) core, &cores);
        return sched_setaffinity(0, sizeof(cores), &cores) < 0 ? -errno : 0;
}

/* One side, from its beginning to its end. */
static void *play(void *argument) {
        struct place *place = argument;
        const struct task *task = place->task;
        struct report *report = &place->shared->reports[place->number];
        enum side side = place->number == 0 ? ANSWERER : ASKER;
        int r = pin(side == ANSWERER ? task->cores.answerer : task->cores.asker);

        if (r == 0 && place->peer->take_side)
                r = place->peer->take_side(place->link, side, side == ASKER ? place->number - 1 : 0);
        if (r != 0) {
                report->error = r;
                return NULL;
        }
        (void) pthread_barrier_wait(&place->shared->start);
        *report = side == ASKER ? ask(place->peer, place->link, task, place->number - 1, &place->shared->gate)
                                : answer(place->peer, place->link, task, &place->shared->gate);
        return NULL;
}

static void play_in_threads(struct place *places, unsigned count) {
        pthread_t threads[MAX_SIDES];

        for (unsigned i = 0; i < count; i++)
                if (pthread_create(&threads[i], NULL, play, &places[i]) != 0)
                        _exit(1);
        for (unsigned i = 0; i < count; i++)
                (void) pthread_join(threads[i], NULL);
}

/* SIGPIPE is ignored: a side whose other one is gone reports an error. */
static pid_t start(struct place *places, unsigned count) {
        pid_t parent = getpid(), child;
        int status = 0;

        (void) fflush(NULL); /* A side's exit() is not to write this once more. */
        child = fork();
        if (child != 0)
                return child;
        (void) signal(SIGPIPE, SIG_IGN);
        (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
                _exit(1);
        if (count > 1)
                play_in_threads(places, count);
        else
                (void) play(places);
        places->peer->close(places->link);
        for (unsigned i = 0; i < count; i++)
                if (places[i].shared->reports[places[i].number].error != 0)
                        status = 1;
        if (places->peer->exits)
                exit(status);
        _exit(status);
}

/* SIGCHLD, and what ends this program. */
static sigset_t awaited_signals(void) {
        static const int ends[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM };
        sigset_t signals;

        (void) sigemptyset(&signals);
        (void) sigaddset(&signals, SIGCHLD);
        for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
                struct sigaction action;

                if (sigaction(ends[i], NULL, &action) == 0 && action.sa_handler != SIG_IGN)
                        (void) sigaddset(&signals, ends[i]);
        }
        return signals;
}

static int wait_for_signal(const sigset_t *signals, const struct timespec *patience) {
        int number = sigtimedwait(signals, NULL, patience);

        if (number < 0)
                return errno == EAGAIN ? -ETIMEDOUT : 0;
        if (number == SIGCHLD)
                return 0;
        (void) raise(number); /* Once more, for when it is no longer held back. */
        return -EINTR;
}

/* Sees to those that have ended; one that a signal has ended says more than one that has failed. Returns how
 * many. */
static unsigned reap(pid_t *children, unsigned count, int *error) {
        unsigned found = 0;

        for (unsigned i = 0; i < count; i++) {
                int status;

                if (children[i] <= 0 || waitpid(children[i], &status, WNOHANG) <= 0)
                        continue;
                children[i] = 0;
                found++;
                if (WIFSIGNALED(status))
                        *error = -EOWNERDEAD;
                else if (*error == 0 && WEXITSTATUS(status) != 0)
                        *error = -EPIPE;
        }
        return found;
}

static void end_all(const pid_t *children, unsigned count) {
        for (unsigned i = 0; i < count; i++)
                if (children[i] > 0) {
                        (void) kill(children[i], SIGKILL);
                        (void) waitpid(children[i], NULL, 0);
                }
}

/* When one has failed the others could wait for it without end, so they are ended; but not at once, because
 * one may have failed because another one is just dying. */
static int wait_for_all(pid_t *children, unsigned count, double seconds) {
        const struct timespec patience = { .tv_sec = PATIENCE_SECONDS + (time_t) seconds };
        const struct timespec grace = { .tv_nsec = GRACE_NS };
        sigset_t signals = awaited_signals();
        unsigned left = count;
        int r = 0, waited = 0;

        while (waited == 0) {
                unsigned found = reap(children, count, &r);

                left -= found;
                if (left == 0 || (r != 0 && r != -EPIPE))
                        break;
                if (found == 0)
                        waited = wait_for_signal(&signals, r == 0 ? &patience : &grace);
        }
        end_all(children, count);
        return r != 0 ? r : waited;
}

static int run(const struct peer *peer, const struct task *task, struct link *link, struct shared *shared) {
        unsigned sides = task->setup.senders + 1, processes = peer->threads ? 1 : sides, started = 0;
        struct place places[MAX_SIDES];
        pid_t children[MAX_SIDES] = { 0 };
        int r = 0;

        for (unsigned i = 0; i < sides; i++)
                places[i] = (struct place){ peer, task, link, shared, i };
        for (; started < processes && r == 0; started++) {
                children[started] = start(&places[started], peer->threads ? sides : 1);
                if (children[started] < 0)
                        r = -errno;
        }
        if (peer->leave)
                peer->leave(link);
        else
                peer->close(link);
        if (r == 0)
                r = wait_for_all(children, started, task->warm_up + task->seconds);
        else
                end_all(children, started);
        if (peer->leave)
                peer->close(link);
        return r;
}

static bool is_gone(int error) {
        return error == -EPIPE || error == -ECONNRESET;
}

/* What failed first says why; that the other side was gone then is only a consequence. */
static int first_error(const struct report *reports, unsigned count) {
        int error = 0;

        for (unsigned i = 0; i < count; i++)
                if (reports[i].error < 0 && (error == 0 || is_gone(error)))
                        error = reports[i].error;
        return error;
}

static int judge(const struct report *reports, const struct task *task, bool answers,
                 struct result *ret_result) {
        const struct report *answerer = &reports[0];
        struct result result = { .round_trip = reports[1].round_trip, .histogram = reports[1].histogram };
        int64_t start = reports[1].start_ns, end = answerer->end_ns, cpu = answerer->cpu_ns;
        uint64_t count = 0;

        for (unsigned i = 1; i <= task->setup.senders; i++) {
                count += reports[i].count;
                cpu += reports[i].cpu_ns;
                start = reports[i].start_ns < start ? reports[i].start_ns : start;
        }
        if (answers && answerer->count != count)
                return -EBADMSG;
        if (task->kind != ONE_WAY && task->kind != IN_PLACE)
                end = reports[1].end_ns;
        result.per_second = (double) count * 1e9 / (double) (end - start);
        result.cpu_ns = (double) cpu / (double) count;
        result.answerer_cpu = (double) answerer->cpu_ns / (double) (answerer->end_ns - answerer->start_ns);
        *ret_result = result;
        return 0;
}

bool is_able(const struct peer *peer, const struct task *task) {
        const struct setup *setup = &task->setup;

        if (peer->largest != 0 && setup->size > peer->largest)
                return false;
        if (setup->senders >= MAX_SIDES || (setup->senders > 1 && !peer->many_senders) ||
            (setup->channels > 1 && !peer->many_channels))
                return false;
        if (peer->measure)
                return (task->kind == ONE_WAY || task->kind == ROUND_TRIP) && task->batch == 1;
        switch (task->kind) {
        case IN_PLACE:
                return peer->fill && peer->sum;
        case OPERATION:
                return peer->ask;
        case ROUND_TRIP:
        case IDLE_ROUND_TRIP:
                return peer->send && !peer->one_way;
        default:
                return task->batch > 1 ? peer->send_all != NULL : peer->send != NULL;
        }
}

static int measure_shared(const struct peer *peer, const struct task *task, struct shared *shared,
                          struct result *ret_result) {
        pthread_barrierattr_t attributes;
        struct link *link;
        int error, r;

        (void) pthread_barrierattr_init(&attributes);
        (void) pthread_barrierattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
        (void) pthread_barrier_init(&shared->start, &attributes, task->setup.senders + 1);
        atomic_init(&shared->gate.unannounced, task->setup.senders);
        (void) sem_init(&shared->gate.open, 1, 0);
        r = peer->open(peer, &task->setup, &link);
        if (r != 0)
                return r;
        r = run(peer, task, link, shared);
        error = first_error(shared->reports, task->setup.senders + 1);
        if (r != 0 || error != 0)
                return error == 0 || (is_gone(error) && r != 0) ? r : error;
        return judge(shared->reports, task, task->kind != OPERATION || peer->answer, ret_result);
}

int measure(const struct peer *peer, const struct task *task, struct result *ret_result) {
        sigset_t signals = awaited_signals(), before;
        struct shared *shared;
        int r;

        if (!is_able(peer, task))
                return -ENOTSUP;
        if (peer->measure)
                return peer->measure(peer, task, ret_result);
        shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (shared == MAP_FAILED)
                return -errno;
        (void) sigprocmask(SIG_BLOCK, &signals, &before);
        r = measure_shared(peer, task, shared, ret_result);
        (void) sigprocmask(SIG_SETMASK, &before, NULL);
        (void) munmap(shared, sizeof(*shared));
        return r;
}
