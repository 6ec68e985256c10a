/* Fairness and memory: one sender that floods beside 63 quiet channels, all in one set or on one router. What
 * is promised then stands in hearing.c; without the flood the same is heard for comparison.
 *
 * usage: test_fairness [--beats N] [--flood N] [--seed N] [--only KIND]
 * N beats in each run, and at least so many messages of the flood; one kind of flood, by its number, instead
 * of all. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "hearing.h"

#define FLOOD QUIET_CHANNELS /* Its key, behind those of the quiet. */

struct receivers {
        beat_receiver quiet[QUIET_CHANNELS];
        drop_receiver drops;
        bale_receiver bales;
};

static struct hearing hearing;
static struct receivers receivers;

/* ---- by a set ---- */

static void take_drop(void) {
        drop got;
        int r = drop_recv(receivers.drops, &got, LEAT_NOW);

        check(r == 0 || r == LEAT_EMPTY || (r == LEAT_MALFORMED && hearing.kind == MALFORMED));
        if (r == 0)
                hearing_small(&hearing, got.number, sizeof(got));
        else if (r == LEAT_MALFORMED)
                hearing_flood(&hearing, 1, sizeof(got));
        hearing.malformed += r == LEAT_MALFORMED;
}

static void take_bale(void) {
        bale got;
        int r = bale_recv(receivers.bales, &got, LEAT_NOW);

        if (r == LEAT_EMPTY)
                return;
        check_equal(r, 0);
        hearing_flood(&hearing, 1, got.data.size);
}

static void take_beat(uint64_t key) {
        beat got;
        int r = beat_recv(receivers.quiet[key], &got, LEAT_NOW);

        check(r == 0 || r == LEAT_EMPTY || r == LEAT_DISCONNECTED);
        if (r == 0)
                hearing_beat(&hearing, &got);
}

static void hear_by_set(void) {
        leat_set set;
        uint64_t key;

        check_equal(leat_set_create(&set), 0);
        for (uint64_t i = 0; i < QUIET_CHANNELS; i++)
                check_equal(beat_set_add(set, receivers.quiet[i], i), 0);
        if (drop_receiver_is_set(receivers.drops))
                check_equal(drop_set_add(set, receivers.drops, FLOOD), 0);
        if (bale_receiver_is_set(receivers.bales))
                check_equal(bale_set_add(set, receivers.bales, FLOOD), 0);
        hearing_begin(&hearing);
        while (!hearing_is_enough(&hearing)) {
                check_equal(leat_set_wait(set, &key, leat_after_ms(WAIT_MS)), 0);
                if (key < QUIET_CHANNELS)
                        take_beat(key);
                else if (drop_receiver_is_set(receivers.drops))
                        take_drop();
                else
                        take_bale();
        }
        for (int i = 0; i < QUIET_CHANNELS; i++)
                beat_receiver_close(&receivers.quiet[i]);
        drop_receiver_close(&receivers.drops);
        bale_receiver_close(&receivers.bales);
        leat_set_close(&set);
}

/* ---- by a router ---- */

static atomic_bool enough;

static void on_beat(beat *message, void *unused) {
        (void) unused;
        if (atomic_load(&enough))
                return;
        hearing_beat(&hearing, message);
        atomic_store(&enough, hearing_is_enough(&hearing));
}

/* Behind each there was a malformed one, which nobody shows. */
static void on_drop(drop *message, void *unused) {
        (void) unused;
        if (atomic_load(&enough))
                return;
        if (hearing.kind == MALFORMED)
                hearing_flood(&hearing, 2, 2 * sizeof(*message));
        else
                hearing_small(&hearing, message->number, sizeof(*message));
        atomic_store(&enough, hearing_is_enough(&hearing));
}

static void on_bale(bale *message, void *unused) {
        (void) unused;
        if (atomic_load(&enough))
                return;
        hearing_flood(&hearing, 1, message->data.size);
        atomic_store(&enough, hearing_is_enough(&hearing));
}

static void hear_by_router(void) {
        leat_router router;

        atomic_store(&enough, false);
        check_equal(leat_router_create(&router), 0);
        hearing_begin(&hearing);
        for (uint64_t i = 0; i < QUIET_CHANNELS; i++)
                check_equal(beat_route(router, &receivers.quiet[i], on_beat, NULL, NULL), 0);
        if (drop_receiver_is_set(receivers.drops))
                check_equal(drop_route(router, &receivers.drops, on_drop, NULL, NULL), 0);
        if (bale_receiver_is_set(receivers.bales))
                check_equal(bale_route(router, &receivers.bales, on_bale, NULL, NULL), 0);
        while (!atomic_load(&enough))
                sleep_ms(1);
        check_equal(leat_router_shutdown(router, leat_after_ms(WAIT_MS)), 0);
        hearing.malformed = leat_router_skipped(router);
        leat_router_close(&router);
}

/* ---- both ---- */

static pid_t start_beats(unsigned seed, ends_receiver *ret_home) {
        ends_sender home;
        pid_t child;

        check_equal(ends_channel(&home, ret_home), 0);
        child = fork();
        check(child >= 0);
        if (child == 0) {
                ends_receiver_close(ret_home);
                beats(hearing.shared, hearing.n_beats, hearing.kind == SLOW ? SLOW_BEATS_US : PAUSE_US, seed,
                      home);
        }
        ends_sender_close(&home);
        return child;
}

static pid_t start_flood(ends_receiver *ret_home) {
        ends_sender home;
        pid_t child;

        check_equal(ends_channel(&home, ret_home), 0);
        child = fork();
        check(child >= 0);
        if (child == 0) {
                ends_receiver_close(ret_home);
                flood(hearing.kind, home);
        }
        ends_sender_close(&home);
        return child;
}

static void take_quiet(ends_receiver home) {
        ends got;

        check_equal(ends_recv(home, &got, leat_after_ms(WAIT_MS)), 0);
        check_equal(got.quiet.count, QUIET_CHANNELS);
        for (int i = 0; i < QUIET_CHANNELS; i++)
                receivers.quiet[i] = beat_receiver_take(&got.quiet.items[i]);
}

static void take_flood(ends_receiver home) {
        ends got;

        check_equal(ends_recv(home, &got, leat_after_ms(WAIT_MS)), 0);
        receivers.drops = drop_receiver_take(&got.drops);
        receivers.bales = bale_receiver_take(&got.bales);
}

/* Large ones and slow ones take their time. */
static void run(enum flood_kind kind, bool by_router, unsigned n_beats, uint64_t least, unsigned seed) {
        ends_receiver beats_home, flood_home;
        pid_t beater, flooder = -1;
        int before = count_descriptors();

        hearing =
                (struct hearing){ .kind = kind, .by_router = by_router, .n_beats = n_beats, .least = least };
        if (kind == BIG || kind == SLOW)
                hearing.least = least / 10;
        if (kind == SLOW)
                hearing.n_beats = 1 + n_beats / 5;
        hearing.shared = mmap(NULL, sizeof(*hearing.shared), PROT_READ | PROT_WRITE,
                              MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        check(hearing.shared != MAP_FAILED);
        beater = start_beats(seed, &beats_home);
        take_quiet(beats_home);
        ends_receiver_close(&beats_home);
        if (kind != NOTHING) {
                flooder = start_flood(&flood_home);
                take_flood(flood_home);
                ends_receiver_close(&flood_home);
        }
        if (by_router)
                hear_by_router();
        else
                hear_by_set();
        check_equal(wait_for_exit(beater), 0);
        if (flooder >= 0)
                check_equal(wait_for_exit(flooder), 0);
        check_equal(settle_descriptors(before), before);
        hearing_judge(&hearing);
        munmap(hearing.shared, sizeof(*hearing.shared));
}

int main(int argc, char **argv) {
        unsigned long n_beats = 100, least = 5000, seed = (unsigned long) time(NULL), only = N_KINDS;

        watchdog(600);
        for (int i = 1; i + 1 < argc; i += 2) {
                unsigned long value = strtoul(argv[i + 1], NULL, 10);

                if (strcmp(argv[i], "--beats") == 0)
                        n_beats = value;
                else if (strcmp(argv[i], "--flood") == 0)
                        least = value;
                else if (strcmp(argv[i], "--seed") == 0)
                        seed = value;
                else if (strcmp(argv[i], "--only") == 0)
                        only = value;
        }
        check(n_beats > 0 && n_beats <= MAX_BEATS - FIRST_BEATS && argc % 2 == 1);
        printf("runs %d, channels %d, seed %lu\n", 2 * N_KINDS, QUIET_CHANNELS + 1, seed);
        for (int by_router = 0; by_router < 2; by_router++)
                for (enum flood_kind kind = NOTHING; kind < N_KINDS; kind++)
                        if (only == N_KINDS || only == kind)
                                run(kind, by_router, (unsigned) n_beats, least, (unsigned) seed);
        return 0;
}
