/* Writing to standard output can wait for ever: a pipe whose reader sleeps, a terminal after Ctrl+S, a
 * full disk on a bad day. The kernel must go on supervising meanwhile, so its lines go through a bounded
 * ring, and a thread of their own does the waiting. O_NONBLOCK is no way out: it belongs to the open file,
 * which others share.
 *
 * The ring is written by one thread and read by one. The reader writes out of the ring without holding the
 * lock; what it has not released yet is never overwritten. */
#include "terminal.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "text.h"

enum { SAY_MAX = 4096, WRITE_MAX = 65536 };

struct terminal {
        int descriptor;
        bool escape;
        pthread_t thread;
        pthread_mutex_t lock;
        pthread_cond_t changed; /* By the clock of deadlines. */
        bool ending;
        uint64_t dropped; /* Lines, in all. */
        uint64_t told;    /* Of these, so many were told. */
        size_t capacity;
        size_t head, used; /* Of the ring: where the oldest byte is, and how many there are. */
        char ring[];
};

static void put(struct terminal *terminal, const char *bytes, size_t size) {
        size_t at = (terminal->head + terminal->used) % terminal->capacity;
        size_t first = size < terminal->capacity - at ? size : terminal->capacity - at;

        if (size == 0)
                return;
        memcpy(terminal->ring + at, bytes, first);
        memcpy(terminal->ring, bytes + first, size - first);
        terminal->used += size;
}

/* With the lock held. Tells what was dropped since the last time, when there is room for that and `more`
 * bytes. */
static bool tell_dropped(struct terminal *terminal, size_t more) {
        char note[64];
        int n;

        if (terminal->dropped == terminal->told)
                return true;
        n = snprintf(note, sizeof(note), "(%llu lines of output were dropped)\n",
                     (unsigned long long) (terminal->dropped - terminal->told));
        if ((size_t) n + more > terminal->capacity - terminal->used)
                return false;
        put(terminal, note, (size_t) n);
        terminal->told = terminal->dropped;
        return true;
}

static bool write_out(int descriptor, const char *bytes, size_t size) {
        while (size > 0) {
                /* The one place that may wait, and may be cancelled. */
                ssize_t n = write(descriptor, bytes, size);

                if (n < 0 && errno != EINTR && errno != EAGAIN)
                        return false;
                if (n < 0 && errno == EAGAIN) /* Somebody else who has this file made it non-blocking. */
                        nanosleep(&(struct timespec){ .tv_nsec = 10 * 1000 * 1000 }, NULL);
                bytes += n > 0 ? n : 0;
                size -= n > 0 ? (size_t) n : 0;
        }
        return true;
}

static void unlock(void *lock) {
        pthread_mutex_unlock(lock);
}

/* Waits for something to write; returns its size, or 0 at the end. */
static size_t wait_for_bytes(struct terminal *terminal, const char **ret_bytes) {
        size_t size = 0;

        pthread_mutex_lock(&terminal->lock);
        pthread_cleanup_push(unlock, &terminal->lock);
        if (terminal->used == 0)
                tell_dropped(terminal, 0);
        while (terminal->used == 0 && !terminal->ending)
                pthread_cond_wait(&terminal->changed, &terminal->lock);
        size = terminal->capacity - terminal->head;
        size = size < terminal->used ? size : terminal->used;
        size = size < WRITE_MAX ? size : WRITE_MAX;
        *ret_bytes = terminal->ring + terminal->head;
        pthread_cleanup_pop(1);
        return size;
}

static void *run(void *argument) {
        struct terminal *terminal = argument;
        const char *bytes;
        size_t size;

        while ((size = wait_for_bytes(terminal, &bytes)) > 0) {
                bool written = write_out(terminal->descriptor, bytes, size);

                pthread_mutex_lock(&terminal->lock);
                if (!written) /* Nobody listens any more; the lines are gone, the kernel goes on. */
                        for (size_t i = 0; i < size; i++)
                                terminal->dropped += bytes[i] == '\n';
                terminal->head = (terminal->head + size) % terminal->capacity;
                terminal->used -= size;
                if (!written)
                        terminal->told = terminal->dropped;
                pthread_cond_broadcast(&terminal->changed);
                pthread_mutex_unlock(&terminal->lock);
        }
        return NULL;
}

static int start(struct terminal *terminal) {
        pthread_condattr_t attributes;
        int r;

        pthread_condattr_init(&attributes);
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
        pthread_cond_init(&terminal->changed, &attributes);
        pthread_condattr_destroy(&attributes);
        pthread_mutex_init(&terminal->lock, NULL);
        r = pthread_create(&terminal->thread, NULL, run, terminal);
        if (r != 0) {
                pthread_mutex_destroy(&terminal->lock);
                pthread_cond_destroy(&terminal->changed);
        }
        return -r;
}

int terminal_open(int descriptor, size_t capacity, struct terminal **ret_terminal) {
        struct terminal *terminal = calloc(1, sizeof(*terminal) + capacity);
        int r;

        if (!terminal)
                return -ENOMEM;
        terminal->descriptor = descriptor;
        terminal->escape = isatty(descriptor);
        terminal->capacity = capacity;
        r = start(terminal);
        if (r < 0)
                free(terminal);
        else
                *ret_terminal = terminal;
        return r;
}

static void queue(struct terminal *terminal, const char *prefix, const char *text, size_t size) {
        size_t before = strlen(prefix);

        pthread_mutex_lock(&terminal->lock);
        if (before + size + 1 > terminal->capacity - terminal->used ||
            !tell_dropped(terminal, before + size + 1))
                terminal->dropped++;
        else {
                put(terminal, prefix, before);
                put(terminal, text, size);
                put(terminal, "\n", 1);
        }
        pthread_cond_broadcast(&terminal->changed);
        pthread_mutex_unlock(&terminal->lock);
}

void terminal_line(struct terminal *terminal, const char *prefix, const char *text, size_t size) {
        char *escaped = terminal->escape ? malloc(TEXT_ESCAPED_MAX(size) + 1) : NULL;

        if (escaped)
                queue(terminal, prefix, escaped, text_escape(text, size, escaped));
        else
                queue(terminal, prefix, text, terminal->escape ? 0 : size);
        free(escaped);
}

void terminal_say(struct terminal *terminal, const char *format, ...) {
        char text[SAY_MAX];
        va_list arguments;
        int n;

        va_start(arguments, format);
        n = vsnprintf(text, sizeof(text), format, arguments);
        va_end(arguments);
        if (n >= 0)
                terminal_line(terminal, "", text, (size_t) n < sizeof(text) ? (size_t) n : sizeof(text) - 1);
}

uint64_t terminal_dropped(struct terminal *terminal) {
        uint64_t dropped;

        pthread_mutex_lock(&terminal->lock);
        dropped = terminal->dropped;
        pthread_mutex_unlock(&terminal->lock);
        return dropped;
}

struct terminal *terminal_close(struct terminal *terminal, leat_deadline deadline) {
        struct timespec until = { .tv_sec = deadline / 1000000000, .tv_nsec = deadline % 1000000000 };
        int r = 0;

        if (!terminal)
                return NULL;
        pthread_mutex_lock(&terminal->lock);
        terminal->ending = true;
        pthread_cond_broadcast(&terminal->changed);
        while (terminal->used > 0 && r == 0)
                r = pthread_cond_timedwait(&terminal->changed, &terminal->lock, &until);
        pthread_mutex_unlock(&terminal->lock);
        if (r != 0)
                pthread_cancel(terminal->thread); /* It is stuck in write. */
        pthread_join(terminal->thread, NULL);
        pthread_mutex_destroy(&terminal->lock);
        pthread_cond_destroy(&terminal->changed);
        free(terminal);
        return NULL;
}
