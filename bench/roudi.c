/* Starts and stops iceoryx's daemon, with memory for one measurement. There can be only one of it on a
 * machine, so one that is running is used instead, with whatever memory it has. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "close_fd.h"
#include "roudi.h"

#define PROGRAM     "iox-roudi"
#define READY       "RouDi is ready for clients"
#define RUNNING     "ROUDI_STILL_RUNNING"
#define PATIENCE_MS 10000 /* For its start, and for its end. */
#define NOT_FOUND   127   /* As a shell says it. */

static int64_t now_ms(void) {
        struct timespec t;

        (void) clock_gettime(CLOCK_MONOTONIC, &t);
        return (int64_t) t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* A file without a name, which the daemon inherits. */
static int make_config(size_t size, unsigned count) {
        int fd = memfd_create("roudi.toml", 0);

        if (fd < 0)
                return -errno;
        if (dprintf(fd,
                    "[general]\nversion = 1\n\n[[segment]]\n\n[[segment.mempool]]\nsize = %zu\ncount = %u\n",
                    size, count) < 0) {
                int error = errno;

                (void) close(fd);
                return -error;
        }
        return fd;
}

/* Becomes the daemon. It ends with the process that started it, even if that is killed. What is wrong it says
 * by abort(), of which no core need be kept. */
static void become(pid_t parent, int config, int output) {
        char path[32];
        sigset_t none;

        (void) snprintf(path, sizeof(path), "/proc/self/fd/%d", config);
        (void) sigemptyset(&none);
        (void) sigprocmask(SIG_SETMASK, &none, NULL);
        (void) setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
        (void) prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (getppid() == parent && dup2(output, STDOUT_FILENO) >= 0 && dup2(output, STDERR_FILENO) >= 0)
                (void) execlp(PROGRAM, PROGRAM, "--log-level", "error", "--config-file", path, (char *) NULL);
        _exit(NOT_FOUND);
}

static int launch(int config, struct roudi *roudi) {
        pid_t parent = getpid();
        int output[2];

        if (pipe2(output, O_CLOEXEC) < 0)
                return -errno;
        roudi->pid = fork();
        if (roudi->pid < 0) {
                int error = errno;

                close_fd(&output[0]);
                close_fd(&output[1]);
                return -error;
        }
        if (roudi->pid == 0)
                become(parent, config, output[1]);
        close_fd(&output[1]);
        roudi->output = output[0];
        return 0;
}

/* Reads what it says until it is ready, or until its end says that another one is running. */
static int await(struct roudi *roudi) {
        char said[4096] = "";
        size_t length = 0;
        int64_t end = now_ms() + PATIENCE_MS;

        while (!strstr(said, READY)) {
                struct pollfd output = { .fd = roudi->output, .events = POLLIN };
                int64_t left = end - now_ms();
                ssize_t n;

                if (left <= 0 || length == sizeof(said) - 1)
                        return -ETIMEDOUT;
                if (poll(&output, 1, (int) left) <= 0)
                        continue;
                n = read(roudi->output, said + length, sizeof(said) - 1 - length);
                if (n < 0 && errno != EINTR)
                        return -errno;
                if (n == 0)
                        return strstr(said, RUNNING) ? -EALREADY : -ECHILD;
                length += n > 0 ? (size_t) n : 0;
                said[length] = '\0';
        }
        return 0;
}

/* It may be slow to end, but not for ever. Returns what waitpid() says of it. */
static int terminate(const struct roudi *roudi) {
        static const struct timespec pause = { .tv_nsec = 5000000 };
        int64_t end = now_ms() + PATIENCE_MS;
        int status = 0;

        (void) kill(roudi->pid, SIGTERM);
        while (waitpid(roudi->pid, &status, WNOHANG) == 0) {
                if (now_ms() >= end)
                        (void) kill(roudi->pid, SIGKILL);
                (void) nanosleep(&pause, NULL);
        }
        return status;
}

/* A second leat-bench would end a daemon while this one uses it. So each waits for its turn, which is a name
 * that only one can have, and which is gone with the process. Returns a descriptor, or a negative errno. */
static int take_turn(void) {
        static const struct timespec pause = { .tv_nsec = 5000000 };
        static const struct sockaddr_un name = { AF_UNIX, "\0leat-bench roudi" };
        int64_t end = now_ms() + PATIENCE_MS;
        int turn = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

        if (turn < 0)
                return -errno;
        while (bind(turn, (const struct sockaddr *) &name, sizeof(name)) < 0) {
                int error = errno == EADDRINUSE ? EBUSY : errno;

                if (error != EBUSY || now_ms() >= end) {
                        close_fd(&turn);
                        return -error;
                }
                (void) nanosleep(&pause, NULL);
        }
        return turn;
}

static int start(size_t size, unsigned count, struct roudi *roudi) {
        int config = make_config(size, count), status, r;

        if (config < 0)
                return config;
        r = launch(config, roudi);
        close_fd(&config);
        if (r != 0)
                return r;
        r = await(roudi);
        if (r == 0)
                return 0;
        status = terminate(roudi);
        roudi->pid = 0;
        close_fd(&roudi->output);
        if (r == -EALREADY)
                return 0;
        return WIFEXITED(status) && WEXITSTATUS(status) == NOT_FOUND ? -ENOENT : r;
}

int roudi_start(size_t size, unsigned count, struct roudi *ret_roudi) {
        struct roudi roudi = { .turn = take_turn(), .output = -1 };
        int r = roudi.turn < 0 ? roudi.turn : start(size, count, &roudi);

        if (r == 0)
                *ret_roudi = roudi;
        else
                close_fd(&roudi.turn);
        return r;
}

/* It does not survive a process of its own that was killed. But when it starts it removes what the one before
 * it left, and so another one is started, and ended. */
void roudi_stop(struct roudi *roudi) {
        bool failed = roudi->pid > 0 && WIFSIGNALED(terminate(roudi));

        close_fd(&roudi->output);
        if (failed && start(8, 1, roudi) == 0 && roudi->pid > 0)
                (void) terminate(roudi);
        close_fd(&roudi->output);
        close_fd(&roudi->turn);
}
