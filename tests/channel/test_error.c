/* leat_strerror: whatever a call returns has a phrase. */
#include <criterion/criterion.h>
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "leat/error.h"

static const int outcomes[] = {
        LEAT_EMPTY,     LEAT_FULL,      LEAT_TIMEOUT,        LEAT_DISCONNECTED, LEAT_TYPE_MISMATCH,
        LEAT_MALFORMED, LEAT_TOO_LARGE, LEAT_NO_DESCRIPTORS, LEAT_REFUSED,      LEAT_MORE,
        LEAT_WOKEN,     LEAT_VERSION_MISMATCH,
};

#define N_OUTCOMES (sizeof(outcomes) / sizeof(*outcomes))

Test(error, each_outcome_has_a_phrase_of_its_own) {
        for (size_t i = 0; i < N_OUTCOMES; i++) {
                cr_assert_str_neq(leat_strerror(outcomes[i]), "unknown outcome");
                for (size_t j = 0; j < i; j++)
                        cr_assert_str_neq(leat_strerror(outcomes[i]), leat_strerror(outcomes[j]));
        }
}

Test(error, zero_is_success) {
        cr_assert_str_eq(leat_strerror(0), "success");
}

Test(error, a_negative_errno_is_explained_like_strerror_does_in_english) {
        cr_assert_str_eq(leat_strerror(-EPIPE), "Broken pipe");
        cr_assert_str_eq(leat_strerror(-EMFILE), "Too many open files");
}

Test(error, no_value_at_all_gives_null_or_an_empty_phrase) {
        const int strange[] = { INT_MIN, INT_MIN + 1, -100000, -1, 13, 100000, INT_MAX };

        for (size_t i = 0; i < sizeof(strange) / sizeof(*strange); i++) {
                cr_assert_not_null(leat_strerror(strange[i]));
                cr_assert_gt(strlen(leat_strerror(strange[i])), 0);
        }
        for (int i = -4096; i < 64; i++)
                cr_assert_not_null(leat_strerror(i));
}

Test(error, a_phrase_ends_without_a_full_stop) {
        for (size_t i = 0; i < N_OUTCOMES; i++) {
                const char *phrase = leat_strerror(outcomes[i]);

                cr_assert_neq(phrase[strlen(phrase) - 1], '.');
        }
}
