/* What a message costs, counted: no allocation, one system call when the message or the room for it is there, one when
 * waiting without a deadline, three at most with one.
 *
 * This program traces its own child (ptrace(2)). The child brackets what is measured by two marks, system calls that
 * the library has no use for; all others between them are counted. Allocations are counted by standing before the C
 * library's. Built without sanitizers only: they allocate and call the system on their own. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <leat/leat.h>

#include "support.h"

LEAT_MESSAGE(plain_message, (u64, sequence), (fixed_array, 56, u8, rest));
LEAT_MESSAGE(packed_message, (u64, sequence), (string, text), (array, u32, numbers),
             (optional, string, more));
LEAT_MESSAGE(go, (u32, what));

#define MARK SYS_getppid
enum { BEGIN = 4711, END };

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

/* ---- the child: what is measured ---- */

static unsigned long allocations_before;

static void begin(void) {
        allocations_before = allocations;
        syscall(MARK, BEGIN);
}

/* `what` must be a constant: the tracer reads it in its own memory, the same by fork. NULL: not counted, a first round
 * may still make room. */
static void end(const char *what, int most) {
        syscall(MARK, END, what, most);
        if (!what)
                return;
        if (allocations != allocations_before)
                fprintf(stderr, "%s: %lu allocations\n", what, allocations - allocations_before);
        check_equal(allocations, allocations_before);
}

static const plain_message plain = { .sequence = 1 };
static uint32_t numbers[] = { 1, 2, 3 };
static const packed_message packed = { .text = "hello",
                                       .numbers = { numbers, 3 },
                                       .more = LEAT_SOME("more") };

/* The other process: sends a message, or drains a channel, a while after it is told to, so that the measured one waits. */
static void help(go_receiver orders, packed_message_sender tx, packed_message_receiver full) {
        go order;
        packed_message message;

        while (go_recv(orders, &order, LEAT_FOREVER) == 0) {
                sleep_ms(100);
                if (order.what == 'm')
                        check_equal(packed_message_send(tx, &packed, LEAT_FOREVER), 0);
                else
                        while (packed_message_recv(full, &message, LEAT_NOW) == 0)
                                ;
        }
        _exit(0);
}

/* Message and room are there. */
static void measure_plain(leat_deadline deadline, const char *send, const char *receive) {
        plain_message_sender tx;
        plain_message_receiver rx;
        plain_message message;

        check_equal(plain_message_channel(&tx, &rx), 0);
        for (int round = 0; round < 8; round++) {
                begin();
                check_equal(plain_message_send(tx, &plain, deadline), 0);
                end(round < 4 ? NULL : send, 1);
                begin();
                check_equal(plain_message_recv(rx, &message, deadline), 0);
                end(round < 4 ? NULL : receive, 1);
        }
        plain_message_sender_close(&tx);
        plain_message_receiver_close(&rx);
}

static void measure_packed(leat_deadline deadline, const char *send, const char *receive) {
        packed_message_sender tx;
        packed_message_receiver rx;
        packed_message message;

        check_equal(packed_message_channel(&tx, &rx), 0);
        for (int round = 0; round < 8; round++) {
                begin();
                check_equal(packed_message_send(tx, &packed, deadline), 0);
                end(round < 4 ? NULL : send, 1);
                begin();
                check_equal(packed_message_recv(rx, &message, deadline), 0);
                end(round < 4 ? NULL : receive, 1);
        }
        packed_message_sender_close(&tx);
        packed_message_receiver_close(&rx);
}

static void measure_waiting(go_sender helper, packed_message_receiver rx, packed_message_sender full) {
        packed_message message;
        int r;

        for (int round = 0; round < 4; round++) {
                bool warm = round >= 2, bounded = round % 2;
                leat_deadline deadline = bounded ? leat_after_ms(30000) : LEAT_FOREVER;

                check_equal(go_send(helper, &(go){ 'm' }, LEAT_FOREVER), 0);
                begin();
                check_equal(packed_message_recv(rx, &message, deadline), 0);
                end(!warm     ? NULL
                    : bounded ? "waiting receive, deadline"
                              : "waiting receive, forever",
                    bounded ? 3 : 1);

                while ((r = packed_message_send(full, &packed, LEAT_NOW)) == 0)
                        ;
                check_equal(r, LEAT_FULL);
                check_equal(go_send(helper, &(go){ 'd' }, LEAT_FOREVER), 0);
                begin();
                check_equal(packed_message_send(full, &packed, deadline), 0);
                end(!warm     ? NULL
                    : bounded ? "waiting send, deadline"
                              : "waiting send, forever",
                    bounded ? 3 : 1);
        }
}

static void measure(void) {
        go_sender helper;
        go_receiver orders;
        packed_message_sender tx, full;
        packed_message_receiver rx, full_end;

        check_equal(go_channel(&helper, &orders), 0);
        check_equal(packed_message_channel(&tx, &rx), 0);
        check_equal(packed_message_channel(&full, &full_end), 0);
        measure_plain(LEAT_NOW, "plain send, now", "plain receive, now");
        measure_plain(LEAT_FOREVER, "plain send, forever", "plain receive, forever");
        measure_plain(leat_after_ms(30000), "plain send, deadline", "plain receive, deadline");
        measure_packed(LEAT_NOW, "packed send, now", "packed receive, now");
        measure_packed(LEAT_FOREVER, "packed send, forever", "packed receive, forever");
        measure_packed(leat_after_ms(30000), "packed send, deadline", "packed receive, deadline");

        pid_t child = fork();
        check(child >= 0);
        if (child == 0) {
                go_sender_close(&helper);
                help(orders, tx, full_end);
        }
        go_receiver_close(&orders);
        measure_waiting(helper, rx, full);
        go_sender_close(&helper);
        packed_message_sender_close(&tx);
        packed_message_sender_close(&full);
        packed_message_receiver_close(&rx);
        packed_message_receiver_close(&full_end);
        check_equal(wait_for_exit(child), 0);
}

/* ---- the parent: counts ---- */

struct count {
        bool inside;
        int calls;
        int rows, failures;
        unsigned long long numbers[16];
};

static void judge(struct count *count, const char *what, int most) {
        bool good = count->calls <= most;

        if (!what)
                return;
        count->rows++;
        if (good)
                return;
        count->failures++;
        fprintf(stderr, "%s: %d system calls, at most %d:", what, count->calls, most);
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
                judge(count, (const char *) (uintptr_t) info->entry.args[1], (int) info->entry.args[2]);
        }
}

static int trace(pid_t child, struct count *count) {
        int status, signal_number = 0;
        struct __ptrace_syscall_info info;

        check(waitpid(child, &status, 0) == child && WIFSTOPPED(status));
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

int main(void) {
        struct count count = { 0 };
        pid_t child;

        check(setenv("LEAT_LANES", "never", 1) == 0); /* The cost of sockets; on a lane there are no calls to count. */
        child = fork();
        check(child >= 0);
        if (child == 0) {
                watchdog(60);
                if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0) {
                        fprintf(stderr, "tracing is not allowed here: %s\n", strerror(errno));
                        _exit(77);
                }
                raise(SIGSTOP);
                measure();
                _exit(0);
        }
        int result = trace(child, &count);
        printf("%d rows, %d over\n", count.rows, count.failures);
        if (result == 0 && count.rows != 6 * 2 * 4 + 4)
                result = 1;
        return result != 0 ? result : count.failures > 0;
}
