/* The counting: see count.h. The child brackets what is measured by two marks, system calls that the library
 * has no use for; all others between them are counted. Allocations are counted, and the clock is stopped, by
 * standing before the C library's functions. Built without sanitizers only: they allocate and call the system
 * on their own. */
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "count.h"

#include "support.h"

#define MARK SYS_getppid
enum { BEGIN = 4711, END };

#define NS_PER_S INT64_C(1000000000)

/* ---- allocations ---- */

static unsigned long allocations;

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);

void *malloc(size_t size) {
        allocations++;
        return __libc_malloc(size);
}

void *calloc(size_t count, size_t size) {
        allocations++;
        return __libc_calloc(count, size);
}

void *realloc(void *old, size_t size) {
        allocations++;
        return __libc_realloc(old, size);
}

/* ---- the clock ---- */

static int (*system_clock)(clockid_t clock, struct timespec *ret_time);
static int64_t stopped_at; /* 0: it runs. */

int clock_gettime(clockid_t clock, struct timespec *ret_time) {
        if (!system_clock)
                *(void **) &system_clock = dlsym(RTLD_NEXT, "clock_gettime");
        if (clock != CLOCK_MONOTONIC || stopped_at == 0)
                return system_clock(clock, ret_time);
        *ret_time = (struct timespec){ .tv_sec = stopped_at / NS_PER_S, .tv_nsec = stopped_at % NS_PER_S };
        return 0;
}

void stop_clock(void) {
        struct timespec now;

        check_equal(clock_gettime(CLOCK_MONOTONIC, &now), 0);
        stopped_at = now.tv_sec * NS_PER_S + now.tv_nsec;
}

void advance_clock(int64_t nanoseconds) {
        stopped_at += nanoseconds;
}

void start_clock(void) {
        stopped_at = 0;
}

/* ---- the child ---- */

static unsigned long allocations_before;

void begin(void) {
        allocations_before = allocations;
        syscall(MARK, BEGIN);
}

void end_with_memory(const char *row, int least, int most) {
        syscall(MARK, END, row, least, most);
}

void end(const char *row, int least, int most) {
        end_with_memory(row, least, most);
        if (!row)
                return;
        if (allocations != allocations_before)
                fprintf(stderr, "%s: %lu allocations\n", row, allocations - allocations_before);
        check_equal(allocations, allocations_before);
}

/* ---- the parent ---- */

struct count {
        bool inside;
        int calls;
        int rows, failures;
        unsigned long long numbers[16];
};

static void judge(struct count *count, const char *row, int least, int most) {
        if (!row)
                return;
        count->rows++;
        if (count->calls >= least && count->calls <= most)
                return;
        count->failures++;
        fprintf(stderr, "%s: %d system calls, not %d to %d:", row, count->calls, least, most);
        for (int i = 0; i < count->calls && i < 16; i++)
                fprintf(stderr, " %llu", count->numbers[i]);
        fputc('\n', stderr);
}

static void on_call(struct count *count, const struct __ptrace_syscall_info *info) {
        if (info->op != PTRACE_SYSCALL_INFO_ENTRY)
                return;
        if (info->entry.nr != MARK) {
                if (count->inside && count->calls < 16)
                        count->numbers[count->calls] = info->entry.nr;
                count->calls++;
        } else if (info->entry.args[0] == BEGIN) {
                count->inside = true;
                count->calls = 0;
        } else {
                count->inside = false;
                judge(count, (const char *) (uintptr_t) info->entry.args[1], (int) info->entry.args[2],
                      (int) info->entry.args[3]);
        }
}

static int trace(pid_t child, struct count *count) {
        int status, signal_number = 0;
        struct __ptrace_syscall_info info;

        check(waitpid(child, &status, 0) == child);
        if (!WIFSTOPPED(status))
                return WEXITSTATUS(status);
        check_equal(
                ptrace(PTRACE_SETOPTIONS, child, NULL, (void *) (PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL)),
                0);
        for (;;) {
                check_equal(ptrace(PTRACE_SYSCALL, child, NULL, (void *) (uintptr_t) signal_number), 0);
                signal_number = 0;
                check(waitpid(child, &status, 0) == child);
                if (!WIFSTOPPED(status))
                        return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
                if (WSTOPSIG(status) == (SIGTRAP | 0x80)) {
                        check(ptrace(PTRACE_GET_SYSCALL_INFO, child, (void *) sizeof(info), &info) > 0);
                        on_call(count, &info);
                } else {
                        signal_number = WSTOPSIG(status);
                }
        }
}

int count_costs(const char *lanes, void (*measure)(void), int n_rows) {
        struct count count = { 0 };
        pid_t child = fork();
        int result;

        check(child >= 0);
        if (child == 0) {
                watchdog(60);
                check_equal(setenv("LEAT_LANES", lanes, 1), 0);
                if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0) {
                        fprintf(stderr, "tracing is not allowed here: %s\n", strerror(errno));
                        _exit(77);
                }
                raise(SIGSTOP);
                measure();
                _exit(0);
        }
        result = trace(child, &count);
        printf("LEAT_LANES=%s: %d rows, %d wrong\n", lanes, count.rows, count.failures);
        if (result != 0)
                return result;
        return count.rows != n_rows || count.failures > 0;
}
