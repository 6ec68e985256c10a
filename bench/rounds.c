/* Rounds of measurements, with a line on the terminal that says how far they are. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "conditions.h"
#include "rounds.h"

#define OVERHEAD_SECONDS 0.04 /* Of making the sides, their meeting, and their end. */
#define WARM_UP_PART     0.25 /* Of the time that is measured. */

struct task task_of(const struct benchmark *benchmark, enum pin pin, size_t size, double seconds) {
        bool sized = size != 0 && benchmark->kind != OPERATION;
        struct task task = { .kind = benchmark->kind, .batch = benchmark->batch, .seconds = seconds };

        task.warm_up = seconds * WARM_UP_PART;
        task.setup = (struct setup){ sized ? size : benchmark->size, benchmark->senders, benchmark->channels,
                                     benchmark->capacity };
        task.cores = cores_of(benchmark->pin == PIN_AS_ASKED ? pin : benchmark->pin);
        return task;
}

void choose_peers(struct outcome *outcome) {
        const char *name = outcome->benchmark->peers;

        while (*name && outcome->peers < MAX_PEERS) {
                size_t length = strcspn(name, " ");
                const struct peer *peer = peer_find(name, length);

                if (peer)
                        outcome->series[outcome->peers++].peer = peer;
                name += length + strspn(name + length, " ");
        }
}

static void progress(const char *what, int turn, int turns, const char *peer) {
        if (isatty(STDERR_FILENO))
                (void) fprintf(stderr, "\r\033[K%s %d/%d %s", what, turn + 1, turns, peer);
}

static void end_progress(void) {
        if (isatty(STDERR_FILENO))
                (void) fprintf(stderr, "\r\033[K");
}

void take_turn(struct series *series, const struct task *task, const char *what, int turn, int turns) {
        if (series->error != 0)
                return;
        progress(what, turn, turns, series->peer->name);
        series->error = measure(series->peer, task, &series->results[series->rounds]);
        if (series->error == 0)
                series->rounds++;
        end_progress();
}

void measure_rounds(struct outcome *outcome, int rounds) {
        for (int round = 0; round < rounds; round++) {
                outcome->probe_ns[outcome->rounds++] = probe(outcome->task.cores);
                for (int i = 0; i < outcome->peers; i++)
                        take_turn(&outcome->series[i], &outcome->task, outcome->benchmark->name, round,
                                  rounds);
        }
}

double seconds_of(const struct peer *peer, const struct task *task) {
        if (!is_able(peer, task))
                return 0;
        return task->warm_up + task->seconds + OVERHEAD_SECONDS;
}

void print_estimate(FILE *out, double seconds) {
        if (seconds < 90)
                (void) fprintf(out, "this takes about %.0f s\n", seconds);
        else
                (void) fprintf(out, "this takes about %.0f minutes\n", seconds / 60);
        (void) fflush(out);
}
