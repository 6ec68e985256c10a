/* Bytes of strangers: UTF-8, escapes, ids. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "identifier.h"
#include "text.h"

static size_t decodes(const char *bytes) {
        uint32_t point = 0;

        return text_decode(bytes, strlen(bytes), &point);
}

Test(text, utf8_is_strict) {
        cr_assert_eq(decodes("a"), 1);
        cr_assert_eq(decodes("\xc3\xa5"), 2);
        cr_assert_eq(decodes("\xe2\x82\xac"), 3);
        cr_assert_eq(decodes("\xf0\x9f\x98\x80"), 4);
        cr_assert_eq(decodes("\xf4\x8f\xbf\xbf"), 4);
        cr_assert_eq(decodes(""), 0);
        cr_assert_eq(decodes("\x80"), 0);
        cr_assert_eq(decodes("\xc3"), 0, "truncated");
        cr_assert_eq(decodes("\xc3("), 0);
        cr_assert_eq(decodes("\xc0\xaf"), 0, "overlong");
        cr_assert_eq(decodes("\xe0\x80\xaf"), 0, "overlong");
        cr_assert_eq(decodes("\xed\xa0\x80"), 0, "a surrogate");
        cr_assert_eq(decodes("\xf4\x90\x80\x80"), 0, "beyond U+10FFFF");
        cr_assert_eq(decodes("\xff"), 0);
}

static void escapes_to(const char *text, const char *expected) {
        char *escaped = text_escaped(text);

        cr_assert_str_eq(escaped, expected);
        free(escaped);
}

Test(text, control_characters_and_broken_bytes_are_escaped) {
        escapes_to("plain \xc3\xb8 text", "plain \xc3\xb8 text");
        escapes_to("tab\there", "tab\there");
        escapes_to("\033[2J\r\n\x7f", "\\x1b[2J\\x0d\\x0a\\x7f");
        escapes_to("\xc2\x9b", "\\xc2\\x9b");
        escapes_to("\xffz\xc3", "\\xffz\\xc3");
        escapes_to("", "");
}

Test(text, words_are_an_argv) {
        struct words words = { 0 };

        cr_assert_eq(words_add(&words, "one"), 0);
        cr_assert_eq(words_add_all(&words, (char *const[]){ (char *) "2" }, 1), 0);
        cr_assert_eq(words.count, 2);
        cr_assert_str_eq(words.items[1], "2");
        cr_assert_null(words.items[2]);
        words_clear(&words);
        cr_assert_eq(words.count, 0);
        words_clear(&words);
}

Test(identifier, is_1_to_64_bytes_without_control_characters) {
        char longest[66];

        memset(longest, 'x', sizeof(longest));
        longest[64] = '\0';
        cr_assert_null(identifier_problem(longest));
        longest[64] = 'x';
        longest[65] = '\0';
        cr_assert_not_null(identifier_problem(longest));
        cr_assert_null(identifier_problem("Metric Logger"));
        cr_assert_null(identifier_problem("\xc3\x98rsted"));
        cr_assert_not_null(identifier_problem(""));
        cr_assert_not_null(identifier_problem("a\tb"));
        cr_assert_not_null(identifier_problem("a\xc2\x85"));
        cr_assert_not_null(identifier_problem("\xff"));
        cr_assert_not_null(identifier_problem("Kernel"), "the kernel's own");
}

Test(identifier, case_does_not_count_in_any_alphabet) {
        cr_assert(identifier_equal("MetricLogger", "metricLOGGER"));
        cr_assert(identifier_equal("\xc3\x98rsted", "\xc3\xb8RSTED"));
        cr_assert(identifier_equal("", ""));
        cr_assert_not(identifier_equal("a", "ab"));
        cr_assert_not(identifier_equal("ab", "a"));
        cr_assert_not(identifier_equal("a", "b"));
        cr_assert_not(identifier_equal("\xff", "\xfe"));
        cr_assert(identifier_equal("\xff", "\xff"));
}
