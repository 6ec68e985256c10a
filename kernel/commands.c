/* Every line that the console answers stands here, as the parent system's users and scripts know it. What
 * goes beyond it (a state that "connected" does not tell) stands behind it, so that what was parsed before
 * is parsed still. */
#include "commands.h"

#include <stdio.h>
#include <string.h>

#include "console.h"
#include "help.h"
#include "identifier.h"
#include "life.h"
#include "ownership.h"
#include "supervisor.h"

static void say_help(struct kernel *kernel) {
        static const char *const lines[] = {
                "Available commands:",
                "  help, ?                     this list",
                "  help <pluginId> [args]      the plugin's own help",
                "  list                        the plugins and their states",
                "  start <pluginId> [args]     start a plugin; the arguments are for this time only",
                "  kill <pluginId>             kill a plugin; with autoStart it is restarted",
                "  exit, quit, shutdown        stop all plugins and the kernel",
        };

        for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
                SAY(kernel, "%s", lines[i]);
}

static void say_unknown(struct kernel *kernel, const char *id) {
        CLEANUP(free_text) char *known = strdup("");

        for (size_t i = 0; known && i < kernel->n_rows; i++) {
                char *longer;

                if (kernel->rows[i]->gone)
                        continue;
                longer = text_format("%s%s%s", known, *known ? ", " : "", kernel->rows[i]->id);
                free(known);
                known = longer;
        }
        SAY(kernel, "Unknown plugin '%s'. Known plugins: %s", id, known ? known : "");
}

static void list_row(struct kernel *kernel, const struct row *row) {
        char seen[LEAT_TIMESTAMP_SIZE] = "never", pid[16] = "-", state[32] = "";

        if (row->was_seen)
                leat_timestamp_format(row->seen, seen);
        if (row->process.pid > 0)
                snprintf(pid, sizeof(pid), "%d", (int) row->process.pid);
        if (row->state != STATE_RUNNING)
                snprintf(state, sizeof(state), " (%s)", states_name(row->state));
        SAY(kernel, "%s connected=%s lastseen=%s pid=%s%s", row->id, row_is_connected(row) ? "True" : "False",
            seen, pid, state);
}

static void list(struct kernel *kernel) {
        for (size_t i = 0; i < kernel->n_rows; i++)
                if (!kernel->rows[i]->gone)
                        list_row(kernel, kernel->rows[i]);
        if (kernel->n_rows == 0)
                SAY(kernel, "No plugins.");
}

static void kill_plugin(struct kernel *kernel, const char *id) {
        struct row *row = kernel_find_row(kernel, id);

        if (!row)
                say_unknown(kernel, id);
        else if (row->process.pid == 0 && !row_is_connected(row))
                SAY(kernel, "Plugin %s is not running.", row->id);
        else {
                SAY(kernel, "Killing plugin %s", row->id);
                row->spared = true;
                life_event(kernel, row, EVENT_KILL);
        }
}

static void start(struct kernel *kernel, const struct console_command *command) {
        struct row *row = kernel_find_row(kernel, command->id);
        struct words extra = { 0 };

        if (!row)
                say_unknown(kernel, command->id);
        else if (row->process.pid > 0)
                SAY(kernel, "Plugin %s is already running (pid=%d). Use kill <pluginId> to restart.", row->id,
                    (int) row->process.pid);
        else if (row_is_connected(row))
                SAY(kernel, "Plugin %s is already running (pid=-). Use kill <pluginId> to restart.", row->id);
        else if (words_add_all(&extra, command->rest, command->n_rest) < 0) {
                SAY(kernel, "Plugin %s cannot be started: out of memory.", row->id);
                words_clear(&extra);
        } else {
                words_clear(&row->extra);
                row->extra = extra;
                row->failures = row->restarts = 0;
                life_event(kernel, row, EVENT_START);
        }
}

static void help_plugin(struct kernel *kernel, const struct console_command *command) {
        const struct row *row = kernel_find_row(kernel, command->id);

        if (!row && command->id == command->word)
                SAY(kernel, "Unknown command '%s'. Type 'help' for available commands.", command->word);
        else if (!row)
                say_unknown(kernel, command->id);
        else if (!row->configuration)
                SAY(kernel, "Plugin %s is a client of its own; it has no help here.", row->id);
        else
                help_start(kernel, row->configuration, command->rest, command->n_rest);
}

static void name_plugin(struct kernel *kernel, const char *word) {
        const struct row *row = kernel_find_row(kernel, word);

        if (row)
                SAY(kernel, "Plugin '%s' is known. Use 'start %s' to run it or 'help %s' for options.",
                    row->id, row->id, row->id);
        else
                SAY(kernel, "Unknown command '%s'. Type 'help' for available commands.", word);
}

static void run(struct kernel *kernel, const struct console_command *command) {
        switch (command->verb) {
        case CONSOLE_NOTHING:
                break;
        case CONSOLE_HELP:
                say_help(kernel);
                break;
        case CONSOLE_HELP_PLUGIN:
                help_plugin(kernel, command);
                break;
        case CONSOLE_LIST:
                list(kernel);
                break;
        case CONSOLE_KILL:
                if (command->id)
                        kill_plugin(kernel, command->id);
                else
                        SAY(kernel, "Usage: kill <pluginId>");
                break;
        case CONSOLE_START:
                if (command->id)
                        start(kernel, command);
                else
                        SAY(kernel, "Usage: start <pluginId> [extra args]");
                break;
        case CONSOLE_QUIT:
                supervisor_stop(kernel);
                break;
        case CONSOLE_PLUGIN:
                name_plugin(kernel, command->word);
                break;
        }
}

void commands_run(struct kernel *kernel, const char *line) {
        struct console_command command;

        if (console_parse(line, &command) < 0)
                return;
        run(kernel, &command);
        console_clear(&command);
}
