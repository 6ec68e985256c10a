/* Runs a fuzz target without libFuzzer, so that every compiler and every run of the tests samples it: random inputs for about a
 * second, or the files that are named (what libFuzzer has found). LEAT_FUZZ_SEED repeats a run, LEAT_FUZZ_SECONDS makes it
 * longer. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "fuzz.h"
#include "support.h"

#define MAX_INPUT ((size_t) 4096)

static uint64_t next_random(uint64_t *state) {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        return *state;
}

static int run_file(const char *path) {
        size_t size = 0;
        char *data = read_whole_file(path, &size);

        if (!data) {
                fprintf(stderr, "cannot read %s\n", path);
                return 1;
        }
        (void) LLVMFuzzerTestOneInput((const uint8_t *) data, size);
        free(data);
        return 0;
}

static uint64_t number(const char *name, uint64_t otherwise) {
        const char *text = getenv(name);

        return text ? strtoull(text, NULL, 0) : otherwise;
}

int main(int argc, char **argv) {
        static uint8_t input[MAX_INPUT];
        uint64_t seed = number("LEAT_FUZZ_SEED", (uint64_t) time(NULL)), state = seed * 2654435761U + 1,
                 runs = 0;
        int64_t end = clock_ms() + (int64_t) number("LEAT_FUZZ_SECONDS", 1) * 1000;

        for (int i = 1; i < argc; i++)
                if (run_file(argv[i]) != 0)
                        return 1;
        if (argc > 1)
                return 0;

        printf("LEAT_FUZZ_SEED=%llu\n", (unsigned long long) seed);
        (void) fflush(stdout);
        for (; runs < 10 || clock_ms() < end; runs++) {
                size_t size = next_random(&state) % (next_random(&state) % MAX_INPUT + 1);

                for (size_t i = 0; i < size; i++)
                        input[i] = (uint8_t) (next_random(&state) >> 32);
                (void) LLVMFuzzerTestOneInput(input, size);
        }
        printf("%llu inputs\n", (unsigned long long) runs);
        return 0;
}
