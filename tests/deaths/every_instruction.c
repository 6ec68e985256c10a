/* A process in the middle of a call, stopped or killed behind its n-th instruction, for n from the call's
 * first instruction to its last: between reserving and committing, between a packet and its record, around
 * bells, while an end moves. It is traced, see ptrace(2), and steps one instruction at a time; a system call
 * is one. The other side has to go on while it stands still, and afterwards, whether it was killed or goes
 * on, to find everything that had been sent, once and in order.
 *
 * usage: deaths_every_instruction MOMENTS INSTRUCTIONS [NAME]
 *
 * So many moments of each scene (or of the one that is named), spread over its first so many instructions;
 * LEAT_DEATHS_SEED chooses which. With more moments than a scene has instructions each of them is one. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "scenes.h"

enum {
        STEPS_AT_MOST = 1000000,
        EAGER_LOOKS = 300, /* Before it is taken for waiting. */
        LOOKS = 330,
        LOOK_US = 50
};

enum fate { GOES_ON, IS_KILLED, IS_KILLED_WAITING, FATES };

struct trial {
        const struct scene *scene;
        struct story story;
        struct other_side other;
        pid_t victim;
        uint32_t moment; /* Instructions. */
        enum fate fate;
        bool has_fed;
        _Atomic uint32_t *steps; /* To tell the program. */
};

static void open_channels(struct trial *trial) {
        struct story *story = &trial->story;
        struct leat_channel_options options = { .lanes = trial->scene->lanes,
                                                .capacity = trial->scene->capacity };
        const struct leat_channel_options socket = { .lanes = LEAT_LANES_NEVER };

        check_equal(mark_channel_with(&options, &story->marks_tx, &story->marks_rx), 0);
        check_equal(note_channel_with(&options, &story->notes_tx, &story->notes_rx), 0);
        check_equal(parcel_channel_with(&socket, &story->out_tx, &story->out_rx), 0);
        check_equal(parcel_channel_with(&socket, &story->back_tx, &story->back_rx), 0);
}

static _Noreturn void be_victim(struct trial *trial) {
        struct story *story = &trial->story;

        watchdog(2 * PATIENCE_S);
        victim_warms_up(story, trial->scene);
        check_equal(ptrace(PTRACE_TRACEME, 0, NULL, NULL), 0);
        raise(SIGSTOP);
        trial->scene->act(story);
        atomic_store(&story->shared->is_leaving[SENDER], true);
        victim_goes_on(story, trial->scene);
        check_equal(settle_descriptors(story->open_before), story->open_before);
        leave_child(0);
}

/* ---- stepping ---- */

/* Whether it has stopped; if not, it waits for something. */
static bool stops_soon(pid_t pid, int *ret_status) {
        for (int look = 0; look < LOOKS; look++) {
                pid_t changed = waitpid(pid, ret_status, WNOHANG);

                check(changed >= 0);
                if (changed == pid)
                        return true;
                if (look >= EAGER_LOOKS)
                        usleep(LOOK_US);
        }
        return false;
}

/* Returns whether it has stepped; false: it waits, and is to be killed there. What it waits for is fed
 * otherwise. */
static bool step(struct trial *trial) {
        int status;

        check_equal(ptrace(PTRACE_SINGLESTEP, trial->victim, NULL, NULL), 0);
        while (!stops_soon(trial->victim, &status)) {
                if (!trial->scene->feed || trial->has_fed)
                        continue;
                if (trial->fate == IS_KILLED_WAITING)
                        return false;
                trial->has_fed = true;
                trial->scene->feed(&trial->story);
        }
        check(WIFSTOPPED(status));
        check_equal(WSTOPSIG(status), SIGTRAP);
        return true;
}

/* To the moment, or to the end of what it does. */
static void go_to_the_moment(struct trial *trial) {
        const struct shared *shared = trial->story.shared;
        uint32_t n = 0;

        while (n < trial->moment && !atomic_load(&shared->is_leaving[SENDER]) && step(trial))
                check(++n < STEPS_AT_MOST);
        atomic_store(trial->steps, n);
}

static void wait_until_ready(struct trial *trial) {
        int64_t end = clock_ms() + 1000L * PATIENCE_S;
        int status;

        while (waitpid(trial->victim, &status, WNOHANG) == 0) {
                check(clock_ms() < end);
                other_side_warms_up(&trial->other);
        }
        check(WIFSTOPPED(status));
        other_side_is_ready(&trial->other);
}

static void end_victim(struct trial *trial) {
        struct story *story = &trial->story;

        if (trial->fate != GOES_ON) {
                atomic_store(&story->shared->about_to_die, SENDER);
                check_equal(kill(trial->victim, SIGKILL), 0);
                check_equal(wait_for_exit(trial->victim), 128 + SIGKILL);
                other_side_ends(&trial->other);
                return;
        }
        check_equal(ptrace(PTRACE_DETACH, trial->victim, NULL, NULL), 0);
        if (trial->scene->feed && !trial->has_fed)
                trial->scene->feed(story);
        if (trial->scene->receives && !trial->scene->closes) {
                mark_sender_close(&story->marks_tx);
                note_sender_close(&story->notes_tx);
        }
        other_side_ends(&trial->other);
        check_equal(wait_for_exit(trial->victim), 0);
}

static void run_trial(struct trial *trial) {
        struct story *story = &trial->story;

        for (uint32_t who = 0; who <= MOVED_STREAM; who++)
                (void) new_stream(story, true);
        atomic_store(&story->shared->about_to_die, NOBODY);
        trial->other = (struct other_side){ .story = story, .scene = trial->scene };
        story->open_before = count_descriptors();
        open_channels(trial);
        trial->victim = fork();
        check(trial->victim >= 0);
        if (trial->victim == 0)
                be_victim(trial);
        other_side_opens(&trial->other);
        wait_until_ready(trial);
        go_to_the_moment(trial);
        other_side_goes_on(&trial->other);
        end_victim(trial);
        check_equal(settle_descriptors(story->open_before), story->open_before);
}

/* ---- all of them ---- */

struct program {
        uint64_t seed;
        uint64_t random;
        uint64_t trials;
        uint64_t failed;
        struct shared *shared;
        _Atomic uint32_t *steps;
};

static void try(struct program *program, const struct scene *scene, uint32_t moment, enum fate fate) {
        struct trial trial = { .scene = scene,
                               .story = { .seed = program->seed, .run = moment, .shared = program->shared },
                               .moment = moment,
                               .fate = fate,
                               .steps = program->steps };
        pid_t child;

        memset((void *) program->shared, 0, sizeof(*program->shared));
        program->trials++;
        child = fork();
        check(child >= 0);
        if (child == 0) {
                watchdog(3 * PATIENCE_S);
                run_trial(&trial);
                leave_child(0);
        }
        if (wait_for_exit(child) == 0)
                return;
        fprintf(stderr, "deaths: %s: moment %u, fate %d\n", scene->name, moment, (int) fate);
        program->failed++;
}

static uint32_t some_below(struct program *program, uint64_t n) {
        struct story chance = { .random = program->random };
        uint32_t value = (uint32_t) random_below(&chance, n);

        program->random = chance.random;
        return value;
}

static void try_moments(struct program *program, const struct scene *scene, uint32_t moments,
                        uint32_t instructions) {
        uint32_t n;

        try(program, scene, instructions, GOES_ON);
        n = atomic_load(program->steps);
        if (moments > n)
                moments = n;
        for (uint32_t i = 0; i < moments; i++) {
                uint32_t from = (uint32_t) ((uint64_t) n * i / moments),
                         to = (uint32_t) ((uint64_t) n * (i + 1) / moments);

                try(program, scene, from + some_below(program, to - from), some_below(program, FATES));
        }
        printf("%s: %u instructions, %u moments\n", scene->name, n, moments);
        (void) fflush(stdout);
}

int main(int argc, char **argv) {
        const char *text = getenv("LEAT_DEATHS_SEED");
        struct program program = { .seed = text ? strtoull(text, NULL, 0) : (uint64_t) time(NULL) };
        uint32_t moments = argc > 2 ? (uint32_t) strtoul(argv[1], NULL, 0) : 0;
        uint32_t instructions = argc > 2 ? (uint32_t) strtoul(argv[2], NULL, 0) : 0;
        int64_t start = clock_ms();

        if (moments == 0 || instructions == 0) {
                fprintf(stderr, "usage: deaths_every_instruction MOMENTS INSTRUCTIONS [NAME]\n");
                return 1;
        }
        program.random = program.seed;
        program.shared = mmap(NULL, sizeof(*program.shared) + sizeof(*program.steps), PROT_READ | PROT_WRITE,
                              MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        check(program.shared != MAP_FAILED);
        program.steps = (_Atomic uint32_t *) (program.shared + 1);
        printf("LEAT_DEATHS_SEED=%llu\n", (unsigned long long) program.seed);
        prepare_notes();
        for (size_t i = 0; i < n_scenes; i++)
                if (argc < 4 || strcmp(argv[3], scenes[i].name) == 0)
                        try_moments(&program, &scenes[i], moments, instructions);
        printf("trials %llu, seed %llu, %llu ms, %llu failed\n", (unsigned long long) program.trials,
               (unsigned long long) program.seed, (unsigned long long) (clock_ms() - start),
               (unsigned long long) program.failed);
        return program.failed == 0 ? 0 : 1;
}
