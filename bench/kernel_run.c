/* Starting and ending a leat-kernel. It is the keeper's child, so that whoever measures can die at any
 * moment: the keeper, which no Ctrl+C reaches, then cleans up. Should the keeper be killed, the kernel goes
 * with it. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "kernel_run.h"

#define START_MS  20000
#define STOP_MS   5000
#define LINE_SIZE 512
#define PATH_SIZE 4096
#define LISTENING "Kernel listening on "

/* What the keeper tells once. */
struct told {
        int error;
        pid_t kernel;
        uint16_t port;
};

static int64_t clock_ns(clockid_t clock) {
        struct timespec t;

        return clock_gettime(clock, &t) < 0 ? 0 : (int64_t) t.tv_sec * 1000000000 + t.tv_nsec;
}

int kernel_run_self(char *ret_path, size_t size) {
        ssize_t n = readlink("/proc/self/exe", ret_path, size);

        if (n < 0 || (size_t) n >= size)
                return n < 0 ? -errno : -ENAMETOOLONG;
        ret_path[n] = 0;
        return 0;
}

/* A program beside this one. */
static int find(const char *name, char path[static PATH_SIZE]) {
        size_t length = strlen(name) + 1;
        int r = kernel_run_self(path, PATH_SIZE - length);

        if (r != 0)
                return r;
        memcpy(strrchr(path, '/') + 1, name, length);
        if (access(path, X_OK) == 0)
                return 0;
        (void) fprintf(stderr, "leat-bench: %s is not there; it belongs beside leat-bench\n", path);
        return -ENOENT;
}

static bool has_bridge(const json_t *configuration) {
        return json_is_true(json_object_get(configuration, "bridge"));
}

static int find_programs(const json_t *configuration, char kernel[static PATH_SIZE]) {
        char bridge[PATH_SIZE];
        int r = find("leat-kernel", kernel);

        return r == 0 && has_bridge(configuration) ? find("Bridge", bridge) : r;
}

/* The keeper's side. */

struct keeping {
        const char *program;
        json_t *configuration;
        char folder[PATH_SIZE], path[PATH_SIZE];
        pid_t kernel;
        int hold, output; /* The kernel's output; -1: at its end. */
        char line[LINE_SIZE];
        size_t length;
};

static int make_folder(struct keeping *keeping) {
        const char *parent = getenv("TMPDIR");
        int n = snprintf(keeping->folder, PATH_SIZE, "%s/leat-bench-XXXXXX",
                         parent && *parent ? parent : "/tmp");

        if (n < 0 || n + 32 >= PATH_SIZE)
                return -ENAMETOOLONG;
        if (!mkdtemp(keeping->folder)) {
                keeping->folder[0] = 0;
                return -errno;
        }
        memcpy(keeping->path, keeping->folder, (size_t) n);
        memcpy(keeping->path + n, "/kernelconfig.json", sizeof("/kernelconfig.json"));
        return json_dump_file(keeping->configuration, keeping->path, 0) < 0 ? -EIO : 0;
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *walk) {
        (void) status;
        (void) type;
        (void) walk;
        (void) remove(path);
        return 0;
}

static void become_kernel(const struct keeping *keeping, pid_t keeper, int output) {
        int input = open("/dev/null", O_RDONLY | O_CLOEXEC);
        sigset_t none;

        (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void) sigemptyset(&none);
        (void) sigprocmask(SIG_SETMASK, &none, NULL);
        if (getppid() == keeper && dup2(input, STDIN_FILENO) >= 0 && dup2(output, STDOUT_FILENO) >= 0)
                (void) execl(keeping->program, keeping->program, "--config", keeping->path, "--no-console",
                             (char *) NULL);
        _exit(127);
}

static int start_kernel(struct keeping *keeping) {
        pid_t keeper = getpid();
        int ends[2];

        if (pipe2(ends, O_CLOEXEC) < 0)
                return -errno;
        keeping->kernel = fork();
        if (keeping->kernel == 0)
                become_kernel(keeping, keeper, ends[1]);
        (void) close(ends[1]);
        keeping->output = ends[0];
        return keeping->kernel < 0 ? -errno : 0;
}

/* Reads what there is of the output. Returns the port when that was its line, otherwise 0. */
static uint16_t read_output(struct keeping *keeping) {
        uint16_t port = 0;
        char *newline;
        ssize_t n = read(keeping->output, keeping->line + keeping->length, LINE_SIZE - keeping->length);

        if (n <= 0 && (n == 0 || errno != EINTR)) {
                (void) close(keeping->output);
                keeping->output = -1;
        }
        keeping->length += n > 0 ? (size_t) n : 0;
        while ((newline = memchr(keeping->line, '\n', keeping->length))) {
                *newline++ = 0;
                if (strncmp(keeping->line, LISTENING, strlen(LISTENING)) == 0)
                        port = (uint16_t) strtoul(strrchr(keeping->line, ':') + 1, NULL, 10);
                keeping->length -= (size_t) (newline - keeping->line);
                memmove(keeping->line, newline, keeping->length);
        }
        if (keeping->length == LINE_SIZE) /* No line of ours. */
                keeping->length = 0;
        return port;
}

/* Reads output until it says the port (true), or until what is waited for comes to its end. */
static bool read_until(struct keeping *keeping, int64_t end_ns, bool wants_port, uint16_t *ret_port) {
        for (;;) {
                int64_t left_ns = end_ns - clock_ns(CLOCK_MONOTONIC);
                struct pollfd places[] = { { .fd = keeping->output, .events = POLLIN },
                                           { .fd = keeping->hold } };

                if (left_ns <= 0 || (wants_port && keeping->output < 0))
                        return false;
                if (poll(places, 2, left_ns < 1000000000 ? (int) (left_ns / 1000000) + 1 : 1000) < 0)
                        continue;
                if (places[1].revents != 0)
                        return false;
                if (places[0].revents != 0) {
                        uint16_t port = read_output(keeping);

                        if (wants_port && port != 0) {
                                *ret_port = port;
                                return true;
                        }
                }
        }
}

static void stop_kernel(struct keeping *keeping) {
        int64_t end = clock_ns(CLOCK_MONOTONIC) + (int64_t) STOP_MS * 1000000;

        if (keeping->kernel <= 0)
                return;
        (void) kill(keeping->kernel, SIGTERM);
        keeping->hold = -1;
        while (keeping->output >= 0 && clock_ns(CLOCK_MONOTONIC) < end) {
                struct pollfd output = { .fd = keeping->output, .events = POLLIN };

                if (poll(&output, 1, 100) > 0)
                        (void) read_output(keeping);
        }
        if (keeping->output >= 0)
                (void) kill(keeping->kernel, SIGKILL);
        (void) waitpid(keeping->kernel, NULL, 0);
}

static void keep(struct keeping *keeping, int tell) {
        bool wants_port = has_bridge(keeping->configuration);
        int64_t end = clock_ns(CLOCK_MONOTONIC) + (int64_t) START_MS * 1000000;
        struct told told = { 0 };

        (void) setsid(); /* What ends a whole group or terminal ends us by the end of what we hold. */
        told.error = make_folder(keeping);
        if (told.error == 0)
                told.error = start_kernel(keeping);
        if (told.error == 0 && wants_port && !read_until(keeping, end, true, &told.port))
                told.error = -EPIPE;
        told.kernel = keeping->kernel;
        (void) !write(tell, &told, sizeof(told));
        (void) close(tell);
        if (told.error == 0)
                (void) read_until(keeping, INT64_MAX, false, NULL);
        stop_kernel(keeping);
        if (keeping->folder[0])
                (void) nftw(keeping->folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
        _exit(0);
}

static pid_t start_keeper(const char *program, json_t *configuration, int hold[2], int tell[2]) {
        struct keeping keeping = {
                .program = program, .configuration = configuration, .hold = hold[0], .output = -1
        };
        sigset_t all, before;
        pid_t keeper;

        (void) sigfillset(&all);
        (void) sigprocmask(SIG_SETMASK, &all, &before);
        keeper = fork();
        if (keeper == 0) {
                (void) close(hold[1]);
                (void) close(tell[0]);
                keep(&keeping, tell[1]);
        }
        (void) sigprocmask(SIG_SETMASK, &before, NULL);
        return keeper;
}

int kernel_run_start(json_t *configuration, struct kernel_run *ret_run) {
        struct kernel_run run = { 0 };
        struct told told = { .error = -EPIPE };
        char program[PATH_SIZE];
        int hold[2], tell[2], r = find_programs(configuration, program);

        if (r != 0)
                return r;
        if (pipe2(hold, O_CLOEXEC) < 0)
                return -errno;
        if (pipe2(tell, O_CLOEXEC) < 0) {
                r = -errno;
                (void) close(hold[0]);
                (void) close(hold[1]);
                return r;
        }
        run.keeper = start_keeper(program, configuration, hold, tell);
        r = run.keeper < 0 ? -errno : 0;
        run.hold = hold[1];
        (void) close(hold[0]);
        (void) close(tell[1]);
        if (r == 0 && read(tell[0], &told, sizeof(told)) == (ssize_t) sizeof(told))
                r = told.error;
        else if (r == 0)
                r = -EPIPE;
        (void) close(tell[0]);
        run.kernel = told.kernel;
        run.port = told.port;
        if (r != 0)
                kernel_run_end(&run);
        else
                *ret_run = run;
        return r;
}

static int64_t cpu_of(pid_t pid) {
        clockid_t clock;

        return clock_getcpuclockid(pid, &clock) == 0 ? clock_ns(clock) : 0;
}

int64_t kernel_run_cpu_ns(const struct kernel_run *run) {
        int64_t sum = cpu_of(run->kernel);
        char path[64];
        FILE *children;
        int child;

        (void) snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int) run->kernel,
                        (int) run->kernel);
        children = fopen(path, "re");
        if (!children)
                return sum;
        while (fscanf(children, "%d", &child) == 1)
                sum += cpu_of(child);
        (void) fclose(children);
        return sum;
}

void kernel_run_end(struct kernel_run *run) {
        if (run->keeper == 0)
                return;
        (void) close(run->hold);
        if (run->keeper > 0)
                (void) waitpid(run->keeper, NULL, 0);
        *run = (struct kernel_run){ 0 };
}
