/* The words for what a call returned.
 *
 * A library must not print, so the least that it owes its caller is a phrase to print. The phrases are
 * constants: no allocation, no locale, no buffer that another thread could overwrite. */
#include <limits.h>
#include <string.h>

#include "leat/error.h"

static const char *errno_phrase(int result) {
        const char *phrase;

        if (result == INT_MIN) /* Has no positive counterpart. */
                return "unknown error";

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
        }
        return "unknown outcome";
}
