/* A result says that two types differ; what differs is said by their texts. Of the other side's type only a fingerprint comes, but where
 * this process has used that type itself, its text is known here: types are often mixed up, and less often unheard of. Looking for it
 * costs a walk over all the types of a process, so it is done only where something has gone wrong already. */
#include "mismatch.h"

#include <errno.h>

#include "plan.h"

static void note(struct mismatch *mismatch, const char *ours, const struct plan *theirs) {
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

int mismatch_tell(const struct mismatch *mismatch, struct leat_schemas *ret_schemas) {
        if (!mismatch->happened)
                return -ENODATA;
        *ret_schemas = mismatch->schemas;
        return 0;
}
