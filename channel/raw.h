/* Raw bytes as messages, from the inside. */
#ifndef LEAT_CHANNEL_RAW_H
#define LEAT_CHANNEL_RAW_H

#include "leat/raw.h"
#include "sender.h"

/* The bytes that a raw message points to. 0; -EINVAL. */
int raw_read(const void *message, leat_raw *ret_raw);

/* Drops a loan that was made before this process was forked: its room is the parent's. */
bool raw_drop_inherited_loan(struct leat_sender *sender);

/* Whether room is on loan, so that nothing else can be sent. */
static inline bool raw_has_loan(struct leat_sender *sender) {
        return sender->loan.room && !raw_drop_inherited_loan(sender);
}

#endif
