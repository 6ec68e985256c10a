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
#define BUSY_NS     50000000 /* Of a channel that is silent then; */
#define SETTLE_NS   50000000 /* so long after it comes one message more, and after the silence the last. */

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

/* Of the whole process, with whatever threads a peer's library keeps; where both sides share one, of the thread. */
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
        uint64_t count;
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

static int send_until(struct asking *asking, int64_t end) {
        unsigned turns = (messages_a_clock(asking->task) + asking->task->batch - 1) / asking->task->batch;

        do
                for (unsigned i = 0; i < turns; i++) {
                        int r = send_next(asking);

                        if (r != 0)
                                return r < 0 ? r : -EPIPE;
                }
        while (now_ns() < end);
        return 0;
}

static int send_paced(struct asking *asking, int64_t start, int64_t end) {
        for (int64_t at = start; at < end; at += PAUSE_NS) {
                int r = send_next(asking);

                if (r != 0)
                        return r < 0 ? r : -EPIPE;
                pause_until(at + PAUSE_NS);
        }
        return 0;
}

static int be_silent(struct asking *asking, int64_t start, int64_t ns) {
        int r = send_until(asking, start + BUSY_NS);

        pause_until(start + BUSY_NS + SETTLE_NS);
        if (r == 0)
                r = send_next(asking);
        pause_until(start + BUSY_NS + SETTLE_NS + ns);
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
        return (struct percentiles){ ns[0], ns[count / 2], ns[count * 9 / 10], ns[count * 99 / 100],
                                     ns[count * 999 / 1000] };
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

/* The end of one round trip is the beginning of the next, so that the clock is read once for each. */
static int go_round(struct asking *asking, int64_t end, uint32_t *samples, size_t *ret_samples) {
        bool idle = asking->task->kind == IDLE_ROUND_TRIP;
        int64_t before = now_ns();
        size_t n = 0;

        while (before < end) {
                uint64_t word, expected = message_word(asking->index, asking->count);
                int64_t after;
                int r;

                if (idle) {
                        pause_until(before + PAUSE_NS);
                        before = now_ns();
                }
                r = send_next(asking);
                if (r == 0)
                        r = receive_word(asking->peer, asking->link, BACK, asking->task->setup.size, &word);
                if (r != 1)
                        return r < 0 ? r : -EPIPE;
                if (word != expected)
                        return -EBADMSG;
                after = now_ns();
                if (n < MAX_SAMPLES)
                        samples[n++] = after - before < UINT32_MAX ? (uint32_t) (after - before) : UINT32_MAX;
                before = after;
        }
        *ret_samples = n;
        return 0;
}

static int ask_round_trips(struct asking *asking, int64_t end, struct report *report) {
        uint32_t *samples = malloc(MAX_SAMPLES * sizeof(*samples));
        size_t count = 0;
        int r = samples ? go_round(asking, end, samples, &count) : -ENOMEM;

        if (r == 0 && count > 0)
                summarize(samples, count, &report->round_trip, &report->histogram);
        free(samples);
        return r;
}

static int operate_until(struct asking *asking, int64_t end) {
        do {
                int r = asking->peer->ask(asking->link);

                if (r != 0)
                        return r < 0 ? r : -EPIPE;
                asking->count++;
        } while (now_ns() < end);
        return 0;
}

struct report ask(const struct peer *peer, struct link *link, const struct task *task, unsigned index) {
        struct asking asking = { peer, link, task, index, .messages = calloc(task->batch, task->setup.size) };
        struct report report = { .error = asking.messages ? 0 : -ENOMEM };
        int64_t cpu = cpu_ns(peer), end;

        report.start_ns = now_ns();
        end = report.start_ns + (int64_t) (task->seconds * 1e9);
        if (report.error == 0)
                switch (task->kind) {
                case ROUND_TRIP:
                case IDLE_ROUND_TRIP:
                        report.error = ask_round_trips(&asking, end, &report);
                        break;
                case OPERATION:
                        report.error = operate_until(&asking, end);
                        break;
                case PACED:
                        report.error = send_paced(&asking, report.start_ns, end);
                        break;
                case SILENT:
                        report.error = be_silent(&asking, report.start_ns, end - report.start_ns);
                        break;
                default:
                        report.error = send_until(&asking, end);
                }
        report.end_ns = now_ns();
        report.cpu_ns = cpu_ns(peer) - cpu;
        report.count = asking.count;
        peer->end(link, THERE);
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

/* For a silent channel only the silence counts, from a lone message after the busy time to the next one; not the end, which
 * comes after that and has its own work. */
struct silence {
        int64_t busy_until, start_ns, start_cpu, end_ns, end_cpu;
};

static void watch_silence(const struct peer *peer, struct silence *silence) {
        int64_t now = now_ns();

        if (now < silence->busy_until)
                return;
        if (silence->start_ns == 0) {
                silence->start_ns = now;
                silence->start_cpu = cpu_ns(peer);
        } else {
                silence->end_ns = now;
                silence->end_cpu = cpu_ns(peer);
        }
}

struct report answer(const struct peer *peer, struct link *link, const struct task *task) {
        static _Thread_local uint64_t numbers[MAX_STREAMS];
        struct report report = { .start_ns = now_ns() };
        struct silence silence = { .busy_until = report.start_ns + BUSY_NS + SETTLE_NS / 2 };
        int64_t cpu = answerer_cpu_ns(peer, link);

        memset(numbers, 0, sizeof(numbers));
        if (task->kind == OPERATION && !peer->answer)
                report.error = 0;
        else
                while ((report.error = answer_one(peer, link, task, numbers)) == 1) {
                        report.count++;
                        if (task->kind == SILENT)
                                watch_silence(peer, &silence);
                }
        report.end_ns = now_ns();
        report.cpu_ns = answerer_cpu_ns(peer, link) - cpu;
        if (silence.end_ns > 0) {
                report.start_ns = silence.start_ns;
                report.end_ns = silence.end_ns;
                report.cpu_ns = silence.end_cpu - silence.start_cpu;
        }
        return report;
}
