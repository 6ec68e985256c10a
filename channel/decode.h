/* A message from bytes that anybody may have written to its C struct. */
#ifndef LEAT_CHANNEL_DECODE_H
#define LEAT_CHANNEL_DECODE_H

#include <stdbool.h>

#include "arena.h"
#include "inbox.h"
#include "plan.h"

/* Decodes a body in place: strings and bytes of the message point into `body`, which is changed where strings
 * stand (each moves over its own header, to make room for its final zero). Arrays come from `arena`. `inbox`
 * may be NULL. 0; LEAT_MALFORMED, LEAT_TYPE_MISMATCH, LEAT_TOO_LARGE, -ENOMEM. */
int decode_message(const struct plan *plan, enum encoding encoding, uint8_t *body, size_t size,
                   struct arena *arena, struct inbox *inbox, void *ret_message);

/* Whether the bytes are exactly one well-formed MessagePack value, nested no deeper than
 * DECODE_MAX_NESTING. */
#define DECODE_MAX_NESTING 128
bool decode_is_value(const void *data, size_t size);

#endif
