/* Asking a plugin for its help means running it, and a program may run for as long as it likes. So a help
 * run is a child like any other: watched by the kernel's set, shown line by line, and killed when its time
 * is over. */
#include "help.h"

#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "ownership.h"
#include "spawn.h"

enum { DRAIN_ROUNDS = 32, RUNS = 8 };

struct help_run {
        struct help_run *next;
        struct kernel *kernel;
        uint64_t serial;
        char *id;
        struct process process;
        struct output output, errors;
        leat_deadline deadline;
};

static void print(void *context, const char *line, size_t size) {
        struct help_run *run = context;
        char prefix[96];

        snprintf(prefix, sizeof(prefix), "[Plugin:%s help] ", run->id);
        terminal_line(run->kernel->terminal, prefix, line, size);
}

static int *descriptor_of(struct help_run *run, enum subject subject) {
        return subject == SUBJECT_HELP_ERRORS ? &run->process.errors : &run->process.output;
}

static int show(struct help_run *run, enum subject subject, bool last) {
        struct output *output = subject == SUBJECT_HELP_ERRORS ? &run->errors : &run->output;
        int *descriptor = descriptor_of(run, subject), r;

        if (*descriptor < 0)
                return LEAT_DISCONNECTED;
        r = output_read(output, *descriptor, print, run);
        if (r != LEAT_DISCONNECTED && !last)
                return r;
        output_flush(output, print, run);
        kernel_unwatch(run->kernel, subject, run->serial);
        close_descriptor(descriptor);
        return LEAT_DISCONNECTED;
}

static void drain(struct help_run *run) {
        for (enum subject subject = SUBJECT_HELP_OUTPUT; subject <= SUBJECT_HELP_ERRORS; subject++) {
                for (int i = 0; i < DRAIN_ROUNDS && show(run, subject, false) == 0; i++)
                        ;
                show(run, subject, true);
        }
}

static void forget(struct help_run *run) {
        struct help_run **link = &run->kernel->help_runs;

        while (*link != run)
                link = &(*link)->next;
        *link = run->next;
        process_close(&run->process);
        free(run->id);
        free(run);
}

static struct help_run *add(struct kernel *kernel, const char *id, const struct process *process) {
        struct help_run *run = calloc(1, sizeof(*run));

        if (!run)
                return NULL;
        run->id = strdup(id);
        if (!run->id) {
                free(run);
                return NULL;
        }
        run->kernel = kernel;
        run->serial = ++kernel->last_serial;
        run->process = *process;
        run->deadline = clock_add_ms(clock_now(), kernel->configuration->help_timeout_ms);
        run->next = kernel->help_runs;
        kernel->help_runs = run;
        return run;
}

static int launch(struct kernel *kernel, const struct plugin_configuration *plugin, struct words *words,
                  char *const *extra, size_t n_extra, struct process *ret_process) {
        CLEANUP(free_text) char *folder = NULL;
        int r = spawn_find(kernel, plugin, words, &folder);

        if (r != 0)
                return r;
        r = n_extra > 0 ? words_add_all(words, extra, n_extra) : words_add(words, "--help");
        if (r == 0)
                r = process_start(words->items, folder, NULL, ret_process);
        if (r != 0)
                SAY(kernel, "Plugin %s cannot tell its help: %s: %s", plugin->id, words->items[0],
                    leat_strerror(r));
        return r;
}

void help_start(struct kernel *kernel, const struct plugin_configuration *plugin, char *const *extra,
                size_t n_extra) {
        struct process process = PROCESS_NONE;
        struct words words = { 0 };
        struct help_run *run;
        size_t n = 0;

        for (run = kernel->help_runs; run; run = run->next)
                n++;
        if (n >= RUNS) {
                SAY(kernel, "Too many plugins tell their help already.");
                return;
        }
        if (launch(kernel, plugin, &words, extra, n_extra, &process) == 0) {
                run = add(kernel, plugin->id, &process);
                if (!run)
                        process_close(&process);
                else {
                        kernel_watch(kernel, run->process.descriptor, SUBJECT_HELP_PROCESS, run->serial);
                        kernel_watch(kernel, run->process.output, SUBJECT_HELP_OUTPUT, run->serial);
                        kernel_watch(kernel, run->process.errors, SUBJECT_HELP_ERRORS, run->serial);
                        kernel_wake_at(kernel, run->deadline);
                }
        }
        words_clear(&words);
}

static void reap(struct help_run *run) {
        struct process_end end = { 0 };

        kernel_unwatch(run->kernel, SUBJECT_HELP_PROCESS, run->serial);
        if (!process_reap(&run->process, &end)) {
                kernel_watch(run->kernel, run->process.descriptor, SUBJECT_HELP_PROCESS, run->serial);
                return;
        }
        drain(run);
        SAY(run->kernel, "Plugin %s help exited with code %d.", run->id,
            end.signal ? 128 + end.signal : end.code);
        forget(run);
}

void help_ready(struct kernel *kernel, enum subject subject, uint64_t serial) {
        struct help_run *run = kernel->help_runs;

        while (run && run->serial != serial)
                run = run->next;
        if (run && subject == SUBJECT_HELP_PROCESS)
                reap(run);
        else if (run)
                show(run, subject, false);
}

void help_check(struct kernel *kernel, leat_deadline now) {
        for (struct help_run *run = kernel->help_runs; run; run = run->next) {
                if (run->deadline <= now) {
                        SAY(kernel, "Plugin %s help takes too long; it is killed.", run->id);
                        process_kill(&run->process);
                        run->deadline = LEAT_FOREVER;
                }
                kernel_wake_at(kernel, run->deadline);
        }
}

void help_stop(struct kernel *kernel) {
        while (kernel->help_runs) {
                struct help_run *run = kernel->help_runs;

                kernel_unwatch(kernel, SUBJECT_HELP_PROCESS, run->serial);
                kernel_unwatch(kernel, SUBJECT_HELP_OUTPUT, run->serial);
                kernel_unwatch(kernel, SUBJECT_HELP_ERRORS, run->serial);
                forget(run);
        }
}
