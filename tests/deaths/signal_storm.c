/* Signals that come in the middle of every call: from a thread, from another process, from a timer of 50 us,
 * with handlers that restart system calls and ones that do not, and pairs that stop the process and let it go
 * on.
 *
 * usage: deaths_signal_storm MILLISECONDS [CASE]
 *
 * So long for each case, storm and kind of channel. Started as "deaths_signal_storm deaths" by itself it
 * counts what it receives. LEAT_DEATHS_SEED repeats what is sent; when signals come nobody can repeat. */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "storm.h"

enum { TIMER_NS = 50000, PAUSE_US = 30 };

enum kind { INTERRUPTS, RESTARTS, TIMER, STOPS, KINDS };

static const char *const kind_names[] = { "interrupts", "restarts", "a timer", "stops" };

static _Atomic uint64_t *n_signals; /* Shared by all. */

static void count_signal(int number) {
        (void) number;
        atomic_fetch_add(n_signals, 1);
}

static void handle(int flags) {
        struct sigaction action = { .sa_handler = count_signal, .sa_flags = flags };

        check_equal(sigaction(SIGUSR1, &action, NULL), 0);
}

static void start_timer(void) {
        struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
        const struct itimerspec often = { .it_value = { .tv_nsec = TIMER_NS },
                                          .it_interval = { .tv_nsec = TIMER_NS } };
        timer_t timer;

        check_equal(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
        check_equal(timer_settime(timer, 0, &often, NULL), 0);
}

static void stop_timer(void) {
        check(signal(SIGUSR1, SIG_IGN) != SIG_ERR);
}

/* ---- who sends them ---- */

struct bombardier {
        pthread_t target;
        _Atomic bool is_over;
};

static void *bombard(void *context) {
        struct bombardier *bombardier = context;

        while (!atomic_load(&bombardier->is_over)) {
                pthread_kill(bombardier->target, SIGUSR1);
                usleep(PAUSE_US);
        }
        return NULL;
}

static _Noreturn void be_sibling(pid_t target, enum kind kind) {
        check_equal(prctl(PR_SET_PDEATHSIG, SIGKILL), 0);
        for (;;) {
                if (kind == STOPS) {
                        kill(target, SIGSTOP);
                        atomic_fetch_add(n_signals, 1);
                        usleep(PAUSE_US);
                        kill(target, SIGCONT);
                } else {
                        kill(target, SIGUSR1);
                }
                usleep(PAUSE_US);
        }
}

/* ---- who stands in it ---- */

static void open_channels(struct storm *storm) {
        struct story *story = &storm->story;
        const struct leat_channel_options *options = &story->options;

        check_equal(mark_channel_with(options, &story->marks_tx, &story->marks_rx), 0);
        check_equal(note_channel_with(options, &story->notes_tx, &story->notes_rx), 0);
        check_equal(parcel_channel_with(options, &story->out_tx, &story->out_rx), 0);
        check_equal(mark_channel_with(options, &storm->back_marks_tx, &storm->back_marks_rx), 0);
        check_equal(note_channel_with(options, &storm->back_notes_tx, &storm->back_notes_rx), 0);
}

static _Noreturn void be_peer(struct storm *storm) {
        watchdog(2 * PATIENCE_S);
        mark_sender_close(&storm->story.marks_tx);
        note_sender_close(&storm->story.notes_tx);
        parcel_sender_close(&storm->story.out_tx);
        mark_receiver_close(&storm->back_marks_rx);
        note_receiver_close(&storm->back_notes_rx);
        play_echo(storm);
        check_equal(settle_descriptors(storm->story.open_before), storm->story.open_before);
        leave_child(0);
}

static void run_in_storm(struct storm *storm, const struct storm_case *what, enum kind kind,
                         int milliseconds) {
        uint64_t before = atomic_load(n_signals);
        struct bombardier bombardier = { .target = pthread_self() };
        bool has_thread = kind == INTERRUPTS || kind == RESTARTS;
        pthread_t thread;

        handle(kind == RESTARTS ? SA_RESTART : 0);
        if (has_thread)
                check_equal(pthread_create(&thread, NULL, bombard, &bombardier), 0);
        if (kind == TIMER)
                start_timer();
        while (atomic_load(n_signals) == before)
                sched_yield();
        storm->end_ms = clock_ms() + milliseconds;
        what->run(storm);
        atomic_store(&bombardier.is_over, true);
        if (has_thread)
                check_equal(pthread_join(thread, NULL), 0);
        stop_timer();
}

static void close_channels(struct storm *storm) {
        mark_sender_close(&storm->story.marks_tx);
        note_sender_close(&storm->story.notes_tx);
        parcel_sender_close(&storm->story.out_tx);
        mark_receiver_close(&storm->back_marks_rx);
        note_receiver_close(&storm->back_notes_rx);
}

static _Noreturn void be_subject(struct storm *storm, const struct storm_case *what, enum kind kind,
                                 int milliseconds) {
        struct story *story = &storm->story;
        pid_t peer;

        watchdog(3 * PATIENCE_S);
        story->open_before = count_descriptors();
        open_channels(storm);
        peer = fork();
        check(peer >= 0);
        if (peer == 0)
                be_peer(storm);
        mark_receiver_close(&story->marks_rx);
        note_receiver_close(&story->notes_rx);
        parcel_receiver_close(&story->out_rx);
        mark_sender_close(&storm->back_marks_tx);
        note_sender_close(&storm->back_notes_tx);
        run_in_storm(storm, what, kind, milliseconds);
        close_channels(storm);
        check_equal(wait_for_exit(peer), 0);
        check_equal(settle_descriptors(story->open_before), story->open_before);
        leave_child(0);
}

static bool run(struct storm *storm, const struct storm_case *what, enum kind kind, int milliseconds) {
        pid_t subject, sibling = -1;
        uint64_t before = atomic_load(n_signals);
        int code;

        check(signal(SIGUSR1, SIG_IGN) != SIG_ERR); /* Until there is a handler. */
        subject = fork();
        check(subject >= 0);
        if (subject == 0)
                be_subject(storm, what, kind, milliseconds);
        if (kind != TIMER) {
                sibling = fork();
                check(sibling >= 0);
                if (sibling == 0)
                        be_sibling(subject, kind);
        }
        code = wait_for_exit(subject);
        if (sibling >= 0) {
                check_equal(kill(sibling, SIGKILL), 0);
                (void) wait_for_exit(sibling);
        }
        if (code == 0)
                return true;
        fprintf(stderr, "deaths: %s, %s, lanes %d: ended with %d, %llu signals\n", what->name,
                kind_names[kind], (int) storm->story.options.lanes, code,
                (unsigned long long) (atomic_load(n_signals) - before));
        return false;
}

/* The program that is started by one of the cases. */
static int count_marks(void) {
        mark_receiver rx;
        mark got;
        int n = 0, r;

        check_equal(mark_inherited_receiver(&rx), 0);
        while ((r = mark_recv(rx, &got, LEAT_FOREVER)) == 0)
                check_equal(got.index, n++);
        check_equal(r, LEAT_DISCONNECTED);
        mark_receiver_close(&rx);
        return n;
}

int main(int argc, char **argv) {
        static const enum leat_lanes lanes[] = { LEAT_LANES_NEVER, LEAT_LANES_ALWAYS };
        const char *text = getenv("LEAT_DEATHS_SEED");
        uint64_t seed = text ? strtoull(text, NULL, 0) : (uint64_t) time(NULL);
        int milliseconds = argc > 1 ? atoi(argv[1]) : 0;
        unsigned runs = 0, failed = 0;
        int64_t start = clock_ms();

        if (argc > 1 && strcmp(argv[1], "deaths") == 0)
                return count_marks();
        if (milliseconds <= 0) {
                fprintf(stderr, "usage: deaths_signal_storm MILLISECONDS [CASE]\n");
                return 1;
        }
        n_signals = mmap(NULL, sizeof(*n_signals), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        check(n_signals != MAP_FAILED);
        prepare_notes();
        printf("LEAT_DEATHS_SEED=%llu\n", (unsigned long long) seed);
        (void) fflush(stdout);
        for (size_t i = 0; i < n_storm_cases * KINDS * 2; i++) {
                const struct storm_case *what = &storm_cases[i / KINDS / 2];
                struct storm storm = { .story = { .seed = seed,
                                                  .run = i,
                                                  .random = seed + i,
                                                  .options.lanes = lanes[i % 2] },
                                       .spawned = argv[0] };

                if (argc > 2 && strcmp(argv[2], what->name) != 0)
                        continue;
                runs++;
                failed += !run(&storm, what, (enum kind)(i / 2 % KINDS), milliseconds);
        }
        printf("storms %u, signals %llu, seed %llu, %llu ms, %u failed\n", runs,
               (unsigned long long) atomic_load(n_signals), (unsigned long long) seed,
               (unsigned long long) (clock_ms() - start), failed);
        return failed == 0 ? 0 : 1;
}
