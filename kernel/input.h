/* Standard input, as the kernel's console. */
#ifndef LEAT_KERNEL_INPUT_H
#define LEAT_KERNEL_INPUT_H

#include <stdbool.h>

#include "leat/deadline.h"
#include "output.h"

struct kernel;

struct input {
        bool is_file;           /* Always ready, and not to be waited for. */
        leat_deadline again_at; /* A terminal that belongs to somebody else now; 0: it does not. */
        struct output lines;
};

/* Begins to listen. */
void input_start(struct kernel *kernel);

/* Standard input is ready: runs the commands in it. At its end the kernel goes on without a console. */
void input_read(struct kernel *kernel);

/* Looks whether the terminal is ours again. */
void input_check(struct kernel *kernel, leat_deadline now);

#endif
