/* `help ID`: the plugin's program tells about itself, in a process that is no plugin. */
#ifndef LEAT_KERNEL_HELP_H
#define LEAT_KERNEL_HELP_H

#include "kernel.h"

/* Runs the plugin's program with the words, or with --help when there are none. */
void help_start(struct kernel *kernel, const struct plugin_configuration *plugin, char *const *words,
                size_t n_words);

/* One of SUBJECT_HELP_… of a run is ready. */
void help_ready(struct kernel *kernel, enum subject subject, uint64_t serial);

/* Kills the runs whose time is over. */
void help_check(struct kernel *kernel, leat_deadline now);

/* Kills and forgets them all. */
void help_stop(struct kernel *kernel);

#endif
