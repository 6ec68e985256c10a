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

        const struct leat_type *own; /* Where it stands in itself its count may be another. */
        size_t n_told;               /* Counts that the type tells: all but those of arrays. */
        size_t wrong;                /* Which of them is one more or less, from 1; 0: none. */
        bool one_less;
        bool with_items; /* So are the items behind it; otherwise those are as many as ever. */
};

/* To be released by reference_free(). */
void reference_encode(const struct leat_type *type, const void *message, struct reference *ret_reference);

/* In any of the forms that MessagePack has, and with fields behind those of the type, as a newer one may
 * have: what every reader must take. Of a plain type too. */
void reference_encode_loosely(const struct leat_type *type, const void *message, struct dice *dice,
                              struct reference *ret_reference);

/* A good MessagePack body but for one count that the type tells, which no reader may take. False: it has no
 * such count. */
bool reference_encode_miscounted(const struct leat_type *type, const void *message, struct dice *dice,
                                 struct reference *ret_reference);
void reference_free(struct reference *reference);

#endif
