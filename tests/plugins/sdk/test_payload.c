/* Payloads: what is written is read back, and nothing that a stranger sends does harm. */
#include <criterion/criterion.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "leat/payload.h"

static leat_any raw(const char *bytes, size_t size) {
        leat_any any = { bytes, size };

        return any;
}

#define RAW(literal) raw(literal, sizeof(literal) - 1)

Test(payload, what_is_written_is_read_back) {
        static const char *const names[] = { "nil",  "yes",  "no",   "small", "least",
                                             "most", "real", "text", "nul",   "gone" };
        const leat_member members[] = {
                { "nil", { .kind = LEAT_VALUE_NIL } },
                { "yes", leat_value_boolean(true) },
                { "no", leat_value_boolean(false) },
                { "small", leat_value_integer(-7) },
                { "least", leat_value_integer(INT64_MIN) },
                { "most", leat_value_integer(INT64_MAX) },
                { "real", leat_value_real(-0.5) },
                { "text", leat_value_string("blåbær") },
                { "nul", leat_value_text((leat_text){ "a\0b", 3 }) },
        };
        leat_value values[10];
        leat_any payload;

        cr_assert_eq(leat_payload_write(members, 9, &payload), 0);
        cr_assert_eq(leat_payload_read(payload, names, 10, values), 0);
        cr_expect_eq(values[0].kind, LEAT_VALUE_NIL);
        cr_expect(values[1].kind == LEAT_VALUE_BOOLEAN && values[1].boolean);
        cr_expect(values[2].kind == LEAT_VALUE_BOOLEAN && !values[2].boolean);
        cr_expect(values[3].kind == LEAT_VALUE_INTEGER && values[3].integer == -7);
        cr_expect(values[4].kind == LEAT_VALUE_INTEGER && values[4].integer == INT64_MIN);
        cr_expect(values[5].kind == LEAT_VALUE_INTEGER && values[5].integer == INT64_MAX);
        cr_expect(values[6].kind == LEAT_VALUE_REAL && values[6].real == -0.5);
        cr_expect(values[7].kind == LEAT_VALUE_TEXT && leat_text_equal(values[7].text, "blåbær"));
        cr_expect(values[8].text.size == 3 && memcmp(values[8].text.data, "a\0b", 3) == 0);
        cr_expect_eq(values[9].kind, LEAT_VALUE_MISSING);
        leat_payload_free(&payload);
        cr_assert_null(payload.data);
        leat_payload_free(&payload);
}

Test(payload, only_the_roots_names_count_and_the_last_of_a_name_wins) {
        /* {"a":{"b":1},"c":[{"b":2}],"b":3,"b":4,5:6} */
        leat_any payload = RAW("\x85\xa1"
                               "a\x81\xa1"
                               "b\x01\xa1"
                               "c\x91\x81\xa1"
                               "b\x02\xa1"
                               "b\x03\xa1"
                               "b\x04\x05\x06");
        leat_value value;

        cr_assert_eq(leat_payload_find(payload, "b", &value), 0);
        cr_assert(value.kind == LEAT_VALUE_INTEGER && value.integer == 4);
        cr_assert_eq(leat_payload_find(payload, "a", &value), 0);
        cr_assert_eq(value.kind, LEAT_VALUE_OTHER);
        cr_assert_eq(leat_payload_find(payload, "c", &value), 0);
        cr_assert_eq(value.kind, LEAT_VALUE_OTHER);
}

Test(payload, every_spelling_of_a_number_is_read) {
        static const struct {
                const char *bytes;
                size_t size;
                int64_t expected;
        } cases[] = {
                { "\x81\xa1n\x7f", 4, 127 },
                { "\x81\xa1n\xe0", 4, -32 },
                { "\x81\xa1n\xcc\xff", 5, 255 },
                { "\x81\xa1n\xcd\xff\xff", 6, 65535 },
                { "\x81\xa1n\xce\xff\xff\xff\xff", 8, 4294967295 },
                { "\x81\xa1n\xcf\x7f\xff\xff\xff\xff\xff\xff\xff", 12, INT64_MAX },
                { "\x81\xa1n\xd0\x80", 5, -128 },
                { "\x81\xa1n\xd1\x80\x00", 6, -32768 },
                { "\x81\xa1n\xd2\x80\x00\x00\x00", 8, INT32_MIN },
                { "\x81\xa1n\xd3\x80\x00\x00\x00\x00\x00\x00\x00", 12, INT64_MIN },
        };
        leat_value value;

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                cr_expect_eq(leat_payload_find(raw(cases[i].bytes, cases[i].size), "n", &value), 0);
                cr_expect(value.kind == LEAT_VALUE_INTEGER && value.integer == cases[i].expected, "%zu", i);
        }
        cr_expect_eq(leat_payload_find(RAW("\x81\xa1n\xcf\x80\0\0\0\0\0\0\0"), "n", &value), 0);
        cr_expect_eq(value.kind, LEAT_VALUE_OTHER);
        cr_expect_eq(leat_payload_find(RAW("\x81\xa1n\xca\x3f\x00\x00\x00"), "n", &value), 0);
        cr_expect(value.kind == LEAT_VALUE_REAL && value.real == 0.5);
        cr_expect_eq(leat_payload_find(RAW("\x81\xa1n\xc4\x01x"), "n", &value), 0);
        cr_expect_eq(value.kind, LEAT_VALUE_OTHER);
        cr_expect_eq(leat_payload_find(RAW("\x81\xa1n\xd4\x01x"), "n", &value), 0);
        cr_expect_eq(value.kind, LEAT_VALUE_OTHER);
        cr_expect_eq(leat_payload_find(RAW("\xdf\0\0\0\1\xdb\0\0\0\1n\xda\0\1x"), "n", &value), 0);
        cr_expect(leat_text_equal(value.text, "x"));
}

Test(payload, what_is_no_map_or_not_whole_is_malformed) {
        leat_value value = leat_value_integer(1);

        cr_expect_eq(leat_payload_find(RAW(""), "n", &value), LEAT_MALFORMED);
        cr_expect_eq(value.kind, LEAT_VALUE_MISSING);
        cr_expect_eq(leat_payload_find(RAW("\xc0"), "n", &value), LEAT_MALFORMED);
        cr_expect_eq(leat_payload_find(RAW("\x91\x81\xa1n\x01"), "n", &value), LEAT_MALFORMED);
        cr_expect_eq(leat_payload_find(RAW("\x81\xa1n\x01\x01"), "n", &value), LEAT_MALFORMED);
        cr_expect_eq(leat_payload_find(RAW("\x81\xa1n\xc1"), "n", &value), LEAT_MALFORMED);
        cr_expect_eq(value.kind, LEAT_VALUE_MISSING);
        cr_expect_eq(leat_payload_find(RAW("\x80"), "n", &value), 0);
}

/* Each truncation of a payload is malformed, and none is read past its end (in a block of exactly its
 * size, so that AddressSanitizer sees it). */
Test(payload, no_truncation_is_read_past_its_end) {
        const char whole[] = "\x83\xa1n\xd3\1\2\3\4\5\6\7\x08\xa3txt\xd9\3abc\xa1l\xdc\0\2\xc3\xc7\1\5x";
        size_t size = sizeof(whole) - 1;
        leat_value value;

        cr_assert_eq(leat_payload_find(raw(whole, size), "l", &value), 0);
        for (size_t cut = 0; cut < size; cut++) {
                char *block = malloc(cut);

                cr_assert(cut == 0 || block != NULL);
                if (cut > 0)
                        memcpy(block, whole, cut);
                cr_expect_eq(leat_payload_find(raw(block, cut), "n", &value), LEAT_MALFORMED, "%zu", cut);
                free(block);
        }
}

Test(payload, a_header_that_claims_gigabytes_costs_nothing) {
        leat_value value;

        cr_expect_eq(leat_payload_find(RAW("\x81\xa1n\xdd\xff\xff\xff\xff"), "n", &value), LEAT_MALFORMED);
        cr_expect_eq(leat_payload_find(RAW("\xdf\xff\xff\xff\xff\xa1n\x01"), "n", &value), LEAT_MALFORMED);
        cr_expect_eq(leat_payload_find(RAW("\x81\xa1n\xdb\xff\xff\xff\xff"), "n", &value), LEAT_MALFORMED);
}

static int find_at_depth(size_t depth) {
        char bytes[200] = "\x81\xa1n";
        leat_value value;

        memset(bytes + 3, 0x91, depth - 1);
        bytes[3 + depth - 1] = 1;
        return leat_payload_find(raw(bytes, 3 + depth), "n", &value);
}

Test(payload, nesting_has_its_limit) {
        cr_expect_eq(find_at_depth(1), 0);
        cr_expect_eq(find_at_depth(LEAT_PAYLOAD_DEPTH), 0);
        cr_expect_eq(find_at_depth(LEAT_PAYLOAD_DEPTH + 1), LEAT_MALFORMED);
}

Test(payload, bad_arguments_are_refused) {
        static const char *const names[65] = { "a" };
        leat_member other = { "a", { .kind = LEAT_VALUE_OTHER } },
                    missing = { "a", { .kind = LEAT_VALUE_MISSING } };
        leat_value values[65];
        leat_any payload = { NULL, 42 };

        cr_expect_eq(leat_payload_read(RAW("\x80"), names, 65, values), -EINVAL);
        cr_expect_eq(leat_payload_write(&other, 1, &payload), -EINVAL);
        cr_expect_eq(leat_payload_write(&missing, 1, &payload), -EINVAL);
        cr_expect_eq(payload.size, 42);
}

Test(payload, the_protocols_own_payloads_have_their_names) {
        static const char *const names[] = { "OK", "Received", "Code", "Message" };
        leat_value values[4];
        leat_any payload;

        cr_assert_eq(leat_payload_ok("id", &payload), 0);
        cr_assert_eq(leat_payload_read(payload, names, 4, values), 0);
        cr_expect(values[0].boolean && leat_text_equal(values[1].text, "id"));
        cr_expect_eq(values[2].kind, LEAT_VALUE_MISSING);
        leat_payload_free(&payload);
        cr_assert_eq(leat_payload_error("Timeout", "too late", &payload), 0);
        cr_assert_eq(leat_payload_read(payload, names, 4, values), 0);
        cr_expect(leat_text_equal(values[2].text, "Timeout") && leat_text_equal(values[3].text, "too late"));
        leat_payload_free(&payload);
}
