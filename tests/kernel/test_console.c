/* What a typed line means. */
#include <criterion/criterion.h>
#include <string.h>

#include "console.h"

static struct console_command command;

static enum console_verb parse(const char *line) {
        console_clear(&command);
        cr_assert_eq(console_parse(line, &command), 0);
        return command.verb;
}

static void end(void) {
        console_clear(&command);
}

TestSuite(console, .fini = end);

Test(console, words_of_the_kernel_in_any_case) {
        cr_assert_eq(parse(""), CONSOLE_NOTHING);
        cr_assert_eq(parse(" \t\r"), CONSOLE_NOTHING);
        cr_assert_eq(parse("help"), CONSOLE_HELP);
        cr_assert_eq(parse("?"), CONSOLE_HELP);
        cr_assert_eq(parse("LIST"), CONSOLE_LIST);
        cr_assert_eq(parse("Exit"), CONSOLE_QUIT);
        cr_assert_eq(parse("quit\r"), CONSOLE_QUIT);
        cr_assert_eq(parse("  shutdown  "), CONSOLE_QUIT);
}

Test(console, ids_and_what_is_behind_them) {
        cr_assert_eq(parse("start A --count 2 '--name=x y' \"\""), CONSOLE_START);
        cr_assert_str_eq(command.id, "A");
        cr_assert_eq(command.n_rest, 4);
        cr_assert_str_eq(command.rest[2], "--name=x y");
        cr_assert_str_eq(command.rest[3], "");
        cr_assert_null(command.rest[4]);
        cr_assert_eq(parse("start 'Some Plugin'"), CONSOLE_START);
        cr_assert_str_eq(command.id, "Some Plugin");
        cr_assert_eq(parse("start"), CONSOLE_START);
        cr_assert_null(command.id);
        cr_assert_eq(parse("kill"), CONSOLE_KILL);
        cr_assert_null(command.id);
        cr_assert_eq(parse("kill b"), CONSOLE_KILL);
        cr_assert_str_eq(command.id, "b");
}

Test(console, help_in_three_spellings) {
        cr_assert_eq(parse("help A"), CONSOLE_HELP_PLUGIN);
        cr_assert_eq(command.n_rest, 0);
        cr_assert_eq(parse("help A x y"), CONSOLE_HELP_PLUGIN);
        cr_assert_eq(command.n_rest, 2);
        cr_assert_eq(parse("A --HELP"), CONSOLE_HELP_PLUGIN);
        cr_assert_str_eq(command.id, "A");
        cr_assert_eq(command.n_rest, 0);
        cr_assert_eq(parse("A -h"), CONSOLE_HELP_PLUGIN);
        cr_assert_eq(parse("A help"), CONSOLE_HELP_PLUGIN);
        cr_assert_eq(parse("A"), CONSOLE_PLUGIN);
        cr_assert_eq(parse("A whatever"), CONSOLE_PLUGIN);
        cr_assert_str_eq(command.word, "A");
}
