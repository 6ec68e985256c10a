/* Standard input may be a terminal, a pipe, a socket, a file or nothing. Each is read as it is: one read
 * when there is something, never O_NONBLOCK, which would change it for the shell that lent it. A file is
 * always ready and cannot be waited for. A terminal may belong to another job at the moment: reading it
 * then would stop the kernel (SIGTTIN), so the kernel looks again each second instead. */
#include "input.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "commands.h"
#include "kernel.h"

enum { LOOK_AGAIN_MS = 1000 };

static void listen_to(struct kernel *kernel) {
        int r = leat_set_watch(kernel->set, STDIN_FILENO, POLLIN, kernel_key(SUBJECT_CONSOLE, 0));

        kernel->input.is_file = r == -EPERM;
}

static void stop_listening(struct kernel *kernel) {
        if (!kernel->input.is_file)
                leat_set_remove(kernel->set, kernel_key(SUBJECT_CONSOLE, 0));
        kernel->input.is_file = false;
}

void input_start(struct kernel *kernel) {
        listen_to(kernel);
}

static void run_line(void *context, const char *line, size_t size) {
        char text[OUTPUT_LINE_MAX + 1];

        memcpy(text, line, size);
        text[size] = '\0';
        commands_run(context, text);
}

static bool is_lent_out(void) {
        pid_t foreground = tcgetpgrp(STDIN_FILENO); /* -1: not our terminal. */

        return foreground > 0 && foreground != getpgrp();
}

void input_read(struct kernel *kernel) {
        struct input *input = &kernel->input;
        char bytes[OUTPUT_LINE_MAX];
        ssize_t n;

        if (is_lent_out()) {
                stop_listening(kernel);
                input->again_at = clock_add_ms(clock_now(), LOOK_AGAIN_MS);
                kernel_wake_at(kernel, input->again_at);
                return;
        }
        n = read(STDIN_FILENO, bytes, sizeof(bytes));
        if (n > 0)
                output_take(&input->lines, bytes, (size_t) n, run_line, kernel);
        else if (n == 0 || (errno != EINTR && errno != EAGAIN)) {
                output_flush(&input->lines, run_line, kernel);
                stop_listening(kernel);
        }
}

void input_check(struct kernel *kernel, leat_deadline now) {
        struct input *input = &kernel->input;

        if (input->again_at != 0 && input->again_at <= now) {
                input->again_at = 0;
                listen_to(kernel);
        }
        if (input->again_at != 0)
                kernel_wake_at(kernel, input->again_at);
}
