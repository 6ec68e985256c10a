/* One run: makes the channels, starts the three, lets one of them die or stand still at a moment of chance,
 * sees to it that the others go on, and looks at the books when all are gone. */
#include "story.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { STOPPED_TURNS = 3, STOPPED_MS = 5, LOOK_US = 200 };

static const char *const names[] = { "sender", "receiver", "passer", "nobody" };
static const char *const deaths[] = { "lives", "killed", "stopped", "stopped, then killed" };

static leat_deadline for_ever(void) {
        return LEAT_FOREVER;
}

static leat_deadline a_little(void) {
        return leat_after_ms(STOPPED_MS);
}

static void choose(struct story *story) {
        static const char *const lanes[] = { "never", "always", "automatic" };
        static const size_t capacities[] = { 0, 4096, 65536, 65536 };

        story->lanes = lanes[random_below(story, 3)];
        story->options.capacity = capacities[random_below(story, 4)];
        story->victim = (enum actor) random_below(story, ACTORS);
        story->death = random_below(story, 16) == 0 ? LIVES : KILLED;
        if (story->death == KILLED && one_in(story, 3))
                story->death = one_in(story, 3) ? STOPPED_THEN_KILLED : STOPPED;
        story->steps = 10 + (uint32_t) random_below(story, 60);
        story->patience =
                story->death == STOPPED || story->death == STOPPED_THEN_KILLED ? a_little : for_ever;
}

static void open_channels(struct story *story) {
        check_equal(mark_channel_with(&story->options, &story->marks_tx, &story->marks_rx), 0);
        check_equal(note_channel_with(&story->options, &story->notes_tx, &story->notes_rx), 0);
        check_equal(parcel_channel(&story->out_tx, &story->out_rx), 0);
        check_equal(parcel_channel(&story->on_tx, &story->on_rx), 0);
        check_equal(parcel_channel(&story->back_tx, &story->back_rx), 0);
}

static void close_channels(struct story *story) {
        mark_sender_close(&story->marks_tx);
        mark_receiver_close(&story->marks_rx);
        note_sender_close(&story->notes_tx);
        note_receiver_close(&story->notes_rx);
        parcel_sender_close(&story->out_tx);
        parcel_receiver_close(&story->out_rx);
        parcel_sender_close(&story->on_tx);
        parcel_receiver_close(&story->on_rx);
        parcel_sender_close(&story->back_tx);
        parcel_receiver_close(&story->back_rx);
}

static pid_t start(struct story *story, enum actor actor) {
        static void (*const plays[])(struct story *) = { play_sender, play_receiver, play_passer };
        pid_t pid = fork();

        check(pid >= 0);
        if (pid > 0)
                return pid;
        watchdog(PATIENCE_S);
        story->random = story->seed ^ (story->run << 20) ^ ((uint64_t) actor << 60);
        plays[actor](story);
        check_equal(settle_descriptors(story->open_before), story->open_before);
        leave_child(0);
}

static void sleep_us(uint64_t us) {
        struct timespec time = { .tv_sec = (time_t) (us / 1000000), .tv_nsec = (long) (us % 1000000) * 1000 };

        nanosleep(&time, NULL);
}

/* Also the first instructions, and the last. */
static uint64_t choose_moment(struct story *story, uint64_t typical_us) {
        return one_in(story, 8) ? random_below(story, 300)
                                : random_below(story, typical_us + typical_us / 8 + 1);
}

/* ---- one that stands still ---- */

static bool has_gone_on(const struct story *story, enum actor actor, uint64_t turns) {
        return atomic_load(&story->shared->is_leaving[actor]) ||
               atomic_load(&story->shared->turns[actor]) >= turns + STOPPED_TURNS;
}

static uint64_t count_received(const struct story *story) {
        uint32_t n = atomic_load(&story->shared->n_streams);
        uint64_t received = 0;

        for (uint32_t who = 0; who < n; who++)
                received += atomic_load(&stream_of(story, who)->received);
        return received;
}

/* Whether some message has come since, or neither of those who go on has more to send, or the receiver is the
 * one who stands still. */
static bool messages_have_gone_on(const struct story *story, uint64_t received) {
        enum actor other = story->victim == SENDER ? PASSER : SENDER;

        return story->victim == RECEIVER || atomic_load(&story->shared->is_leaving[other]) ||
               count_received(story) > received;
}

static void watch_others(const struct story *story) {
        uint64_t turns[ACTORS], received = count_received(story);
        int64_t end = clock_ms() + 1000L * PATIENCE_S;

        for (enum actor actor = 0; actor < ACTORS; actor++)
                turns[actor] = atomic_load(&story->shared->turns[actor]);
        for (enum actor actor = 0; actor < ACTORS; actor++)
                while (actor != story->victim && !has_gone_on(story, actor, turns[actor])) {
                        check(clock_ms() < end);
                        sleep_us(LOOK_US);
                }
        while (!messages_have_gone_on(story, received)) {
                check(clock_ms() < end);
                sleep_us(LOOK_US);
        }
}

/* Returns false when it had come to its end before, and its exit code. */
static bool stop(const struct story *story, pid_t victim, int *ret_code) {
        int status;

        check_equal(kill(victim, SIGSTOP), 0);
        check_equal(waitpid(victim, &status, WUNTRACED), victim);
        if (!WIFSTOPPED(status)) {
                *ret_code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
                return false;
        }
        watch_others(story);
        return true;
}

/* ---- one that is killed ---- */

/* From here on it is gone for everybody. An actor that has not begun yet has copies of the ends still. */
static void tell_of_death(const struct story *story) {
        struct shared *shared = story->shared;
        int64_t end = clock_ms() + 1000L * PATIENCE_S;

        for (enum actor actor = 0; actor < ACTORS; actor++)
                while (actor != story->victim && !atomic_load(&shared->has_begun[actor])) {
                        check(clock_ms() < end);
                        sleep_us(LOOK_US);
                }
        atomic_store(&shared->dead_since_ns, now_ns());
        atomic_store(&shared->dead, story->victim);
}

static int kill_victim(const struct story *story, pid_t victim) {
        int code;

        atomic_store(&story->shared->about_to_die, story->victim);
        check_equal(kill(victim, SIGKILL), 0);
        code = wait_for_exit(victim);
        tell_of_death(story);
        return code;
}

/* Returns the victim's exit code. */
static int let_it_die(struct story *story, pid_t victim) {
        int code;

        switch (story->death) {
        case LIVES:
                return wait_for_exit(victim);
        case KILLED:
                return kill_victim(story, victim);
        default:
                break;
        }
        if (!stop(story, victim, &code))
                return code;
        if (story->death == STOPPED_THEN_KILLED)
                return kill_victim(story, victim);
        check_equal(kill(victim, SIGCONT), 0);
        return wait_for_exit(victim);
}

/* ---- the end ---- */

/* Whatever was sent to a receiver that lived was received, to the last message that was committed. */
static void check_books(const struct story *story) {
        uint32_t n = atomic_load(&story->shared->n_streams);

        if (is_dying(story, RECEIVER))
                return;
        for (uint32_t who = 0; who < n; who++) {
                const struct stream *stream = stream_of(story, who);
                uint64_t received = atomic_load(&stream->received);

                if (!atomic_load(&stream->is_main))
                        continue;
                check(received >= atomic_load(&stream->committed));
                check(received <= atomic_load(&stream->attempted));
        }
}

static void describe(const struct story *story, uint64_t moment_us) {
        fprintf(stderr, "deaths: run %llu: lanes %s, capacity %zu, %u steps, %s %s after %llu us\n",
                (unsigned long long) story->run, story->lanes, story->options.capacity, story->steps,
                names[story->victim], deaths[story->death], (unsigned long long) moment_us);
}

static bool is_expected(const struct story *story, enum actor actor, int code) {
        return code == 0 || (code == 128 + SIGKILL && is_dying(story, actor));
}

void play(uint64_t seed, uint64_t run, uint64_t typical_us, struct shared *shared) {
        struct story story = {
                .seed = seed, .run = run, .random = seed + run * 0x2545F4914F6CDD1DU, .shared = shared
        };
        uint64_t moment_us;
        pid_t pids[ACTORS];
        int codes[ACTORS];

        choose(&story);
        moment_us = choose_moment(&story, typical_us);
        if (typical_us == 0)
                story.death = LIVES;
        check_equal(setenv("LEAT_LANES", story.lanes, 1), 0);
        atomic_store(&shared->about_to_die, NOBODY);
        atomic_store(&shared->dead, NOBODY);
        story.open_before = count_descriptors();
        open_channels(&story);
        for (enum actor actor = 0; actor < ACTORS; actor++)
                pids[actor] = start(&story, actor);
        close_channels(&story);
        sleep_us(moment_us);
        codes[story.victim] = let_it_die(&story, pids[story.victim]);
        for (enum actor actor = 0; actor < ACTORS; actor++)
                if (actor != story.victim)
                        codes[actor] = wait_for_exit(pids[actor]);
        for (enum actor actor = 0; actor < ACTORS; actor++)
                if (!is_expected(&story, actor, codes[actor])) {
                        describe(&story, moment_us);
                        fprintf(stderr, "deaths: the %s ended with %d\n", names[actor], codes[actor]);
                        leave_child(1);
                }
        check_books(&story);
        check_equal(settle_descriptors(story.open_before), story.open_before);
}
