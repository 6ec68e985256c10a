#include "cases.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "support.h"

#define CHILD_SECONDS 300

uint64_t *cases_counted;

/* What a child says of itself, in memory that it shares with its parent. */
struct progress {
        uint64_t counted[CASES_COUNTS];
        uint64_t number;
};

static uint64_t number_of(const char *text) {
        char *end;
        uint64_t number = strtoull(text, &end, 0);

        check(*text && !*end);
        return number;
}

void cases_parse(struct cases *cases, int argc, char **argv) {
        cases->seed = (uint64_t) time(NULL) * 1000 + (uint64_t) getpid() % 1000;
        for (int i = 1; i + 1 < argc; i += 2) {
                if (strcmp(argv[i], "--seed") == 0)
                        cases->seed = number_of(argv[i + 1]);
                else if (strcmp(argv[i], "--cases") == 0)
                        cases->n = number_of(argv[i + 1]);
                else if (strcmp(argv[i], "--first") == 0)
                        cases->first = number_of(argv[i + 1]);
                else
                        check_failed(__FILE__, __LINE__, argv[i]);
        }
}

static void run_child(const struct cases *cases, struct progress *progress, void (*run)(uint64_t, uint64_t),
                      int (*enough)(void)) {
        watchdog(CHILD_SECONDS);
        while (progress->number < cases->first + cases->n) {
                run(cases->seed, progress->number);
                progress->number++;
                if (enough())
                        break;
        }
        (void) fflush(stdout);
}

int cases_run(const struct cases *cases, const char *what, const char *const *labels,
              void (*run)(uint64_t seed, uint64_t number), int (*enough)(void)) {
        struct progress *progress =
                mmap(NULL, sizeof(*progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        int64_t start = clock_ms();

        check(progress != MAP_FAILED);
        cases_counted = progress->counted;
        progress->number = cases->first;
        while (progress->number < cases->first + cases->n) {
                pid_t child = fork();
                int code;

                check(child >= 0);
                if (child == 0) {
                        run_child(cases, progress, run, enough);
                        exit(0); /* With a look for leaks. */
                }
                code = wait_for_exit(child);
                if (code != 0) {
                        fprintf(stderr, "%s: case %llu failed (%d): --seed %llu --first %llu --cases 1\n",
                                what ? what : "properties", (unsigned long long) progress->number, code,
                                (unsigned long long) cases->seed, (unsigned long long) progress->number);
                        return 1;
                }
        }
        if (!what)
                return 0;
        printf("%s: seed %llu, cases %llu", what, (unsigned long long) cases->seed,
               (unsigned long long) cases->n);
        for (size_t i = 0; labels[i]; i++)
                printf(", %s %llu", labels[i], (unsigned long long) progress->counted[i]);
        printf(", %.1f s\n", (double) (clock_ms() - start) / 1000);
        (void) munmap(progress, sizeof(*progress));
        return 0;
}
