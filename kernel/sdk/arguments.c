/* A plugin's command line is written by three parties: the kernel (in one of two spellings, depending on
 * whose kernel it is), the configuration, and whoever typed `start`. So it is forgiving: the last of a
 * repeated option counts, and what nobody knows is passed over. Only a value that cannot be what its
 * option needs is an error, since the plugin would otherwise do something that nobody asked for. */
#include "arguments.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* How many standard options there are, with the end of the table. */
#define STANDARD_OPTIONS 8

static void standard_options(struct plugin_arguments *arguments,
                             leat_plugin_option ret_options[STANDARD_OPTIONS]) {
        const leat_plugin_option options[STANDARD_OPTIONS] = {
                { .name = "pluginId", .text = &arguments->id },
                { .name = "kernelHost", .text = &arguments->host },
                { .name = "host", .text = &arguments->host },
                { .name = "kernelPort", .integer = &arguments->port, .minimum = 0, .maximum = UINT16_MAX },
                { .name = "port", .integer = &arguments->port, .minimum = 0, .maximum = UINT16_MAX },
                { .name = "exitAfterSeconds", .real = &arguments->exit_after, .minimum = 0, .maximum = 1e9 },
                { .name = "config", .text = &arguments->config },
                { .name = NULL },
        };

        memcpy(ret_options, options, sizeof(options));
}

/* The option that `argument` names, and its value when that stands behind a "=". */
static const leat_plugin_option *find_option(const leat_plugin_option *options, const char *argument,
                                             const char **ret_value) {
        size_t size = strcspn(argument, "=");

        for (; options != NULL && options->name != NULL; options++) {
                if (strlen(options->name) != size || strncmp(options->name, argument, size) != 0)
                        continue;
                *ret_value = argument[size] == '=' ? argument + size + 1 : NULL;
                return options;
        }
        return NULL;
}

static bool in_bounds(const leat_plugin_option *option, double number) {
        if (option->minimum == 0 && option->maximum == 0)
                return true;
        return number >= option->minimum && number <= option->maximum;
}

static bool store_integer(const leat_plugin_option *option, const char *value) {
        char *end;
        long long number;

        errno = 0;
        number = strtoll(value, &end, 10);
        if (end == value || *end != '\0' || errno != 0 || !in_bounds(option, (double) number))
                return false;
        *option->integer = number;
        return true;
}

static bool store_real(const leat_plugin_option *option, const char *value) {
        char *end;
        double number = strtod(value, &end);

        if (end == value || *end != '\0' || !isfinite(number) || !in_bounds(option, number))
                return false;
        *option->real = number;
        return true;
}

static int store(const leat_plugin_option *option, const char *value,
                 char ret_problem[ARGUMENTS_PROBLEM_SIZE]) {
        bool stored = true;

        if (option->integer != NULL)
                stored = store_integer(option, value);
        else if (option->real != NULL)
                stored = store_real(option, value);
        else if (option->text != NULL)
                *option->text = value;
        if (stored)
                return 0;
        if (option->minimum == 0 && option->maximum == 0)
                (void) snprintf(ret_problem, ARGUMENTS_PROBLEM_SIZE, "--%s needs a number, not '%.60s'",
                                option->name, value);
        else
                (void) snprintf(ret_problem, ARGUMENTS_PROBLEM_SIZE,
                                "--%s needs a number from %.15g to %.15g, not '%.60s'", option->name,
                                option->minimum, option->maximum, value);
        return -EINVAL;
}

static bool asks_for_help(const char *argument) {
        return strcmp(argument, "-h") == 0 || strcmp(argument, "--help") == 0 ||
               strcmp(argument, "help") == 0;
}

int arguments_read(int argc, char **argv, const leat_plugin_option *own,
                   struct plugin_arguments *ret_arguments, char ret_problem[ARGUMENTS_PROBLEM_SIZE]) {
        struct plugin_arguments arguments = { .host = "127.0.0.1", .config = "", .port = 9000 };
        leat_plugin_option standard[STANDARD_OPTIONS];

        standard_options(&arguments, standard);
        for (int i = 1; i < argc; i++) {
                const leat_plugin_option *option = NULL;
                const char *value = NULL;
                int r;

                arguments.help = arguments.help || asks_for_help(argv[i]);
                if (strncmp(argv[i], "--", 2) == 0)
                        option = find_option(own, argv[i] + 2, &value);
                if (strncmp(argv[i], "--", 2) == 0 && option == NULL)
                        option = find_option(standard, argv[i] + 2, &value);
                if (option == NULL)
                        continue;
                if (option->flag != NULL) {
                        *option->flag = true;
                        continue;
                }
                if (value == NULL && i + 1 == argc) {
                        (void) snprintf(ret_problem, ARGUMENTS_PROBLEM_SIZE, "--%s needs a value",
                                        option->name);
                        return -EINVAL;
                }
                r = store(option, value != NULL ? value : argv[++i], ret_problem);
                if (r != 0)
                        return r;
        }
        *ret_arguments = arguments;
        return 0;
}

#define HELP_COLUMN 28

static void help_line(FILE *to, const char *name, const char *value, const char *help, const char *standard) {
        int width = fprintf(to, "  --%s", name);

        if (value != NULL)
                width += fprintf(to, " <%s>", value);
        (void) fprintf(to, "%*s%s%s%s%s\n", width < HELP_COLUMN ? HELP_COLUMN - width : 1, "",
                       help != NULL ? help : "", standard[0] != '\0' ? " (default " : "", standard,
                       standard[0] != '\0' ? ")" : "");
}

static void help_own(FILE *to, const leat_plugin_option *option) {
        char standard[100] = "";

        if (option->integer != NULL)
                (void) snprintf(standard, sizeof(standard), "%lld", (long long) *option->integer);
        else if (option->real != NULL)
                (void) snprintf(standard, sizeof(standard), "%.15g", *option->real);
        else if (option->text != NULL && *option->text != NULL)
                (void) snprintf(standard, sizeof(standard), "%s", *option->text);
        help_line(to, option->name,
                  option->flag != NULL    ? NULL
                  : option->value != NULL ? option->value
                                          : "value",
                  option->help, standard);
}

void arguments_help(FILE *to, const leat_plugin_program *program) {
        const leat_plugin_option *option = program->options;

        (void) fprintf(to, "%s %s\n", program->name, program->version);
        if (program->summary != NULL)
                (void) fprintf(to, "%s\n", program->summary);
        (void) fprintf(to, "\nUsage: %s [options]\n\nOptions:\n", program->name);
        for (; option != NULL && option->name != NULL; option++)
                help_own(to, option);
        help_line(to, "exitAfterSeconds", "n", "end after so many seconds; 0: never", "0");
        (void) fprintf(to, "  %-*s%s\n", HELP_COLUMN - 2, "-h, --help, help", "print this and end");
        (void) fprintf(to, "\nThe kernel starts it and adds --kernelHost <host> --kernelPort <port> "
                           "--pluginId <id> --config <path>\n(or --host, --port).\n");
}
