/* Checks that need a process of their own, and what the sanitizers cannot do in one. */
#ifndef TESTS_CHANNEL_IN_CHILD_H
#define TESTS_CHANNEL_IN_CHILD_H

#include <stdbool.h>
#include <unistd.h>

#include "support.h"

/* ThreadSanitizer starts a thread of its own in every process, and lets none be started in the child of a
 * process that had several. */
#if defined(__SANITIZE_THREAD__)
#define UNDER_TSAN true
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define UNDER_TSAN true
#endif
#endif
#ifndef UNDER_TSAN
#define UNDER_TSAN false
#endif

/* AddressSanitizer needs more address space than a test may want to leave it. */
#if defined(__SANITIZE_ADDRESS__)
#define UNDER_ASAN true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define UNDER_ASAN true
#endif
#endif
#ifndef UNDER_ASAN
#define UNDER_ASAN false
#endif

#define WATCHDOG_SECONDS 30

/* The child has a watchdog of its own and must end with success. */
static inline void run_in_child(void (*checks)(void)) {
        pid_t child = fork();

        check(child >= 0);
        if (child == 0) {
                watchdog(WATCHDOG_SECONDS);
                checks();
                leave_child(0);
        }
        check_equal(wait_for_exit(child), 0);
}

#endif
