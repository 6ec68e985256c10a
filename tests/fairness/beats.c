/* The quiet ones: one beat by each channel, and when the flood has come, beats by channels chosen by chance,
 * with a pause before each. */
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "fairness.h"

static void give_receivers(beat_sender *senders, ends_sender home) {
        static beat_receiver ends_[QUIET_CHANNELS], given[QUIET_CHANNELS];
        ends message = { .quiet = { given, QUIET_CHANNELS } };

        for (int i = 0; i < QUIET_CHANNELS; i++) {
                check_equal(beat_channel(&senders[i], &ends_[i]), 0);
                given[i] = beat_receiver_give(&ends_[i]);
        }
        check_equal(ends_send(home, &message, leat_after_ms(WAIT_MS)), 0);
}

static void send_beat(struct shared *shared, const beat_sender *senders, uint32_t channel, uint32_t number) {
        beat message = { .channel = channel, .number = number, .sent_at = now_ns() };

        check_equal(beat_send(senders[channel], &message, leat_after_ms(WAIT_MS)), 0);
        atomic_store(&shared->told[number], atomic_load(&shared->taken));
}

_Noreturn void beats(struct shared *shared, unsigned n_beats, long pause_us, unsigned seed,
                     ends_sender home) {
        static beat_sender senders[QUIET_CHANNELS];
        const struct timespec pause = { .tv_nsec = pause_us * 1000 };

        give_receivers(senders, home);
        ends_sender_close(&home);
        for (unsigned i = 0; i < FIRST_BEATS; i++)
                send_beat(shared, senders, i, i);
        while (!atomic_load(&shared->flooded))
                nanosleep(&pause, NULL);
        for (unsigned i = FIRST_BEATS; i < FIRST_BEATS + n_beats; i++) {
                nanosleep(&pause, NULL);
                send_beat(shared, senders, (unsigned) rand_r(&seed) % QUIET_CHANNELS, i);
        }
        for (int i = 0; i < QUIET_CHANNELS; i++)
                beat_sender_close(&senders[i]);
        _exit(0);
}
