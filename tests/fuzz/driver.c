/* Runs a fuzz target without libFuzzer, so that every compiler and every run of the tests samples it.
 *
 * usage: fuzz_NAME [FILE…]            the files (what libFuzzer has found), or random inputs
 *        fuzz_NAME --seeds FOLDER     the folder's files, and then inputs that are random, or a file's with
 *                                     changes
 *        fuzz_NAME --make FOLDER      writes the seeds that the target makes into the folder
 *
 * The target's seeds must be in FOLDER as it makes them today; others may be there too, such as what was
 * found once. Inputs are run for a second, or LEAT_FUZZ_SECONDS; LEAT_FUZZ_SEED repeats a run, and
 * LEAT_FUZZ_KEEP names a file into which each input is written before it is run. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fuzz.h"
#include "support.h"

#define LONGEST   ((size_t) 4096)
#define MAX_FILES 512

static struct {
        size_t size;
        uint8_t *data;
} files[MAX_FILES];
static size_t n_files;
static const char *folder;

/* What is run is kept in a file that a crash leaves behind, if somebody wants it. */
static void remember(const void *data, size_t size) {
        const char *path = getenv("LEAT_FUZZ_KEEP");
        FILE *file = path ? fopen(path, "w") : NULL;

        if (file) {
                (void) fwrite(data, 1, size, file);
                (void) fclose(file);
        }
}

static void run(const void *data, size_t size) {
        uint8_t *copy = malloc(size > 0 ? size : 1); /* To the byte, so that a read beyond it is noticed. */

        check(copy != NULL);
        if (size > 0)
                memcpy(copy, data, size);
        remember(data, size);
        (void) LLVMFuzzerTestOneInput(copy, size);
        free(copy);
}

static int run_file(const char *path) {
        size_t size = 0;
        char *data = read_whole_file(path, &size);

        if (!data) {
                fprintf(stderr, "cannot read %s\n", path);
                return 1;
        }
        run(data, size);
        if (n_files < MAX_FILES && size <= LONGEST) {
                files[n_files].data = (uint8_t *) data;
                files[n_files++].size = size;
        } else {
                free(data);
        }
        return 0;
}

/* ---- seeds ---- */

static void make_seed(const char *name, const void *data, size_t size) {
        char *path = path_in(folder, name);
        FILE *file = fopen(path, "w");

        if (!file || fwrite(data, 1, size, file) != size || fclose(file) != 0) {
                fprintf(stderr, "cannot write %s: %s\n", path, strerror(errno));
                exit(1);
        }
        free(path);
}

static void compare_seed(const char *name, const void *data, size_t size) {
        char *path = path_in(folder, name);
        size_t there = 0;
        char *kept = read_whole_file(path, &there);

        if (!kept || there != size || memcmp(kept, data, size) != 0) {
                fprintf(stderr, "%s is not what the target makes today: run it with --make %s\n", path,
                        folder);
                exit(1);
        }
        free(kept);
        free(path);
}

static int run_folder(void) {
        struct dirent **entries;
        int n = scandir(folder, &entries, NULL, alphasort), r = n < 0;

        for (int i = 0; i < n; i++) {
                char *path = path_in(folder, entries[i]->d_name);

                if (entries[i]->d_name[0] != '.' && r == 0)
                        r = run_file(path);
                free(path);
                free(entries[i]);
        }
        if (n >= 0)
                free(entries);
        printf("%zu seeds\n", n_files);
        return r;
}

static void free_files(void) {
        while (n_files > 0)
                free(files[--n_files].data);
}

/* ---- random inputs ---- */

static uint64_t state;

static size_t below(size_t bound) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        return (size_t) ((state >> 16) % bound);
}

static void change(uint8_t *input, size_t *size) {
        static const uint8_t edges[] = { 0, 1, 2, 0x7f, 0x80, 0xc0, 0xfe, 0xff };
        size_t at = below(*size), n = 1 + below(4);

        if (n > *size - at)
                n = *size - at;
        switch (below(6)) {
        case 0:
                input[at] ^= (uint8_t) (1 << below(8));
                break;
        case 1:
                input[at] = (uint8_t) below(256);
                break;
        case 2:
                input[at] = edges[below(sizeof(edges))];
                break;
        case 3:
                memmove(input + at, input + at + n, *size - at - n);
                *size -= n;
                break;
        case 4:
                if (*size + n <= LONGEST) { /* Once more the same. */
                        memmove(input + at + n, input + at, *size - at);
                        *size += n;
                }
                break;
        default: /* What stands elsewhere. */
                memmove(input + at, input + below(*size - n + 1), n);
        }
}

static size_t make_input(uint8_t *input) {
        size_t size = below(below(LONGEST) + 1), n;

        if (n_files > 0 && below(4) > 0) {
                n = below(n_files);
                size = files[n].size;
                memcpy(input, files[n].data, size);
                for (n = below(below(12) + 1); n > 0 && size > 0; n--)
                        change(input, &size);
                return size;
        }
        for (size_t i = 0; i < size; i++)
                input[i] = (uint8_t) below(256);
        return size;
}

static uint64_t number(const char *name, uint64_t otherwise) {
        const char *text = getenv(name);

        return text ? strtoull(text, NULL, 0) : otherwise;
}

static void run_random(void) {
        static uint8_t input[LONGEST];
        uint64_t seed = number("LEAT_FUZZ_SEED", (uint64_t) time(NULL)), runs = 0;
        int64_t end = clock_ms() + (int64_t) number("LEAT_FUZZ_SECONDS", 1) * 1000;

        printf("LEAT_FUZZ_SEED=%llu\n", (unsigned long long) seed);
        (void) fflush(stdout);
        state = seed * 2654435761U + 1;
        for (; runs < 10 || clock_ms() < end; runs++)
                run(input, make_input(input));
        printf("%llu inputs\n", (unsigned long long) runs);
}

int main(int argc, char **argv) {
        int r = 0;

        if (argc == 3 && strcmp(argv[1], "--make") == 0) {
                folder = argv[2];
                fuzz_seeds(make_seed);
                return 0;
        }
        if (argc == 3 && strcmp(argv[1], "--seeds") == 0) {
                folder = argv[2];
                fuzz_seeds(compare_seed);
                r = run_folder();
        } else {
                for (int i = 1; i < argc && r == 0; i++)
                        r = run_file(argv[i]);
        }
        if (r == 0 && (argc == 1 || folder))
                run_random();
        free_files();
        return r;
}
