/* Ends a Criterion test that hangs, by SIGALRM.
 *
 * Criterion's own timeout must not be used, neither --timeout nor .timeout: with it, its runner now and then
 * never notices that a test has ended, and waits for ever (seen with 2.4.1; its issue 345). A test that needs
 * longer calls watchdog() of support.h first. */
#include <stdlib.h>
#include <unistd.h>

#ifndef WATCHDOG_SECONDS
#define WATCHDOG_SECONDS 30
#endif

/* Each test is a process of its own, which has this variable; Criterion's runner does not. */
__attribute__((constructor)) static void set_watchdog(void) {
        if (getenv("BXFI_MAP"))
                alarm(WATCHDOG_SECONDS);
}
