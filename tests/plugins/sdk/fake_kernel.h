/* A kernel of the smallest kind, for tests of the SDK and of single plugins: it starts one program,
 * welcomes it, and lets the test speak for the kernel. Every failure ends the test process with a line
 * (see check in support.h). */
#ifndef LEAT_TESTS_FAKE_KERNEL_H
#define LEAT_TESTS_FAKE_KERNEL_H

#include <stdbool.h>
#include <sys/types.h>

#include "leat/plugin.h"

/* How long anything may take. */
#define FAKE_PATIENCE_MS 30000

struct fake_plugin {
        pid_t pid;
        int output; /* What the program prints, */
        int errors; /* and complains. */
        kernel_handshake_server_end server;
        kernel_handshake_receiver greetings; /* `handshake` lives as long as this. */
        kernel_handshake handshake;
        to_plugin_sender deliveries;
        to_kernel_receiver commands;
        to_kernel command; /* The last one received. */
};

/* Starts argv[0] (ended by NULL) in `folder`, as a kernel would. */
void fake_start(struct fake_plugin *plugin, const char *folder, const char *const argv[]);

/* Takes the handshake, and welcomes the plugin. */
void fake_take_handshake(struct fake_plugin *plugin);
void fake_welcome(struct fake_plugin *plugin, uint32_t heartbeat_ms);

/* All three in one, with heartbeats far apart. */
void fake_run(struct fake_plugin *plugin, const char *folder, const char *const argv[]);

/* The next command: any, or the next message that is no heartbeat. Lives until the next call. */
const to_kernel *fake_next(struct fake_plugin *plugin);
const kernel_message *fake_next_message(struct fake_plugin *plugin);

/* True when no message but heartbeats comes for so long. */
bool fake_silent(struct fake_plugin *plugin, int milliseconds);

/* Sends a message: an event, or with a target a request. The id is a constant of the caller's. */
void fake_send(struct fake_plugin *plugin, const char *type, const char *id, const char *correlation_id,
               const char *target, bool ack, leat_any payload);
void fake_stop(struct fake_plugin *plugin, const char *reason);

/* Reads one line of output (without its newline) into a buffer of its own; "" at the end. */
const char *fake_line(int descriptor);

/* The kernel dies, as far as the plugin can tell by its channel. */
void fake_hang_up(struct fake_plugin *plugin);

/* Waits for the program's end, closes everything, and returns its exit code (128 + signal). */
int fake_end(struct fake_plugin *plugin);

#endif
