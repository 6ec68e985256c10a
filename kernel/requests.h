/* Requests that wait for the answer of the one plugin that they were sent to. */
#ifndef LEAT_KERNEL_REQUESTS_H
#define LEAT_KERNEL_REQUESTS_H

#include "kernel.h"

/* Notes that `asker` waits for the answer of `target` to its request `message_id`. Returns 0; LEAT_FULL: too
 * many wait for that target, or it waits for too many; -ENOMEM. */
int requests_add(struct kernel *kernel, struct row *asker, struct row *target, const char *message_id);

/* The row has answered a message. Returns whether that was a request to it, and who asked is still here:
 * then `letter` (made from the answer) has gone there. */
bool requests_answer(struct kernel *kernel, struct row *row, const char *message_id, leat_encoded letter);

/* The channels of the row, which still has its session, end: who asked it hears so, and it hears nothing. */
void requests_end(struct kernel *kernel, struct row *row);

/* The kernel stood still for so long: nobody could answer. */
void requests_extend(struct kernel *kernel, leat_deadline pause);

/* Tells those whose time is over. */
void requests_expire(struct kernel *kernel, leat_deadline now);

#endif
