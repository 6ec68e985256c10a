/* Helpers for tests, so that each test says only what it pins down. */
#include "support.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

_Noreturn void check_failed(const char *file, int line, const char *expression) {
        fprintf(stderr, "%s:%d: failed: %s (errno %s)\n", file, line, expression, strerror(errno));
        fflush(NULL);
        _exit(1);
}

void check_equal_at(const char *file, int line, const char *expression, intmax_t actual, intmax_t expected) {
        if (actual == expected)
                return;
        fprintf(stderr, "%s:%d: %jd is not %jd\n", file, line, actual, expected);
        check_failed(file, line, expression);
}

int count_descriptors(void) {
        DIR *all = opendir("/proc/self/fd");
        int count = 0;
        check(all != NULL);
        for (struct dirent *entry; (entry = readdir(all));)
                count += entry->d_name[0] != '.';
        closedir(all);
        return count - 1;
}

int patience(void) {
        const char *text = getenv("LEAT_TESTS_PATIENCE");
        int times = text ? atoi(text) : 1;

        return times > 1 ? times : 1;
}

int settle_descriptors(int expected) {
        int64_t end = clock_ms() + 30000 * patience();
        int count;
        while ((count = count_descriptors()) != expected && clock_ms() < end)
                sleep_ms(5);
        return count;
}

static void watchdog_bites(int signal_number) {
        static const char text[] = "watchdog: the test still runs\n";
        ssize_t n = write(STDERR_FILENO, text, sizeof(text) - 1);
        (void) n;
        (void) signal_number;
        abort();
}

void watchdog(unsigned seconds) {
        signal(SIGALRM, watchdog_bites);
        alarm(seconds * (unsigned) patience());
}

bool is_left_out(const char *name) {
        const char *names = getenv("LEAT_TESTS_WITHOUT");
        size_t length = strlen(name);

        for (const char *at = names; at && (at = strstr(at, name)); at++) {
                if ((at == names || at[-1] == ' ') && (at[length] == 0 || at[length] == ' ')) {
                        fprintf(stderr, "left out: %s\n", name);
                        return true;
                }
        }
        return false;
}

char *path_in(const char *folder, const char *name) {
        char *path;
        check(asprintf(&path, "%s/%s", folder, name) > 0);
        return path;
}

char *temp_folder(void) {
        const char *parent = getenv("TMPDIR");
        char *folder = path_in(parent && parent[0] ? parent : "/tmp", "leat-XXXXXX");
        check(mkdtemp(folder) != NULL);
        return folder;
}

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *walk) {
        (void) info;
        (void) type;
        (void) walk;
        return remove(path);
}

void temp_folder_remove(char **folder) {
        if (!*folder)
                return;
        nftw(*folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
        free(*folder);
        *folder = NULL;
}

char *read_whole_file(const char *path, size_t *ret_size) {
        FILE *file = fopen(path, "re");
        char *text = NULL;
        size_t size = 0, space = 0, n;
        if (!file)
                return NULL;
        do {
                if (space - size < 4096 + 1) {
                        space = 2 * space + 8192;
                        text = realloc(text, space);
                        check(text != NULL);
                }
                n = fread(text + size, 1, 4096, file);
                size += n;
        } while (n > 0);
        fclose(file);
        text[size] = 0;
        if (ret_size)
                *ret_size = size;
        return text;
}

/* Only there in programs with LeakSanitizer. */
extern int __lsan_do_recoverable_leak_check(void) __attribute__((weak));
extern void __lsan_register_root_region(const void *begin, size_t size) __attribute__((weak));

/* LeakSanitizer knows the child's thread by its parent's number and so does not find its stack, on which
 * there may be all that leads to what is in use. */
static void show_stack(void) {
        pthread_attr_t attributes;
        size_t size;
        void *lowest;

        check(pthread_getattr_np(pthread_self(), &attributes) == 0);
        check(pthread_attr_getstack(&attributes, &lowest, &size) == 0);
        pthread_attr_destroy(&attributes);
        const char *here = __builtin_frame_address(0);
        __lsan_register_root_region(here, (size_t) ((char *) lowest + size - here));
}

/* It reads a file and writes one. */
static void make_room_for_report(void) {
        struct rlimit limit;
        int spare;

        check(getrlimit(RLIMIT_NOFILE, &limit) == 0);
        limit.rlim_cur = limit.rlim_max;
        check(setrlimit(RLIMIT_NOFILE, &limit) == 0);
        spare = dup(STDERR_FILENO);
        if (spare < 0)
                close_range(STDERR_FILENO + 1, ~0U, 0);
        else
                close(spare);
}

static volatile sig_atomic_t code_unsearched;

static void leave_unsearched(int signal_number) {
        static const char text[] =
                "leave_child: a lock of malloc's is held for ever: not searched for leaks\n";
        ssize_t n = write(STDERR_FILENO, text, sizeof(text) - 1);
        (void) n;
        (void) signal_number;
        _exit(code_unsearched);
}

_Noreturn void leave_child(int code) {
        enum { LEAKED = 23, PATIENCE = 15 };

        __builtin_unwind_init(); /* What is in registers only is on the stack, too. */
        if (__lsan_do_recoverable_leak_check) {
                make_room_for_report();
                show_stack();
                code_unsearched = code;
                signal(SIGALRM, leave_unsearched);
                alarm(PATIENCE);
                if (__lsan_do_recoverable_leak_check() != 0)
                        code = LEAKED;
        }
        _exit(code);
}

int wait_for_exit(pid_t child) {
        int status;
        pid_t ended;
        do
                ended = waitpid(child, &status, 0);
        while (ended < 0 && errno == EINTR);
        check(ended == child);
        return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

void sleep_ms(int milliseconds) {
        poll(NULL, 0, milliseconds);
}

int64_t clock_ms(void) {
        struct timespec t;
        clock_gettime(CLOCK_MONOTONIC, &t);
        return (int64_t) t.tv_sec * 1000 + t.tv_nsec / 1000000;
}
