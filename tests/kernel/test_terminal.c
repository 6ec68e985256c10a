/* The writer thread: lines come out whole, in order, or are counted; whatever the other side does. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "support.h"
#include "terminal.h"

static char text[1 << 20];

static size_t read_all(int descriptor) {
        size_t used = 0;
        ssize_t n;

        while ((n = read(descriptor, text + used, sizeof(text) - 1 - used)) > 0)
                used += (size_t) n;
        text[used] = '\0';
        return used;
}

static void lines_come_out_in_order(void) {
        struct terminal *terminal;
        int ends[2];

        check_equal(pipe2(ends, O_CLOEXEC), 0);
        check_equal(terminal_open(ends[1], 4096, &terminal), 0);
        terminal_say(terminal, "%s %d", "line", 1);
        terminal_line(terminal, "[x] ", "\033two", 4);
        terminal_line(terminal, "", "", 0);
        terminal_close(terminal, leat_after_ms(30000));
        close(ends[1]);
        read_all(ends[0]);
        check(strcmp(text, "line 1\n[x] \033two\n\n") == 0);
        close(ends[0]);
}

/* Far more than the pipe and the ring hold; then somebody reads. Whole lines, in order, and each gap is
 * told, in its place and with its true size. */
static void what_does_not_fit_is_counted(void) {
        struct terminal *terminal;
        int ends[2], next = 0;

        check_equal(pipe2(ends, O_CLOEXEC), 0);
        check_equal(terminal_open(ends[1], 4096, &terminal), 0);
        for (int i = 0; i < 20000; i++)
                terminal_say(terminal, "line %d", i);
        check(terminal_dropped(terminal) > 0);
        check(fcntl(ends[0], F_SETPIPE_SZ, 1 << 20) > 0);
        terminal_close(terminal, leat_after_ms(30000));
        close(ends[1]);
        read_all(ends[0]);
        for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
                int number;

                if (sscanf(line, "(%d lines of output were dropped)", &number) == 1) {
                        next += number;
                        continue;
                }
                check_equal(sscanf(line, "line %d", &number), 1);
                check_equal(number, next);
                next++;
        }
        check_equal(next, 20000);
        close(ends[0]);
}

static void a_stuck_descriptor_does_not_hold_the_end(void) {
        struct terminal *terminal;
        int ends[2];

        check_equal(pipe2(ends, O_CLOEXEC), 0);
        check_equal(terminal_open(ends[1], 1 << 20, &terminal), 0);
        for (int i = 0; i < 20000; i++)
                terminal_say(terminal, "line %d", i);
        terminal_close(terminal, leat_after_ms(200));
        close(ends[0]);
        close(ends[1]);
}

static void a_closed_descriptor_takes_all(void) {
        struct terminal *terminal;
        int ends[2];

        signal(SIGPIPE, SIG_IGN);
        check_equal(pipe2(ends, O_CLOEXEC), 0);
        close(ends[0]);
        check_equal(terminal_open(ends[1], 4096, &terminal), 0);
        for (int i = 0; i < 100; i++) {
                terminal_say(terminal, "line %d", i);
                sleep_ms(1);
        }
        check(terminal_dropped(terminal) > 0);
        terminal_close(terminal, leat_after_ms(30000));
        close(ends[1]);
}

int main(void) {
        int before = count_descriptors();

        watchdog(30);
        lines_come_out_in_order();
        what_does_not_fit_is_counted();
        a_stuck_descriptor_does_not_hold_the_end();
        a_closed_descriptor_takes_all();
        check_equal(count_descriptors(), before);
        return 0;
}
