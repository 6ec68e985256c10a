/* The kernel's standard output: lines go in without ever waiting, a thread writes them out. */
#ifndef LEAT_KERNEL_TERMINAL_H
#define LEAT_KERNEL_TERMINAL_H

#include <stddef.h>
#include <stdint.h>

#include "leat/deadline.h"

struct terminal;

/* `descriptor` stays the caller's; `capacity` bytes of lines may wait. When the descriptor is a terminal,
 * control characters are escaped. Returns 0, -ENOMEM, -EAGAIN. One thread at a time uses it. */
int terminal_open(int descriptor, size_t capacity, struct terminal **ret_terminal);

/* Queues a line: prefix, text, and a newline. When there is no room the line is dropped and counted; the
 * count is told in a line of its own as soon as there is room. */
void terminal_line(struct terminal *terminal, const char *prefix, const char *text, size_t size);

/* The same for one formatted line of at most about 4 KiB; what is longer is cut. */
void terminal_say(struct terminal *terminal, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* How many lines were dropped so far. */
uint64_t terminal_dropped(struct terminal *terminal);

/* Waits until what was queued is written, but no longer than the deadline; then ends the thread and frees
 * everything. */
struct terminal *terminal_close(struct terminal *terminal, leat_deadline deadline);

#endif
