/* The plain encoding: messages of fixed-size fields travel as a memory image with one layout everywhere.
 * Numbers are little-endian, each field is aligned to its size, enums and tags have 4 bytes, padding is
 * zero. */
#ifndef LEAT_CHANNEL_PLAIN_H
#define LEAT_CHANNEL_PLAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "leat/type.h"

struct plain_layout {
        size_t size;
        size_t alignment;
        bool is_memory; /* C has the same layout, there is no padding, and every bit pattern is valid. */
};

/* The image of the first `n_fields` fields. False: not all have a fixed size. */
bool plain_layout(const struct leat_type *type, size_t n_fields, struct plain_layout *ret_layout);

/* Writes the image of the first `n_fields` fields to zeroed memory. 0; -EINVAL for an enum or a tag out of
 * range. */
int plain_encode(const struct leat_type *type, size_t n_fields, const void *message, uint8_t *image);

/* Reads an image, whose bytes may be anything, into a zeroed message. 0; LEAT_MALFORMED. */
int plain_decode(const struct leat_type *type, size_t n_fields, const uint8_t *image, void *message);

#endif
