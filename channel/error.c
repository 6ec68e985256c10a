/* The words for what a call returned.
 *
 * A library must not print, so the least that it owes its caller is a phrase to print. The phrases are
 * constants: no allocation, no locale, no buffer that another thread could overwrite. */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "leat/error.h"
#include "leat/type.h"
#include "leat/version.h"

#define WORD(number)  WORD_(number)
#define WORD_(number) #number

static const char *errno_phrase(int result) {
        const char *phrase;

        if (result == INT_MIN) /* Has no positive counterpart. */
                return "unknown error";

        if (result == -EPROTO) /* Nothing else is said with it. */
                return "the program's tables of types are of another version than " WORD(LEAT_TABLE_VERSION);
        phrase = strerrordesc_np(-result);
        return phrase ? phrase : "unknown error";
}

const char *leat_strerror(int result) {
        if (result < 0)
                return errno_phrase(result);
        if (result == 0)
                return "success";

        switch ((enum leat_outcome) result) {
        case LEAT_EMPTY:
                return "no message is there now";
        case LEAT_FULL:
                return "the channel has no room now";
        case LEAT_TIMEOUT:
                return "the deadline passed";
        case LEAT_DISCONNECTED:
                return "the other side is gone";
        case LEAT_TYPE_MISMATCH:
                return "the other side means another type";
        case LEAT_MALFORMED:
                return "what came is not a valid message";
        case LEAT_TOO_LARGE:
                return "over the limit of size, handles or nesting";
        case LEAT_NO_DESCRIPTORS:
                return "the process is at its limit of descriptors";
        case LEAT_REFUSED:
                return "the other side refused";
        case LEAT_MORE:
                return "there is more to receive before polling";
        case LEAT_WOKEN:
                return "the wait was ended by a wake-up";
        case LEAT_VERSION_MISMATCH:
                return "the other side speaks another version of the protocol than " WORD(LEAT_WIRE_VERSION);
        }
        return "unknown outcome";
}
