/* A result says that two types differ; what differs is said by their texts. Of the other side's type only a
 * fingerprint comes, but where this process has used that type itself, its text is known here: types are
 * often mixed up, and less often unheard of. Looking for it costs a walk over all the types of a process, so
 * it is done only where something has gone wrong already.
 *
 * A server's client is mostly of another program, so it tells its text as well. It may lie, or send what
 * turns a terminal upside down. */
#include "mismatch.h"

#include <errno.h>
#include <stdlib.h>

#include "plan.h"

static void note(struct mismatch *mismatch, const char *ours, const struct plan *theirs) {
        mismatch_forget(mismatch);
        *mismatch =
                (struct mismatch){ .happened = true,
                                   .schemas = { .ours = ours, .theirs = theirs ? theirs->schema : NULL } };
}

void mismatch_note(struct mismatch *mismatch, const char *ours, const struct fingerprint *theirs) {
        note(mismatch, ours, plan_find(theirs));
}

const char *mismatch_text(const struct fingerprint *fingerprint) {
        const struct plan *plan = plan_find(fingerprint);

        return plan ? plan->schema : NULL;
}

void mismatch_note_tag(struct mismatch *mismatch, const char *ours, uint32_t theirs) {
        note(mismatch, ours, plan_find_tag(theirs));
}

static bool is_harmless(uint8_t byte) {
        return byte == '\n' || (byte >= ' ' && byte <= '~');
}

static char *make_printable(const uint8_t *text, size_t size) {
        static const char digits[] = "0123456789ABCDEF";
        char *printable = malloc(4 * size + 1), *to = printable;

        if (!printable)
                return NULL;
        for (size_t i = 0; i < size; i++) {
                if (is_harmless(text[i])) {
                        *to++ = (char) text[i];
                        continue;
                }
                *to++ = '\\';
                *to++ = 'x';
                *to++ = digits[text[i] >> 4];
                *to++ = digits[text[i] & 15];
        }
        *to = '\0';
        return printable;
}

void mismatch_note_told(struct mismatch *mismatch, const char *ours, const struct fingerprint *theirs,
                        const uint8_t *text, size_t size) {
        mismatch_note(mismatch, ours, theirs);
        if (!mismatch->schemas.theirs && size > 0)
                mismatch->schemas.theirs = mismatch->told = make_printable(text, size);
}

void mismatch_copy(struct mismatch *mismatch, const struct mismatch *met) {
        mismatch_forget(mismatch);
        *mismatch = *met;
}

void mismatch_forget(struct mismatch *mismatch) {
        free(mismatch->told);
        *mismatch = (struct mismatch){ .happened = false };
}

int mismatch_tell(const struct mismatch *mismatch, struct leat_schemas *ret_schemas) {
        if (!mismatch->happened)
                return -ENODATA;
        *ret_schemas = mismatch->schemas;
        return 0;
}
