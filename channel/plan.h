/* What the library derives from a type's table, once: its schema text, its fingerprint, and how it
 * travels. */
#ifndef LEAT_CHANNEL_PLAN_H
#define LEAT_CHANNEL_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "fingerprint.h"
#include "leat/type.h"

/* The encodings, as a packet names them. */
enum encoding { ENCODING_PLAIN = 1, ENCODING_MESSAGEPACK = 2, ENCODING_RAW = 3 };

struct plan {
        const struct leat_type *type;
        const struct plan *next; /* Of all that there are in this process. */
        char *schema;
        struct fingerprint fingerprint;
        uint32_t tag;           /* The fingerprint's first bytes; every message carries it. */
        size_t required_fields; /* Fields up to the last one that is not an optional. */
        bool carries_handles;   /* Some message of this type can have a handle in it. */
        bool base_is_plain;     /* The required fields have one fixed size. */
        bool plain;             /* They are all the fields: messages travel as their memory image. */
        bool image_is_memory;   /* Plain, and C lays it out like the image: no padding, nothing to check. */
        size_t plain_size;      /* Of the image of the required fields. */
        enum encoding encoding; /* How messages are sent. */
};

/* The plan of a type, made at the first call; it lives as long as the process. 0; -EPROTO (a table of another
 * version), -EINVAL (not a table, or an enum, which is no message), -ENOMEM. Thread-safe. */
int plan_get(const struct leat_type *type, const struct plan **ret_plan);

/* As what an end of a channel with this fingerprint is used where one of this type is wanted: *ret_plan is
 * NULL for leat_opaque, where any will do. As plan_get(), and LEAT_TYPE_MISMATCH. */
int plan_for_end(const struct leat_type *type, const struct fingerprint *fingerprint,
                 const struct plan **ret_plan);

/* Of a type that was used in this process: with just this fingerprint; with this tag, and of several the one
 * with the fewest optional fields at its end, for a tag says nothing of these. NULL: there is none.
 * Thread-safe; a walk over all plans. */
const struct plan *plan_find(const struct fingerprint *fingerprint);
const struct plan *plan_find_tag(uint32_t tag);

#endif
