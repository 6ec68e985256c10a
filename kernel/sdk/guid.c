/* Ids of messages and jobs. They name things across processes and restarts without anyone handing out
 * numbers, so they have to come from the system's randomness. */
#include "leat/guid.h"

#include <errno.h>
#include <sodium.h>

#define GUID_BYTES 16

static bool hyphen_at(size_t position) {
        return position == 8 || position == 13 || position == 18 || position == 23;
}

void leat_guid_new(char ret_text[LEAT_GUID_SIZE]) {
        static const char digits[] = "0123456789abcdef";
        unsigned char bytes[GUID_BYTES];
        size_t at = 0;

        if (sodium_init() < 0) /* Costs nothing after the first time. */
                errno = 0;     /* No harm: randombytes_buf() looks for its randomness by itself. */
        randombytes_buf(bytes, sizeof(bytes));
        bytes[6] = (unsigned char) ((bytes[6] & 0x0f) | 0x40); /* RFC 9562, 5.4: the version, */
        bytes[8] = (unsigned char) ((bytes[8] & 0x3f) | 0x80); /* and the variant. */
        for (size_t i = 0; i < GUID_BYTES; i++) {
                if (hyphen_at(at))
                        ret_text[at++] = '-';
                ret_text[at++] = digits[bytes[i] >> 4];
                ret_text[at++] = digits[bytes[i] & 0x0f];
        }
        ret_text[at] = '\0';
}

static bool is_hex(char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

bool leat_guid_valid(const char *text, size_t size) {
        if (size != LEAT_GUID_SIZE - 1)
                return false;
        for (size_t i = 0; i < size; i++)
                if (hyphen_at(i) ? text[i] != '-' : !is_hex(text[i]))
                        return false;
        return true;
}
