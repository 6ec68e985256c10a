/* leat-bench: what Leat's channels cost, beside what they could cost and what others do. All peers of a
 * benchmark are measured in turns, round by round, so that whatever else the machine does meets all of
 * them. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conditions.h"
#include "judge.h"
#include "kernel_plugin.h"
#include "options.h"
#include "report.h"
#include "rounds.h"

#define QUICK_SECONDS 0.1
#define QUICK_ROUNDS  3
#define SECONDS       0.3
#define ROUNDS        7
#define RUNS          3

/* How it was called, to be repeated by whoever reads the result. */
static void join_words(int count, char **words, char *ret_text, size_t size) {
        size_t length = (size_t) snprintf(ret_text, size, "leat-bench");

        for (int i = 1; i < count && length < size; i++)
                length += (size_t) snprintf(ret_text + length, size - length, " %s", words[i]);
}

static void list(void) {
        for (const struct benchmark *benchmark = benchmarks; benchmark->name; benchmark++)
                (void) printf("%-20s %s\n", benchmark->name, benchmark->title);
}

static bool is_chosen(const struct benchmark *benchmark, const struct options *options) {
        for (int i = 0; i < options->name_count; i++)
                if (is_called(benchmark, options->names[i]))
                        return true;
        return options->name_count == 0 && (benchmark->quick || options->command == REPORT);
}

/* That a peer cannot do it is no failure; everything else is one. */
static bool has_failed(const struct outcome *outcome) {
        for (int i = 0; i < outcome->peers; i++)
                if (outcome->series[i].error != 0 && outcome->series[i].error != -ENOTSUP)
                        return true;
        return false;
}

/* Of a benchmark, with nothing measured yet; NULL when memory ran out. */
static struct outcome *prepare(const struct benchmark *benchmark, const struct options *options) {
        struct outcome *outcome = calloc(1, sizeof(*outcome));

        if (!outcome)
                return NULL;
        outcome->benchmark = benchmark;
        outcome->task = task_of(benchmark, options->pin, options->size, options->seconds);
        choose_peers(outcome);
        return outcome;
}

/* 0, 1 when a peer failed, or the negative of an errno. */
static int run(const struct benchmark *benchmark, const struct options *options, json_t *results) {
        struct outcome *outcome = prepare(benchmark, options);
        int r;

        if (!outcome)
                return -ENOMEM;
        measure_rounds(outcome, options->rounds);
        print_outcome(outcome);
        r = has_failed(outcome);
        if (json_array_append_new(results, json_of_outcome(outcome)) < 0)
                r = -ENOMEM;
        free(outcome);
        return r;
}

static double estimate(const struct options *options) {
        double sum = 0;

        for (const struct benchmark *benchmark = benchmarks; benchmark->name; benchmark++) {
                struct outcome *outcome = is_chosen(benchmark, options) ? prepare(benchmark, options) : NULL;

                for (int i = 0; outcome && i < outcome->peers; i++)
                        sum += seconds_of(outcome->series[i].peer, &outcome->task);
                free(outcome);
        }
        return sum * options->rounds;
}

/* Leaves { "benchmarks": [...] }. */
static int run_benchmarks(const struct options *options, json_t *result) {
        json_t *results = json_array();
        int failed = 0;

        if (json_object_set_new(result, "benchmarks", results) < 0)
                return -ENOMEM;
        print_estimate(stdout, estimate(options));
        for (const struct benchmark *benchmark = benchmarks; benchmark->name; benchmark++)
                if (is_chosen(benchmark, options)) {
                        int r = run(benchmark, options, results);

                        if (r < 0)
                                return r;
                        failed |= r;
                }
        return failed;
}

/* Leaves { "targets": [...] }. That a target is missed is no failure of the program's. */
static int run_targets(const struct options *options, json_t *result) {
        static struct judgement judgements[MAX_VERDICTS];
        int count = 0, r;

        print_estimate(options->markdown ? stderr : stdout,
                       judging_seconds(options->seconds, options->rounds, options->runs));
        r = judge_all(options->seconds, options->rounds, options->runs, judgements, &count);
        if (r < 0)
                return r;
        (options->markdown ? print_judgements_markdown : print_judgements)(judgements, count);
        return json_object_set_new(result, "targets", json_of_judgements(judgements, count)) < 0 ? -ENOMEM
                                                                                                 : 0;
}

static int complain(const char *file) {
        (void) fprintf(stderr, "leat-bench: %s cannot be written: %s\n", file, strerror(errno));
        return -1;
}

/* Before anything is measured, which takes minutes; what is in the file stays until there is something
 * new. */
static int check_file(const char *name) {
        FILE *file = fopen(name, "ae");

        return !file || fclose(file) != 0 ? complain(name) : 0;
}

static int check_outputs(const struct options *options) {
        if (options->json && check_file(options->json) < 0)
                return -1;
        if (options->command == REPORT && check_file(options->page) < 0)
                return -1;
        if (options->plots &&
            ((mkdir(options->plots, 0777) < 0 && errno != EEXIST) || access(options->plots, W_OK | X_OK) < 0))
                return complain(options->plots);
        return 0;
}

static int write_json(const char *file, json_t *result) {
        return json_dump_file(result, file, JSON_INDENT(1)) < 0 ? complain(file) : 0;
}

/* The whole of a result as json.c describes it; NULL when memory ran out. */
static json_t *measure_all(const struct options *options, const char *command_line, int *ret_r) {
        struct conditions conditions;
        json_t *result;

        conditions_read(&conditions);
        if (options->markdown)
                print_conditions_markdown(&conditions, command_line, options->seconds, options->rounds,
                                          options->runs);
        else
                print_conditions(&conditions, pin_name(options->pin), options->seconds, options->rounds);
        if (options->command == TARGETS && !options->markdown)
                print_rules(options->runs);
        result = json_pack("{s:i, s:o}", "leat_bench", 1, "conditions",
                           json_of_conditions(&conditions, command_line, pin_name(options->pin),
                                              options->seconds, options->rounds));
        if (result)
                *ret_r = options->command == TARGETS ? run_targets(options, result)
                                                     : run_benchmarks(options, result);
        return result;
}

static void set_defaults(struct options *options) {
        bool quick = options->command == REPORT || (options->command == MEASURE && options->name_count == 0);

        if (options->seconds <= 0)
                options->seconds = quick || options->command == TARGETS ? QUICK_SECONDS : SECONDS;
        if (options->rounds == 0)
                options->rounds = quick ? QUICK_ROUNDS : ROUNDS;
        if (options->runs == 0)
                options->runs = RUNS;
}

/* Draws what was measured now, or before. The exit code. */
static int write_report(const struct options *options, json_t *result) {
        json_t *results = result ? json_pack("[O]", result) : json_array();
        int r = results ? 0 : 1;

        for (int i = 0; i < options->from_count && r == 0; i++)
                r = report_read(options->from[i], results);
        if (r == 0)
                r = report_write(results, options->page, options->plots);
        json_decref(results);
        return r != 0;
}

static int run_command(int argc, char **argv) {
        char command_line[512];
        struct options options;
        json_t *result = NULL;
        int r;

        join_words(argc, argv, command_line, sizeof(command_line));
        r = options_parse(argc, argv, &options);
        if (r >= 0)
                return r;
        if (options.list) {
                list();
                return 0;
        }
        if (check_outputs(&options) < 0)
                return 1;
        if (options.from_count > 0)
                return write_report(&options, NULL);
        set_defaults(&options);
        result = measure_all(&options, command_line, &r);
        if (!result || r < 0) {
                (void) fprintf(stderr, "leat-bench: out of memory\n");
                json_decref(result);
                return 1;
        }
        if (options.json && write_json(options.json, result) < 0)
                r = 1;
        if (options.command == REPORT && write_report(&options, result) != 0)
                r = 1;
        json_decref(result);
        return r;
}

int main(int argc, char **argv) {
        int r;

        /* Called by a kernel that is measured, never by a user. */
        if (argc > 1 && strcmp(argv[1], "plugin") == 0)
                return kernel_plugin_main(argc - 1, argv + 1);
        r = run_command(argc, argv);
        if (fflush(stdout) != 0 || ferror(stdout))
                r = -complain("the standard output");
        return r;
}
