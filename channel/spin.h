/* Waiting awake for a while, because a sleep and a wake-up cost some 50 us and most answers come sooner.
 *
 *         if (spin_may(&spinner, other_core)) {
 *                 spin_start(&spinner);
 *                 while (spin_goes_on(&spinner))
 *                         if (ready()) {
 *                                 spin_succeeded(&spinner);
 *                                 return …;
 *                         }
 *         }
 *         … arm, look once more, sleep …
 *         spin_slept(&spinner, before, now, rang);
 *
 * One spinner per waiter, all zero at first. */
#ifndef LEAT_CHANNEL_SPIN_H
#define LEAT_CHANNEL_SPIN_H

#include <stdbool.h>
#include <stdint.h>

#define SPIN_NS     50000  /* About one sleep and wake-up, as long as nothing better is known. */
#define SPIN_MAX_NS 500000 /* However long they take. */

/* The first looks go without a pause, which would cost more than a busy peer takes to answer; the clock is
 * read after so many. */
#define SPIN_EAGER_LOOKS 1024U
#define SPIN_CLOCK_LOOKS 256U

struct spinner {
        uint32_t failures; /* Spins in a row that ended without success. */
        uint32_t skips;    /* Waits that are not worth a spin any more. */
        uint32_t doubts;   /* So many times short sleeps have promised what spins then did not keep. */
        uint32_t naps;     /* Short sleeps in a row. */
        uint32_t looks;    /* Of this spin. */
        uint32_t next;     /* The look at which the clock is read or a pause is due. */
        int64_t end;       /* CLOCK_MONOTONIC in ns; 0: not read yet. */
        int64_t wake_up;   /* From a bell until its sleeper goes on, in ns, on the average of late; 0: not
                          * known. */
};

/* The CPU that runs this thread, plus 1; 0: not known. A few nanoseconds. */
uint32_t spin_core(void);

/* Whether to spin at all before this wait: not when the other side runs on the same CPU (it could do nothing
 * meanwhile), and not when the last spins have failed: then 1, 2, 4 … 64 waits go without. Call it once for
 * each wait. `other_core` as from spin_core(). */
bool spin_may(struct spinner *spinner, uint32_t other_core);

/* Begins a spin; does not read the clock yet. */
static inline void spin_start(struct spinner *spinner) {
        spinner->looks = 0;
        spinner->next = SPIN_CLOCK_LOOKS;
        spinner->end = 0;
}

bool spin_goes_on_slowly(struct spinner *spinner);

/* Whether to look once more. False when the time is over: the spin has failed. */
static inline bool spin_goes_on(struct spinner *spinner) {
        return spinner->looks++ != spinner->next || spin_goes_on_slowly(spinner);
}

static inline void spin_succeeded(struct spinner *spinner) {
        spinner->failures = 0;
        if (spinner->doubts > 0)
                spinner->doubts--;
}

/* A sleep lasted from `before` until `now`: after a short one, or after 2, 4 … 64 of them in a row if spins
 * go on failing all the same, spinning is worth a try again. The other side says that it `rang` then (0: not
 * known), which tells how long a wake-up takes. All in ns of CLOCK_MONOTONIC. */
void spin_slept(struct spinner *spinner, int64_t before, int64_t now, int64_t rang);

#endif
