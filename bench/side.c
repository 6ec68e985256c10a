/* What the two sides do during a measurement: asking and answering, and checking every message. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "measure.h"

#define PAUSE_NS    1000000
#define MAX_SAMPLES 2000000
#define MAX_STREAMS 256
#define SETTLE_NS   50000000 /* Before a silence. */
#define GATE_NS     5000000000

/* What peers queue at the most: so many bytes, or so many large messages where these are more. */
#define LARGE_MESSAGE 65536
#define LONGEST_QUEUE ((uint64_t) 4 << 20)
#define QUEUED_LARGE  4

static int64_t clock_ns(clockid_t clock) {
        struct timespec t;

        (void) clock_gettime(clock, &t);
        return (int64_t) t.tv_sec * 1000000000 + t.tv_nsec;
}

static int64_t now_ns(void) {
        return clock_ns(CLOCK_MONOTONIC);
}

static void pause_until(int64_t ns) {
        struct timespec t = { ns / 1000000000, ns % 1000000000 };

        while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
                ;
}

/* Of the whole process, with whatever threads a peer's library keeps; where both sides share one, of the
 * thread. */
static int64_t cpu_ns(const struct peer *peer) {
        return clock_ns(peer->threads ? CLOCK_THREAD_CPUTIME_ID : CLOCK_PROCESS_CPUTIME_ID);
}

static int64_t answerer_cpu_ns(const struct peer *peer, struct link *link) {
        return cpu_ns(peer) + (peer->others_cpu_ns ? peer->others_cpu_ns(link) : 0);
}

/* How many messages go out between two looks at the clock, which takes some 30 ns. */
static unsigned messages_a_clock(const struct task *task) {
        return task->setup.size <= 4096 ? 64 : task->setup.size <= 65536 ? 8 : 1;
}

static void stamp(unsigned char *message, size_t size, uint64_t word) {
        memcpy(message, &word, sizeof(word));
        memcpy(message + size - sizeof(word), &word, sizeof(word));
}

static bool is_stamped(const struct peer *peer, const unsigned char *message, size_t size, size_t expected,
                       uint64_t *ret_word) {
        uint64_t last;

        if (!peer->typed && size != expected)
                return false;
        memcpy(ret_word, message, sizeof(*ret_word));
        if (peer->typed)
                return true;
        memcpy(&last, message + size - sizeof(last), sizeof(last));
        return last == *ret_word;
}

static int receive_word(const struct peer *peer, struct link *link, enum direction direction, size_t size,
                        uint64_t *ret_word) {
        const void *message;
        size_t got;
        int r = peer->receive(link, direction, &message, &got);

        if (r <= 0)
                return r;
        return is_stamped(peer, message, got, size, ret_word) ? 1 : -EBADMSG;
}

struct asking {
        const struct peer *peer;
        struct link *link;
        const struct task *task;
        unsigned index;
        unsigned char *messages; /* One, or a batch in a row. */
        uint64_t count;          /* From the first of the warm-up on. */
        int64_t now_ns;          /* At the last look at the clock. */
        uint32_t *samples;       /* Of round trips. */
        size_t sample_count;
};

static uint64_t next_word(struct asking *asking) {
        unsigned channels = asking->task->setup.channels;
        uint64_t n = asking->count++;

        return channels > 1 ? message_word((unsigned) (n % channels), n / channels)
                            : message_word(asking->index, n);
}

static int send_next(struct asking *asking) {
        const struct task *task = asking->task;
        size_t size = task->setup.size;

        if (task->kind == IN_PLACE)
                return asking->peer->fill(asking->link, next_word(asking), size);
        for (unsigned i = 0; i < task->batch; i++)
                stamp(asking->messages + i * size, size, next_word(asking));
        if (task->batch > 1)
                return asking->peer->send_all(asking->link, asking->messages, size, task->batch);
        return asking->peer->send(asking->link, THERE, asking->messages, size);
}

static unsigned sends_a_clock(const struct task *task) {
        return (messages_a_clock(task) + task->batch - 1) / task->batch;
}

static int send_some(struct asking *asking) {
        unsigned sends = sends_a_clock(asking->task);
        int r = 0;

        for (unsigned i = 0; i < sends && r == 0; i++)
                r = send_next(asking);
        asking->now_ns = now_ns();
        return r;
}

static int send_paced(struct asking *asking) {
        int r = send_next(asking);

        asking->now_ns += PAUSE_NS;
        pause_until(asking->now_ns);
        return r;
}

/* The end of one round trip is the beginning of the next, so that the clock is read once for each. */
static int go_round(struct asking *asking) {
        uint64_t word, expected = message_word(asking->index, asking->count);
        int64_t ns;
        int r;

        if (asking->task->kind == IDLE_ROUND_TRIP) {
                pause_until(asking->now_ns + PAUSE_NS);
                asking->now_ns = now_ns();
        }
        r = send_next(asking);
        if (r == 0)
                r = receive_word(asking->peer, asking->link, BACK, asking->task->setup.size, &word);
        if (r != 1)
                return r < 0 ? r : -EPIPE;
        if (word != expected)
                return -EBADMSG;
        ns = now_ns() - asking->now_ns;
        asking->now_ns += ns;
        if (asking->sample_count < MAX_SAMPLES)
                asking->samples[asking->sample_count++] = ns < UINT32_MAX ? (uint32_t) ns : UINT32_MAX;
        return 0;
}

static int operate(struct asking *asking) {
        int r = asking->peer->ask(asking->link);

        asking->count++;
        asking->now_ns = now_ns();
        return r;
}

/* What an asker does again and again. It is done at least once. */
static int repeat_until(struct asking *asking, int64_t end_ns, uint64_t least) {
        int r;

        do
                switch (asking->task->kind) {
                case ROUND_TRIP:
                case IDLE_ROUND_TRIP:
                        r = go_round(asking);
                        break;
                case OPERATION:
                        r = operate(asking);
                        break;
                case PACED:
                        r = send_paced(asking);
                        break;
                default:
                        r = send_some(asking);
                }
        while (r == 0 && (asking->now_ns < end_ns || asking->count < least));
        return r > 0 ? -EPIPE : r;
}

/* How many messages one turn of it is. */
static unsigned messages_a_turn(const struct task *task) {
        bool sends = task->kind == ONE_WAY || task->kind == IN_PLACE || task->kind == SILENT;

        return sends ? sends_a_clock(task) * task->batch : 1;
}

/* The warm-up. Before anything is measured each peer does for a while what it will be measured at, so that no
 * page is touched for the first time then, and everything has found its pace: for the time that the task
 * says, and until the longest of the peers' queues has been filled twice, which matters where messages are
 * large. The messages are checked like all others. When the answerer has read the last of them it opens the
 * gate, and the clocks start. */

static uint64_t least_of_warm_up(const struct task *task) {
        size_t size = task->setup.size;
        uint64_t filled = size >= LARGE_MESSAGE ? 2 * LONGEST_QUEUE / size : 0;

        return filled > 2 * QUEUED_LARGE ? filled : 2 * QUEUED_LARGE;
}

/* A message of the warm-up that is not read by then never will be. */
static int await_gate(struct gate *gate) {
        int64_t end = now_ns() + GATE_NS;
        struct timespec t = { end / 1000000000, end % 1000000000 };

        while (sem_clockwait(&gate->open, CLOCK_MONOTONIC, &t) < 0)
                if (errno != EINTR)
                        return errno == ETIMEDOUT ? -EBADMSG : -errno;
        return 0;
}

/* The end is announced before the last turn, since the answerer looks at nothing but messages. */
static int warm_up(struct asking *asking, struct gate *gate) {
        int64_t ns = (int64_t) (asking->task->warm_up * 1e9);
        int r;

        asking->now_ns = now_ns();
        r = repeat_until(asking, asking->now_ns + ns, least_of_warm_up(asking->task));
        if (r != 0)
                return r;
        (void) atomic_fetch_add(&gate->messages, asking->count + messages_a_turn(asking->task));
        (void) atomic_fetch_sub(&gate->unannounced, 1);
        r = repeat_until(asking, 0, 0);
        if (r == 0 && asking->peer->flush)
                asking->peer->flush(asking->link);
        if (r == 0)
                r = await_gate(gate);
        asking->sample_count = 0;
        return r;
}

static bool is_warm(struct gate *gate, uint64_t received) {
        return atomic_load(&gate->unannounced) == 0 && atomic_load(&gate->messages) == received;
}

static void open_gate(struct gate *gate, unsigned askers) {
        for (unsigned i = 0; i < askers; i++)
                (void) sem_post(&gate->open);
}

/* Silence after the warm-up: so that what is left of that does not count, it lasts from one lone message to
 * another. */
static int be_silent(struct asking *asking, int64_t start, int64_t ns) {
        int r;

        pause_until(start + SETTLE_NS);
        r = send_next(asking);
        pause_until(start + SETTLE_NS + ns);
        if (r == 0)
                r = send_next(asking);
        return r > 0 ? -EPIPE : r;
}

static int by_value(const void *a, const void *b) {
        uint32_t x = *(const uint32_t *) a, y = *(const uint32_t *) b;

        return (x > y) - (x < y);
}

static struct percentiles percentiles(uint32_t *ns, size_t count) {
        qsort(ns, count, sizeof(*ns), by_value);
        return (struct percentiles){ .least = ns[0],
                                     .p50 = ns[count / 2],
                                     .p90 = count >= 10 ? ns[count * 9 / 10] : 0,
                                     .p99 = count >= 100 ? ns[count * 99 / 100] : 0,
                                     .p999 = count >= 1000 ? ns[count * 999 / 1000] : 0 };
}

double histogram_from(unsigned step) {
        return 32 * exp2(step / 8.0);
}

static struct histogram histogram(const uint32_t *sorted_ns, size_t count) {
        struct histogram histogram = { 0 };
        double next = histogram_from(1);
        unsigned step = 0;

        for (size_t i = 0; i < count; i++) {
                while (step + 1 < HISTOGRAM_STEPS && sorted_ns[i] >= next)
                        next = histogram_from(++step + 1);
                histogram.counts[step]++;
        }
        return histogram;
}

void summarize(uint32_t *ns, size_t count, struct percentiles *ret_percentiles,
               struct histogram *ret_histogram) {
        *ret_percentiles = percentiles(ns, count);
        *ret_histogram = histogram(ns, count);
}

static int prepare(struct asking *asking) {
        const struct task *task = asking->task;

        asking->messages = calloc(task->batch, task->setup.size);
        if (!asking->messages)
                return -ENOMEM;
        if (task->kind != ROUND_TRIP && task->kind != IDLE_ROUND_TRIP)
                return 0;
        asking->samples = malloc(MAX_SAMPLES * sizeof(*asking->samples));
        if (!asking->samples)
                return -ENOMEM;
        memset(asking->samples, 0xff, MAX_SAMPLES * sizeof(*asking->samples)); /* No page is touched later. */
        return 0;
}

struct report ask(const struct peer *peer, struct link *link, const struct task *task, unsigned index,
                  struct gate *gate) {
        struct asking asking = { peer, link, task, index };
        struct report report = { .error = prepare(&asking) };
        int64_t ns = (int64_t) (task->seconds * 1e9), cpu;

        if (report.error == 0)
                report.error = warm_up(&asking, gate);
        report.count = asking.count;
        cpu = cpu_ns(peer);
        report.start_ns = asking.now_ns = now_ns();
        if (report.error == 0)
                report.error = task->kind == SILENT ? be_silent(&asking, report.start_ns, ns)
                                                    : repeat_until(&asking, report.start_ns + ns, 0);
        report.end_ns = now_ns();
        report.cpu_ns = cpu_ns(peer) - cpu;
        report.count = asking.count - report.count;
        if (report.error == 0 && asking.sample_count > 0)
                summarize(asking.samples, asking.sample_count, &report.round_trip, &report.histogram);
        peer->end(link, THERE);
        free(asking.samples);
        free(asking.messages);
        return report;
}

/* Each asker and each channel counts for itself. */
static int check(uint64_t *numbers, uint64_t word) {
        unsigned stream = (unsigned) (word >> 56);

        return (word & (UINT64_MAX >> 8)) == numbers[stream]++ ? 1 : -EBADMSG;
}

static int answer_one(const struct peer *peer, struct link *link, const struct task *task,
                      uint64_t *numbers) {
        size_t size = task->setup.size;
        uint64_t word, sum;
        const void *message;
        size_t got;
        int r;

        switch (task->kind) {
        case OPERATION:
                return peer->answer(link);
        case IN_PLACE:
                r = peer->sum(link, size, &word, &sum);
                return r <= 0 ? r : sum == word * (size / 8) ? check(numbers, word) : -EBADMSG;
        case ROUND_TRIP:
        case IDLE_ROUND_TRIP:
                r = peer->receive(link, THERE, &message, &got);
                if (r <= 0)
                        return r;
                if (!is_stamped(peer, message, got, size, &word) || check(numbers, word) != 1)
                        return -EBADMSG;
                r = peer->send(link, BACK, message, got);
                return r == 0 ? 1 : r < 0 ? r : -EPIPE;
        default:
                r = receive_word(peer, link, THERE, size, &word);
                return r <= 0 ? r : check(numbers, word);
        }
}

/* Of a silent channel only the silence counts, from the one lone message to the other; not the end, which
 * comes after that and has its own work. */
static void watch_silence(const struct peer *peer, struct report *report, int64_t *cpu) {
        if (report->count == 1) {
                report->start_ns = now_ns();
                *cpu = cpu_ns(peer);
        } else {
                report->end_ns = now_ns();
                report->cpu_ns = cpu_ns(peer) - *cpu;
        }
}

/* 0, or as answer_one() when the other side has ended, or something failed, before the gate could be
 * opened. */
static int answer_warm_up(const struct peer *peer, struct link *link, const struct task *task,
                          uint64_t *numbers, struct gate *gate, bool *ret_warm) {
        uint64_t received = 0;
        int r;

        do {
                r = answer_one(peer, link, task, numbers);
                if (r != 1)
                        return r;
        } while (!is_warm(gate, ++received));
        *ret_warm = true;
        return 0;
}

struct report answer(const struct peer *peer, struct link *link, const struct task *task, struct gate *gate) {
        static _Thread_local uint64_t numbers[MAX_STREAMS];
        bool answers = task->kind != OPERATION || peer->answer, warm = !answers;
        struct report report = { 0 };
        int64_t cpu;

        memset(numbers, 0, sizeof(numbers));
        if (answers)
                report.error = answer_warm_up(peer, link, task, numbers, gate, &warm);
        if (warm)
                open_gate(gate, task->setup.senders);
        cpu = answerer_cpu_ns(peer, link);
        report.start_ns = now_ns();
        while (answers && warm && (report.error = answer_one(peer, link, task, numbers)) == 1) {
                report.count++;
                if (task->kind == SILENT)
                        watch_silence(peer, &report, &cpu);
        }
        if (task->kind != SILENT) {
                report.end_ns = now_ns();
                report.cpu_ns = answerer_cpu_ns(peer, link) - cpu;
        }
        return report;
}
