/* What leat-bench targets says of numbers that are made up here: the table of goals has the factors that are
 * asked for, and what counts, what is met and by how many runs follows from them as it should. */
#include <criterion/criterion.h>
#include <errno.h>
#include <malloc.h>
#include <string.h>

#include "bench/conditions.h"
#include "bench/judge.h"
#include "bench/rounds.h"
#include "support.h"

#define OTHERS_RATE 1000.0
#define NEARLY      0.9999

#define OF(called, of) \
        { .name = called, .kind = of, .size = 64, .senders = 1, .channels = 1, .batch = 1 }

const struct benchmark benchmarks[] = {
        OF("plain64", ONE_WAY),
        OF("batch16", ONE_WAY),
        OF("msgpack", ONE_WAY),
        OF("roundtrip", ROUND_TRIP),
        OF("idle", IDLE_ROUND_TRIP),
        { .name = "samecore", .kind = ONE_WAY, .size = 64, .pin = PIN_SAME },
        { .name = "samecore-roundtrip", .kind = ROUND_TRIP, .size = 64, .pin = PIN_SAME },
        OF("copy16k", ONE_WAY),
        OF("copy64k", ONE_WAY),
        OF("copy1m", ONE_WAY),
        OF("copy16m", ONE_WAY),
        OF("place16k", IN_PLACE),
        OF("place64k", IN_PLACE),
        OF("place1m", IN_PLACE),
        OF("place16m", IN_PLACE),
        { .name = "senders1", .kind = ONE_WAY, .size = 64, .senders = 1, .channels = 1 },
        { .name = "senders8", .kind = ONE_WAY, .size = 64, .senders = 8, .channels = 1 },
        { .name = "channels1", .kind = ONE_WAY, .size = 64, .senders = 1, .channels = 1 },
        { .name = "channels64", .kind = ONE_WAY, .size = 64, .senders = 1, .channels = 64 },
        OF("once", OPERATION),
        OF("paced", PACED),
        OF("silent", SILENT),
        OF("silent64", SILENT),
        { .name = NULL },
};

/* What the numbers are made of. */
static struct {
        double ratio[MAX_RUNS];    /* Of each run: Leat's rate, as a multiple of everybody else's. */
        double probe_ns[MAX_RUNS]; /* Near when 0. */
        double cpu;
        const char *
                faster; /* A peer whose rate is ten times that of the others, or one that is missing, or
                         * fails. */
        const char *missing, *failing;
        int rounds, probes;
} made;

static int groups(void) {
        int count = 0;

        for (const struct target *target = targets; target->measure; target++)
                count += target == targets || strcmp(target->measure, target[-1].measure) != 0;
        return count;
}

/* There is one probe before each round of each group. */
static int current_run(void) {
        return (made.probes - 1) / (groups() * made.rounds);
}

double probe(struct cores cores) {
        double ns;

        made.probes++;
        ns = made.probe_ns[current_run()];
        return cores.asker == cores.answerer ? 0 : ns > 0 ? ns : 100;
}

struct task task_of(const struct benchmark *benchmark, enum pin pin, size_t size, double seconds) {
        struct task task = { .kind = benchmark->kind, .seconds = seconds, .cores = { 0, 1 } };

        (void) pin;
        task.setup = (struct setup){ size, benchmark->senders, benchmark->channels, 0 };
        if (benchmark->pin == PIN_SAME)
                task.cores.answerer = 0;
        return task;
}

double seconds_of(const struct peer *peer, const struct task *task) {
        (void) peer;
        return task->seconds;
}

static bool is(const char *name, const char *peer) {
        return name && strcmp(name, peer) == 0;
}

/* Names that are kept for as long as this program runs. */
const struct peer *peer_find(const char *name, size_t length) {
        static struct peer known[64];
        static char names[64][32];
        static int count;

        if (made.missing && strlen(made.missing) == length && strncmp(made.missing, name, length) == 0)
                return NULL;
        for (int i = 0; i < count; i++)
                if (strlen(names[i]) == length && strncmp(names[i], name, length) == 0)
                        return &known[i];
        cr_assert_lt(count, 64);
        (void) snprintf(names[count], sizeof(names[count]), "%.*s", (int) length, name);
        known[count].name = known[count].title = names[count];
        return &known[count++];
}

/* Where Leat is compared with itself, the one with more senders or channels is the one that is judged. */
static bool is_judged(const struct peer *peer, const char *what, const struct task *task) {
        if (strncmp(peer->name, "leat", 4) != 0)
                return false;
        if (strstr(what, "8 senders") || strstr(what, "64 channels"))
                return task->setup.senders > 1 || task->setup.channels > 1;
        return true;
}

void take_turn(struct series *series, const struct task *task, const char *what, int turn, int turns) {
        double rate = OTHERS_RATE * (is_judged(series->peer, what, task) ? made.ratio[current_run()] : 1);
        struct result *result = &series->results[series->rounds];

        (void) turn;
        cr_assert_eq(turns, made.rounds);
        if (is(made.failing, series->peer->name)) {
                series->error = -EPIPE;
                return;
        }
        if (is(made.faster, series->peer->name))
                rate *= 10;
        *result = (struct result){ .per_second = rate, .answerer_cpu = made.cpu };
        if (task->kind == ROUND_TRIP || task->kind == IDLE_ROUND_TRIP)
                result->round_trip.p50 = 1e9 / rate;
        series->rounds++;
}

static struct judgement judgements[MAX_VERDICTS];
static int judged;

/* The target whose measure and goal begin so. */
static const struct judgement *find(const char *measure, const char *goal) {
        for (int i = 0; i < judged; i++)
                if (strncmp(judgements[i].target->measure, measure, strlen(measure)) == 0 &&
                    strncmp(judgements[i].target->goal, goal, strlen(goal)) == 0)
                        return &judgements[i];
        cr_assert_fail("there is no target '%s', '%s'", measure, goal);
        return NULL;
}

static void judge_runs(int rounds, int runs) {
        (void) mallopt(M_MMAP_THRESHOLD, 1 << 16); /* Large and mostly untouched memory comes cleared then. */
        made.rounds = rounds;
        made.probes = 0;
        cr_assert_eq(judge_all(0.1, rounds, runs, judgements, &judged), 0);
}

static void set_all(double ratio, double probe_ns) {
        for (int i = 0; i < MAX_RUNS; i++) {
                made.ratio[i] = ratio;
                made.probe_ns[i] = probe_ns;
        }
}

static enum verdict verdict_at(const char *measure, const char *goal, double ratio, double probe_ns) {
        set_all(ratio, probe_ns);
        judge_runs(FULL_ROUNDS, 3);
        return find(measure, goal)->verdict;
}

/* Of rates: Leat's least multiple of the other's that will do, near and far; what is below it will not. 0:
 * does not count. */
static void expect_bound(const char *measure, const char *goal, double near, double far) {
        const struct { double bound, probe_ns; } cases[] = { { near, 149 }, { far, 150 } };

        for (int i = 0; i < 2; i++) {
                double bound = cases[i].bound > 0 ? cases[i].bound : near;
                enum verdict good = verdict_at(measure, goal, bound / NEARLY, cases[i].probe_ns);
                enum verdict bad = verdict_at(measure, goal, bound * NEARLY, cases[i].probe_ns);

                cr_expect_eq(good, cases[i].bound > 0 ? MET : NOT_COUNTED, "%s, %s, probe %.0f: %d", measure,
                             goal, cases[i].probe_ns, (int) good);
                cr_expect_eq(bad, cases[i].bound > 0 ? NOT_MET : NOT_COUNTED, "%s, %s, probe %.0f: %d",
                             measure, goal, cases[i].probe_ns, (int) bad);
        }
}

Test(judge, the_goals_are_those_that_are_asked_for) {
        watchdog(170); /* Some 80 children, each of which takes its time under a sanitizer on a busy
                        * machine. */
        expect_bound("64 bytes, plain, a call", "60 %", 0.6, 0.6);
        expect_bound("64 bytes, plain, a call", "2 times", 2, 0);
        expect_bound("64 bytes, plain, a call", "12 times", 12, 0);
        expect_bound("64 bytes, plain, 16", "60 %", 0.6, 0.6);
        expect_bound("64 bytes, plain, 16", "6 times", 6, 0);
        expect_bound("MessagePack", "faster", 1, 0);
        expect_bound("MessagePack", "7 times", 7, 0);
        expect_bound("16 KiB one way", "70 %", 0.7, 0.7);
        expect_bound("16 KiB one way", "above", 1, 0);
        expect_bound("64 KiB one way", "70 %", 0.7, 0.7);
        expect_bound("64 KiB one way", "above", 1, 0);
        expect_bound("1 MiB one way", "70 % of the bare ring", 0.7, 0.7);
        expect_bound("1 MiB one way", "70 % of the best peer that makes system calls", 0.7, 0);
        expect_bound("1 MiB one way", "70 % of the best peer that makes none", 0.7, 0.7);
        expect_bound("16 MiB one way", "90 % of the bare ring", 0.9, 0.9);
        expect_bound("16 MiB one way", "90 % of a mapped pool", 0.9, 0);
        expect_bound("16 KiB filled", "80 %", 0.8, 0.8);
        expect_bound("64 KiB filled", "80 %", 0.8, 0.8);
        expect_bound("1 MiB filled", "80 %", 0.8, 0.8);
        expect_bound("16 MiB filled", "80 %", 0.8, 0.8);
        expect_bound("a set of 64", "half", 0.5, 0.5);
}

/* "Within" and "no less" allow 5 %. */
Test(judge, what_is_within_is_within_with_5_percent) {
        expect_bound("round trip, both", "within 2 times", 1 / (2 * 1.05), 1 / (2 * 1.05));
        expect_bound("round trip, both", "a fifth", 5, 5);
        expect_bound("round trip, both", "a hundredth", 100, 0);
        expect_bound("round trip, 1 ms", "within 10 %", 1 / (1.1 * 1.05), 0);
        expect_bound("both sides on one core, round trip", "within 20 %", 1 / (1.2 * 1.05), 1 / (1.2 * 1.05));
        expect_bound("both sides on one core, one way", "within 20 %", 1 / (1.2 * 1.05), 1 / (1.2 * 1.05));
        expect_bound("a channel made", "within 15 %", 1 / (1.15 * 1.05), 0);
        expect_bound("8 senders", "65 %", 0.65, 0.95);
}

Test(judge, what_is_faster_or_above_is_not_equal) {
        cr_expect_eq(verdict_at("MessagePack", "faster", 1, 100), NOT_MET);
        cr_expect_eq(verdict_at("16 KiB one way", "above", 1, 100), NOT_MET);
        cr_expect_eq(verdict_at("64 bytes, plain, a call", "60 %", 0.6, 100), MET);
}

Test(judge, cpu_time_is_below_its_bound) {
        static const struct {
                const char *measure;
                double bound;
        } bounds[] = { { "receiver of a message every", 0.03 },
                       { "receiver of nothing", 0.001 },
                       { "set of 64 that", 0.001 } };

        for (size_t i = 0; i < sizeof(bounds) / sizeof(*bounds); i++) {
                made.cpu = bounds[i].bound;
                cr_expect_eq(verdict_at(bounds[i].measure, "", 1, 400), NOT_MET);
                made.cpu = bounds[i].bound * NEARLY;
                cr_expect_eq(verdict_at(bounds[i].measure, "", 1, 400), MET);
        }
}

Test(judge, two_of_three_runs_must_meet_it) {
        const char *measure = "64 bytes, plain, a call", *goal = "60 %";

        set_all(1, 100);
        made.ratio[1] = 0.1;
        judge_runs(FULL_ROUNDS, 3);
        cr_expect_eq(find(measure, goal)->verdict, MET);
        made.ratio[2] = 0.1;
        judge_runs(FULL_ROUNDS, 3);
        cr_expect_eq(find(measure, goal)->verdict, NOT_MET);
}

Test(judge, of_two_runs_the_worse_one_is_shown) {
        set_all(1, 100);
        made.ratio[1] = 0.25;
        judge_runs(FULL_ROUNDS, 2);
        cr_expect_float_eq(median_run(find("64 bytes, plain, a call", "60 %"))->ratio, 0.25, 1e-9);
        cr_expect_float_eq(median_run(find("round trip, both", "within 2"))->ratio, 4, 1e-9);
}

Test(judge, runs_that_were_far_are_none_of_the_two) {
        const char *measure = "64 bytes, plain, a call", *goal = "12 times";

        set_all(20, 100);
        made.probe_ns[0] = 400;
        judge_runs(FULL_ROUNDS, 3);
        cr_expect_eq(find(measure, goal)->verdict, MET);
        made.probe_ns[2] = 400;
        judge_runs(FULL_ROUNDS, 3);
        cr_expect_eq(find(measure, goal)->verdict, NOT_COUNTED);
        cr_expect(strstr(find(measure, goal)->remark, "would be met"));
        set_all(2, 400);
        judge_runs(FULL_ROUNDS, 3);
        cr_expect_eq(find(measure, goal)->verdict, NOT_COUNTED);
        cr_expect(strstr(find(measure, goal)->remark, "would not be met"));
        cr_expect(strstr(find(measure, goal)->remark, "far, probe 400 ns"));
}

Test(judge, fewer_than_seven_rounds_say_nothing) {
        set_all(1000, 100);
        judge_runs(FULL_ROUNDS - 1, 3);
        for (int i = 0; i < judged; i++)
                cr_expect_eq(judgements[i].verdict, NOT_COUNTED, "%s", judgements[i].target->goal);
}

Test(judge, of_several_the_one_counts_that_is_hardest_to_reach) {
        static const char *const blocking[] = { "bare-futex",  "seqpacket", "stream", "pipe",   "mutex-queue",
                                                "gasyncqueue", "tcp-json",  "nng",    "zeromq", "nanomsg",
                                                "iceoryx",     "boost",     "sd-bus" };

        for (size_t i = 0; i < sizeof(blocking) / sizeof(*blocking); i++) {
                const struct judgement *judgement;

                made.faster = blocking[i];
                cr_expect_eq(verdict_at("round trip, both", "a hundredth", 999, 100), NOT_MET, "%s",
                             blocking[i]);
                judgement = find("round trip, both", "a hundredth");
                cr_expect_str_eq(judgement->each[0].against->name, blocking[i]);
                cr_expect_eq(verdict_at("round trip, both", "a hundredth", 1001, 100), MET, "%s",
                             blocking[i]);
        }
        for (const char *const *name =
                     (const char *const[]){ "seqpacket", "seqpacket-4m", "stream", "stream-4m", "pool", "nng",
                                            "zeromq", "nanomsg", "iceoryx", "boost", "sd-bus", NULL };
             *name; name++) {
                made.faster = *name;
                cr_expect_eq(verdict_at("1 MiB one way", "70 % of the best peer that makes system", 1, 100),
                             NOT_MET, "%s", *name);
        }
}

Test(judge, who_is_missing_is_named) {
        made.missing = "iceoryx-polling";
        cr_expect_eq(verdict_at("round trip, both", "a fifth", 100, 100), NOT_MEASURED);
        cr_expect(strstr(find("round trip, both", "a fifth")->remark, "iceoryx-polling is not installed"));
        cr_expect_eq(verdict_at("round trip, both", "within 2", 100, 100), MET);
}

Test(judge, where_leat_fails_nothing_is_met) {
        made.failing = "leat-plain";
        cr_expect_eq(verdict_at("64 bytes, plain, a call", "60 %", 100, 100), NOT_MET);
        cr_expect_eq(verdict_at("64 bytes, plain, a call", "12 times", 100, 400), NOT_MET);
        cr_expect_eq(verdict_at("receiver of nothing", "", 100, 100), NOT_MET);
        made.failing = "bare";
        cr_expect_neq(verdict_at("64 bytes, plain, a call", "60 %", 100, 100), MET);
}
