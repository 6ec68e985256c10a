/* The metric log's file: whole lines only, whatever happened before. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "log.h"
#include "support.h"

static void write_file(const char *path, const char *data, size_t size) {
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);

        cr_assert_geq(fd, 0);
        cr_assert_eq(write(fd, data, size), (ssize_t) size);
        (void) close(fd);
}

static void append(struct metric_log *log, const char *text) {
        char line[100];

        (void) snprintf(line, sizeof(line), "%s", text);
        cr_assert_eq(metric_log_append(log, line, strlen(text)), 0);
}

static void expect_content(const char *path, const char *expected) {
        char *content = read_whole_file(path, NULL);

        cr_assert_not_null(content);
        cr_expect_str_eq(content, expected);
        free(content);
}

Test(metric_log, is_made_with_its_folder_and_appended_to) {
        cleanup_temp_folder char *folder = temp_folder();
        struct metric_log log;
        off_t cut = -1;
        int before = count_descriptors();

        cr_assert_eq(chdir(folder), 0);
        for (int i = 0; i < 2; i++) {
                cr_assert_eq(metric_log_open("metrics", "metrics.log", &log, &cut), 0);
                cr_expect_eq(cut, 0);
                append(&log, "one");
                append(&log, "");
                metric_log_close(&log);
        }
        expect_content("metrics/metrics.log", "one\n\none\n\n");
        cr_assert_eq(chdir("/"), 0);
        cr_expect_eq(count_descriptors(), before);
}

Test(metric_log, a_torn_last_line_is_cut) {
        cleanup_temp_folder char *folder = temp_folder();
        struct metric_log log;
        char *big = malloc(20000);
        off_t cut = -1;

        cr_assert_not_null(big);
        memset(big, 'x', 20000);
        cr_assert_eq(chdir(folder), 0);
        write_file("m.log", "one\ntw", 6);
        cr_assert_eq(metric_log_open(".", "m.log", &log, &cut), 0);
        cr_expect_eq(cut, 2);
        append(&log, "three");
        metric_log_close(&log);
        expect_content("m.log", "one\nthree\n");

        write_file("m.log", "torn and nothing else", 21);
        cr_assert_eq(metric_log_open(".", "m.log", &log, &cut), 0);
        cr_expect_eq(cut, 21);
        metric_log_close(&log);
        expect_content("m.log", "");

        memcpy(big, "one\n", 4); /* The last newline is several blocks away. */
        write_file("m.log", big, 20000);
        cr_assert_eq(metric_log_open(".", "m.log", &log, &cut), 0);
        cr_expect_eq(cut, 20000 - 4);
        metric_log_close(&log);
        expect_content("m.log", "one\n");
        free(big);
        cr_assert_eq(chdir("/"), 0);
}

Test(metric_log, goes_on_in_a_new_file_when_the_old_one_is_moved_or_removed) {
        cleanup_temp_folder char *folder = temp_folder();
        int before = count_descriptors();
        struct metric_log log;
        off_t cut;

        cr_assert_eq(chdir(folder), 0);
        cr_assert_eq(metric_log_open("metrics", "metrics.log", &log, &cut), 0);
        append(&log, "one");
        cr_assert_eq(rename("metrics/metrics.log", "metrics/metrics.log.1"), 0);
        append(&log, "two");
        expect_content("metrics/metrics.log.1", "one\n");
        expect_content("metrics/metrics.log", "two\n");
        cr_assert_eq(unlink("metrics/metrics.log"), 0);
        append(&log, "three");
        expect_content("metrics/metrics.log", "three\n");
        metric_log_close(&log);
        cr_assert_eq(chdir("/"), 0);
        cr_expect_eq(count_descriptors(), before);
}

Test(metric_log, has_one_writer_at_a_time) {
        cleanup_temp_folder char *folder = temp_folder();
        struct metric_log first, second;
        off_t cut = 0;

        cr_assert_eq(chdir(folder), 0);
        cr_assert_eq(metric_log_open("metrics", "metrics.log", &first, &cut), 0);
        cr_expect_eq(metric_log_open("metrics", "metrics.log", &second, &cut), -EWOULDBLOCK);
        metric_log_close(&first);
        cr_expect_eq(metric_log_open("metrics", "metrics.log", &second, &cut), 0);
        metric_log_close(&second);
        cr_assert_eq(chdir("/"), 0);
}

/* A full disk, played by the limit on a file's size. */
Test(metric_log, a_line_that_does_not_fit_leaves_nothing_behind) {
        cleanup_temp_folder char *folder = temp_folder();
        struct rlimit limit = { .rlim_cur = 10, .rlim_max = RLIM_INFINITY };
        struct metric_log log;
        char line[] = "too long";
        off_t cut = 0;

        cr_assert_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
        cr_assert_eq(chdir(folder), 0);
        cr_assert_eq(metric_log_open(".", "m.log", &log, &cut), 0);
        append(&log, "fits");
        (void) signal(SIGXFSZ, SIG_IGN);
        cr_assert_eq(setrlimit(RLIMIT_FSIZE, &(struct rlimit){ .rlim_cur = 10, .rlim_max = limit.rlim_max }),
                     0);
        cr_expect_eq(metric_log_append(&log, line, strlen("too long")), -EFBIG);
        cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
        append(&log, "more");
        metric_log_close(&log);
        expect_content("m.log", "fits\nmore\n");
        cr_assert_eq(chdir("/"), 0);
}

Test(metric_log, what_cannot_be_opened_is_said) {
        cleanup_temp_folder char *folder = temp_folder();
        struct metric_log log = { .descriptor = 42 };
        off_t cut = 7;

        cr_assert_eq(chdir(folder), 0);
        write_file("metrics", "", 0);
        cr_expect_eq(metric_log_open("metrics", "metrics.log", &log, &cut), -ENOTDIR);
        cr_expect_eq(metric_log_open("a/b", "metrics.log", &log, &cut), -ENOENT);
        cr_expect_eq(log.descriptor, 42);
        cr_assert_eq(chdir("/"), 0);
}
