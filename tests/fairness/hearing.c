/* Two things are promised of a flood, and no slow machine can spoil either: how many of its messages are
 * taken while a beat waits that was sent before them, and how much memory and how many descriptors it takes.
 * How long a beat waited is told, not judged. */
#include "hearing.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "in_child.h"

/* While lanes keep a set busy it looks at its sockets after 256 answers at the latest; each member then has
 * one turn a round, a beat that came in the middle of one has the next, and 64 events are fetched at once. */
#define MOST_BETWEEN (256 + 2 * 64)

/* Of those that take their time (more than 50 us each): the clock is looked at after 16 answers at the
 * latest. */
#define MOST_SLOW_BETWEEN (16 + 4)

/* Beyond what was there when the flood had come. A message of the flood, once more: the next one's room. What
 * the C library keeps of what was freed. */
#define MOST_MEMORY ((size_t) (2 << 20) + 2 * LARGE)

/* Those of one message of the flood, and of the one behind it. A lane, the file in which the memory is
 * read. */
#define MOST_DESCRIPTORS (2 * FILES + 8)

/* Messages of the flood until it has come: a lane has been made, rooms have grown. */
#define COME      2000
#define SLOW_COME SLOW_ONES

enum { SAMPLE_EACH = 8 };

static const char *const names[N_KINDS] = { "nothing", "small", "large", "handles", "malformed", "slow" };

static size_t resident(void) {
        char text[128] = "";
        unsigned long size = 0, pages = 0;
        int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);

        check(fd >= 0);
        check(read(fd, text, sizeof(text) - 1) > 0);
        close(fd);
        check_equal(sscanf(text, "%lu %lu", &size, &pages), 2);
        return pages * (size_t) sysconf(_SC_PAGESIZE);
}

void hearing_begin(struct hearing *hearing) {
        for (int i = 0; i < QUIET_CHANNELS; i++)
                hearing->last[i] = -1;
        hearing->descriptors = hearing->most_descriptors = count_descriptors();
}

static void see_whether_it_has_come(struct hearing *hearing) {
        if (hearing->has_come || hearing->n_heard < FIRST_BEATS ||
            (hearing->kind != NOTHING && hearing->taken < (hearing->kind == SLOW ? SLOW_COME : COME)))
                return;
        hearing->memory = hearing->most_memory = resident();
        hearing->has_come = true;
        atomic_store(&hearing->shared->flooded, true);
}

static void sample(struct hearing *hearing) {
        size_t memory = resident();
        int descriptors = count_descriptors();

        if (memory > hearing->most_memory)
                hearing->most_memory = memory;
        if (descriptors > hearing->most_descriptors)
                hearing->most_descriptors = descriptors;
}

void hearing_beat(struct hearing *hearing, const beat *message) {
        check(message->channel < QUIET_CHANNELS && message->number < FIRST_BEATS + hearing->n_beats);
        check(message->number > hearing->last[message->channel]); /* In order, and none twice. */
        hearing->last[message->channel] = message->number;
        hearing->latencies[hearing->n_heard++] = now_ns() - message->sent_at;
        hearing->heard_at[message->number] = hearing->taken;
        see_whether_it_has_come(hearing);
        if (hearing->n_heard % SAMPLE_EACH == 0)
                sample(hearing);
}

void hearing_flood(struct hearing *hearing, uint64_t n_messages, uint64_t bytes) {
        hearing->taken += n_messages;
        hearing->bytes += bytes;
        atomic_store_explicit(&hearing->shared->taken, hearing->taken, memory_order_release);
        see_whether_it_has_come(hearing);
}

void hearing_small(struct hearing *hearing, uint64_t number, size_t size) {
        const struct timespec time = { .tv_nsec = SLOW_US * 1000 };
        bool is_slow = number / SLOW_ONES % 2 == 1;

        if (hearing->kind == SLOW && is_slow)
                nanosleep(&time, NULL);
        hearing_flood(hearing, hearing->kind != SLOW || is_slow, size);
}

bool hearing_is_enough(const struct hearing *hearing) {
        return hearing->n_heard == FIRST_BEATS + hearing->n_beats &&
               (hearing->kind == NOTHING || hearing->taken >= hearing->least);
}

static int compare(const void *a, const void *b) {
        int64_t x, y;

        memcpy(&x, a, sizeof(x));
        memcpy(&y, b, sizeof(y));
        return (x > y) - (x < y);
}

/* What of the flood was taken after a beat's sending had returned and before it was heard. */
static uint64_t most_between(const struct hearing *hearing) {
        uint64_t most = 0;

        for (unsigned i = 0; i < FIRST_BEATS + hearing->n_beats; i++) {
                uint64_t told = atomic_load(&hearing->shared->told[i]), heard = hearing->heard_at[i];

                if (heard > told && heard - told > most)
                        most = heard - told;
        }
        return most;
}

void hearing_judge(const struct hearing *hearing) {
        static int64_t sorted[MAX_BEATS];
        unsigned n = hearing->n_beats;
        size_t more = (hearing->most_memory - hearing->memory) / 1024;
        uint64_t between = most_between(hearing);

        memcpy(sorted, hearing->latencies + FIRST_BEATS, n * sizeof(sorted[0]));
        qsort(sorted, n, sizeof(sorted[0]), compare);
        printf("%-6s %-9s beats %u, us median %.0f, 99%% %.0f, worst %.0f; flood %ju (%ju MB), %ju "
               "malformed, between at most %ju; "
               "memory %zu KiB +%zu, descriptors %d +%d\n",
               hearing->by_router ? "router" : "set", names[hearing->kind], n, (double) sorted[n / 2] / 1e3,
               (double) sorted[n - 1 - n / 100] / 1e3, (double) sorted[n - 1] / 1e3,
               (uintmax_t) hearing->taken, (uintmax_t) hearing->bytes / 1000000,
               (uintmax_t) hearing->malformed, (uintmax_t) between, hearing->memory / 1024, more,
               hearing->descriptors, hearing->most_descriptors - hearing->descriptors);
        (void) fflush(stdout);
        check(hearing_is_enough(hearing));
        check(between <= (hearing->kind == SLOW ? MOST_SLOW_BETWEEN : MOST_BETWEEN));
        check(hearing->most_descriptors - hearing->descriptors <= MOST_DESCRIPTORS);
        /* AddressSanitizer keeps what is freed, and ThreadSanitizer what was touched. */
        check(UNDER_ASAN || UNDER_TSAN || hearing->most_memory - hearing->memory <= MOST_MEMORY);
}
