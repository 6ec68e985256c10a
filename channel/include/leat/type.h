/* The tables that LEAT_MESSAGE, LEAT_VARIANT and LEAT_ENUM write: what a program compiles in, and what the
 * library reads to encode, decode, compare and describe. Users have no need to write one by hand. */
#ifndef LEAT_TYPE_H
#define LEAT_TYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "leat/error.h"
#include "leat/version.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes as a field: borrowed when sent, and when received until the message expires. */
typedef struct leat_bytes {
        const void *data;
        size_t size;
} leat_bytes;

/* One MessagePack value as a field, as it stands on the wire. Empty (size 0) sends nil; arrives never empty.
 * What is not exactly one well-formed value is refused by the send with -EINVAL. */
typedef struct leat_any {
        const void *data;
        size_t size;
} leat_any;

/* The alternative of a variant that carries nothing. */
typedef struct leat_unit {
        char unused;
} leat_unit;

/* The deepest nesting of messages and variants in one another that is sent or received. */
#define LEAT_MAX_NESTING 32

/* The most handles (senders, receivers, descriptors, shared memory) in one message; a receiver with lanes
 * counts as several, see leat_sender_send. Linux passes at most 253 descriptors at once (SCM_MAX_FD, see
 * unix(7)); the engine keeps some for itself. */
#define LEAT_MAX_HANDLES 240

/* The version of these tables; the library refuses a table of another version with -EPROTO, see
 * leat_type_versions. */
#define LEAT_TABLE_VERSION 1

enum leat_kind {
        LEAT_KIND_i8 = 1,
        LEAT_KIND_i16,
        LEAT_KIND_i32,
        LEAT_KIND_i64,
        LEAT_KIND_u8,
        LEAT_KIND_u16,
        LEAT_KIND_u32,
        LEAT_KIND_u64,
        LEAT_KIND_f32,
        LEAT_KIND_f64,
        LEAT_KIND_boolean,
        LEAT_KIND_string,
        LEAT_KIND_bytes,
        LEAT_KIND_any,
        LEAT_KIND_unit,
        LEAT_KIND_user, /* A message, a variant or an enum: see the field's type. */
        LEAT_KIND_descriptor,
        LEAT_KIND_shared_memory,
        LEAT_KIND_sender,
        LEAT_KIND_receiver
};

enum leat_shape {
        LEAT_SHAPE_one = 1,
        LEAT_SHAPE_optional,    /* struct { bool present; T value; } */
        LEAT_SHAPE_array,       /* struct { T *items; size_t count; } */
        LEAT_SHAPE_fixed_array  /* T name[count] */
};

enum leat_type_kind {
        LEAT_TYPE_message = 1,
        LEAT_TYPE_variant,
        LEAT_TYPE_enum,
        LEAT_TYPE_raw,   /* leat_raw alone: bytes that travel as they are. In another message it is one of
                          * bytes. */
        LEAT_TYPE_opaque /* leat_opaque alone: no message; where an end is declared, it is one of any type. */
};

struct leat_type;

struct leat_field {
        const char *name;
        uint16_t kind;  /* enum leat_kind */
        uint16_t shape; /* enum leat_shape */
        uint32_t count; /* Of a fixed array; otherwise 1. */
        size_t offset;  /* Of the field in its struct. */
        size_t value_offset; /* Of an optional's value in its struct; otherwise as offset. */
        size_t size;    /* Of one element, as C lays it out. */
        const struct leat_type *(*type)(void); /* Of a user's kind and of an endpoint; otherwise NULL. */
};

struct leat_type {
        uint32_t table_version; /* LEAT_TABLE_VERSION */
        uint32_t kind;          /* enum leat_type_kind */
        const char *name;
        size_t size; /* As C lays it out. A variant's tag is the 4 bytes at its start. */
        const struct leat_field *fields; /* Fields, alternatives, or an enum's names (only the name is
                                          * set). */
        size_t field_count;
        void **plan; /* Where the library keeps what it derived from this table; starts as NULL. */
};

/* The canonical text of a type: what the fingerprint is made from, readable by a person. A constant, owned by
 * the library. NULL when the table is invalid or memory ran out. */
LEAT_PUBLIC const char *leat_type_schema(const struct leat_type *type);

/* Two types that did not match, as leat_type_schema says them. */
struct leat_schemas {
        const char *ours;   /* Of what was wanted; NULL: that of an opaque end, and likewise. */
        const char *theirs; /* Of what came; NULL: this process has never used that type, nor was told its
                             * text. */
};

/* The version of the tables that this library reads, and that of this table, valid or not. -EINVAL: NULL. */
LEAT_PUBLIC int leat_type_versions(const struct leat_type *type, struct leat_versions *ret_versions);

/* Whether messages of one type can be read as the other: they are equal, or differ only in optional fields
 * that one of them has appended at its end. */
LEAT_PUBLIC bool leat_type_compatible(const struct leat_type *a, const struct leat_type *b);

#ifdef __cplusplus
}
#endif

#endif
