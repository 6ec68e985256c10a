/* What tests of servers start and end with: the servers' names are in a folder of the test's own, and no
 * descriptor is left over. */
#ifndef TESTS_CHANNEL_SERVERS_FOLDER_H
#define TESTS_CHANNEL_SERVERS_FOLDER_H

#include <criterion/criterion.h>
#include <stdlib.h>

#include "support.h"

static char *folder;
static int descriptors_before;

static inline void enter_folder(void) {
        folder = temp_folder();
        setenv("XDG_RUNTIME_DIR", folder, 1);
        descriptors_before = count_descriptors();
}

static inline void leave_folder(void) {
        cr_assert_eq(settle_descriptors(descriptors_before), descriptors_before, "a descriptor leaked");
        temp_folder_remove(&folder);
}

#endif
