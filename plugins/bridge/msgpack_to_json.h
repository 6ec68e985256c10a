/* MessagePack to JSON, keeping every value or refusing it. */
#ifndef BRIDGE_MSGPACK_TO_JSON_H
#define BRIDGE_MSGPACK_TO_JSON_H

#include <stddef.h>

#include "blob.h"

/* Appends exactly one MessagePack value as JSON, on one line. What JSON has no form for is mapped or refused:
 *
 *     integer              as it is; over 2^63-1: REFUSAL_NUMBER_OUT_OF_RANGE
 *     float, double        15 to 17 digits, as few as read back the same; always with a point or an exponent;
 *                          infinite or not a number: REFUSAL_NUMBER_OUT_OF_RANGE
 *     string               REFUSAL_INVALID_UTF8 when it is none
 *     bin                  a string in base64 (RFC 4648, section 4)
 *     timestamp (ext -1)   a string, ISO 8601 in UTC with 0, 7 or 9 fractional digits
 *     other ext            REFUSAL_INVALID_MESSAGE
 *     map                  names must be strings without NUL: REFUSAL_INVALID_MESSAGE
 *     nesting              over 64: REFUSAL_TOO_DEEP
 *
 * REFUSAL_INVALID_MESSAGE also for bytes that are no single value; -ENOMEM. When it does not return 0, what
 * was appended so far stays: cut it off. */
int msgpack_to_json(const void *data, size_t size, struct blob *out);

/* Appends a JSON string with its quotes. REFUSAL_INVALID_UTF8, -ENOMEM. */
int json_put_string(struct blob *out, const char *text, size_t size);

#endif
