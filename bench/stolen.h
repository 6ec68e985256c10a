/* How much of the cores' time a host gave to others meanwhile, as a virtual machine's system tells: see
 * "steal" in proc_stat(5). */
#ifndef LEAT_BENCH_STOLEN_H
#define LEAT_BENCH_STOLEN_H

struct cpu_time {
        double all, stolen; /* Of all cores together, since the start of the system, in one unit. */
};

/* Zero where the system does not tell. */
struct cpu_time cpu_time_read(void);

/* The part that was stolen between the two, 0 to 1. */
double stolen_between(struct cpu_time before, struct cpu_time after);

#endif
