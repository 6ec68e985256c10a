/* Lines out of a pipe. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "leat/error.h"
#include "output.h"

static struct output output;
static char seen[4 * OUTPUT_LINE_MAX];
static size_t lines;

static void note(void *context, const char *line, size_t size) {
        (void) context;
        strncat(seen, line, size);
        strcat(seen, "|");
        lines++;
}

static void take(const char *bytes) {
        output_take(&output, bytes, strlen(bytes), note, NULL);
}

Test(output, lines_are_whole_however_they_come) {
        take("on");
        take("e\ntwo\r\n\nthr");
        cr_assert_str_eq(seen, "one|two||");
        take("ee");
        output_flush(&output, note, NULL);
        output_flush(&output, note, NULL);
        cr_assert_str_eq(seen, "one|two||three|");
}

Test(output, a_line_without_end_is_cut) {
        static char long_line[2 * OUTPUT_LINE_MAX + 11];

        memset(long_line, 'x', sizeof(long_line) - 1);
        take(long_line);
        take("\nnext\n");
        cr_assert_eq(lines, 4);
        cr_assert_str_eq(strchr(seen, '|') + OUTPUT_LINE_MAX + 1, "|xxxxxxxxxx|next|");
}

Test(output, a_line_of_just_the_limit_is_one) {
        static char long_line[OUTPUT_LINE_MAX + 1];

        memset(long_line, 'x', sizeof(long_line) - 1);
        take(long_line);
        take("\n");
        cr_assert_eq(lines, 1);
        cr_assert_eq(strlen(seen), OUTPUT_LINE_MAX + 1);
}

Test(output, reading_tells_empty_from_the_end) {
        int ends[2];

        cr_assert_eq(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
        cr_assert_eq(output_read(&output, ends[0], note, NULL), LEAT_EMPTY);
        cr_assert_eq(write(ends[1], "a\nb", 3), 3);
        cr_assert_eq(output_read(&output, ends[0], note, NULL), LEAT_EMPTY);
        cr_assert_str_eq(seen, "a|");
        close(ends[1]);
        cr_assert_eq(output_read(&output, ends[0], note, NULL), LEAT_DISCONNECTED);
        cr_assert_str_eq(seen, "a|b|");
        close(ends[0]);
}
