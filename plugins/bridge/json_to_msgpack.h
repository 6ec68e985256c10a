/* JSON to MessagePack, keeping every value. */
#ifndef BRIDGE_JSON_TO_MSGPACK_H
#define BRIDGE_JSON_TO_MSGPACK_H

#include <jansson.h>

#include "blob.h"

/* Parses one line of JSON, which it may change in place. 0: *ret_value is the caller's to json_decref.
 * REFUSAL_INVALID_UTF8, REFUSAL_INVALID_JSON, REFUSAL_INVALID_MESSAGE (a NUL in a name); -ENOMEM.
 * REFUSAL_NUMBER_OUT_OF_RANGE and REFUSAL_TOO_DEEP set *ret_value too: what is left of it when what is beyond
 * the limits is replaced by 0, fit only for reading the message's id. */
int json_parse(char *text, size_t size, json_t **ret_value);

/* Appends a parsed value. A JSON number without fraction and exponent becomes an integer, any other a 64-bit
 * float; strings are MessagePack strings; names keep their order, and of a name that came twice the last
 * value. -ENOMEM. */
int json_to_msgpack(const json_t *value, struct blob *out);

#endif
