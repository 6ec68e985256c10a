/* Results for people: one line a peer, the best first where it is told by its place in the table. */
#include <errno.h>
#include <math.h>
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
        (void) printf("probe: the least round trip of a spinning ring; 90 to 140 ns near, over 350 ns far\n");
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

/* A number without a power of ten behind it; "-" when there is none. */
struct text {
        char text[16];
};

static struct text text_of_number(double number) {
        struct text text = { "-" };

        if (number > 0)
                (void) snprintf(text.text, sizeof(text.text), number >= 999.5 ? "%.0f" : "%.4g",
                                fmin(number, 1e12));
        return text;
}

/* In microseconds; none when there were too few for it, be it in one round. */
static struct text text_of_percentile(const struct series *series, size_t offset) {
        struct spread spread = series_spread(series, offset);

        return text_of_number(spread.least > 0 ? spread.median / 1e3 : 0);
}

static void print_rate(const struct series *series, size_t size) {
        struct spread rate = series_spread(series, offsetof(struct result, per_second));
        struct spread cpu = series_spread(series, offsetof(struct result, cpu_ns));
        struct scale scale = scale_of(rate.median);
        double unit = 1e6 / scale.step; /* Of time, in nanoseconds. */

        (void) printf("%10s %-3s (%s to %s), %s %s, CPU %s %s", text_of_number(rate.median / scale.step).text,
                      scale.rate, text_of_number(rate.least / scale.step).text,
                      text_of_number(rate.most / scale.step).text,
                      text_of_number(1e9 / rate.median / unit).text, scale.time,
                      text_of_number(cpu.median / unit).text, scale.time);
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

        (void) printf("%10s us (%s to %s); p90 %s, p99 %s, p99.9 %s; CPU %s us",
                      text_of_number(p50.median / 1e3).text, text_of_number(p50.least / 1e3).text,
                      text_of_number(p50.most / 1e3).text, text_of_percentile(series, offsets[1]).text,
                      text_of_percentile(series, offsets[2]).text,
                      text_of_percentile(series, offsets[3]).text, text_of_number(cpu.median / 1e3).text);
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
