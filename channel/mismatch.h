/* The two types of which one was wanted and the other came, for a person to read. */
#ifndef LEAT_CHANNEL_MISMATCH_H
#define LEAT_CHANNEL_MISMATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "fingerprint.h"
#include "leat/type.h"

/* The last one that somebody met; all zero: none yet. */
struct mismatch {
        bool happened;
        struct leat_schemas schemas;
};

/* `ours` is a text that lives as long as the process, or NULL. Neither waits nor fails: what is not known stays NULL. */
void mismatch_note(struct mismatch *mismatch, const char *ours, const struct fingerprint *theirs);

/* When no more than a message's tag is known of theirs. */
void mismatch_note_tag(struct mismatch *mismatch, const char *ours, uint32_t theirs);

/* The text of a type that this process has used; otherwise NULL. */
const char *mismatch_text(const struct fingerprint *fingerprint);

/* 0; -ENODATA. */
int mismatch_tell(const struct mismatch *mismatch, struct leat_schemas *ret_schemas);

#endif
