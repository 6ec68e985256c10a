/* Few options, since what a kernel is to do stands in its configuration. */
#include "options.h"

#include <argp.h>
#include <stddef.h>

#include <leat/version.h>

enum { KEY_NO_CONSOLE = 256, KEY_PLUGIN_FOLDER };

static const struct argp_option table[] = {
        { "config", 'c', "PATH", 0,
          "The configuration (default: kernelconfig.json in this program's folder, the current "
          "folder, or a folder above either)",
          0 },
        { "plugin-dir", KEY_PLUGIN_FOLDER, "DIR", 0, "Where to look for plugins' programs", 0 },
        { "no-console", KEY_NO_CONSOLE, NULL, 0, "Do not read commands from standard input", 0 },
        { NULL, 0, NULL, 0, NULL, 0 },
};

static error_t take(int key, char *value, struct argp_state *state) {
        struct options *options = state->input;

        switch (key) {
        case 'c':
                options->configuration = value;
                return 0;
        case KEY_PLUGIN_FOLDER:
                options->plugin_folder = value;
                return 0;
        case KEY_NO_CONSOLE:
                options->console = false;
                return 0;
        case ARGP_KEY_ARG:
                if (options->configuration)
                        argp_error(state, "one configuration is enough: %s", value);
                options->configuration = value;
                return 0;
        default:
                return ARGP_ERR_UNKNOWN;
        }
}

struct options options_parse(int argc, char **argv) {
        static const struct argp parser = {
                .options = table,
                .parser = take,
                .args_doc = "[CONFIGURATION]",
                .doc = "Starts plugins as processes, supervises them, and carries their messages.",
        };
        struct options options = { .console = true };

        argp_program_version = "leat-kernel " LEAT_VERSION;
        argp_err_exit_status = 2;
        argp_parse(&parser, argc, argv, 0, NULL, &options);
        return options;
}
