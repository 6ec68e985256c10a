/* The wrapper that every test of CTest runs in.
 *
 * A test's own exit code says too little. Under Criterion each test is a child, and a leak report, or a
 * report in a child of that child, still ends "passing"; so every sanitizer writes its reports to files in a
 * fresh folder, inherited by whatever the test starts, and any such file turns the run red. A test that
 * leaves a process behind, or that hangs, turns it red as well: the wrapper adopts orphans
 * (PR_SET_CHILD_SUBREAPER), waits for them a while, and ends them.
 *
 * One kind of file is no report: LeakSanitizer notes a thread that went away while it looked for leaks, and
 * goes on looking; and in a forked child the one that it knows by its parent's number (see leave_child() in
 * support.c). Files that hold nothing but such notes are shown and stay green.
 *
 * Each run has a temporary folder of its own (TMPDIR), removed afterwards, and as many descriptors as it may
 * have: what all of a user's processes have in flight counts against the limit of each, so that under the
 * usual 1024 one test that floods another process with descriptors would fail those that run beside it.
 *
 * usage: run_test [--seconds N] PROGRAM [ARGUMENT…]
 * Exit code: the program's; 128 + its signal; 99 for a report, a process left behind or a hang; 98 when the
 * wrapper itself failed. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <regex.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
        EXIT_RED = 99,
        EXIT_BROKEN = 98,
        GRACE_SECONDS = 10, /* For what still runs after its test, at most as long as the test may. */
        MOST_DESCRIPTORS = 20000,
        PATH_SIZE = 4096
};

static char folder[PATH_SIZE];
static char reports[PATH_SIZE];
static char scratch[PATH_SIZE];

static void broken(const char *what) {
        fprintf(stderr, "run_test: %s: %s\n", what, strerror(errno));
        exit(EXIT_BROKEN);
}

static void join(char ret_path[static PATH_SIZE], const char *parent, const char *name) {
        int n = snprintf(ret_path, PATH_SIZE, "%s/%s", parent, name);
        if (n < 0 || n >= PATH_SIZE) {
                errno = ENAMETOOLONG;
                broken(parent);
        }
}

static long long now_ms(void) {
        struct timespec t;
        clock_gettime(CLOCK_MONOTONIC, &t);
        return (long long) t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Short names: socket paths below this folder have 108 bytes in all. */
static void make_folders(void) {
        const char *parent = getenv("TMPDIR");
        join(folder, parent && parent[0] && strlen(parent) < 32 ? parent : "/tmp", "leat.XXXXXX");
        if (!mkdtemp(folder))
                broken(folder);
        join(reports, folder, "reports");
        join(scratch, folder, "t");
        if (mkdir(reports, 0700) < 0 || mkdir(scratch, 0700) < 0)
                broken(folder);
}

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *walk) {
        (void) info;
        (void) type;
        (void) walk;
        if (remove(path) < 0)
                fprintf(stderr, "run_test: cannot remove %s: %s\n", path, strerror(errno));
        return 0;
}

static void remove_folders(void) {
        nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

/* Appends to what the caller has set, so that a developer's own options keep working. */
static void set_options(const char *variable, const char *extra) {
        const char *old = getenv(variable);
        char text[2 * PATH_SIZE];
        int n = snprintf(text, sizeof(text), "%s%s%s:log_path=%s/%s", old ? old : "",
                         old && old[0] ? ":" : "", extra, reports, variable);
        if (n < 0 || (size_t) n >= sizeof(text) || setenv(variable, text, 1) < 0)
                broken(variable);
}

static void set_environment(void) {
        set_options("ASAN_OPTIONS", "detect_leaks=1:detect_stack_use_after_return=1:log_exe_name=1");
        set_options("LSAN_OPTIONS", "log_exe_name=1");
        set_options("UBSAN_OPTIONS", "print_stacktrace=1:log_exe_name=1");
        set_options("TSAN_OPTIONS", "second_deadlock_stack=1:log_exe_name=1");
        if (setenv("TMPDIR", scratch, 1) < 0)
                broken("TMPDIR");
}

/* Not more than tests have ever been run with: some programs, Criterion's too, look at each that there can
 * be. */
static void raise_limit(void) {
        struct rlimit limit;
        if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
                broken("getrlimit");
        rlim_t most = limit.rlim_max < MOST_DESCRIPTORS ? limit.rlim_max : MOST_DESCRIPTORS;
        if (limit.rlim_cur >= most)
                return;
        limit.rlim_cur = most;
        if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
                broken("setrlimit");
}

static void start(char **arguments) {
        /* gcc 12's ThreadSanitizer finds no room for its shadow where the system randomises addresses by more
         * than 28 bits. Where this call is forbidden (some containers), the test goes on without it. */
        personality(ADDR_NO_RANDOMIZE);
        if (setpgid(0, 0) < 0)
                broken("setpgid");
        set_environment();
        raise_limit();
        execvp(arguments[0], arguments);
        broken(arguments[0]);
}

/* Calls `visit` for each child of this process, adopted ones included. Returns how many there are that still
 * run. */
static int each_child(void (*visit)(pid_t)) {
        char path[64], state[512];
        int count = 0, pid;
        snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int) getpid());
        FILE *children = fopen(path, "re");
        if (!children)
                return 0;
        while (fscanf(children, "%d", &pid) == 1) {
                snprintf(path, sizeof(path), "/proc/%d/stat", pid);
                FILE *stat = fopen(path, "re");
                if (!stat)
                        continue;
                size_t n = fread(state, 1, sizeof(state) - 1, stat);
                fclose(stat);
                state[n] = 0;
                const char *end = strrchr(state, ')');
                if (!end || end[1] != ' ' || end[2] == 'Z')
                        continue;
                count++;
                if (visit)
                        visit(pid);
        }
        fclose(children);
        return count;
}

static void show_child(pid_t pid) {
        char path[64], line[1024];
        snprintf(path, sizeof(path), "/proc/%d/cmdline", (int) pid);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t n = fd < 0 ? 0 : read(fd, line, sizeof(line) - 1);
        if (fd >= 0)
                close(fd);
        for (ssize_t i = 0; i < n; i++)
                if (line[i] == 0)
                        line[i] = ' ';
        fprintf(stderr, "run_test:   pid %d: %.*s\n", (int) pid, (int) (n > 0 ? n : 0), line);
}

static void kill_child(pid_t pid) {
        kill(pid, SIGKILL);
}

/* Ended children hand their own children to us: so again until nobody is left. */
static void kill_all(void) {
        for (int round = 0; round < 1000; round++) {
                while (waitpid(-1, NULL, WNOHANG) > 0)
                        ;
                if (each_child(kill_child) == 0)
                        return;
                poll(NULL, 0, 10);
        }
}

/* Returns true when the program ended in time, with its wait status. */
static bool wait_for(pid_t program, long long deadline_ms, int *ret_status) {
        for (;;) {
                int status;
                pid_t ended = waitpid(-1, &status, WNOHANG);
                if (ended == program) {
                        *ret_status = status;
                        return true;
                }
                if (ended > 0)
                        continue;
                if (ended < 0 && errno != EINTR)
                        broken("waitpid");
                if (now_ms() >= deadline_ms)
                        return false;
                poll(NULL, 0, 5);
        }
}

/* Returns how many processes are still there after the grace. */
static int wait_for_orphans(int seconds) {
        long long deadline_ms = now_ms() + (seconds < GRACE_SECONDS ? seconds : GRACE_SECONDS) * 1000LL;
        for (;;) {
                while (waitpid(-1, NULL, WNOHANG) > 0)
                        ;
                if (each_child(NULL) == 0)
                        return 0;
                if (now_ms() >= deadline_ms)
                        return each_child(NULL);
                poll(NULL, 0, 20);
        }
}

static void print_file(const char *path) {
        char block[4096];
        size_t n;
        FILE *file = fopen(path, "re");
        if (!file)
                return;
        while ((n = fread(block, 1, sizeof(block), file)) > 0)
                fwrite(block, 1, n, stderr);
        fclose(file);
}

/* Every line, whole, has to be the note: whatever else a sanitizer says is a report. */
static bool only_notes(const char *path) {
        regex_t note;
        char *line = NULL;
        size_t size = 0;
        ssize_t length;
        int notes = 0;
        bool others = false;
        FILE *file = fopen(path, "re");
        if (!file)
                return false;
        if (regcomp(&note,
                    "^==([^=]+==)?[0-9]+==(Unable to get registers from thread [0-9]+\\."
                    "|Running thread [0-9]+ was not suspended\\. False leaks are possible\\.)\n$",
                    REG_EXTENDED | REG_NOSUB) != 0)
                broken("regcomp");
        while ((length = getline(&line, &size, file)) > 0) {
                if (strlen(line) == (size_t) length && regexec(&note, line, 0, NULL, 0) == 0)
                        notes++;
                else
                        others = true;
        }
        others = others || ferror(file);
        regfree(&note);
        free(line);
        fclose(file);
        return notes > 0 && !others;
}

/* Prints all that sanitizers have written. Returns how many reports there are. */
static int print_reports(void) {
        int count = 0;
        DIR *all = opendir(reports);
        if (!all)
                broken(reports);
        for (struct dirent *entry; (entry = readdir(all));) {
                char path[PATH_SIZE];
                if (entry->d_name[0] == '.')
                        continue;
                join(path, reports, entry->d_name);
                bool note = only_notes(path);
                fprintf(stderr, "run_test: %s %s:\n", note ? "no more than a note," : "report",
                        entry->d_name);
                print_file(path);
                count += !note;
        }
        closedir(all);
        return count;
}

static int run(char **arguments, int seconds) {
        int status = 0, result, left;
        if (prctl(PR_SET_CHILD_SUBREAPER, 1UL) < 0)
                broken("PR_SET_CHILD_SUBREAPER");
        pid_t program = fork();
        if (program < 0)
                broken("fork");
        if (program == 0)
                start(arguments);
        if (!wait_for(program, now_ms() + 1000LL * seconds, &status)) {
                fprintf(stderr, "run_test: %s still runs after %d s; its processes:\n", arguments[0],
                        seconds);
                each_child(show_child);
                kill_all();
                print_reports();
                return EXIT_RED;
        }
        result = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
        if (WIFSIGNALED(status))
                fprintf(stderr, "run_test: %s ended by signal %d\n", arguments[0], WTERMSIG(status));
        left = wait_for_orphans(seconds);
        if (left > 0) {
                fprintf(stderr, "run_test: %d process%s left behind:\n", left, left == 1 ? "" : "es");
                each_child(show_child);
                kill_all();
                result = EXIT_RED;
        }
        if (print_reports() > 0)
                result = EXIT_RED;
        return result;
}

int main(int argc, char **argv) {
        int seconds = 120, first = 1;
        if (argc > 3 && strcmp(argv[1], "--seconds") == 0) {
                seconds = atoi(argv[2]);
                first = 3;
        }
        if (first >= argc || seconds <= 0) {
                fprintf(stderr, "usage: run_test [--seconds N] PROGRAM [ARGUMENT...]\n");
                return EXIT_BROKEN;
        }
        make_folders();
        int result = run(argv + first, seconds);
        remove_folders();
        return result;
}
