/* Whether the use of a message that has expired should be noticed.
 *
 * Normally the next message is received into the room of the last one. In a program built with
 * AddressSanitizer each message has room of its own that is freed when it expires, so that reading it
 * afterwards is reported. Asked at run time, because the library itself need not be built so. */
#ifndef LEAT_CHANNEL_EXPIRY_H
#define LEAT_CHANNEL_EXPIRY_H

#include <stdbool.h>
#include <stddef.h>

extern void __asan_init(void) __attribute__((weak));

static inline bool expiry_is_watched(void) {
        return __asan_init != NULL;
}

#endif
