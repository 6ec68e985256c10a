/* The handles of one received message: open descriptors first, then, once each has proved to be what the
 * message says it is, endpoints and memory that the user may take. What nobody takes is closed with the
 * inbox. */
#ifndef LEAT_CHANNEL_INBOX_H
#define LEAT_CHANNEL_INBOX_H

#include <stdbool.h>
#include <stdint.h>

#include "handles.h"
#include "leat/type.h"
#include "mismatch.h"

struct inbox_slot {
        enum handle_kind kind;
        bool used; /* A field of the message refers to it. */
        union {
                int descriptor;
                struct leat_memory *memory;
                struct leat_sender *sender;
                struct leat_receiver *receiver;
        };
};

struct inbox {
        size_t count;
        struct inbox_slot slots[LEAT_MAX_HANDLES];
        struct mismatch mismatch; /* Of what came and the field that wanted it, after LEAT_TYPE_MISMATCH. */
};

/* Reads the table of the handles that `count` descriptors belong to, and takes the descriptors over, all of
 * them, whatever it returns: 0; LEAT_MALFORMED, LEAT_TYPE_MISMATCH (a sender of a held channel, as another
 * type), LEAT_TOO_LARGE (memory over *limit, from which its size is subtracted), -ENOMEM. The inbox must be
 * empty before. */
int inbox_fill(struct inbox *inbox, const uint8_t *table, size_t table_size, const int *fds, size_t count,
               size_t *limit);

/* The message is dropped: tells those who write into the lanes of the receivers in it that nobody reads there
 * any more. To close the descriptors, which stay the caller's, may take longer, see reaper.h. Never waits. */
void inbox_end_lanes(const uint8_t *table, size_t table_size, const int *fds, size_t count);

/* Lets a field of a message refer to handle `index`: writes the field at `field`, which stays as it is when
 * the handle was taken already. 0; LEAT_MALFORMED (no such handle, used before, of another kind),
 * LEAT_TYPE_MISMATCH, -ENOMEM. */
int inbox_refer(struct inbox *inbox, uint64_t index, const struct leat_field *wanted, void *field);

/* The same for what is wanted outside of a message: enum leat_kind, and an endpoint's type. */
int inbox_refer_as(struct inbox *inbox, uint64_t index, unsigned kind, const struct leat_type *type,
                   void *field);

/* Closes what was not taken. 0; -ENOBUFS as above. */
int inbox_empty(struct inbox *inbox);

#endif
