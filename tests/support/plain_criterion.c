/* Stands for Criterion's library where its own runner cannot run, which is under valgrind: there the
 * processes that it makes of tests never start. What a program's tests were compiled to is linked with this
 * as it is. Each test runs in a forked child, one after the other, under the watchdog that it has in
 * Criterion (see criterion_watchdog.c).
 *
 * usage: PROGRAM [SUITE::TEST]
 * Leaves out what is_left_out(). Prints the tests that fail, and counts. Exit code: 0 = some ran, and all
 * that ran have passed. */
#include <criterion/criterion.h>
#include <criterion/options.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support.h"

enum { FAILED = 1, SKIPPED = 77, WATCHDOG_SECONDS = 30 };

/* Criterion's macros leave a pointer to each test in one section, to each suite in another; the linker names
 * their ends. */
extern struct criterion_test *__start_cr_tst[], *__stop_cr_tst[];
extern struct criterion_suite *__start_cr_sts[] __attribute__((weak)), *__stop_cr_sts[] __attribute__((weak));

struct criterion_options criterion_options;

static const struct criterion_test *running;
static const struct criterion_suite *suite;
static bool expectation_failed;

static void call(void (*function)(void)) {
        if (function)
                function();
}

void criterion_internal_test_setup(void) {
        if (suite)
                call(suite->data->init);
        call(running->data->init);
}

void criterion_internal_test_main(void (*function)(void)) {
        function();
}

void criterion_internal_test_teardown(void) {
        call(running->data->fini);
        if (suite)
                call(suite->data->fini);
}

void criterion_send_assert(struct criterion_assert_stats *stats) {
        fprintf(stderr, "%s:%u: %s\n", stats->file, stats->line, stats->message);
}

void cri_asserts_passed_incr(void) {
}

void criterion_abort_test(void) {
        _exit(FAILED);
}

void criterion_continue_test(void) {
        expectation_failed = true;
}

/* Criterion declares it without saying that it is a format. */
__attribute__((format(printf, 1, 2))) void criterion_skip_test(const char *format, ...) {
        va_list arguments;

        va_start(arguments, format);
        fputs("skipped: ", stderr);
        vfprintf(stderr, format, arguments);
        fputs("\n", stderr);
        va_end(arguments);
        _exit(SKIPPED);
}

__attribute__((format(printf, 2, 3))) int cr_asprintf(char **ret_text, const char *format, ...) {
        va_list arguments;
        int n;

        va_start(arguments, format);
        n = vasprintf(ret_text, format, arguments);
        va_end(arguments);
        check(n >= 0);
        return n;
}

void cr_asprintf_free(char *text) {
        free(text);
}

/* The expression comes first of what the message of a kind is made of, where it has any. */
char *cr_translate_assert_msg(int kind, ...) {
        char *text;
        int n;

        if (kind == CRITERION_ASSERT_MSG_FAIL) {
                n = asprintf(&text, "failed");
        } else {
                va_list arguments;
                va_start(arguments, kind);
                n = asprintf(&text, "failed (kind %d): %s", kind, va_arg(arguments, const char *));
                va_end(arguments);
        }
        check(n >= 0);
        return text;
}

static const struct criterion_suite *suite_of(const struct criterion_test *test) {
        for (struct criterion_suite **each = __start_cr_sts; each < __stop_cr_sts; each++)
                if (*each && strcmp((*each)->name, test->category) == 0)
                        return *each;
        return NULL;
}

/* Returns the child's exit code. */
static int run(const struct criterion_test *test) {
        pid_t child = fork();

        check(child >= 0);
        if (child == 0) {
                running = test;
                suite = suite_of(test);
                watchdog(WATCHDOG_SECONDS);
                test->test();
                leave_child(expectation_failed ? FAILED : 0);
        }
        return wait_for_exit(child);
}

int main(int argc, char **argv) {
        const char *only = argc == 2 ? argv[1] : NULL;
        int passed = 0, skipped = 0, failed = 0;

        for (struct criterion_test **each = __start_cr_tst; each < __stop_cr_tst; each++) {
                char name[256];
                int code;
                if (!*each)
                        continue;
                snprintf(name, sizeof(name), "%s::%s", (*each)->category, (*each)->name);
                if (is_left_out(name) || (only && strcmp(only, name) != 0))
                        continue;
                code = run(*each);
                passed += code == 0;
                skipped += code == SKIPPED;
                if (code == 0 || code == SKIPPED)
                        continue;
                failed++;
                fprintf(stderr, "FAILED %s, code %d\n", name, code);
        }
        printf("tests %d, skipped %d, failed %d\n", passed + failed, skipped, failed);
        return passed > 0 && failed == 0 ? 0 : 1;
}
