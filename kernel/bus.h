/* The bus: where a message goes. */
#ifndef LEAT_KERNEL_BUS_H
#define LEAT_KERNEL_BUS_H

#include "kernel.h"

/* Brings a letter on its way to a row, now or when its channel has room; it is shared, not given. A row
 * without a channel gets nothing. A row that leaves too many answers unread is marked to be cut. */
void bus_post(struct kernel *kernel, struct row *row, leat_encoded letter, enum letter_class class);

/* Sends what waits for the row, after the set said that there is room. */
void bus_flush(struct kernel *kernel, struct row *row);

/* Sends an Error of the kernel to the row. */
void bus_refuse(struct kernel *kernel, struct row *row, const char *code, const char *text,
                const char *correlation);

/* Does with a message from the row's channel what its type asks for. Heartbeats are logged here too. */
void bus_route(struct kernel *kernel, struct row *row, const kernel_message *message);

#endif
