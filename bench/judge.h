/* The goals of targets.h, measured and judged. */
#ifndef LEAT_BENCH_JUDGE_H
#define LEAT_BENCH_JUDGE_H

#include <jansson.h>

#include "benchmark.h"
#include "targets.h"

#define MAX_RUNS     9
#define FULL_ROUNDS  7 /* With fewer a run judges nothing. */
#define MAX_VERDICTS 64

enum verdict { NOT_MEASURED, NOT_COUNTED, NOT_MET, MET };

/* One run's median over its rounds of the ratio within a round. */
struct run_verdict {
        double ratio, value,
                other; /* The two that it is of; messages a second, nanoseconds, or a part of a core. */
        const struct peer *against; /* The one that was hardest to reach; NULL: nobody is compared with. */
        size_t bytes;               /* Of a message, where bytes are what matters; 0: where they do not. */
        double probe_ns;            /* The median; 0: both sides share a core. */
        double stolen;              /* The part of the cores' time that the host took meanwhile. */
        int rounds;
        bool measured, counts, met;
};

struct judgement {
        const struct target *target;
        int runs;
        struct run_verdict each[MAX_RUNS];
        enum verdict verdict;
        /* Why it is not measured or not counted, and what it would be otherwise; who is not there to be
         * compared with; or "". */
        char remark[320];
};

/* Measures all targets, `runs` times `rounds` rounds. 0, or -ENOMEM. */
int judge_all(double seconds, int rounds, int runs, struct judgement *ret_judgements, int *ret_count);

/* About how many seconds that takes. */
double judging_seconds(double seconds, int rounds, int runs);

/* The run whose ratio is the median, of an even number the worse of the two; NULL when no run measured it. */
const struct run_verdict *median_run(const struct judgement *judgement);

const char *verdict_name(enum verdict verdict);

/* How many of so many runs must meet a target: two of three. */
int runs_needed(int runs);

/* A ratio and its two sides, as text; each run's ratio, probe, and stolen time. */
struct figures {
        char ratio[32], runs[128], sides[160], probes[96], stolen[96];
};
struct figures figures_of(const struct judgement *judgement);

/* What follows from what. */
void print_rules(int runs);

void print_judgements(const struct judgement *judgements, int count);
void print_judgements_markdown(const struct judgement *judgements, int count);
json_t *json_of_judgements(const struct judgement *judgements, int count);

#endif
