/* leat-bench: what Leat's channels cost, beside what they could cost and what others do. All peers of a benchmark are
 * measured in turns, round by round, so that whatever else the machine does meets all of them. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conditions.h"
#include "options.h"
#include "report.h"

#define QUICK_SECONDS 0.1
#define QUICK_ROUNDS  3
#define SECONDS       0.3
#define ROUNDS        7

static void list(void) {
        for (const struct benchmark *benchmark = benchmarks; benchmark->name; benchmark++)
                (void) printf("%-20s %s\n", benchmark->name, benchmark->title);
}

static bool is_chosen(const struct benchmark *benchmark, const struct options *options) {
        for (int i = 0; i < options->name_count; i++)
                if (strcmp(options->names[i], benchmark->name) == 0)
                        return true;
        return options->name_count == 0 && benchmark->quick;
}

static void progress(const char *benchmark, int round, int rounds, const char *peer) {
        if (isatty(STDERR_FILENO))
                (void) fprintf(stderr, "\r\033[K%s %d/%d %s", benchmark, round + 1, rounds, peer);
}

static void end_progress(void) {
        if (isatty(STDERR_FILENO))
                (void) fprintf(stderr, "\r\033[K");
}

static struct task task_of(const struct benchmark *benchmark, const struct options *options) {
        bool sized = options->size != 0 && benchmark->kind != OPERATION;
        struct task task = { .kind = benchmark->kind,
                             .batch = benchmark->batch,
                             .seconds = options->seconds };

        task.setup = (struct setup){ sized ? options->size : benchmark->size, benchmark->senders,
                                     benchmark->channels, benchmark->capacity };
        task.cores = cores_of(benchmark->pin == PIN_AS_ASKED ? options->pin : benchmark->pin);
        return task;
}

static void choose_peers(struct outcome *outcome) {
        const char *name = outcome->benchmark->peers;

        while (*name && outcome->peers < MAX_PEERS) {
                size_t length = strcspn(name, " ");
                const struct peer *peer = peer_find(name, length);

                if (peer)
                        outcome->series[outcome->peers++].peer = peer;
                name += length + strspn(name + length, " ");
        }
}

/* A peer that fails is not tried again. */
static void measure_all(struct outcome *outcome, int rounds) {
        for (int round = 0; round < rounds; round++) {
                outcome->probe_ns[outcome->rounds++] = probe(outcome->task.cores);
                for (int i = 0; i < outcome->peers; i++) {
                        struct series *series = &outcome->series[i];

                        progress(outcome->benchmark->name, round, rounds, series->peer->name);
                        if (series->error == 0)
                                series->error = measure(series->peer, &outcome->task,
                                                        &series->results[series->rounds]);
                        if (series->error == 0)
                                series->rounds++;
                }
        }
        end_progress();
}

/* That a peer cannot do it is no failure; everything else is one. */
static bool has_failed(const struct outcome *outcome) {
        for (int i = 0; i < outcome->peers; i++)
                if (outcome->series[i].error != 0 && outcome->series[i].error != -ENOTSUP)
                        return true;
        return false;
}

/* 0, 1 when a peer failed, or the negative of an errno. */
static int run(const struct benchmark *benchmark, const struct options *options, json_t *results) {
        struct outcome *outcome = calloc(1, sizeof(*outcome));
        int r;

        if (!outcome)
                return -ENOMEM;
        outcome->benchmark = benchmark;
        outcome->task = task_of(benchmark, options);
        choose_peers(outcome);
        measure_all(outcome, options->rounds);
        print_outcome(outcome);
        r = has_failed(outcome);
        if (json_array_append_new(results, json_of_outcome(outcome)) < 0)
                r = -ENOMEM;
        free(outcome);
        return r;
}

static int run_all(const struct options *options, json_t *results) {
        int failed = 0;

        for (const struct benchmark *benchmark = benchmarks; benchmark->name; benchmark++)
                if (is_chosen(benchmark, options)) {
                        int r = run(benchmark, options, results);

                        if (r < 0)
                                return r;
                        failed |= r;
                }
        return failed;
}

static int write_json(const char *file, const struct conditions *conditions, const struct options *options,
                      json_t *results) {
        json_t *all = json_pack(
                "{s:i, s:o, s:O}", "leat_bench", 1, "conditions",
                json_of_conditions(conditions, pin_name(options->pin), options->seconds, options->rounds),
                "benchmarks", results);
        int r = all && json_dump_file(all, file, JSON_INDENT(1)) == 0 ? 0 : -1;

        if (r < 0)
                (void) fprintf(stderr, "leat-bench: %s cannot be written\n", file);
        json_decref(all);
        return r;
}

int main(int argc, char **argv) {
        struct conditions conditions;
        struct options options;
        json_t *results;
        int r = options_parse(argc, argv, &options);

        if (r >= 0)
                return r;
        if (options.list) {
                list();
                return 0;
        }
        if (options.seconds <= 0)
                options.seconds = options.name_count == 0 ? QUICK_SECONDS : SECONDS;
        if (options.rounds == 0)
                options.rounds = options.name_count == 0 ? QUICK_ROUNDS : ROUNDS;
        conditions_read(&conditions);
        print_conditions(&conditions, pin_name(options.pin), options.seconds, options.rounds);
        (void) fflush(stdout);
        results = json_array();
        r = results ? run_all(&options, results) : -ENOMEM;
        if (r >= 0 && options.json && write_json(options.json, &conditions, &options, results) < 0)
                r = 1;
        json_decref(results);
        if (r < 0)
                (void) fprintf(stderr, "leat-bench: out of memory\n");
        return r != 0;
}
