/* A descriptor as a field of a message.
 *
 * All zero is "none", so that a field that was not set can never be mistaken for descriptor 0. */
#ifndef LEAT_DESCRIPTOR_H
#define LEAT_DESCRIPTOR_H

#include <stdbool.h>

#include "leat/error.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct leat_descriptor {
        int number_plus_one; /* Use leat_descriptor_number(). */
        bool given;
        int *home; /* Where the number is kept by its owner: the giver's variable, or the receiver's inbox. */
} leat_descriptor;

/* Lends a descriptor to a message: the receiver gets a duplicate, `number` stays open and yours. A negative
 * number makes an empty field. */
LEAT_PUBLIC leat_descriptor leat_descriptor_lend(int number);

/* Gives a descriptor with a message: once the send has succeeded it is closed here and *number becomes -1;
 * after a failed send it is yours as before. `number` must stay valid until the send returns. */
LEAT_PUBLIC leat_descriptor leat_descriptor_give(int *number);

/* The number to use with system calls, or -1 when the field is empty. Borrowed: it is closed when the message
 * that it came with expires: memory at once, and so a Unix-domain SOCK_SEQPACKET socket in which nothing
 * waits; all else by a thread of the library, leat-reaper, shortly after. So a process near its limit of
 * descriptors can lose the next message (LEAT_NO_DESCRIPTORS) though the last was released; who takes and
 * closes them has them back at once. */
LEAT_PUBLIC int leat_descriptor_number(leat_descriptor descriptor);

/* Takes the descriptor out of a received message: returns its number (close-on-exec), which is now yours to
 * close, and empties the field. -1 when the field is empty.
 *
 * A descriptor from a peer that you do not trust may be anything: reading, fstat(2) and even close(2) can
 * wait without end, for example on a FUSE file whose server does not answer. What you leave in the message is
 * closed by a thread of the library that may wait; what you take is your risk. */
LEAT_PUBLIC int leat_descriptor_take(leat_descriptor *descriptor);

#ifdef __cplusplus
}
#endif

#endif
