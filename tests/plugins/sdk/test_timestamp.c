/* Timestamps: every accepted spelling becomes one, and nothing else is accepted. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "leat/timestamp.h"

static const char *normalised(const char *text) {
        static char result[LEAT_TIMESTAMP_SIZE];

        return leat_timestamp_normalise(text, strlen(text), result) == 0 ? result : "refused";
}

Test(timestamp, every_spelling_becomes_the_one_with_seven_digits) {
        static const struct {
                const char *text, *expected;
        } cases[] = {
                { "2025-12-02T10:35:00.1234567Z", "2025-12-02T10:35:00.1234567Z" },
                { "2025-12-02T10:35:00Z", "2025-12-02T10:35:00.0000000Z" },
                { "2025-12-02T10:35:00.5Z", "2025-12-02T10:35:00.5000000Z" },
                { "2025-12-02T10:35:00.000001Z", "2025-12-02T10:35:00.0000010Z" },
                { "2025-12-02T10:35:00.1234567999999999Z", "2025-12-02T10:35:00.1234567Z" },
                { "2025-12-02T10:35:00.1234567", "2025-12-02T10:35:00.1234567Z" },
                { "2025-12-02T10:35", "2025-12-02T10:35:00.0000000Z" },
                { "2025-12-02", "2025-12-02T00:00:00.0000000Z" },
                { "2025-12-02T10:35:00+01:00", "2025-12-02T09:35:00.0000000Z" },
                { "2025-12-31T23:35:00.25-01:30", "2026-01-01T01:05:00.2500000Z" },
                { "2024-02-29T00:00:00+00:01", "2024-02-28T23:59:00.0000000Z" },
                { "0001-01-01", "0001-01-01T00:00:00.0000000Z" },
                { "9999-12-31T23:59:59.9999999Z", "9999-12-31T23:59:59.9999999Z" },
                { "1969-12-31T23:59:59.9999999Z", "1969-12-31T23:59:59.9999999Z" },
                { "1900-03-01", "1900-03-01T00:00:00.0000000Z" },
                { "2000-02-29", "2000-02-29T00:00:00.0000000Z" },
        };

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
                cr_expect_str_eq(normalised(cases[i].text), cases[i].expected, "%s", cases[i].text);
}

Test(timestamp, everything_else_is_refused) {
        static const char *const cases[] = {
                "",
                "2025",
                "2025-12",
                "2025-12-2",
                "2025-13-01",
                "2025-00-01",
                "2025-02-29",
                "1900-02-29",
                "2025-04-31",
                "2025-12-00",
                "0000-01-01",
                "10000-01-01",
                "2025-12-02T",
                "2025-12-02T10",
                "2025-12-02t10:35:00Z",
                "2025-12-02 10:35:00Z",
                "2025-12-02T24:00:00Z",
                "2025-12-02T10:60:00Z",
                "2025-12-02T10:35:60Z",
                "2025-12-02T10:35:00.Z",
                "2025-12-02T10:35:00.12345678901234567Z",
                "2025-12-02T10:35:00z",
                "2025-12-02T10:35:00+1:00",
                "2025-12-02T10:35:00+01",
                "2025-12-02Z",
                "2025-12-02T10:35:00+24:00",
                "2025-12-02T10:35:00+01:60",
                "2025-12-02T10:35:00Z ",
                " 2025-12-02T10:35:00Z",
                "2025-12-02T10:35:00+01:00Z",
                "0001-01-01T00:00:00+00:01",
                "9999-12-31T23:59:59-00:01",
                "2025-12-0\xc2\xb2",
                "-025-12-02",
        };

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
                cr_expect_str_eq(normalised(cases[i]), "refused", "'%s'", cases[i]);
        cr_expect_eq(leat_timestamp_normalise("2025-12-02\0", 11, (char[LEAT_TIMESTAMP_SIZE]){ 0 }),
                     LEAT_MALFORMED);
}

Test(timestamp, a_refused_text_leaves_the_result_alone) {
        leat_timestamp timestamp = { 42 };

        cr_assert_eq(leat_timestamp_parse("yesterday", 9, &timestamp), LEAT_MALFORMED);
        cr_assert_eq(timestamp.ticks, 42);
        cr_assert_eq(leat_timestamp_parse(NULL, 0, &timestamp), LEAT_MALFORMED);
}

/* The C library knows the calendar too. */
Test(timestamp, agrees_with_the_c_library_on_every_day_of_400_years) {
        for (time_t day = -134774; day < 146097 - 134774; day++) {
                char expected[LEAT_TIMESTAMP_SIZE + 20], text[LEAT_TIMESTAMP_SIZE];
                leat_timestamp timestamp = { day * 86400 * LEAT_TICKS_PER_SECOND }, parsed = { 0 };
                time_t seconds = day * 86400;
                struct tm tm;

                cr_assert_not_null(gmtime_r(&seconds, &tm));
                (void) strftime(expected, sizeof(expected), "%Y-%m-%dT%H:%M:%S.0000000Z", &tm);
                leat_timestamp_format(timestamp, text);
                cr_assert_str_eq(text, expected);
                cr_assert_eq(leat_timestamp_parse(text, strlen(text), &parsed), 0);
                cr_assert_eq(parsed.ticks, timestamp.ticks);
        }
}

Test(timestamp, from_parts_checks_each_part) {
        leat_timestamp_parts good = { 2025, 12, 2, 10, 35, 0, 1234567 }, bad[] = {
                { 0, 12, 2, 0, 0, 0, 0 },     { 10000, 1, 1, 0, 0, 0, 0 },
                { 2025, 0, 2, 0, 0, 0, 0 },   { 2025, 13, 2, 0, 0, 0, 0 },
                { 2025, 12, 32, 0, 0, 0, 0 }, { 2025, 12, 2, 24, 0, 0, 0 },
                { 2025, 12, 2, -1, 0, 0, 0 }, { 2025, 12, 2, 0, 60, 0, 0 },
                { 2025, 12, 2, 0, 0, 60, 0 }, { 2025, 12, 2, 0, 0, 0, 10000000 },
        };
        leat_timestamp timestamp = { 0 };
        char text[LEAT_TIMESTAMP_SIZE];

        cr_assert_eq(leat_timestamp_from_parts(&good, &timestamp), 0);
        leat_timestamp_format(timestamp, text);
        cr_assert_str_eq(text, "2025-12-02T10:35:00.1234567Z");
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
                cr_expect_eq(leat_timestamp_from_parts(&bad[i], &timestamp), LEAT_MALFORMED, "%zu", i);
}

Test(timestamp, format_stays_within_the_calendar) {
        char text[LEAT_TIMESTAMP_SIZE];

        leat_timestamp_format((leat_timestamp){ INT64_MIN }, text);
        cr_assert_str_eq(text, "0001-01-01T00:00:00.0000000Z");
        leat_timestamp_format((leat_timestamp){ INT64_MAX }, text);
        cr_assert_str_eq(text, "9999-12-31T23:59:59.9999999Z");
}

Test(timestamp, now_is_between_two_looks_at_the_clock) {
        time_t before = time(NULL), after;
        leat_timestamp now = leat_timestamp_now(), parsed = { 0 };
        char text[LEAT_TIMESTAMP_SIZE];

        leat_timestamp_text_now(text);
        after = time(NULL) + 1;
        cr_assert_geq(now.ticks / LEAT_TICKS_PER_SECOND, before - 1); /* time() may lag by a tick. */
        cr_assert_eq(leat_timestamp_parse(text, strlen(text), &parsed), 0);
        cr_assert_leq(parsed.ticks / LEAT_TICKS_PER_SECOND, after);
        cr_assert_geq(parsed.ticks, now.ticks);
}

Test(duration, is_dotnets_time_span) {
        static const char *const good[] = { "00:00:42",
                                            "23:59:59",
                                            "1.00:00:00",
                                            "-00:00:01",
                                            "00:00:00.1",
                                            "00:00:00.1234567",
                                            "10675199.02:48:05.4775807",
                                            "-3.04:05:06.07" };
        static const char *const bad[] = { "",
                                           "42",
                                           "00:42",
                                           "24:00:00",
                                           "00:60:00",
                                           "00:00:60",
                                           "0:00:42",
                                           "00:00:42.",
                                           "00:00:42.12345678",
                                           "1:00:00:00",
                                           ".00:00:42",
                                           "00:00:42 ",
                                           " 00:00:42",
                                           "+00:00:42",
                                           "10675200.00:00:00",
                                           "123456789.00:00:00",
                                           "00:00:42Z",
                                           "--00:00:42" };

        for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
                cr_expect(leat_duration_valid(good[i], strlen(good[i])), "'%s'", good[i]);
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
                cr_expect_not(leat_duration_valid(bad[i], strlen(bad[i])), "'%s'", bad[i]);
}
