/* What the handlers of a router have seen, told to the test's own thread. A handler cannot fail a test by
 * itself: it counts. */
#ifndef TESTS_CHANNEL_TALLY_H
#define TESTS_CHANNEL_TALLY_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include "support.h"

/* Longer than anything takes until the next one is counted, shorter than the watchdog. */
#define TALLY_PATIENCE_MS 25000

struct tally {
        pthread_mutex_t lock;
        pthread_cond_t changed;
        uint64_t messages;
        uint64_t sum;
        uint64_t ends;
        int why; /* Of the last end. */
};

#define TALLY_INIT \
        { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER, .why = 4711 }

static inline void tally_message(struct tally *tally, uint64_t value) {
        pthread_mutex_lock(&tally->lock);
        tally->messages++;
        tally->sum += value;
        pthread_cond_broadcast(&tally->changed);
        pthread_mutex_unlock(&tally->lock);
}

/* An `end` whose context is the tally. */
static inline void tally_end(void *context, int why) {
        struct tally *tally = context;

        pthread_mutex_lock(&tally->lock);
        tally->ends++;
        tally->why = why;
        pthread_cond_broadcast(&tally->changed);
        pthread_mutex_unlock(&tally->lock);
}

/* Waits until so many were counted. False: no more of them were, for all patience. */
static inline bool tally_reaches(struct tally *tally, const uint64_t *count, uint64_t expected) {
        struct timespec until = { 0 };
        uint64_t seen = UINT64_MAX;
        bool reached;
        int r = 0;

        pthread_mutex_lock(&tally->lock);
        while (*count < expected && r == 0) {
                if (*count != seen) {
                        seen = *count;
                        clock_gettime(CLOCK_MONOTONIC, &until);
                        until.tv_sec += TALLY_PATIENCE_MS / 1000;
                }
                r = pthread_cond_clockwait(&tally->changed, &tally->lock, CLOCK_MONOTONIC, &until);
        }
        reached = *count >= expected;
        pthread_mutex_unlock(&tally->lock);
        if (!reached)
                fprintf(stderr, "%llu of %llu came\n", (unsigned long long) seen,
                        (unsigned long long) expected);
        return reached;
}

static inline uint64_t tally_read(struct tally *tally, const uint64_t *count) {
        uint64_t value;

        pthread_mutex_lock(&tally->lock);
        value = *count;
        pthread_mutex_unlock(&tally->lock);
        return value;
}

static inline int tally_why(struct tally *tally) {
        int why;

        pthread_mutex_lock(&tally->lock);
        why = tally->why;
        pthread_mutex_unlock(&tally->lock);
        return why;
}

#endif
