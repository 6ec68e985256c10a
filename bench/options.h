/* The command line. */
#ifndef LEAT_BENCH_OPTIONS_H
#define LEAT_BENCH_OPTIONS_H

#include "benchmark.h"

#define USAGE_ERROR 2

struct options {
        double seconds; /* 0: the default, which depends on whether it is the overview. */
        int rounds;
        size_t size; /* 0: the benchmark's own. */
        enum pin pin;
        const char *json;
        bool list;
        char **names;
        int name_count;
};

/* -1: go on; otherwise the exit code. */
int options_parse(int argc, char **argv, struct options *ret_options);

const char *pin_name(enum pin pin);

#endif
