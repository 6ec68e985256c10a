/* Payloads: one MessagePack value in a leat_any, with a map of names and values at its root where it is
 * one of the protocol's own. This is enough to read and write such maps without knowing MessagePack;
 * deeper values are read with any MessagePack library.
 *
 * Part of libleat-plugin. Reading never allocates, whatever the bytes claim, and never reads past them. */
#ifndef LEAT_PAYLOAD_H
#define LEAT_PAYLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "leat/leat.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes of text with a length of their own, since a string of the protocol may contain NUL. Borrowed,
 * never NUL terminated by promise; UTF-8 where it came from a well-behaved sender, which no reader may
 * rely on. */
typedef struct leat_text {
        const char *data; /* May be NULL when size is 0. */
        size_t size;
} leat_text;

/* The leat_text of a C string; NULL gives the empty text. */
LEAT_PUBLIC leat_text leat_text_of(const char *string);

/* Whether both have the same bytes. */
LEAT_PUBLIC bool leat_text_equal(leat_text text, const char *string);

typedef enum leat_value_kind {
        LEAT_VALUE_MISSING = 0, /* The map has no such name. */
        LEAT_VALUE_NIL,
        LEAT_VALUE_BOOLEAN,
        LEAT_VALUE_INTEGER, /* From -2^63 to 2^63-1; what is larger is LEAT_VALUE_OTHER. */
        LEAT_VALUE_REAL,
        LEAT_VALUE_TEXT,
        LEAT_VALUE_OTHER /* An array, a map, bytes, an extension, an integer beyond the range. */
} leat_value_kind;

typedef struct leat_value {
        leat_value_kind kind;
        bool boolean;
        int64_t integer;
        double real;
        leat_text text; /* Points into the payload. */
} leat_value;

/* Deeper payloads are LEAT_MALFORMED. */
#define LEAT_PAYLOAD_DEPTH 72

/* Looks `count` names up in the map at the payload's root, in one pass: values[i] belongs to names[i]. A
 * name that stands twice has its last value. At most 64 names a call. Returns 0, also when names are
 * missing; LEAT_MALFORMED when the payload is no map, is torn, has bytes behind it or nests deeper than
 * LEAT_PAYLOAD_DEPTH (all values are then LEAT_VALUE_MISSING); -EINVAL for over 64 names. */
LEAT_PUBLIC int leat_payload_read(leat_any payload, const char *const names[], size_t count,
                                  leat_value ret_values[]);

/* The same for one name. */
LEAT_PUBLIC int leat_payload_find(leat_any payload, const char *name, leat_value *ret_value);

/* Writing: a map of `count` members in the order given. Yours to free with leat_payload_free(). Only NIL,
 * BOOLEAN, INTEGER, REAL and TEXT can be written. Returns 0; -EINVAL for another kind, -ENOMEM. */
typedef struct leat_member {
        const char *name;
        leat_value value;
} leat_member;

LEAT_PUBLIC int leat_payload_write(const leat_member members[], size_t count, leat_any *ret_payload);

/* Frees what leat_payload_write() and leat_event_write_…() made, and zeroes it. Zero is fine. */
LEAT_PUBLIC void leat_payload_free(leat_any *payload);

/* Values for leat_payload_write(). */
LEAT_PUBLIC leat_value leat_value_boolean(bool boolean);
LEAT_PUBLIC leat_value leat_value_integer(int64_t integer);
LEAT_PUBLIC leat_value leat_value_real(double real);
LEAT_PUBLIC leat_value leat_value_text(leat_text text);
LEAT_PUBLIC leat_value leat_value_string(const char *string);

/* The protocol's own payloads; results as for leat_payload_write(). */

/* {"OK":true,"Received":received}: the answer to a handshake or to an acknowledged event. */
LEAT_PUBLIC int leat_payload_ok(const char *received, leat_any *ret_payload);

/* {"Code":code,"Message":text}: the payload of an Error. */
LEAT_PUBLIC int leat_payload_error(const char *code, const char *text, leat_any *ret_payload);

#ifdef __cplusplus
}
#endif

#endif
