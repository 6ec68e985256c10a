/* The bridge's line reader: messages out of reads that split and merge them, and the limit on a line. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugins/bridge/line.h"

static void feed(struct line_reader *reader, const char *text, size_t size) {
        while (size > 0) {
                char *room;
                size_t free_size;
                cr_assert_eq(line_reader_room(reader, &room, &free_size), 0);
                size_t now = size < free_size ? size : free_size;
                memcpy(room, text, now);
                line_reader_filled(reader, now);
                text += now;
                size -= now;
        }
}

static void expect_line(struct line_reader *reader, const char *expected) {
        char *text = NULL;
        size_t size = 0;
        cr_assert_eq(line_reader_next(reader, &text, &size), LINE_TEXT);
        cr_assert_eq(size, strlen(expected));
        cr_assert_arr_eq(text, expected, size, "%.*s", (int) size, text);
}

static void expect(struct line_reader *reader, enum line expected) {
        char *text = NULL;
        size_t size = 0;
        cr_assert_eq(line_reader_next(reader, &text, &size), expected);
}

Test(line, merged_read_gives_every_line_in_order) {
        struct line_reader reader = { 0 };
        feed(&reader, "one\ntwo\nthree", 13);
        expect_line(&reader, "one");
        expect_line(&reader, "two");
        expect(&reader, LINE_NONE);
        feed(&reader, "\n", 1);
        expect_line(&reader, "three");
        expect(&reader, LINE_NONE);
        line_reader_free(&reader);
}

Test(line, a_line_may_come_byte_by_byte) {
        struct line_reader reader = { 0 };
        const char *text = "  {\"a\": 1}\r\n";
        for (size_t i = 0; i + 1 < strlen(text); i++) {
                feed(&reader, text + i, 1);
                expect(&reader, LINE_NONE);
        }
        feed(&reader, "\n", 1);
        expect_line(&reader, "{\"a\": 1}");
        line_reader_free(&reader);
}

Test(line, blank_lines_are_passed_over) {
        struct line_reader reader = { 0 };
        feed(&reader, "\n\r\n \t \n\v\f\nx\n\n", 13);
        expect_line(&reader, "x");
        expect(&reader, LINE_NONE);
        line_reader_free(&reader);
}

Test(line, nul_is_a_byte_like_any_other) {
        struct line_reader reader = { 0 };
        feed(&reader, "a\0b\n", 4);
        char *text;
        size_t size;
        cr_assert_eq(line_reader_next(&reader, &text, &size), LINE_TEXT);
        cr_assert_eq(size, 3);
        cr_assert_arr_eq(text, "a\0b", 3);
        line_reader_free(&reader);
}

Test(line, byte_order_mark_is_dropped_at_the_start_of_the_stream_only) {
        struct line_reader reader = { 0 };
        feed(&reader, "\xEF\xBB\xBFone\n\xEF\xBB\xBFtwo\n", 14);
        expect_line(&reader, "one");
        expect_line(&reader, "\xEF\xBB\xBFtwo");
        line_reader_free(&reader);
}

Test(line, line_of_exactly_the_limit_is_taken) {
        struct line_reader reader = { 0 };
        char *text = malloc(LINE_LIMIT);
        memset(text, 'x', LINE_LIMIT);
        feed(&reader, text, LINE_LIMIT);
        expect(&reader, LINE_NONE);
        feed(&reader, "\nnext\n", 6);
        char *line;
        size_t size;
        cr_assert_eq(line_reader_next(&reader, &line, &size), LINE_TEXT);
        cr_assert_eq(size, LINE_LIMIT);
        expect_line(&reader, "next");
        free(text);
        line_reader_free(&reader);
}

Test(line, line_over_the_limit_is_told_once_and_its_rest_skipped) {
        struct line_reader reader = { 0 };
        char *text = malloc(LINE_LIMIT + 1);
        memset(text, 'x', LINE_LIMIT + 1);
        feed(&reader, text, LINE_LIMIT + 1);
        expect(&reader, LINE_TOO_LONG);
        for (int i = 0; i < 5; i++) {
                feed(&reader, text, LINE_LIMIT / 3);
                expect(&reader, LINE_NONE);
        }
        feed(&reader, "rest\nnext\n", 10);
        expect_line(&reader, "next");
        expect(&reader, LINE_NONE);
        free(text);
        line_reader_free(&reader);
}

Test(line, line_over_the_limit_whose_end_came_along_is_told_once) {
        struct line_reader reader = { 0 };
        char *text = malloc(LINE_LIMIT + 1);
        memset(text, 'x', LINE_LIMIT + 1);
        feed(&reader, text, LINE_LIMIT);
        expect(&reader, LINE_NONE);
        feed(&reader, "y\nnext\n", 7);
        expect(&reader, LINE_TOO_LONG);
        expect_line(&reader, "next");
        free(text);
        line_reader_free(&reader);
}

Test(line, memory_stays_bounded_when_lines_are_not_taken) {
        struct line_reader reader = { 0 };
        char *room;
        size_t size;
        int r;
        while ((r = line_reader_room(&reader, &room, &size)) == 0) {
                memset(room, 'x', size);
                line_reader_filled(&reader, size);
                cr_assert_leq(reader.capacity, LINE_LIMIT + ((size_t) 64 << 10));
        }
        cr_assert_eq(r, -ENOBUFS);
        line_reader_free(&reader);
}

Test(line, end_of_stream_ends_the_last_line) {
        struct line_reader reader = { 0 };
        char *text;
        size_t size;
        cr_assert_eq(line_reader_last(&reader, &text, &size), LINE_NONE);
        feed(&reader, "one\n last ", 10);
        expect_line(&reader, "one");
        expect(&reader, LINE_NONE);
        cr_assert_eq(line_reader_last(&reader, &text, &size), LINE_TEXT);
        cr_assert_eq(size, 4);
        cr_assert_arr_eq(text, "last", 4);
        cr_assert_eq(line_reader_last(&reader, &text, &size), LINE_NONE);
        line_reader_free(&reader);
}

/* However a stream is cut into reads, the same lines come out of it. */
Test(line, any_split_gives_the_same_lines) {
        enum { LINES = 200 };
        static char stream[LINES * 64];
        size_t total = 0;
        unsigned seed = 4711;
        for (int i = 0; i < LINES; i++)
                total += (size_t) sprintf(stream + total, "%*s%d%s", rand_r(&seed) % 20 + 1, "x", i,
                                          rand_r(&seed) % 2 ? "\r\n\n" : "\n");
        for (int round = 0; round < 50; round++) {
                struct line_reader reader = { 0 };
                int found = 0;
                for (size_t at = 0; at < total;) {
                        size_t now = (size_t) rand_r(&seed) % 97 + 1;
                        now = now < total - at ? now : total - at;
                        feed(&reader, stream + at, now);
                        at += now;
                        char *text, expected[16];
                        size_t size;
                        while (line_reader_next(&reader, &text, &size) == LINE_TEXT) {
                                sprintf(expected, "x%d", found++);
                                cr_assert_eq(size, strlen(expected));
                                cr_assert_arr_eq(text, expected, size);
                        }
                }
                cr_assert_eq(found, LINES);
                line_reader_free(&reader);
        }
}
