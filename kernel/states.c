/* All that can happen to a plugin at any time, in one array: what is not written here does not happen. The
 * supervisor finds out which event it is (a process that ends is to be restarted, or not, or no more),
 * asks here, and does as it is told. A row without a process (a client that came over TCP) lives by the
 * same table; for it, the end of its channel is its end. */
#include "states.h"

#include <stddef.h>

#define TO(state, action) { STATE_##state, ACTION_##action }

static const struct step table[STATES][EVENTS] = {
        [STATE_STOPPED] = {
                [EVENT_START]       = TO(STARTING, SPAWN),
                [EVENT_CONNECTED]   = TO(RUNNING,  GREET),
        },
        [STATE_STARTING] = {
                [EVENT_UNSTARTABLE] = TO(FAILED,   GIVE_UP),
                [EVENT_CONNECTED]   = TO(STARTING, NONE),
                [EVENT_HANDSHAKE]   = TO(RUNNING,  GREET),
                [EVENT_HEARTBEAT]   = TO(RUNNING,  GREET),
                [EVENT_DIED]        = TO(WAITING,  PAUSE),
                [EVENT_ENDED]       = TO(STOPPED,  REST),
                [EVENT_GIVEN_UP]    = TO(FAILED,   GIVE_UP),
                [EVENT_STOP]        = TO(STOPPING, TELL),
                [EVENT_KILL]        = TO(STOPPING, KILL),
                [EVENT_DEADLINE]    = TO(STOPPING, KILL),
        },
        [STATE_RUNNING] = {
                [EVENT_LATE]        = TO(SILENT,   REPORT),
                [EVENT_OVERDUE]     = TO(STOPPING, KILL),
                [EVENT_CLOSED]      = TO(SILENT,   MISS),
                [EVENT_DIED]        = TO(WAITING,  PAUSE),
                [EVENT_ENDED]       = TO(STOPPED,  REST),
                [EVENT_GIVEN_UP]    = TO(FAILED,   GIVE_UP),
                [EVENT_STOP]        = TO(STOPPING, TELL),
                [EVENT_KILL]        = TO(STOPPING, KILL),
        },
        [STATE_SILENT] = {
                [EVENT_CONNECTED]   = TO(RUNNING,  RECOVER),
                [EVENT_HANDSHAKE]   = TO(RUNNING,  RECOVER),
                [EVENT_HEARTBEAT]   = TO(RUNNING,  RECOVER),
                [EVENT_OVERDUE]     = TO(STOPPING, KILL),
                [EVENT_DIED]        = TO(WAITING,  PAUSE),
                [EVENT_ENDED]       = TO(STOPPED,  REST),
                [EVENT_GIVEN_UP]    = TO(FAILED,   GIVE_UP),
                [EVENT_STOP]        = TO(STOPPING, TELL),
                [EVENT_KILL]        = TO(STOPPING, KILL),
                [EVENT_DEADLINE]    = TO(SILENT,   REPORT),
        },
        [STATE_STOPPING] = {
                [EVENT_DIED]        = TO(WAITING,  PAUSE),
                [EVENT_ENDED]       = TO(STOPPED,  REST),
                [EVENT_GIVEN_UP]    = TO(FAILED,   GIVE_UP),
                [EVENT_KILL]        = TO(STOPPING, KILL),
                [EVENT_DEADLINE]    = TO(STOPPING, INSIST),
        },
        [STATE_WAITING] = {
                [EVENT_START]       = TO(STARTING, SPAWN),
                [EVENT_CONNECTED]   = TO(RUNNING,  GREET),
                [EVENT_STOP]        = TO(STOPPED,  NONE),
                [EVENT_DEADLINE]    = TO(STARTING, SPAWN),
        },
        [STATE_FAILED] = {
                [EVENT_START]       = TO(STARTING, SPAWN),
                [EVENT_CONNECTED]   = TO(RUNNING,  GREET),
                [EVENT_STOP]        = TO(STOPPED,  NONE),
        },
};

struct step states_step(enum state state, enum event event) {
        struct step step = table[state][event];

        if (step.next == STATE_SAME)
                step.next = state;
        return step;
}

const char *states_name(enum state state) {
        static const char *const names[STATES] = {
                [STATE_STOPPED] = "stopped", [STATE_STARTING] = "starting", [STATE_RUNNING] = "running",
                [STATE_SILENT] = "silent",   [STATE_STOPPING] = "stopping", [STATE_WAITING] = "waiting",
                [STATE_FAILED] = "failed",
        };

        return names[state] ? names[state] : "unknown";
}
