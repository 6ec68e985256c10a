/* How a plugin joins its kernel: it connects to the one-shot server whose name it was given, introduces
 * itself, and is handed its two channels. While it waits it still listens to signals, and looks whether
 * its parent is there: a kernel that dies at this point has no channel yet whose end could tell. */
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "runtime.h"

#define JOIN_TIMEOUT_MS 30000
#define LOOK_EVERY_MS   500
#define HEARTBEAT_MS    2000

static bool fail(leat_plugin *plugin, const char *what, int r) {
        bool gone = r == LEAT_DISCONNECTED || r == LEAT_REFUSED || r == LEAT_TIMEOUT;

        leat_plugin_complain(plugin, "%s: %s", what, leat_strerror(r));
        plugin_leave(plugin, gone ? LEAT_PLUGIN_KERNEL_GONE : LEAT_PLUGIN_ERROR, what);
        return false;
}

static size_t count_events(const char *const *events) {
        size_t count = 0;

        while (events != NULL && events[count] != NULL)
                count++;
        return count;
}

static int send_handshake(leat_plugin *plugin, const char *name, kernel_welcome_sender *reply,
                          leat_deadline deadline) {
        const leat_plugin_program *program = plugin->program;
        kernel_handshake handshake = {
                .id = plugin->id,
                .name = program->name,
                .version = program->version,
                .durable = program->durable,
                .reply = kernel_welcome_sender_give(reply),
        };
        kernel_handshake_sender tx;
        int r = kernel_handshake_connect(name, &tx, deadline);

        if (r != 0)
                return r;
        handshake.events.count = count_events(program->events);
        handshake.events.items = (leat_c_string *) (uintptr_t) program->events; /* Only read. */
        r = kernel_handshake_send(tx, &handshake, deadline);
        kernel_handshake_sender_close(&tx);
        return r;
}

/* Waits for the kernel's answer. 0 with a welcome that lives as long as `rx`; LEAT_EMPTY when it leaves
 * instead. */
static int wait_welcome(leat_plugin *plugin, kernel_welcome_receiver rx, leat_set set,
                        kernel_welcome *ret_welcome, leat_deadline deadline) {
        while (!plugin->leaving) {
                uint64_t key = 0;
                leat_deadline look = leat_after_ms(LOOK_EVERY_MS);
                int r = leat_set_wait(set, &key, look < deadline ? look : deadline);

                if (r == 0 && key == KEY_WELCOME) {
                        r = kernel_welcome_recv(rx, ret_welcome, LEAT_NOW);
                        if (r != LEAT_EMPTY)
                                return r;
                } else if (r == 0) {
                        plugin_read_signals(plugin);
                } else if (r < 0 || loop_now() >= deadline) {
                        return r;
                }
                if (getppid() != plugin->parent)
                        return LEAT_DISCONNECTED;
        }
        return LEAT_EMPTY;
}

static bool take_welcome(leat_plugin *plugin, kernel_welcome *welcome) {
        if (!welcome->ok) {
                leat_plugin_complain(plugin, "the kernel refuses this plugin: %s: %s", welcome->code,
                                     welcome->text);
                plugin_leave(plugin, LEAT_PLUGIN_ERROR, "refused");
                return false;
        }
        plugin->commands = to_kernel_sender_take(&welcome->commands);
        plugin->deliveries = to_plugin_receiver_take(&welcome->deliveries);
        plugin->heartbeat_ms = welcome->heartbeat_ms > 0 ? welcome->heartbeat_ms : HEARTBEAT_MS;
        return true;
}

static bool join(leat_plugin *plugin, kernel_welcome_receiver rx, leat_deadline deadline) {
        kernel_welcome welcome;
        leat_set set = { NULL };
        int r = leat_set_create(&set);

        if (r == 0)
                r = kernel_welcome_set_add(set, rx, KEY_WELCOME);
        if (r == 0)
                r = leat_set_watch(set, plugin->signals.descriptor, POLLIN, KEY_SIGNALS);
        if (r == 0)
                r = wait_welcome(plugin, rx, set, &welcome, deadline);
        leat_set_close(&set);
        if (plugin->leaving)
                return false;
        if (r != 0)
                return fail(plugin, "the kernel did not answer the handshake", r);
        return take_welcome(plugin, &welcome);
}

bool session_join(leat_plugin *plugin, const char *name) {
        leat_deadline deadline = leat_after_ms(JOIN_TIMEOUT_MS);
        kernel_welcome_sender tx;
        kernel_welcome_receiver rx;
        int r = kernel_welcome_channel(&tx, &rx);
        bool joined;

        if (r != 0)
                return fail(plugin, "cannot make a channel", r);
        r = send_handshake(plugin, name, &tx, deadline);
        kernel_welcome_sender_close(&tx); /* Given and gone, unless the send failed. */
        if (r != 0)
                joined = fail(plugin, "cannot reach the kernel", r);
        else
                joined = join(plugin, rx, deadline);
        kernel_welcome_receiver_close(&rx);
        if (joined) {
                r = to_plugin_set_add(plugin->set, plugin->deliveries, KEY_DELIVERIES);
                if (r != 0)
                        return fail(plugin, "cannot listen to the kernel", r);
        }
        return joined;
}
