/* Random types: tables as LEAT_MESSAGE and its like write them, made at run time, with offsets and sizes as a
 * C compiler lays such structs out. A table is found by a function without arguments, of which a program has
 * so many: types_left() says how many more can be made. Like all types they stay until the process ends. */
#ifndef TESTS_PROPERTIES_TYPES_H
#define TESTS_PROPERTIES_TYPES_H

#include <leat/leat.h>

#include "dice.h"

/* What a family of types may have in it. */
struct types_wish {
        bool plain;   /* Nothing but what has a fixed size. */
        bool handles; /* Ends, descriptors, memory. */
        size_t most_fields;
        size_t most_types;
};

/* The most types that one call below makes. */
#define TYPES_OF_ONE 64

size_t types_left(void);

/* A message or variant, or leat_raw. */
const struct leat_type *types_random(struct dice *dice, const struct types_wish *wish);

/* The same type once more, in tables of its own: its first `n_fields`, and behind them so many random
 * optionals. */
const struct leat_type *types_twin(struct dice *dice, const struct leat_type *type, size_t n_fields,
                                   size_t n_appended);

/* The same but for one thing, in whatever table of the family that is. */
const struct leat_type *types_changed(struct dice *dice, const struct leat_type *type);

/* How many fields a message must have, whoever wrote it. */
size_t types_required(const struct leat_type *type);

/* Lays out the fields of a table as C does; returns the struct's size. */
size_t types_lay_out(const struct leat_type *type, struct leat_field *fields, size_t *ret_alignment);

#endif
