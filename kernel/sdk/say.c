/* A plugin's lines go to the kernel through a pipe. When nobody reads it, a plain printf would stop the
 * plugin, its heartbeats, and in the end its life; a line on a console is not worth that. The pipe must
 * not be made non-blocking either, since whoever shares it would suffer. So it is asked before each piece
 * whether there is room: a pipe that is ready takes at least PIPE_BUF bytes at once (pipe(7), poll(2)). */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "runtime.h"

#define PATIENCE_MS 100

struct stream {
        int descriptor;
        bool stuck; /* The last line found no room: the next ones do not wait. */
        bool torn;  /* The last line was begun and given up: it needs its end first. */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct stream output = { .descriptor = STDOUT_FILENO };
static struct stream errors = { .descriptor = STDERR_FILENO };

static int64_t now_ms(void) {
        struct timespec now;

        (void) clock_gettime(CLOCK_MONOTONIC, &now);
        return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool has_room(int descriptor, int64_t until) {
        struct pollfd out = { .fd = descriptor, .events = POLLOUT };
        int64_t left = until - now_ms();

        return poll(&out, 1, left > 0 ? (int) left : 0) == 1 && (out.revents & POLLOUT) != 0;
}

/* How many bytes were written by then. */
static size_t write_until(int descriptor, const char *line, size_t size, int64_t until) {
        size_t done = 0;

        while (done < size) {
                size_t piece = size - done < PIPE_BUF ? size - done : PIPE_BUF;
                ssize_t n;

                if (!has_room(descriptor, until))
                        break;
                n = write(descriptor, line + done, piece);
                if (n < 0 && errno != EINTR && errno != EAGAIN)
                        break;
                if (n > 0)
                        done += (size_t) n;
                if (n < 0 && now_ms() >= until)
                        break;
        }
        return done;
}

/* `line` ends with a newline. */
static void put_line(struct stream *to, const char *line, size_t size) {
        int64_t until;
        size_t done = 0;

        (void) pthread_mutex_lock(&lock);
        until = now_ms() + (to->stuck ? 0 : PATIENCE_MS);
        if (to->torn)
                to->torn = write_until(to->descriptor, "\n", 1, until) != 1;
        if (!to->torn) {
                done = write_until(to->descriptor, line, size, until);
                to->torn = done > 0 && done < size;
        }
        to->stuck = done < size;
        (void) pthread_mutex_unlock(&lock);
}

void leat_plugin_say_bytes(const void *line, size_t size) {
        char *whole = malloc(size + 1);

        if (whole == NULL)
                return;
        if (size > 0)
                memcpy(whole, line, size);
        whole[size] = '\n';
        put_line(&output, whole, size + 1);
        free(whole);
}

void leat_plugin_say(const char *format, ...) {
        va_list arguments;
        char *line = NULL;
        int size;

        va_start(arguments, format);
        size = vasprintf(&line, format, arguments);
        va_end(arguments);
        if (size < 0)
                return;
        line[size] = '\n'; /* In the place of the NUL, which nobody needs. */
        put_line(&output, line, (size_t) size + 1);
        free(line);
}

void leat_plugin_complain(const leat_plugin *plugin, const char *format, ...) {
        va_list arguments;
        char *text = NULL, *line = NULL;
        int size;

        va_start(arguments, format);
        size = vasprintf(&text, format, arguments);
        va_end(arguments);
        if (size < 0)
                return;
        size = asprintf(&line, "%s: %s\n", plugin->program->name, text);
        free(text);
        if (size < 0)
                return;
        put_line(&errors, line, (size_t) size);
        free(line);
}
