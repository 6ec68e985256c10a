/* No thread is cancelled inside a call of Leat.
 *
 * A cancelled thread unwinds from the middle of a system call: it would leave a descriptor that nobody knows,
 * or a message half received. So every public call that may reach a cancellation point begins with
 * CALL_GUARD, and the thread is as it was when the call returns. Costs no system call. */
#ifndef LEAT_CHANNEL_GUARD_H
#define LEAT_CHANNEL_GUARD_H

#include <pthread.h>

static inline int call_guard_enter(void) {
        int before = PTHREAD_CANCEL_ENABLE;

        (void) pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
        return before;
}

static inline void call_guard_leave(int *before) {
        int ignored;

        (void) pthread_setcancelstate(*before, &ignored);
}

#define CALL_GUARD __attribute__((cleanup(call_guard_leave), unused)) int call_guard_ = call_guard_enter()

#endif
