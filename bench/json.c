/* Results for programs. The file is one object:
 *
 *     { "leat_bench": 1,                              the version of this shape
 *       "conditions": { "processor", "machine", "kernel", "time", "command": strings, "cores": number,
 *                       "pinning": "split|same|none", "seconds": number, "rounds": number },
 *       "targets": [ … ],                             of the command targets, see print_targets.c
 *       "benchmarks": [ {                             of the others
 *           "name", "title": strings,                 as --list has them
 *           "kind": "one-way|round-trip|idle-round-trip|in-place|paced|silent|operation",
 *           "unit": "messages|round trips|operations",
 *           "family": string or null,                 of benchmarks that differ in one of the next four
 *           "size", "senders", "channels", "batch": numbers,
 *           "same_core": boolean,
 *           "probe_ns": { "median", "least", "most" } or null, when both sides share a core,
 *           "peers": [ {
 *               "name", "title": strings,
 *               "wait": "blocking|spinning|adaptive",
 *               "in_process": boolean,
 *               "error": string or null,              why there are fewer rounds, or none
 *               "per_second", "bytes_per_second", "ns", "cpu_ns", "answerer_cpu": spread,
 *               "round_trip_ns": { "least", "p50", "p90", "p99", "p999": spread } or null; null too when
 *               there were too few for one, "round_trip_histogram": [ [ ns, count ]… ] or null: of all
 *               rounds; each reaches to ns * 2^(1/8) "rounds": [ { "per_second", "cpu_ns", "answerer_cpu",
 *               "p50", "p99", "probe_ns" } ] } ] } ] }
 *
 * A spread is { "median", "least", "most" } over the rounds, or null without any. cpu_ns is of both sides,
 * and of programs between them, for each of the unit; answerer_cpu the part of a core, 0 to 1. Names that
 * were known once keep their meaning; new ones may come. */
#include <stddef.h>

#include <leat/error.h>

#include "report.h"

static json_t *of_spread(struct spread spread, int count) {
        if (count == 0)
                return json_null();
        return json_pack("{s:f, s:f, s:f}", "median", spread.median, "least", spread.least, "most",
                         spread.most);
}

static json_t *of_values(const struct series *series, size_t offset) {
        return of_spread(series_spread(series, offset), series->rounds);
}

#define RESULT(member) offsetof(struct result, member)

/* null when there were too few round trips for it, be it in one round. */
static json_t *of_percentile(const struct series *series, size_t offset) {
        struct spread spread = series_spread(series, offset);

        return of_spread(spread, spread.least > 0 ? series->rounds : 0);
}

static json_t *of_round_trips(const struct series *series) {
        if (series->rounds == 0 || series->results[0].round_trip.p50 <= 0)
                return json_null();
        return json_pack("{s:o, s:o, s:o, s:o, s:o}", "least",
                         of_percentile(series, RESULT(round_trip.least)), "p50",
                         of_percentile(series, RESULT(round_trip.p50)), "p90",
                         of_percentile(series, RESULT(round_trip.p90)), "p99",
                         of_percentile(series, RESULT(round_trip.p99)), "p999",
                         of_percentile(series, RESULT(round_trip.p999)));
}

static json_t *of_histogram(const struct series *series) {
        json_t *steps;

        if (series->rounds == 0 || series->results[0].round_trip.p50 <= 0)
                return json_null();
        steps = json_array();
        for (unsigned step = 0; step < HISTOGRAM_STEPS; step++) {
                json_int_t count = 0;

                for (int i = 0; i < series->rounds; i++)
                        count += series->results[i].histogram.counts[step];
                if (count > 0)
                        (void) json_array_append_new(steps, json_pack("[f, I]", histogram_from(step), count));
        }
        return steps;
}

static json_t *of_rounds(const struct outcome *outcome, const struct series *series) {
        json_t *rounds = json_array();

        for (int i = 0; i < series->rounds; i++) {
                const struct result *result = &series->results[i];

                (void) json_array_append_new(
                        rounds, json_pack("{s:f, s:f, s:f, s:f, s:f, s:f}", "per_second", result->per_second,
                                          "cpu_ns", result->cpu_ns, "answerer_cpu", result->answerer_cpu,
                                          "p50", result->round_trip.p50, "p99", result->round_trip.p99,
                                          "probe_ns", outcome->probe_ns[i]));
        }
        return rounds;
}

/* Nanoseconds each and bytes a second follow from the rate: what was least is most there, and the other way
 * round. */
static json_t *of_series(const struct outcome *outcome, const struct series *series) {
        struct spread rate = series_spread(series, RESULT(per_second));
        double size = (double) outcome->task.setup.size;
        struct spread ns = { 1e9 / rate.median, 1e9 / rate.most, 1e9 / rate.least };
        struct spread bytes = { rate.median * size, rate.least * size, rate.most * size };
        int count = series->rounds;

        return json_pack("{s:s, s:s, s:s, s:b, s:s?, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "name",
                         series->peer->name, "title", series->peer->title, "wait", series->peer->wait,
                         "in_process", series->peer->threads, "error",
                         series->error != 0 ? leat_strerror(series->error) : NULL, "per_second",
                         of_spread(rate, count), "bytes_per_second", of_spread(bytes, count), "ns",
                         of_spread(ns, count), "cpu_ns", of_values(series, RESULT(cpu_ns)), "answerer_cpu",
                         of_values(series, RESULT(answerer_cpu)), "round_trip_ns", of_round_trips(series),
                         "round_trip_histogram", of_histogram(series), "rounds", of_rounds(outcome, series));
}

json_t *json_of_outcome(const struct outcome *outcome) {
        const struct benchmark *benchmark = outcome->benchmark;
        const struct setup *setup = &outcome->task.setup;
        bool same_core =
                outcome->task.cores.asker >= 0 && outcome->task.cores.asker == outcome->task.cores.answerer;
        json_t *series = json_array();

        for (int i = 0; i < outcome->peers; i++)
                (void) json_array_append_new(series, of_series(outcome, &outcome->series[i]));
        return json_pack(
                "{s:s, s:s, s:s, s:s, s:s?, s:I, s:i, s:i, s:i, s:b, s:o, s:o}", "name", benchmark->name,
                "title", benchmark->title, "kind", kind_name(benchmark->kind), "unit",
                kind_unit(benchmark->kind), "family", benchmark->family, "size", (json_int_t) setup->size,
                "senders", (int) setup->senders, "channels", (int) setup->channels, "batch",
                (int) outcome->task.batch, "same_core", same_core, "probe_ns",
                of_spread(spread_of(outcome->probe_ns, outcome->rounds), same_core ? 0 : outcome->rounds),
                "peers", series);
}

json_t *json_of_conditions(const struct conditions *conditions, const char *command, const char *pinning,
                           double seconds, int rounds) {
        return json_pack("{s:s, s:s, s:s, s:s, s:I, s:s, s:s, s:f, s:i}", "processor", conditions->processor,
                         "machine", conditions->machine, "kernel", conditions->kernel, "time",
                         conditions->time, "cores", (json_int_t) conditions->cores, "command", command,
                         "pinning", pinning, "seconds", seconds, "rounds", rounds);
}
