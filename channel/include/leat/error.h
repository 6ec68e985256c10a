/* What a call of Leat can answer.
 *
 * Zero is success. A negative value is an errno (its negative) that a caller forwards. A positive value is an
 * outcome that a caller handles: one of enum leat_outcome. */
#ifndef LEAT_ERROR_H
#define LEAT_ERROR_H

#ifdef __cplusplus
extern "C" {
#endif

/* The library's symbols are hidden unless they carry this mark (and stand in channel/leat.symbols). */
#define LEAT_PUBLIC __attribute__((visibility("default")))

enum leat_outcome {
        LEAT_EMPTY = 1,          /* LEAT_NOW was asked and no message is there. */
        LEAT_FULL = 2,           /* LEAT_NOW was asked and the channel has no room; nothing was sent. */
        LEAT_TIMEOUT = 3,        /* The deadline passed; nothing was sent, received or accepted. */
        LEAT_DISCONNECTED = 4,   /* The other side is gone: for a receiver, and all that was sent is read. */
        LEAT_TYPE_MISMATCH = 5,  /* Another type than the one asked for; a received message was dropped, all
                                  * else stays as it was. */
        LEAT_MALFORMED = 6,      /* What came is no valid message; it was dropped, its handles closed; an
                                  * undecoded one stays. */
        LEAT_TOO_LARGE = 7,      /* Over a limit: of the message's size, its handles or its nesting. */
        LEAT_NO_DESCRIPTORS = 8, /* The process is at its limit of descriptors. */
        LEAT_REFUSED = 9,        /* The other side does not want this client, or takes no descriptors. */
        LEAT_MORE = 10,          /* From arming: do not poll yet, there is something to receive. */
        LEAT_WOKEN = 11,         /* From waiting on a set: leat_set_wake was called. */
        LEAT_VERSION_MISMATCH = 12 /* What came is of another version of the protocol, see leat/version.h; it
                                    * was dropped. */
};

/* Explains what a call returned, in one English phrase without a full stop: for 0, for each outcome, and for
 * a negative errno. Never NULL; a constant, not to be freed. Safe in every thread. */
LEAT_PUBLIC const char *leat_strerror(int result);

#ifdef __cplusplus
}
#endif

#endif
