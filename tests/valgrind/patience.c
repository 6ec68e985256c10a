/* A deadline of many seconds, up to some minutes, is there for the case that what is waited for never comes: under valgrind it is
 * as much later as a watchdog. Programs for the battery are linked with --wrap=leat_after_ms. */
#include <leat/deadline.h>

#include "support.h"

enum { WATCHFUL_MS = 20000, WATCHFUL_MAX_MS = 600000 };

leat_deadline __real_leat_after_ms(int64_t milliseconds);
leat_deadline __wrap_leat_after_ms(int64_t milliseconds);

leat_deadline __wrap_leat_after_ms(int64_t milliseconds) {
        bool is_watchful = milliseconds >= WATCHFUL_MS && milliseconds <= WATCHFUL_MAX_MS;

        return __real_leat_after_ms(is_watchful ? milliseconds * patience() : milliseconds);
}
