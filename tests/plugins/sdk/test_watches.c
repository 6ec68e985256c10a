/* Keys of the loop's set. */
#include <criterion/criterion.h>
#include <errno.h>

#include "sdk/watches.h"

static void ready(leat_plugin *plugin, uint64_t key, void *data) {
        (void) plugin;
        (void) key;
        (void) data;
}

Test(watches, keys_are_unique_and_never_the_sdks_own) {
        struct watches watches = { .slots = NULL };
        uint64_t keys[100];

        for (size_t i = 0; i < 100; i++) {
                cr_assert_eq(watches_add(&watches, ready, &keys[i], &keys[i]), 0);
                cr_assert_geq(keys[i], WATCHES_FIRST_KEY);
                for (size_t j = 0; j < i; j++)
                        cr_assert_neq(keys[i], keys[j]);
        }
        for (size_t i = 0; i < 100; i++)
                cr_assert_eq(watches_find(&watches, keys[i])->data, &keys[i]);
        watches_free(&watches);
}

Test(watches, an_old_key_never_finds_a_new_owner) {
        struct watches watches = { .slots = NULL };
        uint64_t old = 0, new = 0;

        cr_assert_eq(watches_add(&watches, ready, NULL, &old), 0);
        cr_assert_eq(watches_remove(&watches, old), 0);
        cr_assert_eq(watches_add(&watches, ready, NULL, &new), 0);
        cr_assert_neq(old, new);
        cr_assert_null(watches_find(&watches, old));
        cr_assert_eq(watches_remove(&watches, old), -ENOENT);
        cr_assert_not_null(watches_find(&watches, new));
        cr_assert_null(watches_find(&watches, 1));
        cr_assert_null(watches_find(&watches, UINT64_MAX));
        watches_free(&watches);
}
