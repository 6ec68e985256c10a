/* The limits on JSON that this bridge takes: numbers and nesting. */
#ifndef BRIDGE_JSON_LIMITS_H
#define BRIDGE_JSON_LIMITS_H

#include <stddef.h>

/* How deep a value, such as a Payload, may nest: [[1]] nests 2 deep. */
#define JSON_NESTING_LIMIT 64

/* Looks through a line that claims to be one JSON object. 0; REFUSAL_NUMBER_OUT_OF_RANGE or REFUSAL_TOO_DEEP
 * for the first thing that is beyond the limits. What is beyond is overwritten with 0 and blanks, so that the
 * rest can still be parsed and the message's id be read. Whether the line is JSON at all is not looked at. */
int json_limits_apply(char *text, size_t size);

#endif
