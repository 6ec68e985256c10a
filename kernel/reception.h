/* Who comes in, and what they say. */
#ifndef LEAT_KERNEL_RECEPTION_H
#define LEAT_KERNEL_RECEPTION_H

#include "kernel.h"

/* Somebody stands before the row's one-shot server. */
void reception_accept(struct kernel *kernel, struct row *row);

/* Reads some of what the row has sent; at its end, disconnects it. */
void reception_read(struct kernel *kernel, struct row *row);

/* Reads all that a row whose process is gone has left; the channel is not closed here. */
void reception_drain(struct kernel *kernel, struct row *row);

#endif
