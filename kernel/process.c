/* Everything about a child that has to be right once and for all. A plugin must not outlive the kernel,
 * whatever ends the kernel: the parent-death signal sees to that, and because it is set after fork, the
 * child looks afterwards whether its parent is still the one that made it. A signal must never reach a
 * stranger that has inherited a pid: the process itself is addressed by its pidfd, its group only while
 * the leader is unreaped (a zombie still holds the number). The exit of execve is learned from a pipe that
 * closes on success. */
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/close_range.h>

#include "ownership.h"

enum { DESCRIPTORS_MAX = 65536 };

static struct rlimit children_limit;

void process_raise_descriptors(void) {
        struct rlimit raised;

        if (getrlimit(RLIMIT_NOFILE, &children_limit) < 0)
                return;
        raised = children_limit;
        raised.rlim_cur = raised.rlim_max < DESCRIPTORS_MAX ? raised.rlim_max : DESCRIPTORS_MAX;
        if (raised.rlim_cur > children_limit.rlim_cur)
                setrlimit(RLIMIT_NOFILE, &raised);
}

struct plan {
        char *const *words;
        char **environment;
        const char *working_directory;
        pid_t parent;
        int input, output, errors, failure;
};

/* A copy of the environment's pointers with `variable` instead of whatever had its name. */
static char **make_environment(const char *variable) {
        size_t n = 0, length = variable ? strcspn(variable, "=") + 1 : 0;
        char **environment;

        for (char **each = environ; *each; each++)
                n++;
        environment = calloc(n + 2, sizeof(*environment));
        if (!environment)
                return NULL;
        n = 0;
        for (char **each = environ; *each; each++)
                if (!variable || strncmp(*each, variable, length) != 0)
                        environment[n++] = *each;
        if (variable)
                environment[n] = (char *) variable;
        return environment;
}

static void reset_signals(void) {
        sigset_t none;

        for (int number = 1; number < NSIG; number++)
                signal(number, SIG_DFL); /* Fails for SIGKILL and the like, which is fine. */
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Runs between fork and execve, so it may only do what signal-safety(7) allows. */
__attribute__((noreturn)) static void become(const struct plan *plan) {
        int failure = 3, error;

        setpgid(0, 0);
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != plan->parent)
                _exit(127);
        if (dup2(plan->input, 0) < 0 || dup2(plan->output, 1) < 0 || dup2(plan->errors, 2) < 0 ||
            dup2(plan->failure, failure) < 0 || fcntl(failure, F_SETFD, FD_CLOEXEC) < 0)
                _exit(127);
        close_range(4, ~0U, 0);
        if (chdir(plan->working_directory) == 0) {
                reset_signals();
                if (children_limit.rlim_max > 0)
                        setrlimit(RLIMIT_NOFILE, &children_limit);
                execve(plan->words[0], plan->words, plan->environment);
        }
        error = errno;
        if (write(failure, &error, sizeof(error)) < 0)
                _exit(126);
        _exit(127);
}

static int read_failure(int descriptor) {
        int error = 0;
        ssize_t n;

        do
                n = read(descriptor, &error, sizeof(error));
        while (n < 0 && errno == EINTR);
        return n == (ssize_t) sizeof(error) ? -error : 0;
}

/* What connects the two; of each pair, [0] is the kernel's, [1] the child's. */
struct ends {
        int input;
        int output[2], errors[2];
        int failure[2]; /* Closed by a successful execve. */
};

/* The child's end must not be among those that its dup2 writes over. */
static int make_pipe(int ends[2]) {
        int copy;

        if (pipe2(ends, O_CLOEXEC) < 0)
                return -errno;
        copy = fcntl(ends[1], F_DUPFD_CLOEXEC, 4);
        if (copy < 0)
                return -errno;
        close(ends[1]);
        ends[1] = copy;
        return 0;
}

static void close_ends(struct ends *ends) {
        close_descriptor(&ends->input);
        for (int i = 0; i < 2; i++) {
                close_descriptor(&ends->output[i]);
                close_descriptor(&ends->errors[i]);
                close_descriptor(&ends->failure[i]);
        }
}

static int open_input(struct ends *ends) {
        CLEANUP(close_descriptor) int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);

        if (nothing < 0)
                return -errno;
        ends->input = fcntl(nothing, F_DUPFD_CLOEXEC, 4);
        return ends->input < 0 ? -errno : 0;
}

/* The kernel's ends do not wait. These files are its own, so O_NONBLOCK concerns nobody else. */
static int make_quick(int descriptor) {
        return fcntl(descriptor, F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
}

static int open_ends(struct ends *ends) {
        int r = open_input(ends);

        if (r == 0)
                r = make_pipe(ends->output);
        if (r == 0)
                r = make_pipe(ends->errors);
        if (r == 0)
                r = make_pipe(ends->failure);
        if (r == 0)
                r = make_quick(ends->output[0]);
        if (r == 0)
                r = make_quick(ends->errors[0]);
        return r;
}

static int launch(struct plan *plan, pid_t *ret_pid, int *ret_descriptor) {
        sigset_t all, before;
        pid_t pid;
        int error;

        /* No handler of this process may run in the child; there it would touch this process's state. */
        sigfillset(&all);
        pthread_sigmask(SIG_BLOCK, &all, &before);
        pid = fork();
        if (pid == 0)
                become(plan);
        error = errno;
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        if (pid < 0)
                return -error;
        setpgid(pid, pid); /* Both sides do it, so that it has been done whoever comes first. */
        *ret_descriptor = pidfd_open(pid, 0);
        if (*ret_descriptor < 0) {
                error = errno;
                kill(pid, SIGKILL);
                waitpid(pid, NULL, 0);
                return -error;
        }
        *ret_pid = pid;
        return 0;
}

int process_start(char *const *words, const char *working_directory, const char *variable,
                  struct process *ret_process) {
        CLEANUP(close_ends) struct ends ends = { -1, { -1, -1 }, { -1, -1 }, { -1, -1 } };
        struct process process = PROCESS_NONE;
        struct plan plan = { .words = words, .working_directory = working_directory, .parent = getpid() };
        int r = open_ends(&ends);

        if (r != 0)
                return r;
        plan.environment = make_environment(variable);
        if (!plan.environment)
                return -ENOMEM;
        plan.input = ends.input;
        plan.output = ends.output[1];
        plan.errors = ends.errors[1];
        plan.failure = ends.failure[1];
        r = launch(&plan, &process.pid, &process.descriptor);
        free(plan.environment);
        close_descriptor(&ends.failure[1]); /* Otherwise its end would never come. */
        if (r == 0)
                r = read_failure(ends.failure[0]);
        if (r != 0) {
                process_close(&process);
                return r;
        }
        process.output = take_descriptor(&ends.output[0]);
        process.errors = take_descriptor(&ends.errors[0]);
        *ret_process = process;
        return 0;
}

void process_signal(const struct process *process, int signal) {
        if (process->pid > 0)
                pidfd_send_signal(process->descriptor, signal, NULL, 0);
}

void process_kill(const struct process *process) {
        if (process->pid <= 0)
                return;
        pidfd_send_signal(process->descriptor, SIGKILL, NULL, 0);
        kill(-process->pid, SIGKILL); /* Unreaped, so the number is still its own. */
}

static bool wait_for_end(struct process *process, int options, struct process_end *ret_end) {
        siginfo_t info = { .si_pid = 0 };
        int r;

        do
                r = waitid(P_PIDFD, (id_t) process->descriptor, &info, WEXITED | WNOWAIT | options);
        while (r < 0 && errno == EINTR);
        if (r == 0 && info.si_pid == 0)
                return false;
        if (r == 0) {
                kill(-process->pid, SIGKILL);
                waitid(P_PIDFD, (id_t) process->descriptor, &info, WEXITED);
                ret_end->code = info.si_code == CLD_EXITED ? info.si_status : 0;
                ret_end->signal = info.si_code == CLD_EXITED ? 0 : info.si_status;
        }
        close_descriptor(&process->descriptor);
        process->pid = 0;
        return true;
}

bool process_reap(struct process *process, struct process_end *ret_end) {
        return process->pid > 0 && wait_for_end(process, WNOHANG, ret_end);
}

void process_close(struct process *process) {
        struct process_end end;

        if (process->pid > 0) {
                process_kill(process);
                wait_for_end(process, 0, &end);
        }
        close_descriptor(&process->output);
        close_descriptor(&process->errors);
}
