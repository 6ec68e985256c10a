/* Healthy neighbours: processes that send beats, each by a channel of its own, into the set in which the
 * attacked receiver is. None may be lost or come out of order, and what is measured about them is told with
 * each case: how late a beat came, and, which no slow machine can spoil, how many packets of the attacker's
 * were taken while one waited. */
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "victim.h"

LEAT_MESSAGE(beat, (u64, number), (i64, sent_at));

enum { MAX_NEIGHBOURS = 8, MAX_SAMPLES = 1 << 16, PAUSE_NS = 2000000 };

struct neighbour {
        pid_t pid;
        beat_receiver rx;
        uint64_t next, since_start, passed;
};

static struct neighbour neighbours[MAX_NEIGHBOURS];
static size_t n_neighbours, n_samples;
static int64_t samples[MAX_SAMPLES];
static uint64_t n_beats, most_passed;

/* Shared with the processes: how many beats of each have been sent, told after the send has returned. */
static _Atomic uint64_t *sent;

static int64_t now_ns(void) {
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (int64_t) now.tv_sec * 1000000000 + now.tv_nsec;
}

static _Noreturn void send_beats(beat_sender tx, _Atomic uint64_t *told) {
        const struct timespec pause = { .tv_nsec = PAUSE_NS };

        for (uint64_t n = 0;; n++) {
                int r = beat_send(tx, &(beat){ .number = n, .sent_at = now_ns() }, LEAT_FOREVER);

                if (r == LEAT_DISCONNECTED)
                        break;
                check_equal(r, 0);
                atomic_store(told, n + 1);
                nanosleep(&pause, NULL);
        }
        beat_sender_close(&tx);
        _exit(0);
}

void neighbours_start(size_t count, int control) {
        check(count <= MAX_NEIGHBOURS);
        sent = mmap(NULL, MAX_NEIGHBOURS * sizeof(*sent), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                    -1, 0);
        check(sent != MAP_FAILED);
        for (; n_neighbours < count; n_neighbours++) {
                struct neighbour *one = &neighbours[n_neighbours];
                pid_t parent = getpid();
                beat_sender tx;

                check_equal(beat_channel(&tx, &one->rx), 0);
                one->pid = fork();
                check(one->pid >= 0);
                if (one->pid == 0) {
                        prctl(PR_SET_PDEATHSIG, SIGKILL);
                        if (getppid() != parent)
                                _exit(1);
                        close(control);
                        for (size_t i = 0; i <= n_neighbours; i++)
                                beat_receiver_close(&neighbours[i].rx);
                        send_beats(tx, &sent[n_neighbours]);
                }
                beat_sender_close(&tx);
        }
}

void neighbours_add_to(leat_set set) {
        for (size_t i = 0; i < n_neighbours; i++)
                check_equal(beat_set_add(set, neighbours[i].rx, KEY_NEIGHBOUR + i), 0);
}

void neighbours_take(uint64_t key) {
        struct neighbour *one = &neighbours[key - KEY_NEIGHBOUR];
        beat got;
        int r = beat_recv(one->rx, &got, LEAT_NOW);

        if (r == LEAT_EMPTY)
                return;
        check_equal(r, 0);
        check_equal(got.number, one->next);
        one->next++;
        one->since_start++;
        one->passed = 0;
        n_beats++;
        if (n_samples < MAX_SAMPLES)
                samples[n_samples++] = now_ns() - got.sent_at;
}

void neighbours_note_other(void) {
        for (size_t i = 0; i < n_neighbours; i++) {
                struct neighbour *one = &neighbours[i];

                if (atomic_load(&sent[i]) > one->next && ++one->passed > most_passed)
                        most_passed = one->passed;
        }
}

void neighbours_begin(void) {
        n_samples = 0;
        n_beats = most_passed = 0;
        for (size_t i = 0; i < n_neighbours; i++)
                neighbours[i].since_start = neighbours[i].passed = 0;
}

bool neighbours_had(uint64_t beats) {
        for (size_t i = 0; i < n_neighbours; i++)
                if (neighbours[i].since_start < beats)
                        return false;
        return true;
}

static int compare(const void *a, const void *b) {
        int64_t x = *(const int64_t *) a, y = *(const int64_t *) b;

        return (x > y) - (x < y);
}

void neighbours_tell(char *text, size_t size) {
        int64_t median = 0, most = 0;

        qsort(samples, n_samples, sizeof(samples[0]), compare);
        if (n_samples > 0) {
                median = samples[n_samples / 2];
                most = samples[n_samples - 1];
        }
        (void) snprintf(text, size, "%llu %lld %lld %llu", (unsigned long long) n_beats,
                        (long long) median / 1000, (long long) most / 1000, (unsigned long long) most_passed);
}

void neighbours_stop(void) {
        for (size_t i = 0; i < n_neighbours; i++) {
                beat_receiver_close(&neighbours[i].rx);
                check_equal(wait_for_exit(neighbours[i].pid), 0);
        }
        n_neighbours = 0;
}
