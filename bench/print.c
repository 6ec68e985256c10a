/* Results for people: one line a peer, the best first where it is told by its place in the table. */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>

#include <leat/error.h>

#include "report.h"
#include "targets.h"

void print_conditions(const struct conditions *conditions, const char *pinning, double seconds, int rounds) {
        (void) printf("machine: %s, %s, %ld cores\nkernel: %s\n", conditions->processor, conditions->machine,
                      conditions->cores, conditions->kernel);
        (void) printf("pinning: %s, unless a benchmark says otherwise\n", pinning);
        (void) printf("rounds: %d of %g s each, all peers in turns; median (least to most); every message is "
                      "checked\n",
                      rounds, seconds);
        (void) printf(
                "near or far: the least round trip of a spinning ring, 90 to 140 ns near, over 350 ns far\n");
}

/* Of targets, which say themselves how they are pinned. */
void print_conditions_markdown(const struct conditions *conditions, const char *command, double seconds,
                               int rounds, int runs) {
        (void) printf(
                "Measured on %.10s by `%s`: %s, %s, %ld cores, %s; runs: %d, of %d rounds of %g s each, all "
                "peers in turns; medians. The probe is the least round trip of a spinning ring; below %d "
                "ns is near.\n",
                conditions->time, command, conditions->processor, conditions->machine, conditions->cores,
                conditions->kernel, runs, rounds, seconds, NEAR_NS);
}

/* So that a number has one to three digits before its point. */
struct scale {
        double step;
        const char *rate, *time;
};

static struct scale scale_of(double per_second) {
        return per_second >= 1e6   ? (struct scale){ 1e6, "M/s", "ns" }
               : per_second >= 1e3 ? (struct scale){ 1e3, "k/s", "us" }
                                   : (struct scale){ 1, "/s", "ms" };
}

static void print_rate(const struct series *series, size_t size) {
        struct spread rate = series_spread(series, offsetof(struct result, per_second));
        struct spread cpu = series_spread(series, offsetof(struct result, cpu_ns));
        struct scale scale = scale_of(rate.median);
        double unit = 1e6 / scale.step; /* Of time, in nanoseconds. */

        (void) printf("%10.4g %-3s (%.4g to %.4g), %.4g %s, CPU %.4g %s", rate.median / scale.step,
                      scale.rate, rate.least / scale.step, rate.most / scale.step, 1e9 / rate.median / unit,
                      scale.time, cpu.median / unit, scale.time);
        if (size >= 1024)
                (void) printf(", %.3g GB/s", rate.median * (double) size / 1e9);
}

static void print_round_trip(const struct series *series) {
        static const size_t offsets[] = { offsetof(struct result, round_trip.p50),
                                          offsetof(struct result, round_trip.p90),
                                          offsetof(struct result, round_trip.p99),
                                          offsetof(struct result, round_trip.p999) };
        struct spread cpu = series_spread(series, offsetof(struct result, cpu_ns));
        struct spread p50 = series_spread(series, offsets[0]);

        (void) printf("%10.4g us (%.4g to %.4g); p90 %.4g, p99 %.4g, p99.9 %.4g; CPU %.4g us",
                      p50.median / 1e3, p50.least / 1e3, p50.most / 1e3,
                      series_spread(series, offsets[1]).median / 1e3,
                      series_spread(series, offsets[2]).median / 1e3,
                      series_spread(series, offsets[3]).median / 1e3, cpu.median / 1e3);
}

static void print_cpu(const struct series *series) {
        struct spread cpu = series_spread(series, offsetof(struct result, answerer_cpu));

        (void) printf("%10.3f %% of a core for the receiver (%.3f to %.3f)", cpu.median * 100,
                      cpu.least * 100, cpu.most * 100);
}

static void print_series(const struct series *series, const struct outcome *outcome) {
        (void) printf("  %-40s", series->peer->title);
        if (series->rounds > 0)
                switch (outcome->benchmark->kind) {
                case ROUND_TRIP:
                case IDLE_ROUND_TRIP:
                        print_round_trip(series);
                        break;
                case PACED:
                case SILENT:
                        print_cpu(series);
                        break;
                default:
                        print_rate(series, outcome->task.setup.size);
                }
        if (series->error == -ENOTSUP)
                (void) printf("         -");
        else if (series->error != 0)
                (void) printf(" %s", leat_strerror(series->error));
        (void) printf("\n");
}

void print_outcome(const struct outcome *outcome) {
        struct spread near = spread_of(outcome->probe_ns, outcome->rounds);

        (void) printf("\n%s: %s\n", outcome->benchmark->name, outcome->benchmark->title);
        if (near.median > 0)
                (void) printf("  probe %.0f ns (%.0f to %.0f)\n", near.median, near.least, near.most);
        for (int i = 0; i < outcome->peers; i++)
                print_series(&outcome->series[i], outcome);
        (void) fflush(stdout);
}
