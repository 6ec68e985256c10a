/* GUIDs: version 4, lower case, never the same twice. */
#include <criterion/criterion.h>
#include <string.h>

#include "leat/guid.h"

Test(guid, has_the_form_of_version_4_in_lower_case) {
        for (int i = 0; i < 1000; i++) {
                char text[LEAT_GUID_SIZE];

                leat_guid_new(text);
                cr_assert_eq(strlen(text), 36);
                cr_assert(leat_guid_valid(text, 36));
                cr_assert_eq(text[14], '4');
                cr_assert_not_null(strchr("89ab", text[19]));
                cr_assert_eq(strspn(text, "0123456789abcdef-"), 36);
        }
}

Test(guid, no_two_are_the_same) {
        static char texts[500][LEAT_GUID_SIZE];

        for (int i = 0; i < 500; i++) {
                leat_guid_new(texts[i]);
                for (int j = 0; j < i; j++)
                        cr_assert_str_neq(texts[i], texts[j]);
        }
}

Test(guid, valid_wants_hyphens_and_hexadecimal_digits_only) {
        const char *good = "6B3F3B56-c2bf-1f4C-9afa-1b21f2f6b0e8";
        static const char *const bad[] = { "",
                                           "6b3f3b56c2bf4f1c9afa1b21f2f6b0e8",
                                           "6b3f3b56-c2bf-4f1c-9afa-1b21f2f6b0e",
                                           "6b3f3b56-c2bf-4f1c-9afa-1b21f2f6b0e88",
                                           "6b3f3b56-c2bf-4f1c-9afa01b21f2f6b0e8",
                                           "6b3f3b5g-c2bf-4f1c-9afa-1b21f2f6b0e8",
                                           "{b3f3b56-c2bf-4f1c-9afa-1b21f2f6b0e}" };

        cr_assert(leat_guid_valid(good, strlen(good)));
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
                cr_expect_not(leat_guid_valid(bad[i], strlen(bad[i])), "%s", bad[i]);
}
