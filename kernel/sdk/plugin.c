/* The life of a plugin, from its command line to its exit code. */
#include "leat/plugin.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime.h"

#define LAST_WORDS_MS 1000

void plugin_leave(leat_plugin *plugin, int exit_code, const char *reason) {
        if (plugin->leaving)
                return;
        plugin->leaving = true;
        plugin->last_words = leat_after_ms(LAST_WORDS_MS);
        plugin->exit_code = exit_code;
        (void) snprintf(plugin->reason, sizeof(plugin->reason), "%s", reason);
}

void plugin_read_signals(leat_plugin *plugin) {
        int number;

        while ((number = signals_next(&plugin->signals)) != 0)
                plugin_leave(plugin, LEAT_PLUGIN_DONE, number == SIGINT ? "SIGINT" : "SIGTERM");
}

void leat_plugin_quit(leat_plugin *plugin, int exit_code) {
        plugin_leave(plugin, exit_code, "done");
}

const char *leat_plugin_id(const leat_plugin *plugin) {
        return plugin->id;
}

const char *leat_plugin_host(const leat_plugin *plugin) {
        return plugin->arguments.host;
}

uint16_t leat_plugin_port(const leat_plugin *plugin) {
        return (uint16_t) plugin->arguments.port;
}

const char *leat_plugin_config(const leat_plugin *plugin) {
        return plugin->arguments.config;
}

to_kernel_sender leat_plugin_commands(const leat_plugin *plugin) {
        return plugin->commands;
}

/* prepare and start: whatever goes wrong there was said there. */
static bool run_step(leat_plugin *plugin, int (*step)(leat_plugin *, void *)) {
        if (!plugin->leaving && step != NULL && step(plugin, plugin->data) != 0)
                plugin_leave(plugin, LEAT_PLUGIN_ERROR, "it could not start");
        return !plugin->leaving;
}

static void begin_timers(leat_plugin *plugin) {
        leat_deadline now = loop_now();

        plugin->heartbeat_due = now;
        plugin->tick_ms = plugin->program->tick_ms;
        plugin->tick_due = plugin->tick_ms == 0 ? LEAT_FOREVER : now;
}

static void work(leat_plugin *plugin, const char *server) {
        if (!run_step(plugin, plugin->program->prepare) || !session_join(plugin, server))
                return;
        begin_timers(plugin);
        if (run_step(plugin, plugin->program->start))
                loop_run(plugin);
        if (plugin->program->stop != NULL)
                plugin->program->stop(plugin, plugin->reason, plugin->data);
        inbound_give_up(plugin, LEAT_DISCONNECTED);
}

/* Opens what every plugin needs, works, closes it. */
static void run(leat_plugin *plugin, const char *server) {
        int r = signals_take_over(&plugin->signals);

        if (r == 0) {
                r = leat_set_create(&plugin->set);
                if (r == 0)
                        r = leat_set_watch(plugin->set, plugin->signals.descriptor, POLLIN, KEY_SIGNALS);
                if (r == 0)
                        work(plugin, server);
                leat_set_close(&plugin->room);
                to_kernel_sender_close(&plugin->commands);
                to_plugin_receiver_close(&plugin->deliveries);
                leat_set_close(&plugin->set);
                watches_free(&plugin->watches);
                signals_restore(&plugin->signals);
        }
        if (r != 0) {
                leat_plugin_complain(plugin, "cannot start: %s", leat_strerror(r));
                plugin_leave(plugin, LEAT_PLUGIN_ERROR, "it could not start");
        }
}

/* The server's name, the caller's to free; NULL when no kernel started this program. */
static char *take_server_name(void) {
        const char *name = getenv(KERNEL_ENVIRONMENT);
        char *copy = name == NULL || name[0] == '\0' ? NULL : strdup(name);

        (void) unsetenv(KERNEL_ENVIRONMENT);
        return copy;
}

/* The command line is read, and it is no call for help. */
static void run_for_kernel(leat_plugin *plugin, const char *server) {
        if (server == NULL) {
                leat_plugin_complain(
                        plugin, "this is a plugin, to be started by leat-kernel (%s is not set); see --help",
                        KERNEL_ENVIRONMENT);
                plugin->exit_code = LEAT_PLUGIN_ERROR;
                return;
        }
        plugin->id = plugin->arguments.id != NULL ? plugin->arguments.id : plugin->program->name;
        plugin->heartbeat_due = plugin->tick_due = plugin->end_due = LEAT_FOREVER;
        if (plugin->arguments.exit_after > 0)
                plugin->end_due = loop_after(loop_now(), (uint64_t) (plugin->arguments.exit_after * 1000));
        run(plugin, server);
}

int leat_plugin_main(int argc, char **argv, const leat_plugin_program *program, void *data) {
        leat_plugin plugin = { .program = program, .data = data, .parent = getppid() };
        char problem[ARGUMENTS_PROBLEM_SIZE];
        char *server = take_server_name();

        if (arguments_read(argc, argv, program->options, &plugin.arguments, problem) != 0) {
                leat_plugin_complain(&plugin, "%s", problem);
                plugin.exit_code = LEAT_PLUGIN_ERROR;
        } else if (plugin.arguments.help) {
                arguments_help(stdout, program);
                (void) fflush(stdout);
        } else {
                run_for_kernel(&plugin, server);
        }
        free(server);
        return plugin.exit_code;
}
