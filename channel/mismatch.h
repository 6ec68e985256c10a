/* The two types of which one was wanted and the other came, for a person to read. */
#ifndef LEAT_CHANNEL_MISMATCH_H
#define LEAT_CHANNEL_MISMATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fingerprint.h"
#include "leat/type.h"

/* The last one that somebody met; all zero: none yet. */
struct mismatch {
        bool happened;
        struct leat_schemas schemas;
        char *told; /* The text in `schemas` that the other side told; NULL: it did not. */
};

/* `ours` is a text that lives as long as the process, or NULL. Neither waits nor fails: what is not known
 * stays NULL. */
void mismatch_note(struct mismatch *mismatch, const char *ours, const struct fingerprint *theirs);

/* As mismatch_note(), and if nobody here knows theirs, it is what the other side says of it: shown to a
 * person, it must not do more than to lie; so all but printable ASCII and line feeds is written as \xHH. */
void mismatch_note_told(struct mismatch *mismatch, const char *ours, const struct fingerprint *theirs,
                        const uint8_t *text, size_t size);

/* When no more than a message's tag is known of theirs. */
void mismatch_note_tag(struct mismatch *mismatch, const char *ours, uint32_t theirs);

/* One that was met elsewhere, where nothing is ever told. */
void mismatch_copy(struct mismatch *mismatch, const struct mismatch *met);

/* It is as if there had been none. */
void mismatch_forget(struct mismatch *mismatch);

/* The text of a type that this process has used; otherwise NULL. */
const char *mismatch_text(const struct fingerprint *fingerprint);

/* 0; -ENODATA. */
int mismatch_tell(const struct mismatch *mismatch, struct leat_schemas *ret_schemas);

#endif
