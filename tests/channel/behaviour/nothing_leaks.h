/* What each chapter but that of servers starts and ends with: no descriptor is left over. */
#ifndef TESTS_CHANNEL_BEHAVIOUR_NOTHING_LEAKS_H
#define TESTS_CHANNEL_BEHAVIOUR_NOTHING_LEAKS_H

#include <criterion/criterion.h>

#include "support.h"

static int descriptors_before;

static inline void count_what_is_open(void) {
        descriptors_before = count_descriptors();
}

static inline void nothing_leaked(void) {
        cr_assert_eq(settle_descriptors(descriptors_before), descriptors_before, "a descriptor leaked");
}

#endif
