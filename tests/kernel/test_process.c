/* Children: how they start, end, and never stay. */
#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "process.h"
#include "support.h"

static char text[65536];

/* Reads one of the child's outputs to its end. */
static const char *all_of(int descriptor) {
        size_t used = 0;
        ssize_t n;

        for (;;) {
                struct pollfd ready = { .fd = descriptor, .events = POLLIN };

                check(poll(&ready, 1, 30000) == 1);
                n = read(descriptor, text + used, sizeof(text) - 1 - used);
                check(n >= 0);
                if (n == 0)
                        break;
                used += (size_t) n;
        }
        text[used] = '\0';
        return text;
}

static struct process_end wait_end(struct process *process) {
        struct pollfd ready = { .fd = process->descriptor, .events = POLLIN };
        struct process_end end = { 0 };

        check(poll(&ready, 1, 30000) == 1);
        check(process_reap(process, &end));
        return end;
}

static int start(const char *script, struct process *ret_process) {
        char *const words[] = { (char *) "/bin/sh", (char *) "-c", (char *) script, NULL };

        return process_start(words, "/", "LEAT_KERNEL=a name", ret_process);
}

Test(process, runs_ends_and_leaves_nothing) {
        int before = count_descriptors();
        struct process process;
        struct process_end end;

        cr_assert_eq(start("echo out; echo err >&2; exit 3", &process), 0);
        cr_assert_str_eq(all_of(process.output), "out\n");
        cr_assert_str_eq(all_of(process.errors), "err\n");
        end = wait_end(&process);
        cr_assert_eq(end.code, 3);
        cr_assert_eq(end.signal, 0);
        cr_assert_eq(process.pid, 0);
        process_close(&process);
        cr_assert_eq(count_descriptors(), before);
}

/* Signals 32 and 33 are the C library's: its posix_spawn(), by which make and ninja start programs, has them
 * ignored, and its sigaction() lets nobody change that. */
Test(process, what_a_child_finds) {
        struct process process;

        signal(SIGPIPE, SIG_IGN);
        setenv("LEAT_KERNEL", "of somebody else", 1);
        cr_assert_eq(start("echo \"$LEAT_KERNEL\"; pwd; ls -l /proc/self/fd/0 | sed 's/.*-> //';"
                           "ls /proc/$$/fd;" /* No pipe: the shell holds its ends for a moment. */
                           "grep SigBlk /proc/self/status;"
                           "ignored=$(sed -n 's/SigIgn:\t/0x/p' /proc/self/status);"
                           "printf 'SigIgn:\\t%016x\\n' $((ignored & ~0x180000000));"
                           "cut -d' ' -f5 /proc/$$/stat | grep -x $$ >/dev/null && echo leads",
                           &process),
                     0);
        cr_assert_str_eq(all_of(process.output),
                         "a name\n/\n/dev/null\n0\n1\n2\n"
                         "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\nleads\n");
        wait_end(&process);
        process_close(&process);
}

Test(process, what_cannot_be_started_says_why) {
        char *const nothing[] = { (char *) "/no/such/program", NULL };
        char *const folder[] = { (char *) "/tmp", NULL };
        char *const good[] = { (char *) "/bin/true", NULL };
        int before = count_descriptors();
        struct process process = PROCESS_NONE;

        cr_assert_eq(process_start(nothing, "/", NULL, &process), -ENOENT);
        cr_assert_eq(process_start(folder, "/", NULL, &process), -EACCES);
        cr_assert_eq(process_start(good, "/no/such/folder", NULL, &process), -ENOENT);
        cr_assert_eq(process.pid, 0);
        cr_assert_eq(count_descriptors(), before);
        cr_assert_eq(waitpid(-1, NULL, 0), -1);
        cr_assert_eq(errno, ECHILD);
}

Test(process, signals_and_their_traces) {
        struct process process;
        struct process_end end;

        cr_assert_eq(start("trap 'exit 9' TERM; echo ready; while :; do sleep 0.05; done", &process), 0);
        cr_assert_eq(process_reap(&process, &end), false);
        sleep_ms(300);
        process_signal(&process, SIGTERM);
        cr_assert_eq(wait_end(&process).code, 9);
        process_close(&process);
        cr_assert_eq(start("sleep 600", &process), 0);
        process_kill(&process);
        cr_assert_eq(wait_end(&process).signal, SIGKILL);
        process_signal(&process, SIGTERM);
        process_kill(&process);
        process_close(&process);
        process_close(&process);
}

Test(process, its_own_children_end_with_it) {
        struct process process;
        pid_t grandchild;

        cr_assert_eq(start("sleep 600 & echo $!; exit 0", &process), 0);
        wait_end(&process); /* Only then the grandchild is killed, and lets go of the pipe. */
        grandchild = (pid_t) atoi(all_of(process.output));
        cr_assert_gt(grandchild, 1);
        process_close(&process);
        for (int i = 0; i < 300 && kill(grandchild, 0) == 0; i++) {
                char path[64], state = 'Z';
                FILE *file;

                snprintf(path, sizeof(path), "/proc/%d/stat", (int) grandchild);
                file = fopen(path, "r");
                if (!file)
                        return;
                check(fscanf(file, "%*d %*s %c", &state) == 1);
                fclose(file);
                if (state == 'Z') /* Killed; whoever adopted it has not reaped it yet. */
                        return;
                sleep_ms(100);
        }
        cr_assert_neq(kill(grandchild, 0), 0);
}

Test(process, closing_kills) {
        struct process process;

        cr_assert_eq(start("sleep 600", &process), 0);
        process_close(&process);
        cr_assert_eq(waitpid(-1, NULL, WNOHANG), -1);
}
