/* The metric log's lines: exactly these bytes, whatever a stranger put into an event. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "line.h"

#define NOW "2025-12-02T10:35:00.1234567Z"

static leat_any login_payload(leat_text username, const char *login_time) {
        leat_user_logged_in event = { 4711, username, leat_text_of(login_time) };
        leat_any payload = { 0 };

        cr_assert_eq(leat_event_write_user_logged_in(&event, &payload), 0);
        return payload;
}

static leat_any job_payload(const char *processor) {
        leat_data_processed event = { leat_text_of("6b3f3b56-c2bf-4f1c-9afa-1b21f2f6b0e8"), 1234,
                                      leat_text_of("00:00:42"), leat_text_of(processor) };
        leat_any payload = { 0 };

        cr_assert_eq(leat_event_write_data_processed(&event, &payload), 0);
        return payload;
}

/* The line for a payload, which is freed. The result lives until the next call. */
static const char *line_of(leat_any payload, const char *sender, struct metric_counts *counts) {
        static struct metric_line line;

        free(line.data);
        line = (struct metric_line){ .data = NULL };
        if (metric_line_write(&line, NOW, sender, payload, counts) != 0)
                cr_assert_fail("no line");
        leat_payload_free(&payload);
        cr_assert_lt(line.size, line.room);
        line.data[line.size] = '\0';
        cr_assert_eq(strlen(line.data), line.size);
        return line.data;
}

Test(metric_line, a_login_has_its_seven_fields) {
        struct metric_counts counts = { 0 };

        cr_assert_str_eq(line_of(login_payload(leat_text_of("simuser42"), "2025-12-02T10:35:00.12Z"),
                                 "EventSimulator", &counts),
                         NOW "\tUserLoggedIn\tSender=EventSimulator\tUserId=4711\tUsername=simuser42"
                             "\tLoginTime=2025-12-02T10:35:00.1200000Z\tCount=1");
}

Test(metric_line, a_job_has_its_eight_fields) {
        struct metric_counts counts = { 0 };

        cr_assert_str_eq(line_of(job_payload("sim-processor-3"), "EventSimulator", &counts), NOW
                         "\tDataProcessed\tSender=EventSimulator\tJobId=6b3f3b56-c2bf-4f1c-9afa-1b21f2f6b0e8"
                         "\tRecordCount=1234\tDuration=00:00:42\tProcessor=sim-processor-3\tCount=1");
}

Test(metric_line, each_type_has_its_own_count) {
        struct metric_counts counts = { 0 };

        for (int i = 0; i < 2; i++)
                (void) line_of(job_payload("p"), "S", &counts);
        cr_expect_not_null(
                strstr(line_of(login_payload(leat_text_of("u"), "2025-12-02"), "S", &counts), "\tCount=1"));
        cr_expect_not_null(strstr(line_of(job_payload("p"), "S", &counts), "\tCount=3"));
        cr_expect_not_null(
                strstr(line_of(login_payload(leat_text_of("u"), "2025-12-02"), "S", &counts), "\tCount=2"));
}

Test(metric_line, a_blank_sender_is_unknown) {
        struct metric_counts counts = { 0 };

        cr_expect_not_null(strstr(line_of(job_payload("p"), "", &counts), "\tSender=unknown\t"));
        cr_expect_not_null(strstr(line_of(job_payload("p"), "  ", &counts), "\tSender=unknown\t"));
}

static const char *escaped(const char *bytes, size_t size) {
        static struct metric_line line;
        leat_text text = { bytes, size };

        free(line.data);
        line = (struct metric_line){ .data = NULL };
        cr_assert_eq(metric_line_append_escaped(&line, text), 0);
        if (line.data == NULL)
                return "";
        line.data[line.size] = '\0';
        return line.data;
}

#define ESCAPED(literal) escaped(literal, sizeof(literal) - 1)

Test(metric_line, control_characters_are_made_visible_and_nothing_else) {
        cr_expect_str_eq(ESCAPED(""), "");
        cr_expect_str_eq(ESCAPED("a\tb\nc"), "a\\tb\\nc");
        cr_expect_str_eq(ESCAPED("\r\x01\x1b[0m\x7f"), "\\x0d\\x01\\x1b[0m\\x7f");
        cr_expect_str_eq(ESCAPED("nul\0!"), "nul\\x00!");
        cr_expect_str_eq(ESCAPED("DOMAIN\\user \"x\""), "DOMAIN\\user \"x\"");
        cr_expect_str_eq(ESCAPED("bl\xc3\xa5 \xe2\x82\xac \xf0\x9f\x98\x80"),
                         "bl\xc3\xa5 \xe2\x82\xac \xf0\x9f\x98\x80");
        cr_expect_str_eq(ESCAPED("\xc2\x85|\xc2\x9f|\xc2\xa0"), "\\x85|\\x9f|\xc2\xa0");
}

Test(metric_line, what_is_no_utf8_is_escaped_byte_by_byte) {
        cr_expect_str_eq(ESCAPED("\xff|\xc3"), "\\xff|\\xc3");
        cr_expect_str_eq(ESCAPED("\xc0\x80"), "\\xc0\\x80");
        cr_expect_str_eq(ESCAPED("\xe0\x80\x80"), "\\xe0\\x80\\x80");
        cr_expect_str_eq(ESCAPED("\xed\xa0\x80"), "\\xed\\xa0\\x80");
        cr_expect_str_eq(ESCAPED("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");
        cr_expect_str_eq(ESCAPED("\xf0\x80\x80\x80"), "\\xf0\\x80\\x80\\x80");
        cr_expect_str_eq(ESCAPED("\xe2\x82"), "\\xe2\\x82");
        cr_expect_str_eq(ESCAPED("\xe2\x82z"), "\\xe2\\x82z");
}

Test(metric_line, a_forged_line_inside_a_name_stays_on_its_line) {
        struct metric_counts counts = { 0 };
        const char *line = line_of(
                login_payload(leat_text_of("x\n" NOW "\tUserLoggedIn\tCount=9"), "2025-12-02"), "S", &counts);

        cr_expect_null(strchr(line, '\n'));
        cr_expect_not_null(strstr(line, "Username=x\\n" NOW "\\tUserLoggedIn\\tCount=9\tLoginTime="));
}

Test(metric_line, a_name_of_a_mebibyte_fits) {
        struct metric_counts counts = { 0 };
        size_t size = 1 << 20;
        char *name = malloc(size);

        cr_assert_not_null(name);
        memset(name, 'n', size);
        cr_expect_gt(strlen(line_of(login_payload((leat_text){ name, size }, "2025-12-02"), "S", &counts)),
                     size);
        free(name);
}

Test(metric_line, what_has_no_line_is_not_counted) {
        struct metric_line line = { .data = NULL };
        struct metric_counts counts = { 0 };
        leat_any payload = login_payload(leat_text_of("u"), "yesterday");

        cr_expect_eq(metric_line_write(&line, NOW, "S", payload, &counts), LEAT_MALFORMED);
        cr_expect_eq(metric_line_write(&line, NOW, "S", (leat_any){ "\x80", 1 }, &counts), LEAT_MALFORMED);
        cr_expect_eq(counts.user_logged_in + counts.data_processed, 0);
        leat_payload_free(&payload);
        free(line.data);
}
