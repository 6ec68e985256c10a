/* A leat-kernel for one measurement, in a folder of its own. A process between the two, the keeper, waits for
 * this one's end, whatever that is, then ends the kernel and removes the folder: nothing is left. */
#ifndef LEAT_BENCH_KERNEL_RUN_H
#define LEAT_BENCH_KERNEL_RUN_H

#include <jansson.h>
#include <stdint.h>
#include <sys/types.h>

struct kernel_run {
        pid_t keeper, kernel;
        int hold;      /* The keeper waits for its end. */
        uint16_t port; /* Where the bridge listens; 0: there is none. */
};

/* This very program, for a command of the configuration. 0, or -ENAMETOOLONG. */
int kernel_run_self(char *ret_path, size_t size);

/* Starts the leat-kernel beside this program and waits until its bridge listens, if it has one. -ENOENT,
 * after saying so, when it is not there. */
int kernel_run_start(json_t *configuration, struct kernel_run *ret_run);

/* CPU time so far of the kernel and of what it has started. */
int64_t kernel_run_cpu_ns(const struct kernel_run *run);

/* Returns when everything has ended. Zero is fine. */
void kernel_run_end(struct kernel_run *run);

#endif
