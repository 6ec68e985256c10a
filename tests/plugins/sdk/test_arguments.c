/* Command lines: both spellings of the kernel's arguments, the plugin's own options, and what is passed
 * over. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sdk/arguments.h"

static bool flag;
static int64_t count;
static double interval;
static const char *text;

static const leat_plugin_option options[] = {
        { .name = "flag", .flag = &flag, .help = "a flag" },
        { .name = "count", .value = "n", .integer = &count, .minimum = 0, .maximum = 10, .help = "how many" },
        { .name = "interval", .value = "seconds", .real = &interval, .help = "how long" },
        { .name = "text", .text = &text },
        { .name = NULL },
};

static char problem[ARGUMENTS_PROBLEM_SIZE];

/* argv ends with NULL; argv[0] is added. */
static int read_line(struct plugin_arguments *arguments, const char *const *line) {
        char *argv[20] = { (char *) "program" };
        int argc = 1;

        flag = false;
        count = 3;
        interval = 1.5;
        text = "standard";
        problem[0] = '\0';
        for (; line[argc - 1] != NULL; argc++)
                argv[argc] = (char *) (uintptr_t) line[argc - 1];
        return arguments_read(argc, argv, options, arguments, problem);
}

#define READ(arguments, ...) read_line(arguments, (const char *const[]){ __VA_ARGS__, NULL })

Test(arguments, both_spellings_of_the_kernels_are_understood) {
        struct plugin_arguments a;

        cr_assert_eq(READ(&a, "--kernelHost", "::1", "--kernelPort", "1234", "--pluginId", "ID",
                          "--exitAfterSeconds", "7", "--config", "/x/kernelconfig.json"),
                     0);
        cr_expect_str_eq(a.host, "::1");
        cr_expect_eq(a.port, 1234);
        cr_expect_str_eq(a.id, "ID");
        cr_expect_eq(a.exit_after, 7);
        cr_expect_str_eq(a.config, "/x/kernelconfig.json");
        cr_assert_eq(READ(&a, "--host", "10.0.0.1", "--port=65535"), 0);
        cr_expect_str_eq(a.host, "10.0.0.1");
        cr_expect_eq(a.port, 65535);
}

Test(arguments, all_have_defaults) {
        struct plugin_arguments a;

        cr_assert_eq(read_line(&a, (const char *const[]){ NULL }), 0);
        cr_expect_str_eq(a.host, "127.0.0.1");
        cr_expect_eq(a.port, 9000);
        cr_expect_null(a.id);
        cr_expect_str_eq(a.config, "");
        cr_expect_eq(a.exit_after, 0);
        cr_expect_not(a.help);
        cr_expect_str_eq(text, "standard");
}

Test(arguments, the_last_of_a_repeated_option_wins_in_either_spelling) {
        struct plugin_arguments a;

        cr_assert_eq(READ(&a, "--kernelPort", "1", "--port", "2", "--count", "4", "--count=5"), 0);
        cr_expect_eq(a.port, 2);
        cr_expect_eq(count, 5);
        cr_assert_eq(READ(&a, "--port", "2", "--kernelPort", "1"), 0);
        cr_expect_eq(a.port, 1);
}

Test(arguments, the_plugins_own_options_are_stored) {
        struct plugin_arguments a;

        cr_assert_eq(READ(&a, "--flag", "--interval", "0.25", "--text", "--flag", "--count", "0"), 0);
        cr_expect(flag);
        cr_expect_eq(interval, 0.25);
        cr_expect_str_eq(text, "--flag");
        cr_expect_eq(count, 0);
}

Test(arguments, unknown_ones_are_passed_over) {
        struct plugin_arguments a;

        cr_assert_eq(READ(&a, "--unknown", "value", "stray", "-x", "--Count", "9", "--counts", "8", "--",
                          "--count", "2"),
                     0);
        cr_expect_eq(count, 2);
}

Test(arguments, help_is_asked_for_in_three_ways_but_not_as_a_value) {
        struct plugin_arguments a;

        cr_assert_eq(READ(&a, "-h"), 0);
        cr_expect(a.help);
        cr_assert_eq(READ(&a, "--pluginId", "x", "--help"), 0);
        cr_expect(a.help);
        cr_assert_eq(READ(&a, "help"), 0);
        cr_expect(a.help);
        cr_assert_eq(READ(&a, "--pluginId", "help"), 0);
        cr_expect_not(a.help);
        cr_expect_str_eq(a.id, "help");
}

Test(arguments, what_cannot_be_is_an_error_in_one_line) {
        struct plugin_arguments a = { .port = 42 };

        cr_expect_eq(READ(&a, "--count", "x"), -EINVAL);
        cr_expect_str_eq(problem, "--count needs a number from 0 to 10, not 'x'");
        cr_expect_eq(READ(&a, "--count", "11"), -EINVAL);
        cr_expect_eq(READ(&a, "--count", "-1"), -EINVAL);
        cr_expect_eq(READ(&a, "--count", "1.5"), -EINVAL);
        cr_expect_eq(READ(&a, "--count", ""), -EINVAL);
        cr_expect_eq(READ(&a, "--count", "99999999999999999999"), -EINVAL);
        cr_expect_eq(READ(&a, "--interval", "nan"), -EINVAL);
        cr_expect_str_eq(problem, "--interval needs a number, not 'nan'");
        cr_expect_eq(READ(&a, "--interval", "1s"), -EINVAL);
        cr_expect_eq(READ(&a, "--port", "65536"), -EINVAL);
        cr_expect_eq(READ(&a, "--count"), -EINVAL);
        cr_expect_str_eq(problem, "--count needs a value");
        cr_expect_eq(a.port, 42);
}

Test(arguments, the_help_names_every_option_and_its_default) {
        leat_plugin_program program = {
                .name = "Tester", .version = "1.2", .summary = "Tests.", .options = options
        };
        char *help = NULL;
        size_t size = 0;
        FILE *to = open_memstream(&help, &size);

        count = 3;
        interval = 1.5;
        text = "standard";
        arguments_help(to, &program);
        (void) fclose(to);
        cr_expect_not_null(strstr(help, "Tester 1.2\nTests.\n"));
        cr_expect_not_null(strstr(help, "  --flag                    a flag\n"));
        cr_expect_not_null(strstr(help, "  --count <n>               how many (default 3)\n"));
        cr_expect_not_null(strstr(help, "  --interval <seconds>      how long (default 1.5)\n"));
        cr_expect_not_null(strstr(help, "  --text <value>             (default standard)\n"));
        cr_expect_not_null(strstr(help, "--exitAfterSeconds <n>"));
        cr_expect_not_null(strstr(help, "-h, --help, help"));
        free(help);
}
