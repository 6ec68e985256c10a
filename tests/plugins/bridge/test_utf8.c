/* What the bridge takes as UTF-8, and what as a control character. */
#include <criterion/criterion.h>
#include <string.h>

#include "plugins/bridge/utf8.h"

static bool valid(const char *text) {
        return utf8_valid(text, strlen(text));
}

Test(utf8, takes_the_first_and_last_of_each_length) {
        cr_assert(utf8_valid("\0", 1));
        cr_assert(valid("\x7F"));
        cr_assert(valid("\xC2\x80"));
        cr_assert(valid("\xDF\xBF"));
        cr_assert(valid("\xE0\xA0\x80"));
        cr_assert(valid("\xEF\xBF\xBF"));
        cr_assert(valid("\xF0\x90\x80\x80"));
        cr_assert(valid("\xF4\x8F\xBF\xBF"));
        cr_assert(valid("\xED\x9F\xBF\xEE\x80\x80"));
}

Test(utf8, refuses_overlong_forms_surrogates_and_what_is_beyond_unicode) {
        cr_assert_not(valid("\xC0\x80"));
        cr_assert_not(valid("\xC1\xBF"));
        cr_assert_not(valid("\xE0\x9F\xBF"));
        cr_assert_not(valid("\xF0\x8F\xBF\xBF"));
        cr_assert_not(valid("\xED\xA0\x80"));
        cr_assert_not(valid("\xED\xBF\xBF"));
        cr_assert_not(valid("\xF4\x90\x80\x80"));
        cr_assert_not(valid("\xF5\x80\x80\x80"));
        cr_assert_not(valid("\xFF"));
}

Test(utf8, refuses_what_is_cut_or_stray_wherever_it_stands) {
        const char *bad[] = {
                "\x80", "\xC2", "\xE2\x82", "\xF0\x9F\x98", "\xE2\x28\xA1", "\xF0\x9F\x28\x80"
        };
        for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
                for (size_t before = 0; before < 20; before++) {
                        char text[64];
                        memset(text, 'a', sizeof text);
                        memcpy(text + before, bad[i], strlen(bad[i]));
                        cr_assert_not(utf8_valid(text, before + strlen(bad[i])), "%zu at %zu", i, before);
                        cr_assert_not(utf8_valid(text, sizeof text), "%zu at %zu", i, before);
                }
}

Test(utf8, control_characters_are_those_of_ascii_and_of_latin_1) {
        cr_assert(utf8_has_control("a\0b", 3));
        cr_assert(utf8_has_control("\n", 1));
        cr_assert(utf8_has_control("\x7F", 1));
        cr_assert(utf8_has_control("\xC2\x80", 2));
        cr_assert(utf8_has_control("\xC2\x9F", 2));
        cr_assert_not(utf8_has_control("\xC2\xA0", 2));
        cr_assert_not(utf8_has_control(" ~\xC3\x80\xF0\x9F\x98\x80", 8));
}
