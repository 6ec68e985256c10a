/* What a message is on the wire, by channel/WIRE.md and not by the library: its encoding and its body. */
#ifndef TESTS_PROPERTIES_REFERENCE_H
#define TESTS_PROPERTIES_REFERENCE_H

#include <leat/leat.h>

#include "dice.h"

struct reference {
        unsigned encoding; /* 1 plain, 2 MessagePack, 3 raw */
        unsigned char *body;
        size_t size;
        size_t capacity;
        size_t n_handles;
        struct dice *loose; /* In forms that are longer than need be; NULL: the shortest. */
};

/* To be released by reference_free(). */
void reference_encode(const struct leat_type *type, const void *message, struct reference *ret_reference);

/* In any of the forms that MessagePack has, and with fields behind those of the type, as a newer one may have: what every reader must take.
 * Of a plain type too. */
void reference_encode_loosely(const struct leat_type *type, const void *message, struct dice *dice,
                              struct reference *ret_reference);
void reference_free(struct reference *reference);

#endif
