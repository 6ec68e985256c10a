/* Acknowledgements: an event whose publisher wants to hear when every durable subscriber has done its
 * work. */
#ifndef LEAT_KERNEL_RECEIPTS_H
#define LEAT_KERNEL_RECEIPTS_H

#include "kernel.h"

/* Notes that `publisher` waits for an answer to its event `message_id`, of the name `name` (a constant). It
 * holds itself open until receipts_close(). NULL when out of memory. */
struct receipt *receipts_open(struct kernel *kernel, const struct row *publisher, const char *message_id,
                              const char *name, leat_encoded event);

/* Adds the event to what the durable row owes. Returns 0; LEAT_FULL: it owes too much already (the
 * publisher is told); -ENOMEM (likewise). */
int receipts_owe(struct kernel *kernel, struct receipt *receipt, struct row *row);

/* The event has been handed to all; the answer goes out as soon as nobody owes it any more, maybe now. */
void receipts_close(struct kernel *kernel, struct receipt *receipt);

/* A durable row has answered a message. Returns whether that was an event it owed; `letter` (already made
 * from the answer) goes to the publisher when it is an error. */
bool receipts_answer(struct kernel *kernel, struct row *row, const char *message_id, bool error,
                     leat_encoded letter);

/* The row will never answer what it owes. */
void receipts_give_up(struct kernel *kernel, struct row *row, const char *code, const char *why);

/* The row turns out not to owe anything: the others' answers are enough. */
void receipts_forgive(struct kernel *kernel, struct row *row);

/* Posts all that the row owes, once more, after it has come; what it does not want (any more) it does not
 * owe. */
void receipts_post_again(struct kernel *kernel, struct row *row);

/* The kernel stood still for so long: nobody could answer. */
void receipts_extend(struct kernel *kernel, leat_deadline pause);

/* Tells those whose time is over. */
void receipts_expire(struct kernel *kernel, leat_deadline now);

#endif
