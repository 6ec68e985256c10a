/* Waiting awake only where it pays.
 *
 * A spin that fails has burnt a core for nothing, and perhaps the very core that the other side needs. So it
 * is bounded by the cost of a sleep and a wake-up; it is not begun where the other side can do nothing
 * meanwhile; and after failures more and more waits go without one, up to 64 in a row, so that a link with a
 * message every millisecond costs next to nothing. A sleep that was over soon tells that a spin would have
 * been worth it: then the count begins anew. (A moving average of the waits was tried instead and locks
 * itself: once nobody spins, every wait is as long as a wake-up.)
 *
 * But where more wait on each other than there are cores, sleeps are short and spins fail all the same, since
 * who spins has the core that the answer has to come from. So short sleeps are believed less each time that a
 * spin after them fails; and who has spun for longer than a busy peer takes gives its core to whoever is
 * waiting for it. Where that is a third party with work of its own, the core is back only milliseconds later:
 * there a wake-up is by far the quicker way to it, and nobody spins for a while.
 *
 * How long a wake-up takes is measured, for it is not the same everywhere: a host that takes an idle core
 * away gives it back after some 200 µs. Were spins shorter than that, two sides that once sleep for each
 * other's answers would do so for ever: whoever spins gives up before the other one is awake. */
#include "spin.h"

#include <sched.h>

#include "deadline.h"

#define MAX_FAILURES 6U               /* That count: 1 << 6 waits in a row go without a spin. */
#define MAX_DOUBTS   6U               /* 64 short sleeps. */
#define PAUSED_LOOKS 32U              /* Between two readings of the clock; some microsecond. */
#define SLICE_NS     INT64_C(1000000) /* Nobody but a busy third party keeps a core so long. */

static inline void pause_core(void) {
#if defined(__x86_64__) || defined(__i386__)
        __builtin_ia32_pause();
#elif defined(__aarch64__)
        __asm__ volatile(
                "isb"); /* `yield` does nothing on most cores; this takes as long as a pause on x86. */
#endif
}

uint32_t spin_core(void) {
        return (uint32_t) (sched_getcpu() + 1); /* -1, which is an error, becomes "not known". */
}

/* A process that has but one CPU shares it with the other side more often than not. */
static bool has_several_cpus(void) {
        cpu_set_t set;

        /* It fails where there are more CPUs than the set has room for. */
        return sched_getaffinity(0, sizeof(set), &set) < 0 || CPU_COUNT(&set) > 1;
}

bool spin_may(struct spinner *spinner, uint32_t other_core) {
        uint32_t core;

        if (spinner->skips > 0) {
                spinner->skips--;
                return false;
        }
        core = spin_core();
        return core != 0 && other_core != 0 ? core != other_core : has_several_cpus();
}

/* Wake-ups vary. */
static int64_t spin_length(const struct spinner *spinner) {
        int64_t length = 2 * spinner->wake_up;

        return length < SPIN_NS ? SPIN_NS : length < SPIN_MAX_NS ? length : SPIN_MAX_NS;
}

static bool fail(struct spinner *spinner) {
        spinner->skips = 1U << (spinner->failures < MAX_FAILURES ? spinner->failures : MAX_FAILURES);
        spinner->failures++;
        if (spinner->doubts < MAX_DOUBTS)
                spinner->doubts++;
        return false;
}

/* False: somebody took it for long. */
static bool lend_core(int64_t now) {
        (void) sched_yield();
        return deadline_now() - now < SLICE_NS;
}

static bool give_up(struct spinner *spinner) {
        spinner->failures = MAX_FAILURES;
        spinner->doubts = MAX_DOUBTS;
        return fail(spinner);
}

bool spin_goes_on_slowly(struct spinner *spinner) {
        bool eager = spinner->looks < SPIN_EAGER_LOOKS;

        if (eager || spinner->looks % PAUSED_LOOKS == 0) {
                int64_t now = deadline_now();

                if (spinner->end == 0)
                        spinner->end = now + spin_length(spinner);
                if (now >= spinner->end)
                        return fail(spinner);
                if (!eager && !lend_core(now))
                        return give_up(spinner);
        }
        if (!eager)
                pause_core();
        spinner->next = spinner->looks + (eager ? SPIN_CLOCK_LOOKS : 0);
        return true;
}

/* What the other side says may be anything. */
static void learn(struct spinner *spinner, int64_t took) {
        int64_t known = took < SPIN_MAX_NS ? took : SPIN_MAX_NS;

        spinner->wake_up = spinner->wake_up == 0 ? known : (3 * spinner->wake_up + known) / 4;
}

void spin_slept(struct spinner *spinner, int64_t before, int64_t now, int64_t rang) {
        if (rang > before && rang < now)
                learn(spinner, now - rang);
        spinner->naps = now - before < 2 * spin_length(spinner) ? spinner->naps + 1 : 0;
        if (spinner->naps < 1U << spinner->doubts)
                return;
        spinner->naps = 0;
        spinner->failures = 0;
        spinner->skips = 0;
}
