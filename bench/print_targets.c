/* Verdicts for people, on a terminal or in a document, and for programs. In a result's file they are
 *
 *     "targets": [ { "measure", "goal", "benchmark", "peer": strings,
 *                    "verdict": "met|not met|not counted|not measured",
 *                    "ratio", "runs", "sides", "probes", "stolen", "remark": strings, as the table has them,
 *                    "each": [ { "ratio", "value", "other": numbers, "against": string or null,
 *                                "probe_ns", "stolen": numbers, "measured", "counts", "met": booleans } ] } ]
 *
 * with one entry of "each" for each run. A value is messages or operations a second, or nanoseconds where a
 * time is judged, or the part of a core. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "judge.h"

static const char *const names[] = {
        [NOT_MEASURED] = "not measured", [NOT_COUNTED] = "not counted", [NOT_MET] = "not met", [MET] = "met"
};

const char *verdict_name(enum verdict verdict) {
        return names[verdict];
}

static void format_ratio(char *ret_text, size_t size, enum bound bound, double ratio) {
        if (bound == CPU_BELOW)
                (void) snprintf(ret_text, size, "%.2g %%", 100 * ratio);
        else
                (void) snprintf(ret_text, size, ratio >= 100 ? "%.0f" : "%.3g", ratio);
}

static void format_value(char *ret_text, size_t size, enum bound bound, size_t bytes, double value) {
        if (bound == TIME_AT_MOST)
                (void) snprintf(ret_text, size, "%.3g %s",
                                value < 999.5     ? value
                                : value < 999.5e3 ? value / 1e3
                                                  : value / 1e6,
                                value < 999.5     ? "ns"
                                : value < 999.5e3 ? "us"
                                                  : "ms");
        else if (bytes > 0)
                (void) snprintf(ret_text, size, "%.3g GB/s", value * (double) bytes / 1e9);
        else
                (void) snprintf(ret_text, size, "%.3g %s", value < 1e6 ? value / 1e3 : value / 1e6,
                                value < 1e6 ? "k/s" : "M/s");
}

/* "140, 150, 380 ns" */
static void format_probes(char *ret_text, size_t size, const struct judgement *judgement) {
        size_t length = 0;

        if (judgement->each[0].probe_ns <= 0) {
                (void) snprintf(ret_text, size, "one core");
                return;
        }
        for (int i = 0; i < judgement->runs; i++)
                length += (size_t) snprintf(ret_text + length, size - length, "%s%.0f", i > 0 ? ", " : "",
                                            fmin(judgement->each[i].probe_ns, 99999));
        (void) snprintf(ret_text + length, size - length, " ns");
}

/* "0, 3, 10 %" */
static void format_stolen(char *ret_text, size_t size, const struct judgement *judgement) {
        size_t length = 0;

        for (int i = 0; i < judgement->runs; i++)
                length += (size_t) snprintf(ret_text + length, size - length, "%s%.0f", i > 0 ? ", " : "",
                                            100 * judgement->each[i].stolen);
        (void) snprintf(ret_text + length, size - length, " %%");
}

struct figures figures_of(const struct judgement *judgement) {
        const struct run_verdict *run = median_run(judgement);
        enum bound bound = judgement->target->bound;
        struct figures figures = { .ratio = "-" };
        size_t length = 0;
        char value[32], other[32];

        format_probes(figures.probes, sizeof(figures.probes), judgement);
        format_stolen(figures.stolen, sizeof(figures.stolen), judgement);
        if (!run)
                return figures;
        format_ratio(figures.ratio, sizeof(figures.ratio), bound, run->ratio);
        for (int i = 0; judgement->runs > 1 && i < judgement->runs; i++) {
                char ratio[32] = "-";

                if (judgement->each[i].measured)
                        format_ratio(ratio, sizeof(ratio), bound, judgement->each[i].ratio);
                length += (size_t) snprintf(figures.runs + length, sizeof(figures.runs) - length, "%s%s",
                                            i > 0 ? ", " : "", ratio);
        }
        if (run->against) {
                format_value(value, sizeof(value), bound, run->bytes, run->value);
                format_value(other, sizeof(other), bound, run->bytes, run->other);
                (void) snprintf(figures.sides, sizeof(figures.sides), "%s beside %s of %s", value, other,
                                run->against->title);
        }
        return figures;
}

void print_rules(int runs) {
        (void) printf("runs: %d; a target is met when the median of a run's rounds meets it in %d of them\n"
                      "ratios to what makes system calls count when near: probe below %d ns\n"
                      "a ratio is the median of those within each round; the figures behind it are medians "
                      "too\n",
                      runs, runs_needed(runs), NEAR_NS);
}

static void print_one(const struct judgement *judgement) {
        struct figures figures = figures_of(judgement);

        (void) printf("  %-13s %-54s %7s",
                      judgement->verdict == NOT_MET ? "NOT MET" : verdict_name(judgement->verdict),
                      judgement->target->goal, figures.ratio);
        if (figures.runs[0])
                (void) printf(" (%s)", figures.runs);
        if (figures.sides[0])
                (void) printf("  %s", figures.sides);
        (void) printf("%s%s\n", judgement->remark[0] ? "  - " : "", judgement->remark);
}

static void print_sums(const struct judgement *judgements, int count) {
        static const enum verdict order[] = { MET, NOT_MET, NOT_COUNTED, NOT_MEASURED };

        for (size_t i = 0; i < sizeof(order) / sizeof(*order); i++) {
                int sum = 0;

                for (int j = 0; j < count; j++)
                        sum += judgements[j].verdict == order[i];
                (void) printf("%s%d %s", i > 0 ? ", " : "", sum, verdict_name(order[i]));
        }
        (void) printf("\n");
}

void print_judgements(const struct judgement *judgements, int count) {
        for (int i = 0; i < count; i++) {
                const char *measure = judgements[i].target->measure;

                if (i == 0 || strcmp(judgements[i - 1].target->measure, measure) != 0)
                        (void) printf("\n%s (probe: %s; stolen: %s)\n", measure,
                                      figures_of(&judgements[i]).probes, figures_of(&judgements[i]).stolen);
                print_one(&judgements[i]);
        }
        (void) printf("\n");
        print_sums(judgements, count);
}

void print_judgements_markdown(const struct judgement *judgements, int count) {
        (void) printf("\n| measure | at least | measured (each run) | figures | probe | stolen | verdict |\n"
                      "| --- | --- | --- | --- | --- | --- | --- |\n");
        for (int i = 0; i < count; i++) {
                const struct target *target = judgements[i].target;
                struct figures figures = figures_of(&judgements[i]);
                bool is_new = i == 0 || strcmp(judgements[i - 1].target->measure, target->measure) != 0;
                const char *mark =
                        judgements[i].verdict == MET || judgements[i].verdict == NOT_MET ? "**" : "";

                (void) printf("| %s | %s | %s", is_new ? target->measure : "", target->goal, figures.ratio);
                if (figures.runs[0])
                        (void) printf(" (%s)", figures.runs);
                (void) printf(" | %s | %s | %s | %s%s%s%s%s |\n", figures.sides, is_new ? figures.probes : "",
                              is_new ? figures.stolen : "", mark, verdict_name(judgements[i].verdict), mark,
                              judgements[i].remark[0] ? ": " : "", judgements[i].remark);
        }
        (void) printf("\n");
        print_sums(judgements, count);
}

static json_t *json_of_run(const struct run_verdict *run) {
        return json_pack("{s:f, s:f, s:f, s:s?, s:f, s:f, s:b, s:b, s:b}", "ratio", run->ratio, "value",
                         run->value, "other", run->other, "against", run->against ? run->against->name : NULL,
                         "probe_ns", run->probe_ns, "stolen", run->stolen, "measured", run->measured,
                         "counts", run->counts, "met", run->met);
}

json_t *json_of_judgements(const struct judgement *judgements, int count) {
        json_t *all = json_array();

        for (int i = 0; i < count; i++) {
                const struct judgement *judgement = &judgements[i];
                struct figures figures = figures_of(judgement);
                json_t *each = json_array();

                for (int j = 0; j < judgement->runs; j++)
                        (void) json_array_append_new(each, json_of_run(&judgement->each[j]));
                (void) json_array_append_new(
                        all,
                        json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:o}", "measure",
                                  judgement->target->measure, "goal", judgement->target->goal, "benchmark",
                                  judgement->target->benchmark, "peer", judgement->target->peer, "verdict",
                                  verdict_name(judgement->verdict), "ratio", figures.ratio, "runs",
                                  figures.runs, "sides", figures.sides, "probes", figures.probes, "stolen",
                                  figures.stolen, "remark", judgement->remark, "each", each));
        }
        return all;
}
