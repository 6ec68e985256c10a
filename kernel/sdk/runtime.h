/* A running plugin, as the SDK's own modules see it:
 *
 *     plugin    begins and ends it, and is what the callbacks reach from outside
 *     session   joins the kernel
 *     loop      waits for whatever comes next, and counts the time
 *     inbound   what the kernel sends
 *     outbound  what goes to the kernel */
#ifndef LEAT_SDK_RUNTIME_H
#define LEAT_SDK_RUNTIME_H

#include <stdbool.h>
#include <sys/types.h>

#include "arguments.h"
#include "leat/plugin.h"
#include "signals.h"
#include "waiting.h"
#include "watches.h"

enum { KEY_SIGNALS = 1, KEY_DELIVERIES, KEY_WELCOME, KEY_ROOM };

struct leat_plugin {
        const leat_plugin_program *program;
        void *data;
        struct plugin_arguments arguments;
        const char *id;
        pid_t parent; /* As it was at the start: another one means that the kernel is gone. */

        leat_set set;
        struct watches watches;
        struct plugin_signals signals;

        to_kernel_sender commands;
        to_plugin_receiver deliveries;
        leat_set room; /* Of `commands` and the signals, made when there first was no room. */

        struct waiting waiting;
        int32_t events_sent;     /* The sequences of what goes out: events and requests, */
        int32_t heartbeats_sent; /* and heartbeats, which are counted alone so that a gap shows. */

        uint32_t heartbeat_ms;
        uint32_t tick_ms;
        leat_deadline heartbeat_due;
        leat_deadline tick_due;
        leat_deadline end_due;

        const char *request; /* The id of the request that its callback has not answered yet. */

        bool leaving;
        leat_deadline last_words; /* When it leaves: until then it waits for room to say them. */
        int exit_code;
        char reason[200];
};

/* The loop ends; the first exit code and reason count. */
void plugin_leave(leat_plugin *plugin, int exit_code, const char *reason);

/* Reads the signals that came; the first one is a reason to leave. */
void plugin_read_signals(leat_plugin *plugin);

/* session: connects to the server `name`, shakes hands and fills in the channels and heartbeat_ms. False:
 * it leaves. */
bool session_join(leat_plugin *plugin, const char *name);

/* loop: until it leaves. */
void loop_run(leat_plugin *plugin);
leat_deadline loop_now(void);
leat_deadline loop_after(leat_deadline from, uint64_t milliseconds);

/* True when a timer is due: whoever works through a pile of messages stops for it. */
bool loop_due(const leat_plugin *plugin);

/* inbound: handles one message from the kernel. */
void inbound_delivery(leat_plugin *plugin, const to_plugin *delivery);

/* Tells a waiter, and frees it. */
void inbound_answer(leat_plugin *plugin, struct waiter *waiter, const leat_plugin_reply *reply);

/* All who still wait hear `result`. */
void inbound_give_up(leat_plugin *plugin, int result);

/* outbound: sends, and waits for room until the deadline or, when it leaves, for a second in all. */
int outbound_send(leat_plugin *plugin, const to_kernel *message, leat_deadline deadline);
int outbound_heartbeat(leat_plugin *plugin);

#endif
