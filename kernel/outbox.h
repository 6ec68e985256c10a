/* What waits in the kernel for one plugin that does not read as fast as others write. */
#ifndef LEAT_KERNEL_OUTBOX_H
#define LEAT_KERNEL_OUTBOX_H

#include <stdbool.h>

#include "leat/protocol.h"

enum letter_class {
        LETTER_EVENT,  /* May be dropped when too many wait; it is then counted, and the count is told. */
        LETTER_ANSWER, /* Never dropped: a response, an error, a request. */
        LETTER_DUTY,   /* Never dropped, and bounded elsewhere: an event that is to be acknowledged. */
        LETTER_CLASSES,
};

struct waiting_letter {
        leat_encoded letter;
        enum letter_class class;
};

struct outbox {
        struct waiting_letter *ring; /* Of a power of two places. */
        size_t places, head, count;
        size_t bytes[LETTER_CLASSES];
        size_t limit;  /* For events, and for answers. */
        uint64_t lost; /* Events dropped, and not told yet. */
        uint64_t lost_in_all;
};

/* What a letter counts against the limit. */
size_t outbox_cost(leat_encoded letter);

/* Sends the letter if nothing waits before it and the channel has room; queues it otherwise (it is shared,
 * not given). 0: sent, queued, or an event dropped and counted. LEAT_DISCONNECTED: the plugin does not
 * listen any more. LEAT_TOO_LARGE: the answers that wait are over the limit, and this one is not among
 * them. -ENOMEM and other errnos: an answer could not be sent or kept. */
int outbox_post(struct outbox *outbox, to_plugin_sender to, leat_encoded letter, enum letter_class class);

/* Sends what waits, as far as there is room. 0: nothing waits any more. LEAT_FULL: more waits.
 * LEAT_DISCONNECTED. Another error: an answer could not be sent at all and was dropped; call again. */
int outbox_flush(struct outbox *outbox, to_plugin_sender to);

/* Counts an event that was dropped elsewhere; it is told with the next letter, or by outbox_flush(). */
void outbox_lose(struct outbox *outbox);

/* Forgets what waits. */
void outbox_clear(struct outbox *outbox);

#endif
