/* The command line. */
#ifndef LEAT_BENCH_OPTIONS_H
#define LEAT_BENCH_OPTIONS_H

#include "benchmark.h"

#define USAGE_ERROR 2

enum command { MEASURE, REPORT, TARGETS };

#define MAX_FROM 16

struct options {
        enum command command;
        double seconds; /* 0: the default, which depends on what is asked for. */
        int rounds, runs;
        size_t size; /* 0: the benchmark's own. */
        enum pin pin;
        const char *json;
        bool list, markdown;
        const char *from[MAX_FROM]; /* Results that are drawn instead of measured. */
        int from_count;
        const char *page, *plots; /* A report's file, and the folder for its plots or NULL. */
        char **names;
        int name_count;
};

/* -1: go on; otherwise the exit code. */
int options_parse(int argc, char **argv, struct options *ret_options);

const char *pin_name(enum pin pin);

#endif
