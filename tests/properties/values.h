/* Random messages of any type, with everything that they point to and every end and descriptor in them; and
 * whether what arrived is the same. Written apart from the library: it walks over the tables in its own way.
 * Struct padding, what an optional that is not there would hold, and what a smaller alternative of a variant
 * leaves, are filled with a byte of the caller's choice. */
#ifndef TESTS_PROPERTIES_VALUES_H
#define TESTS_PROPERTIES_VALUES_H

#include <leat/leat.h>

#include "dice.h"

#define VALUE_HANDLES 64

/* One handle that was put into a message: what it is, and the channel's other end, which stays here. */
struct value_handle {
        const void *field;            /* In the message. */
        const struct leat_field *row; /* What it is there. */
        const struct leat_type *type; /* Of an end: its channel's. */
        bool ordered;                 /* Which is that. */
        uint64_t inode;
        int fd;
        leat_shared_memory memory;
        struct leat_sender *sender;
        struct leat_receiver *receiver;
};

struct value {
        const struct leat_type *type;
        unsigned char *message;
        size_t depth; /* Messages and variants in one another. */
        size_t bytes; /* Of all that it points to, and its own. */

        bool deep; /* Nested as far as it goes. */
        uint8_t filler;
        size_t room; /* Bytes that may still be pointed to. */
        struct dice dice;
        struct piece *pieces;
        struct value_handle handles[VALUE_HANDLES];
        size_t n_handles;
        size_t most_handles;
        bool on_sockets, quiet;
};

/* What a value may be like. */
struct value_wish {
        uint8_t filler;
        size_t room;
        size_t most_handles;
        bool on_sockets; /* Ends have no lanes. */
        bool quiet;
};

/* The same dice make the same value, but for its handles, which are made anew. */
void value_random(struct value *value, const struct leat_type *type, struct dice dice,
                  const struct value_wish *wish);
void value_free(struct value *value);

/* Whether this is what arrives of it at a reader with that type: its own, or one with other optionals at its
 * end. Prints where it is not. */
bool value_arrived(const struct value *value, const struct leat_type *type, const void *message);

/* Whether each byte that a decoded message points to can be read and is where it may be, and each of its
 * booleans, enums, tags and `any`s is one. *ret_items: bytes of its arrays. */
bool value_is_valid(const struct leat_type *type, const void *message, const void *body, size_t body_size,
                    size_t *ret_items);

/* Whether two messages say the same; handles count as equal. */
bool value_equal(const struct leat_type *type, const void *a, const void *b);

#endif
