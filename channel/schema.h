/* The canonical text of a type, for people and for the fingerprint. */
#ifndef LEAT_CHANNEL_SCHEMA_H
#define LEAT_CHANNEL_SCHEMA_H

#include <stdbool.h>

#include "buffer.h"
#include "leat/type.h"

/* How many fields of a type come before its trailing optional ones. */
size_t schema_required_fields(const struct leat_type *type);

/* Appends the definition of `type` with its first `n_fields` fields, then those of all types that stand in
 * these by value. Endpoints are named, not followed: an endpoint's own fingerprint travels with it. 0;
 * -ENOMEM. */
int schema_write(struct buffer *text, const struct leat_type *type, size_t n_fields);

/* Appends one field and the definitions of all types that stand in it. Should `type` itself be among these,
 * it ends with this field, as it did before others were appended behind it. */
int schema_write_field(struct buffer *text, const struct leat_type *type, size_t index);

/* Whether a handle can be anywhere in a message of this type. 0 or 1; -ENOMEM. */
int schema_carries_handles(const struct leat_type *type);

#endif
