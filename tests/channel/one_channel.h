/* A channel of parcels, the type that a test has declared before, from each of its tests' start to its end,
 * which leaves no descriptor behind: start() and finish() are for its suites. */
#ifndef TESTS_CHANNEL_ONE_CHANNEL_H
#define TESTS_CHANNEL_ONE_CHANNEL_H

#include <criterion/criterion.h>

#include "support.h"

static int before;
static parcel_sender tx;
static parcel_receiver rx;

static inline void start(void) {
        before = count_descriptors();
        cr_assert_eq(parcel_channel(&tx, &rx), 0);
}

static inline void finish(void) {
        parcel_sender_close(&tx);
        parcel_receiver_close(&rx);
        cr_assert_eq(settle_descriptors(before), before, "a descriptor leaked");
}

#endif
