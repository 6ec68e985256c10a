/* The kernel's one thread. */
#ifndef LEAT_KERNEL_SUPERVISOR_H
#define LEAT_KERNEL_SUPERVISOR_H

#include "kernel.h"

/* Starts the configured plugins and supervises them until the kernel is told to stop; returns the
 * program's exit code. SIGTERM, SIGINT and SIGHUP must be blocked. `console`: read commands from standard
 * input. */
int supervisor_run(const struct configuration *configuration, const struct places *places,
                   struct terminal *terminal, bool console);

/* The bridge tells where it listens. */
void supervisor_listening(struct kernel *kernel, const char *host, uint16_t port);

/* Ends the plugins, then the bridge, then the kernel. When that is under way already: kills them. */
void supervisor_stop(struct kernel *kernel);

#endif
