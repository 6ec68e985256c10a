/* What happens to a row: the table of states.c carried out. */
#ifndef LEAT_KERNEL_LIFE_H
#define LEAT_KERNEL_LIFE_H

#include "kernel.h"

/* Lets the table decide and does what it says. */
void life_event(struct kernel *kernel, struct row *row, enum event event);

/* A message of the row was read. */
void life_heard(struct kernel *kernel, struct row *row);

/* The row's process may have ended: reaps it, and takes in what it left behind. */
void life_process_ended(struct kernel *kernel, struct row *row);

/* Gives the row its channels: sends them with a welcome on `reply`. Returns 0; or what making or sending
 * them returned, and the row is as before. */
int life_connect(struct kernel *kernel, struct row *row, bool bridged, kernel_welcome_sender reply);

/* The row's channels have ended, or are to be closed. */
void life_disconnect(struct kernel *kernel, struct row *row);

/* Looks at the row's deadlines. */
void life_check(struct kernel *kernel, struct row *row, leat_deadline now);

/* The kernel itself stood still, until now, for about so long: the row's deadlines come later by that, and
 * it counts as heard now. */
void life_forgive(struct row *row, leat_deadline now, leat_deadline pause);

#endif
