/* GUIDs: the MessageId of a message, the JobId of an event. Part of libleat-plugin. */
#ifndef LEAT_GUID_H
#define LEAT_GUID_H

#include <stdbool.h>
#include <stddef.h>

#include "leat/error.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Room for "6b3f3b56-c2bf-4f1c-9afa-1b21f2f6b0e8" and its NUL. */
#define LEAT_GUID_SIZE 37

/* Writes a new random GUID (RFC 9562, version 4) in lower case with hyphens: 122 bits of the system's
 * randomness, by libsodium. Any thread, and safe after fork. */
LEAT_PUBLIC void leat_guid_new(char ret_text[LEAT_GUID_SIZE]);

/* Whether the text is a GUID of any version, in upper or lower case, with its four hyphens. */
LEAT_PUBLIC bool leat_guid_valid(const char *text, size_t size);

#ifdef __cplusplus
}
#endif

#endif
