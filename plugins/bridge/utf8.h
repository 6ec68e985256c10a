/* What counts as UTF-8 (RFC 3629, section 4). */
#ifndef BRIDGE_UTF8_H
#define BRIDGE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Whether all bytes are UTF-8: no overlong form, no surrogate, nothing above U+10FFFF. NUL counts as a
 * character. */
bool utf8_valid(const char *text, size_t size);

/* Whether valid UTF-8 holds a control character: U+0000 to U+001F, U+007F to U+009F. */
bool utf8_has_control(const char *text, size_t size);

#endif
