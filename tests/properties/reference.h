/* What a message is on the wire, by channel/WIRE.md and not by the library: its encoding and its body. */
#ifndef TESTS_PROPERTIES_REFERENCE_H
#define TESTS_PROPERTIES_REFERENCE_H

#include <leat/leat.h>

struct reference {
        unsigned encoding; /* 1 plain, 2 MessagePack, 3 raw */
        unsigned char *body;
        size_t size;
        size_t capacity;
        size_t n_handles;
};

/* To be released by reference_free(). */
void reference_encode(const struct leat_type *type, const void *message, struct reference *ret_reference);
void reference_free(struct reference *reference);

#endif
