/* A sender, a receiver and a passer of channels, of which one is killed or stopped at a moment of chance,
 * again and again: whatever dies when, the others get a documented outcome in time, what was sent is received
 * whole, once and in order, and nothing is left.
 *
 * usage: deaths_random_moments RUNS
 *
 * LEAT_DEATHS_SEED repeats all runs, LEAT_DEATHS_RUN beside it one of them (a hundred times), as far as
 * timing allows. */
#include "story.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { REPEATS = 100, FIRST_LOOKS = 6 };

static uint64_t number(const char *name, uint64_t otherwise) {
        const char *text = getenv(name);

        return text ? strtoull(text, NULL, 0) : otherwise;
}

static int play_in_child(uint64_t seed, uint64_t run, uint64_t typical_us) {
        struct shared *shared =
                mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        pid_t child;
        int code;

        check(shared != MAP_FAILED);
        child = fork();
        check(child >= 0);
        if (child == 0) {
                watchdog(3 * PATIENCE_S);
                play(seed, run, typical_us, shared);
                leave_child(0);
        }
        code = wait_for_exit(child);
        munmap(shared, sizeof(*shared));
        return code;
}

/* How long a run takes here and now when nobody dies. */
static uint64_t look_how_long(uint64_t seed) {
        int64_t start = now_ns();

        for (uint64_t run = 0; run < FIRST_LOOKS; run++)
                check_equal(play_in_child(seed, run, 0), 0);
        return (uint64_t) (now_ns() - start) / 1000 / FIRST_LOOKS;
}

int main(int argc, char **argv) {
        uint64_t seed = number("LEAT_DEATHS_SEED", (uint64_t) time(NULL)),
                 only = number("LEAT_DEATHS_RUN", UINT64_MAX);
        uint64_t runs = argc > 1 ? strtoull(argv[1], NULL, 0) : 0, typical_us, failed = 0;
        int64_t start = clock_ms();

        if (runs == 0) {
                fprintf(stderr, "usage: deaths_random_moments RUNS\n");
                return 1;
        }
        if (only != UINT64_MAX)
                runs = REPEATS;
        printf("LEAT_DEATHS_SEED=%llu\n", (unsigned long long) seed);
        (void) fflush(stdout);
        prepare_notes();
        typical_us = look_how_long(seed);
        for (uint64_t i = 0; i < runs; i++) {
                uint64_t run = only == UINT64_MAX ? i : only;

                if (play_in_child(seed, run, typical_us) == 0)
                        continue;
                fprintf(stderr, "deaths: repeat with LEAT_DEATHS_SEED=%llu LEAT_DEATHS_RUN=%llu\n",
                        (unsigned long long) seed, (unsigned long long) run);
                failed++;
        }
        printf("runs %llu, seed %llu, %llu ms, %llu failed\n", (unsigned long long) runs,
               (unsigned long long) seed, (unsigned long long) (clock_ms() - start),
               (unsigned long long) failed);
        return failed == 0 ? 0 : 1;
}
