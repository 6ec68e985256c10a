/* The parent asks, a child answers. In a one-way measurement the child only receives and says when it had the last
 * message, so that what still waits in the channel is part of the time. Every message carries its number, and whoever
 * receives it checks it. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "measure.h"

/* How many messages go out between two looks at the clock. */
#define BATCH 64

struct result {
        uint64_t count;
        int64_t end_ns;
        int error;
};

static int64_t now_ns(void) {
        struct timespec t;

        (void) clock_gettime(CLOCK_MONOTONIC, &t);
        return (int64_t) t.tv_sec * 1000000000 + t.tv_nsec;
}

static int pin(int core) {
        cpu_set_t cores;

        if (core < 0)
                return 0;
        CPU_ZERO(&cores);
        CPU_SET((size_t) core, &cores);
        return sched_setaffinity(0, sizeof(cores), &cores) < 0 ? -errno : 0;
}

static int expect(const struct peer *peer, struct link *link, enum direction direction, uint64_t sequence) {
        uint64_t got = 0;
        int r = peer->receive(link, direction, &got);

        if (r <= 0)
                return r;
        return got == sequence ? 1 : -EBADMSG;
}

static struct result answer(const struct peer *peer, enum measurement what, struct link *link) {
        struct result result = { 0 };
        int r;

        while ((r = expect(peer, link, THERE, result.count)) == 1) {
                if (what == ROUND_TRIP) {
                        r = peer->send(link, BACK, result.count);
                        if (r != 0)
                                break;
                }
                result.count++;
        }
        result.end_ns = now_ns();
        result.error = r;
        return result;
}

static void answer_in_child(const struct peer *peer, enum measurement what, struct link *link, int core,
                            int report) {
        struct result result = { 0 };
        ssize_t n;

        (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
        result.error = pin(core);
        peer->take_side(link, ANSWERER);
        if (result.error == 0)
                result = answer(peer, what, link);
        n = write(report, &result, sizeof(result));
        peer->close(link);
        _exit(n == sizeof(result) ? 0 : 1);
}

static int ask(const struct peer *peer, enum measurement what, struct link *link, int64_t until_ns,
               uint64_t *ret_count) {
        uint64_t count = 0;
        int r;

        do {
                for (int i = 0; i < BATCH; i++, count++) {
                        r = peer->send(link, THERE, count);
                        if (r != 0)
                                return r < 0 ? r : -EPIPE;
                        if (what == ROUND_TRIP && (r = expect(peer, link, BACK, count)) != 1)
                                return r < 0 ? r : -EPIPE;
                }
        } while (now_ns() < until_ns);
        *ret_count = count;
        return 0;
}

/* The parent's half, with a child that answers. */
static int ask_and_judge(const struct peer *peer, enum measurement what, struct link *link, double seconds,
                         int report, double *ret_ns) {
        int64_t start = now_ns();
        struct result result;
        uint64_t count = 0;
        int r = ask(peer, what, link, start + (int64_t) (seconds * 1e9), &count);
        int64_t end = now_ns();

        peer->end(link, THERE);
        if (read(report, &result, sizeof(result)) != sizeof(result))
                return r != 0 ? r : -EPIPE;
        if (result.error != 0)
                return result.error < 0 ? result.error : -EPIPE;
        if (r != 0)
                return r;
        if (result.count != count)
                return -EBADMSG;
        *ret_ns = (double) ((what == ONE_WAY ? result.end_ns : end) - start) / (double) count;
        return 0;
}

static int wait_for(pid_t child) {
        int status;

        while (waitpid(child, &status, 0) < 0)
                if (errno != EINTR)
                        return -errno;
        return 0;
}

int measure(const struct peer *peer, enum measurement what, double seconds, struct cores cores,
            double *ret_ns) {
        struct link *link;
        int report[2];
        int r = peer->open(&link);
        pid_t child;

        if (r != 0)
                return r;
        if (pipe2(report, O_CLOEXEC) < 0) {
                r = -errno;
                peer->close(link);
                return r;
        }
        child = fork();
        if (child == 0)
                answer_in_child(peer, what, link, cores.answerer, report[1]);
        r = child < 0 ? -errno : pin(cores.asker);
        (void) close(report[1]);
        peer->take_side(link, ASKER);
        if (r == 0)
                r = ask_and_judge(peer, what, link, seconds, report[0], ret_ns);
        peer->close(link);
        (void) close(report[0]);
        if (child > 0) {
                int waited = wait_for(child);

                r = r != 0 ? r : waited;
        }
        return r;
}
