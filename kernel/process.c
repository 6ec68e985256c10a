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

static int make_pipe(int ret_ends[2], bool quick) {
        if (pipe2(ret_ends, O_CLOEXEC) < 0)
                return -errno;
        if (quick && fcntl(ret_ends[0], F_SETFL, O_NONBLOCK) < 0)
                return -errno;
        return 0;
}

/* The child's descriptors must not be among those that dup2 writes over. */
static int above_standard(int *descriptor) {
        int copy;

        if (*descriptor > 3)
                return 0;
        copy = fcntl(*descriptor, F_DUPFD_CLOEXEC, 4);
        if (copy < 0)
                return -errno;
        close(*descriptor);
        *descriptor = copy;
        return 0;
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
        CLEANUP(close_descriptor) int input = open("/dev/null", O_RDWR | O_CLOEXEC);
        int output[2] = { -1, -1 }, errors[2] = { -1, -1 }, failure[2] = { -1, -1 };
        struct process process = PROCESS_NONE;
        char **environment = make_environment(variable);
        int r = !environment ? -ENOMEM : input < 0 ? -errno : make_pipe(output, true);

        if (r == 0)
                r = make_pipe(errors, true);
        if (r == 0)
                r = make_pipe(failure, false);
        if (r == 0 && (r = above_standard(&input)) == 0 && (r = above_standard(&output[1])) == 0 &&
            (r = above_standard(&errors[1])) == 0)
                r = above_standard(&failure[1]);
        if (r == 0) {
                struct plan plan = {
                        .words = words,
                        .environment = environment,
                        .working_directory = working_directory,
                        .parent = getpid(),
                        .input = input,
                        .output = output[1],
                        .errors = errors[1],
                        .failure = failure[1],
                };

                r = launch(&plan, &process.pid, &process.descriptor);
        }
        free(environment);
        close_descriptor(&output[1]);
        close_descriptor(&errors[1]);
        close_descriptor(&failure[1]);
        if (r == 0)
                r = read_failure(failure[0]);
        close_descriptor(&failure[0]);
        process.output = output[0];
        process.errors = errors[0];
        if (r == 0)
                *ret_process = process;
        else
                process_close(&process);
        return r;
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
