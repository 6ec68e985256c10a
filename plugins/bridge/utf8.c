/* A line that is no UTF-8 is told apart from one that is no JSON, so it is checked before the JSON parser
 * sees it; and strings that plugins send are checked before they become JSON, because a client would choke on
 * them. */
#include "utf8.h"

#include <stdint.h>
#include <string.h>

/* How many bytes follow a first byte, and the range of the second one, which is where overlong forms,
 * surrogates and too large numbers are told (RFC 3629, section 4). -1: no first byte. */
static int sequence(uint8_t first, uint8_t *ret_low, uint8_t *ret_high) {
        *ret_low = 0x80;
        *ret_high = 0xBF;
        if (first < 0x80)
                return 0;
        if (first < 0xC2 || first > 0xF4)
                return -1;
        if (first < 0xE0)
                return 1;
        if (first == 0xE0)
                *ret_low = 0xA0;
        if (first == 0xED)
                *ret_high = 0x9F;
        if (first == 0xF0)
                *ret_low = 0x90;
        if (first == 0xF4)
                *ret_high = 0x8F;
        return first < 0xF0 ? 2 : 3;
}

/* Whether the next eight bytes are all ASCII: nearly all of a usual line is. */
static bool eight_ascii(const char *text) {
        uint64_t word;
        memcpy(&word, text, sizeof word);
        return (word & UINT64_C(0x8080808080808080)) == 0;
}

bool utf8_valid(const char *text, size_t size) {
        size_t i = 0;
        while (i < size) {
                if (size - i >= 8 && eight_ascii(text + i)) {
                        i += 8;
                        continue;
                }
                uint8_t low, high;
                int more = sequence((uint8_t) text[i++], &low, &high);
                if (more < 0 || size - i < (size_t) more)
                        return false;
                for (; more > 0; more--, low = 0x80, high = 0xBF) {
                        uint8_t next = (uint8_t) text[i++];
                        if (next < low || next > high)
                                return false;
                }
        }
        return true;
}

bool utf8_has_control(const char *text, size_t size) {
        for (size_t i = 0; i < size; i++) {
                uint8_t byte = (uint8_t) text[i];
                if (byte < 0x20 || byte == 0x7F)
                        return true;
                if (byte == 0xC2 && i + 1 < size && (uint8_t) text[i + 1] < 0xA0)
                        return true;
        }
        return false;
}
