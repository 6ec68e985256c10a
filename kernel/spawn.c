/* From a line of the configuration to a process that runs, and from what the process prints to the
 * kernel's output. */
#include "spawn.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ownership.h"

enum { DRAIN_ROUNDS = 32 }; /* Somebody who left the process's group might write for ever. */

int spawn_find(struct kernel *kernel, const struct plugin_configuration *plugin, struct words *ret_words,
               char **ret_working_directory) {
        CLEANUP(free_text) char *problem = NULL, *folder = NULL;
        int r = search_working_directory(kernel->configuration, plugin, kernel->places, &folder, &problem);

        if (r == 0)
                r = search_program(plugin, folder, kernel->places, ret_words, &problem);
        if (r == 0) {
                *ret_working_directory = take_text(&folder);
                return 0;
        }
        SAY(kernel, "Plugin %s cannot be started: %s.", plugin->id, problem ? problem : leat_strerror(r));
        return problem ? -ENOENT : r;
}

static int add_arguments(struct kernel *kernel, const struct row *row, struct words *words) {
        const struct plugin_configuration *plugin = row->configuration;
        char port[16], seconds[16];
        char *const ours[] = {
                (char *) "--kernelHost",       kernel->host ? kernel->host : kernel->configuration->host,
                (char *) "--kernelPort",       port,
                (char *) "--pluginId",         plugin->id,
                (char *) "--exitAfterSeconds", seconds,
                (char *) "--config",           kernel->configuration->path,
        };
        int r;

        snprintf(port, sizeof(port), "%u", kernel->port);
        snprintf(seconds, sizeof(seconds), "%u", plugin->exit_after_seconds);
        r = words_add_all(words, ours, sizeof(ours) / sizeof(ours[0]));
        if (r == 0)
                r = words_add_all(words, plugin->arguments.items, plugin->arguments.count);
        if (r == 0)
                r = words_add_all(words, row->extra.items, row->extra.count);
        return r;
}

static int start(struct row *row, const struct words *words, const char *folder) {
        CLEANUP(free_text) char *variable = NULL;
        int r = kernel_handshake_server(&row->server);

        if (r == 0) {
                const char *name = kernel_handshake_server_name(row->server);

                variable = text_format("%s=%s", KERNEL_ENVIRONMENT, name);
                r = variable ? process_start(words->items, folder, variable, &row->process) : -ENOMEM;
        }
        if (r == 0)
                kernel_handshake_server_expect(row->server, row->process.pid);
        else
                kernel_handshake_server_close(&row->server);
        return r;
}

int spawn(struct kernel *kernel, struct row *row) {
        CLEANUP(free_text) char *folder = NULL;
        struct words words = { 0 };
        int r = spawn_find(kernel, row->configuration, &words, &folder);

        if (r != 0)
                return r;
        r = add_arguments(kernel, row, &words);
        if (r == 0)
                r = start(row, &words, folder);
        if (r != 0)
                SAY(kernel, "Plugin %s cannot be started: %s: %s.", row->id, words.items[0],
                    leat_strerror(r));
        else {
                kernel_watch(kernel, row->process.descriptor, SUBJECT_PROCESS, row->serial);
                kernel_watch(kernel, row->process.output, SUBJECT_OUTPUT, row->serial);
                kernel_watch(kernel, row->process.errors, SUBJECT_ERRORS, row->serial);
                kernel_watch(kernel, kernel_handshake_server_descriptor(row->server), SUBJECT_SERVER,
                             row->serial);
        }
        words_clear(&words);
        return r == -ENOENT ? -EIO : r; /* Its interpreter may come back; only search says for good. */
}

struct printer {
        struct kernel *kernel;
        char prefix[96];
};

static void print(void *context, const char *line, size_t size) {
        struct printer *printer = context;

        terminal_line(printer->kernel->terminal, printer->prefix, line, size);
}

static int *descriptor_of(struct row *row, enum subject subject) {
        return subject == SUBJECT_ERRORS ? &row->process.errors : &row->process.output;
}

int spawn_show(struct kernel *kernel, struct row *row, enum subject subject, bool last) {
        struct output *output = subject == SUBJECT_ERRORS ? &row->errors : &row->output;
        struct printer printer = { .kernel = kernel };
        int *descriptor = descriptor_of(row, subject), r;

        if (*descriptor < 0)
                return LEAT_DISCONNECTED;
        snprintf(printer.prefix, sizeof(printer.prefix), "[Plugin:%s%s] ", row->id,
                 subject == SUBJECT_ERRORS ? " ERR" : "");
        r = output_read(output, *descriptor, print, &printer);
        if (r != LEAT_DISCONNECTED && !last)
                return r;
        output_flush(output, print, &printer);
        kernel_unwatch(kernel, subject, row->serial);
        close_descriptor(descriptor);
        return LEAT_DISCONNECTED;
}

void spawn_drain(struct kernel *kernel, struct row *row) {
        for (enum subject subject = SUBJECT_OUTPUT; subject <= SUBJECT_ERRORS; subject++) {
                for (int i = 0; i < DRAIN_ROUNDS && spawn_show(kernel, row, subject, false) == 0; i++)
                        ;
                spawn_show(kernel, row, subject, true);
        }
}
