/* The plugins of a measurement through the kernel: this program, called as `leat-bench plugin` by the kernel.
 * They and whoever measures share a board in memory. */
#ifndef LEAT_BENCH_KERNEL_PLUGIN_H
#define LEAT_BENCH_KERNEL_PLUGIN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BOARD_SUBSCRIBERS 8
#define BOARD_SAMPLES     1000000

/* What the publisher is told to do. */
enum turn { NOTHING_YET, WARM_UP, MEASURED, N_TURNS };

struct board {
        /* The task. */
        unsigned subscribers;
        bool round_trip; /* The one subscriber publishes every event back. */
        unsigned stride; /* One event in so many is to be acknowledged: an answer says that all before have
                         * arrived too. */
        unsigned unanswered; /* Of these there are so many at once, at most. */
        size_t size;
        int64_t duration_ns[N_TURNS];

        /* How far they are. */
        _Atomic unsigned ready;    /* Plugins that the kernel has welcomed. */
        _Atomic unsigned turn;     /* Said by whoever measures. */
        _Atomic unsigned finished; /* The turn of which everything has arrived. */
        _Atomic int error;         /* The first one of anybody's. */

        /* What came out. */
        int64_t start_ns; /* Of the turn, like the number of its first event. */
        uint64_t first, sent;
        struct {
                uint64_t count;
                int64_t end_ns;
        } arrivals[BOARD_SUBSCRIBERS];
        size_t sample_count;
        uint32_t samples[BOARD_SAMPLES]; /* Round trips in nanoseconds. */
};

/* The command's main function. */
int kernel_plugin_main(int argc, char **argv);

#endif
