/* The program Bridge: IKT300's TCP and JSON on one side, channels on the other.
 *
 * It binds before its handshake, so that a port in use ends it before the kernel relies on it. Exit codes:
 * those of leat/plugin.h, and 3 when the port is in use. */
#include <errno.h>
#include <sys/resource.h>

#include <leat/plugin.h>

#include "bridge.h"

#define EXIT_PORT_IN_USE 3

/* Each client costs some descriptors. select(2), the reason for the low limit, is not used here. */
static void raise_descriptor_limit(void) {
        struct rlimit limit;
        if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
                return;
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
}

static int prepare(leat_plugin *plugin, void *data) {
        struct bridge *bridge = data;
        bridge->plugin = plugin;
        raise_descriptor_limit();
        int r = bridge_listen(bridge, leat_plugin_host(plugin), leat_plugin_port(plugin));
        if (r == -EADDRINUSE)
                leat_plugin_quit(plugin, EXIT_PORT_IN_USE);
        return r;
}

static int start(leat_plugin *plugin, void *data) {
        (void) plugin;
        return bridge_start(data);
}

static void tick(leat_plugin *plugin, void *data) {
        (void) plugin;
        bridge_tick(data);
}

static void stop(leat_plugin *plugin, const char *reason, void *data) {
        (void) plugin;
        (void) reason;
        bridge_stop(data);
}

int main(int argc, char **argv) {
        struct bridge bridge = BRIDGE_NEW;
        const leat_plugin_option options[] = {
                { .name = "maxClients",
                  .value = "n",
                  .help = "how many TCP clients at once",
                  .integer = &bridge.max_clients,
                  .minimum = 1,
                  .maximum = 100000 },
                { .name = NULL },
        };
        const leat_plugin_program program = {
                .name = "Bridge",
                .version = LEAT_VERSION,
                .summary = "Lets IKT300 plugins take part over TCP, in lines of JSON.",
                .options = options,
                .prepare = prepare,
                .start = start,
                .tick = tick,
                .stop = stop,
        };
        int code = leat_plugin_main(argc, argv, &program, &bridge);
        bridge_free(&bridge);
        return code;
}
