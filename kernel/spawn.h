/* Starting a row's program. */
#ifndef LEAT_KERNEL_SPAWN_H
#define LEAT_KERNEL_SPAWN_H

#include "kernel.h"

/* Starts the row's process, with a server that only it may join, and watches both. Returns 0; -ENOENT: it
 * can never start like that, for there is no program or no working directory; another errno. What went
 * wrong has been said. */
int spawn(struct kernel *kernel, struct row *row);

/* The words to run and the working directory of a configured plugin. Results as above; clear and free
 * them. */
int spawn_find(struct kernel *kernel, const struct plugin_configuration *plugin, struct words *ret_words,
               char **ret_working_directory);

/* Shows what the row's process has printed so far, as output_read() does; with `last` the end is then
 * closed. */
int spawn_show(struct kernel *kernel, struct row *row, enum subject subject, bool last);

/* After its end: shows all that it has printed, and closes its outputs. */
void spawn_drain(struct kernel *kernel, struct row *row);

#endif
