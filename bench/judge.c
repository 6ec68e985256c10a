/* Measures what the targets compare, each measure's figures in turns within one run, and judges: a target is
 * met when the median over a run's rounds meets it in two of three runs. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <leat/error.h>

#include "conditions.h"
#include "judge.h"
#include "rounds.h"
#include "stolen.h"

#define MAX_CELLS       24
#define SILENCE_SECONDS 0.5 /* At least: what is left of waking for the last message should not count. */

/* A peer in a benchmark. */
struct cell {
        const struct benchmark *benchmark;
        struct task task;
        struct series series;
};

/* What is measured in turns for the targets of one measure. */
struct group {
        int cells;
        struct cell *cell[MAX_CELLS];
        double probe_ns[MAX_ROUNDS];
        double stolen;
        int rounds;
};

static const struct benchmark *find_benchmark(const char *name) {
        const struct benchmark *benchmark = benchmarks;

        while (benchmark->name && strcmp(benchmark->name, name) != 0)
                benchmark++;
        return benchmark;
}

static const char *other_benchmark(const struct target *target) {
        return target->other_benchmark ? target->other_benchmark : target->benchmark;
}

static struct cell *find_cell(struct group *group, const char *benchmark, const char *peer, size_t length) {
        for (int i = 0; i < group->cells; i++) {
                const char *name = group->cell[i]->series.peer->name;

                if (strcmp(group->cell[i]->benchmark->name, benchmark) == 0 && strlen(name) == length &&
                    strncmp(name, peer, length) == 0)
                        return group->cell[i];
        }
        return NULL;
}

static int add_cell(struct group *group, const char *benchmark, const char *name, size_t length,
                    double seconds) {
        const struct peer *peer = peer_find(name, length);
        struct cell *cell;

        if (!peer || group->cells == MAX_CELLS || find_cell(group, benchmark, name, length))
                return 0;
        cell = calloc(1, sizeof(*cell));
        if (!cell)
                return -ENOMEM;
        cell->benchmark = find_benchmark(benchmark);
        if (cell->benchmark->kind == SILENT && seconds < SILENCE_SECONDS)
                seconds = SILENCE_SECONDS;
        cell->task = task_of(cell->benchmark, PIN_SPLIT, 0, seconds);
        cell->series.peer = peer;
        group->cell[group->cells++] = cell;
        return 0;
}

static void free_group(struct group *group) {
        for (int i = 0; group && i < group->cells; i++)
                free(group->cell[i]);
        free(group);
}

/* The next of names with spaces between them, and its length; 0 at the end. */
static size_t next_name(const char **names, const char **ret_name) {
        size_t length;

        *names += strspn(*names, " ");
        *ret_name = *names;
        length = strcspn(*names, " ");
        *names += length;
        return length;
}

/* All that is compared by the targets from this one on that have its measure. NULL when memory ran out. */
static struct group *group_of(const struct target *target, double seconds) {
        const char *measure = target->measure, *name;
        struct group *group = calloc(1, sizeof(*group));
        int r = group ? 0 : -ENOMEM;
        size_t length;

        for (; r == 0 && target->measure && strcmp(target->measure, measure) == 0; target++) {
                const char *others = target->others ? target->others : "";

                r = add_cell(group, target->benchmark, target->peer, strlen(target->peer), seconds);
                while (r == 0 && (length = next_name(&others, &name)) > 0)
                        r = add_cell(group, other_benchmark(target), name, length, seconds);
        }
        if (r == 0)
                return group;
        free_group(group);
        return NULL;
}

static bool is_same_group(const struct target *a, const struct target *b) {
        return a->measure && b->measure && strcmp(a->measure, b->measure) == 0;
}

static void measure_group(struct group *group, int rounds, const char *what) {
        struct cpu_time before = cpu_time_read();

        for (; group->rounds < rounds; group->rounds++) {
                group->probe_ns[group->rounds] = probe(group->cell[0]->task.cores);
                for (int i = 0; i < group->cells; i++)
                        take_turn(&group->cell[i]->series, &group->cell[i]->task, what, group->rounds,
                                  rounds);
        }
        group->stolen = stolen_between(before, cpu_time_read());
}

static double value_of(const struct result *result, enum bound bound) {
        if (bound == CPU_BELOW)
                return result->answerer_cpu;
        if (bound != TIME_AT_MOST)
                return result->per_second;
        return result->round_trip.p50 > 0 ? result->round_trip.p50 : 1e9 / result->per_second;
}

static double median_of(const struct series *series, enum bound bound) {
        double values[MAX_ROUNDS];

        for (int i = 0; i < series->rounds; i++)
                values[i] = value_of(&series->results[i], bound);
        return spread_of(values, series->rounds).median;
}

/* With nobody to compare with: of the value itself. */
static double median_ratio(const struct series *series, const struct series *other, enum bound bound) {
        double ratios[MAX_ROUNDS];

        if (!other)
                return median_of(series, bound);
        for (int i = 0; i < series->rounds; i++)
                ratios[i] = value_of(&series->results[i], bound) / value_of(&other->results[i], bound);
        return spread_of(ratios, series->rounds).median;
}

static bool is_harder(enum bound bound, double ratio, double than) {
        return bound == TIME_AT_MOST ? ratio > than : ratio < than;
}

static bool is_reached(const struct target *target, double ratio, bool near) {
        double tolerance = target->tolerant ? TOLERANCE : 0;

        switch (target->bound) {
        case RATE_ABOVE:
                return ratio > target->factor;
        case TIME_AT_MOST:
                return ratio <= target->factor * (1 + tolerance);
        case CPU_BELOW:
                return ratio < target->factor;
        default:
                if (target->reach == LESS_WHEN_FAR && !near)
                        return ratio >= target->far_factor * (1 - tolerance);
                return ratio >= target->factor;
        }
}

/* Adds to the remark, with something between it and what is there already. */
static void remark(struct judgement *judgement, const char *who, const char *what) {
        size_t length = strlen(judgement->remark);

        if (!strstr(judgement->remark, who))
                (void) snprintf(judgement->remark + length, sizeof(judgement->remark) - length, "%s%s%s",
                                length > 0 ? "; " : "", who, what);
}

/* The others of a target that can be compared with, one call each. */
static void compare(struct judgement *judgement, struct run_verdict *run, const struct cell *cell,
                    struct group *group, const char *name, size_t length) {
        const struct target *target = judgement->target;
        struct cell *other = find_cell(group, other_benchmark(target), name, length);
        char called[64], why[128];
        double ratio;

        (void) snprintf(called, sizeof(called), "%.*s", (int) length, name);
        if (!other) {
                remark(judgement, called, " is not installed");
                return;
        }
        if (other->series.error == -ENOTSUP)
                return;
        if (other->series.error != 0) {
                (void) snprintf(why, sizeof(why), " failed (%s)", leat_strerror(other->series.error));
                remark(judgement, called, why);
                return;
        }
        ratio = median_ratio(&cell->series, &other->series, target->bound);
        if (run->against && !is_harder(target->bound, ratio, run->ratio))
                return;
        run->measured = true;
        run->against = other->series.peer;
        run->ratio = ratio;
        run->other = median_of(&other->series, target->bound);
}

/* Whether it says something under these conditions: on two cores, or on one where that is what it is about;
 * near, where that matters; with rounds enough. */
static bool does_count(const struct target *target, const struct cell *cell, const struct group *group,
                       double probe_ns) {
        bool same_core = probe_ns <= 0;

        if (group->rounds < FULL_ROUNDS)
                return false;
        if (same_core)
                return cell->benchmark->pin == PIN_SAME;
        return target->reach != ONLY_NEAR || probe_ns < NEAR_NS;
}

static void judge_run(struct judgement *judgement, struct group *group) {
        const struct target *target = judgement->target;
        const char *others = target->others ? target->others : "", *name;
        struct cell *cell = find_cell(group, target->benchmark, target->peer, strlen(target->peer));
        struct run_verdict *run = &judgement->each[judgement->runs++];
        char why[128];
        size_t length;

        run->probe_ns = spread_of(group->probe_ns, group->rounds).median;
        run->stolen = group->stolen;
        run->rounds = group->rounds;
        if (!cell)
                return;
        run->bytes = cell->task.setup.size >= 1024 ? cell->task.setup.size : 0;
        run->counts = does_count(target, cell, group, run->probe_ns);
        if (cell->series.error != 0) {
                (void) snprintf(why, sizeof(why), " failed (%s)", leat_strerror(cell->series.error));
                remark(judgement, target->peer, why);
                return;
        }
        run->value = median_of(&cell->series, target->bound);
        if (target->bound == CPU_BELOW) {
                run->measured = true;
                run->ratio = run->value;
        }
        while ((length = next_name(&others, &name)) > 0)
                compare(judgement, run, cell, group, name, length);
        run->met = run->measured && is_reached(target, run->ratio, run->probe_ns < NEAR_NS);
}

static void say_why_not_counted(struct judgement *judgement, bool would_be_met) {
        const struct run_verdict *run = median_run(judgement);
        char why[64];

        if (run->rounds < FULL_ROUNDS)
                (void) snprintf(why, sizeof(why), "fewer than %d rounds", FULL_ROUNDS);
        else if (run->probe_ns <= 0)
                (void) snprintf(why, sizeof(why), "both sides share a core");
        else if (judgement->target->reach == ONLY_NEAR && run->probe_ns >= NEAR_NS)
                (void) snprintf(why, sizeof(why), "far, probe %.0f ns", run->probe_ns);
        else
                (void) snprintf(why, sizeof(why), "near in too few runs");
        remark(judgement, why, "");
        remark(judgement, would_be_met ? "would be met" : "would not be met", "");
}

int runs_needed(int runs) {
        return (2 * runs + 2) / 3;
}

/* Two of three runs, or as many of however many there are. One in which Leat failed meets nothing. */
static void conclude(struct judgement *judgement) {
        int met = 0, would_be_met = 0, counted = 0, measured = 0, failed = 0;
        int needed = runs_needed(judgement->runs);

        for (int i = 0; i < judgement->runs; i++) {
                const struct run_verdict *run = &judgement->each[i];

                failed += run->value <= 0 && !run->measured;
                measured += run->measured;
                counted += run->counts && run->measured;
                met += run->counts && run->met;
                would_be_met += run->met;
        }
        if (failed > judgement->runs - needed)
                judgement->verdict = NOT_MET;
        else if (measured == 0)
                judgement->verdict = NOT_MEASURED;
        else if (met >= needed)
                judgement->verdict = MET;
        else if (met + judgement->runs - counted - failed >= needed) {
                judgement->verdict = NOT_COUNTED;
                say_why_not_counted(judgement, would_be_met >= needed);
        } else
                judgement->verdict = NOT_MET;
}

int judge_all(double seconds, int rounds, int runs, struct judgement *ret_judgements, int *ret_count) {
        int count = 0;

        for (; targets[count].measure && count < MAX_VERDICTS; count++)
                ret_judgements[count] = (struct judgement){ .target = &targets[count] };
        for (int run = 0; run < runs; run++)
                for (int i = 0; i < count;) {
                        struct group *group = group_of(&targets[i], seconds);
                        int first = i;

                        if (!group)
                                return -ENOMEM;
                        measure_group(group, rounds, targets[i].measure);
                        for (; is_same_group(&targets[first], &targets[i]); i++)
                                judge_run(&ret_judgements[i], group);
                        free_group(group);
                }
        for (int i = 0; i < count; i++)
                conclude(&ret_judgements[i]);
        *ret_count = count;
        return 0;
}

double judging_seconds(double seconds, int rounds, int runs) {
        double sum = 0;

        for (const struct target *target = targets; target->measure;) {
                struct group *group = group_of(target, seconds);
                const struct target *first = target;

                for (int i = 0; group && i < group->cells; i++)
                        sum += seconds_of(group->cell[i]->series.peer, &group->cell[i]->task);
                free_group(group);
                while (is_same_group(first, target))
                        target++;
        }
        return sum * rounds * runs;
}

const struct run_verdict *median_run(const struct judgement *judgement) {
        const struct run_verdict *sorted[MAX_RUNS];
        int count = 0;

        for (int i = 0; i < judgement->runs; i++) {
                int at = count;

                if (!judgement->each[i].measured)
                        continue;
                for (; at > 0 && sorted[at - 1]->ratio > judgement->each[i].ratio; at--)
                        sorted[at] = sorted[at - 1];
                sorted[at] = &judgement->each[i];
                count++;
        }
        if (count == 0)
                return NULL;
        return sorted[judgement->target->bound == TIME_AT_MOST || judgement->target->bound == CPU_BELOW
                              ? count / 2
                              : (count - 1) / 2];
}
