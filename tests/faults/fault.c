/* What is to fail, and when: what the stand-ins ask (see stand_in.h) and what the tests say. */
#include "fault.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "flight.h"
#include "stand_in.h"

const char *const fault_names[] = {
#define NAME(name, ...) #name,
        FAULT_CALLS(NAME) "descriptors", "in_flight",
};

const int fault_effects[][FAULT_MOST_EFFECTS] = {
#define EFFECTS(name, ...) { __VA_ARGS__ },
        FAULT_CALLS(EFFECTS)
};

static atomic_bool counting;
static atomic_long counts[FAULT_CALL_COUNT];

static _Atomic int failing_call = -1; /* None. */
static long failing_from;
static int failing_effect;
static atomic_bool failing_on;
static atomic_long hits;

atomic_long stand_in_allocations, stand_in_mapped;

const char *fault_effect_name(int effect) {
        switch (effect) {
        case FAULT_HALF:
                return "half";
        case FAULT_ALL_CUT:
                return "all-cut";
        case FAULT_SOME_CUT:
                return "some-cut";
        case FAULT_END:
                return "end";
        case FAULT_READY:
                return "ready";
        case FAULT_WOKEN:
                return "woken";
        default:
                return strerrorname_np(effect);
        }
}

void fault_start(void) {
        for (int i = 0; i < FAULT_CALL_COUNT; i++)
                atomic_store(&counts[i], 0);
        atomic_store(&counting, true);
}

void fault_stop(void) {
        fault_lift();
        atomic_store(&counting, false);
}

long fault_count(enum fault_call call) {
        return atomic_load(&counts[call]);
}

/* What fills the gaps below the highest descriptor while there is a limit. */
static int fillers[256];
static size_t n_fillers;
static struct rlimit before_limit, limit_now;
static bool is_limited;

static int highest_descriptor(void) {
        DIR *folder = opendir("/proc/self/fd");
        int highest = -1;

        if (!folder)
                abort();
        for (struct dirent *entry; (entry = readdir(folder));) {
                int fd = atoi(entry->d_name);

                if (fd != dirfd(folder) && fd > highest)
                        highest = fd;
        }
        closedir(folder);
        return highest;
}

static void limit_descriptors(long left) {
        int highest = highest_descriptor(), fd;

        while ((fd = fcntl(0, F_DUPFD_CLOEXEC, 0)) < highest &&
               n_fillers < sizeof(fillers) / sizeof(fillers[0]))
                fillers[n_fillers++] = fd;
        (void) close(fd);
        (void) getrlimit(RLIMIT_NOFILE, &before_limit);
        limit_now = before_limit;
        limit_now.rlim_cur = (rlim_t) (highest + 1 + left);
        is_limited = setrlimit(RLIMIT_NOFILE, &limit_now) == 0;
        atomic_store(&hits, 1);
}

static void lift_limit(void) {
        if (!is_limited)
                return;
        (void) setrlimit(RLIMIT_NOFILE, &before_limit);
        while (n_fillers > 0)
                (void) close(fillers[--n_fillers]);
        is_limited = false;
}

void fault_set(enum fault_call call, long n, int effect, bool lasting) {
        failing_from = n;
        failing_effect = effect;
        atomic_store(&failing_on, lasting);
        atomic_store(&hits, 0);
        atomic_store(&failing_call, (int) call);
        if (call == FAULT_descriptors)
                limit_descriptors(n - 1);
        if (call == FAULT_in_flight) {
                flight_start(n - 1);
                atomic_store(&hits, 1);
        }
}

void fault_lift(void) {
        atomic_store(&failing_call, -1);
        lift_limit();
        flight_end();
}

void fault_pass_over(void) {
        if (is_limited)
                (void) setrlimit(RLIMIT_NOFILE, &before_limit);
}

void fault_go_on(void) {
        if (is_limited)
                (void) setrlimit(RLIMIT_NOFILE, &limit_now);
}

long fault_hits(void) {
        return atomic_load(&hits);
}

long fault_allocations(void) {
        return atomic_load(&stand_in_allocations);
}

long fault_mapped(void) {
        return atomic_load(&stand_in_mapped);
}

int stand_in_effect(enum fault_call call) {
        long n;

        if (!atomic_load(&counting))
                return 0;
        n = atomic_fetch_add(&counts[call], 1) + 1;
        if (atomic_load(&failing_call) != (int) call || n < failing_from ||
            (n > failing_from && !atomic_load(&failing_on)))
                return 0;
        (void) atomic_fetch_add(&hits, 1);
        return failing_effect;
}

void stand_in_unharmed(void) {
        (void) atomic_fetch_sub(&hits, 1);
}

bool stand_in_fails(enum fault_call call) {
        int effect = stand_in_effect(call);

        if (effect != 0)
                errno = effect;
        return effect != 0;
}
