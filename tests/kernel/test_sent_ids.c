/* The memory of MessageIds: finds once, forgets the oldest. */
#include <criterion/criterion.h>

#include "sent_ids.h"

static struct sent_ids ids = { .most = 128 };

static void end(void) {
        sent_ids_clear(&ids);
}

TestSuite(sent_ids, .fini = end);

Test(sent_ids, an_id_is_found_once_and_in_any_case) {
        uint64_t hash = sent_ids_hash("6B3F3B56-C2BF-4F1C-9AFA-1B21F2F6B0E8");

        cr_assert_not(sent_ids_take(&ids, hash));
        sent_ids_add(&ids, hash);
        cr_assert(sent_ids_take(&ids, sent_ids_hash("6b3f3b56-c2bf-4f1c-9afa-1b21f2f6b0e8")));
        cr_assert_not(sent_ids_take(&ids, hash));
        cr_assert_neq(hash, sent_ids_hash("another"));
}

Test(sent_ids, the_oldest_are_forgotten) {
        for (uint64_t i = 0; i < 1000; i++)
                sent_ids_add(&ids, i * 64);
        for (uint64_t i = 0; i < 1000; i++)
                cr_assert_eq(sent_ids_take(&ids, i * 64), i >= 1000 - 128, "%d", (int) i);
}

Test(sent_ids, taking_and_adding_mixed) {
        for (uint64_t i = 0; i < 5000; i++) {
                sent_ids_add(&ids, i);
                if (i % 3 == 0)
                        cr_assert(sent_ids_take(&ids, i));
                if (i >= 50 && i % 3 == 1)
                        cr_assert_eq(sent_ids_take(&ids, i - 48), true, "%d", (int) i);
        }
}

Test(sent_ids, the_same_id_twice_is_found_twice) {
        sent_ids_add(&ids, 7);
        sent_ids_add(&ids, 7);
        cr_assert(sent_ids_take(&ids, 7));
        cr_assert(sent_ids_take(&ids, 7));
        cr_assert_not(sent_ids_take(&ids, 7));
}
