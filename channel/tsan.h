/* ThreadSanitizer does not see that a lane's writer and its reader have the same memory mapped: where both
 * are in one process, it takes nothing in one thread for earlier than what another one does after a message.
 * So it is told. */
#ifndef LEAT_CHANNEL_TSAN_H
#define LEAT_CHANNEL_TSAN_H

#include <stdbool.h>
#include <stddef.h>

#include "lane.h"

#if defined(__SANITIZE_THREAD__)
#define TSAN_IS_ON 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define TSAN_IS_ON 1
#endif
#endif

#ifdef TSAN_IS_ON

#include <sanitizer/tsan_interface.h>

/* What both ends of a lane find by its name. Two lanes with the same byte only hide what it would report. */
extern unsigned char tsan_lanes[256];

/* Before a record is published. */
static inline void tsan_lane_release(const struct lane_identity *identity) {
        __tsan_release(&tsan_lanes[identity->bytes[0]]);
}

/* After one was seen. */
static inline void tsan_lane_acquire(const struct lane_identity *identity) {
        __tsan_acquire(&tsan_lanes[identity->bytes[0]]);
}

/* Whether the program is watched, but not this library: then nobody is told. */
static inline bool tsan_is_blind(void) {
        return false;
}

#else

extern void __tsan_init(void) __attribute__((weak));

static inline void tsan_lane_release(const struct lane_identity *identity) {
        (void) identity;
}

static inline void tsan_lane_acquire(const struct lane_identity *identity) {
        (void) identity;
}

static inline bool tsan_is_blind(void) {
        return __tsan_init != NULL;
}

#endif
#endif
