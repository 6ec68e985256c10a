/* An id is typed by people, printed on terminals and used as a folder's name, so what may stand in one is
 * decided here once. Case is folded code point by code point, as .NET's OrdinalIgnoreCase does it,
 * independent of the user's locale: the plugins of the parent system are named by people who write Ø and
 * ø. */
#include "identifier.h"

#include <locale.h>
#include <string.h>
#include <wctype.h>

#include "text.h"

const char *identifier_problem(const char *id) {
        size_t size = strlen(id);

        if (size == 0)
                return "is empty";
        if (size > IDENTIFIER_MAX)
                return "is longer than 64 bytes";
        for (size_t at = 0, length; at < size; at += length) {
                uint32_t point;

                length = text_decode(id + at, size - at, &point);
                if (length == 0)
                        return "is not valid UTF-8";
                if (text_is_control(point))
                        return "contains a control character";
        }
        if (identifier_equal(id, IDENTIFIER_KERNEL))
                return "is the kernel's own id";
        return NULL;
}

static uint32_t fold(uint32_t point) {
        static locale_t locale;

        if (point < 0x80)
                return point >= 'a' && point <= 'z' ? point - ('a' - 'A') : point;
        if (!locale)
                locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", NULL);
        return locale ? (uint32_t) towupper_l((wint_t) point, locale) : point;
}

bool identifier_equal(const char *a, const char *b) {
        size_t left = strlen(a), right = strlen(b);

        while (left > 0 && right > 0) {
                uint32_t x = 0, y = 0;
                size_t m = text_decode(a, left, &x), n = text_decode(b, right, &y);

                if (m == 0 || n == 0)
                        return left == right && memcmp(a, b, left) == 0;
                if (fold(x) != fold(y))
                        return false;
                a += m;
                b += n;
                left -= m;
                right -= n;
        }
        return left == right;
}
