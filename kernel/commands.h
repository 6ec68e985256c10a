/* The console's commands, carried out. */
#ifndef LEAT_KERNEL_COMMANDS_H
#define LEAT_KERNEL_COMMANDS_H

#include "kernel.h"

/* Does what the line says, and answers on the kernel's output. */
void commands_run(struct kernel *kernel, const char *line);

#endif
