/* What an endpoint has done so far. */
#ifndef LEAT_COUNTERS_H
#define LEAT_COUNTERS_H

#include <stdint.h>

#include "leat/endpoint.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Of one endpoint of one process: a clone, and an end that came in a message, begin at 0; a forked child's
 * copy goes on from where it was. They are kept without cost to a lane's fast path, so a call has to add them
 * up: some 20 ns. */
struct leat_counters {
        /* Sent, or received. Exact, but for a lane that has just ended: there those whose sending said
         * LEAT_DISCONNECTED may be among them. */
        uint64_t messages;
        /* Of these messages' bodies as they are encoded, each rounded up to a multiple of 8; neither headers
         * nor handles. Exact like the messages. */
        uint64_t bytes;
        /* How often it waited for room, or for a message, by looking again and again or by sleeping; a call
         * can wait several times. Waiting in a set is the set's. Exact in a lane, and with any deadline but
         * LEAT_FOREVER; a call with LEAT_FOREVER on the channel's socket is left to the system, which does
         * not say whether it waited, so such a receive is not among them, and such a send is from a second of
         * waiting on. */
        uint64_t waits;
        /* A sender's: sends that ended in LEAT_FULL or LEAT_TIMEOUT. A receiver's: messages that were
         * dropped, for which receiving said LEAT_TYPE_MISMATCH, LEAT_VERSION_MISMATCH, LEAT_MALFORMED,
         * LEAT_TOO_LARGE, -ENOMEM, or, once for each that was lost, LEAT_NO_DESCRIPTORS. */
        uint64_t refusals;
};

/* No system call, no waiting. 0; -EBADF. */
LEAT_PUBLIC int leat_sender_counters(const struct leat_sender *sender, struct leat_counters *ret_counters);
LEAT_PUBLIC int leat_receiver_counters(const struct leat_receiver *receiver, struct leat_counters *ret_counters);

#ifdef __cplusplus
}
#endif

#endif
