/* The bridge owns TCP, so that nothing else in the house has to know of it: it lets clients in, keeps their
 * number bounded, and looks at the few deadlines that there are. */
#include "bridge.h"

#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kernel/identifier.h"

#define ACCEPTS_A_TURN 16
#define TICK_MS        100

/* What a client may leave behind until the memory is given back to the system at once: what was queued for it
 * lies in many pieces, which the C library would keep. */
#define TRIM_SIZE ((size_t) 256 << 10)

/* A kernel that does not take one message in that time has other troubles. */
#define REPORT_MS 5000

int bridge_listen(struct bridge *bridge, const char *host, uint16_t port) {
        int r = listener_open(host, port, &bridge->listener);
        leat_plugin *plugin = bridge->plugin;
        if (r == -EADDRINUSE)
                leat_plugin_complain(plugin, "port %u on %s is in use by another program", port, host);
        else if (r < 0)
                leat_plugin_complain(plugin, "cannot listen on %s, port %u: %s", host, port,
                                     leat_strerror(r));
        else if (bridge->listener.fell_back)
                leat_plugin_complain(plugin, "warning: host '%s' is no IP address; listening on %s instead",
                                     host, bridge->listener.host);
        return r;
}

/* Too many: it hears why. The answer may get lost when the client has sent something already; nothing is owed
 * to it. */
static void turn_away(int descriptor) {
        blob_auto line = { 0 };
        if (envelope_write_refusal(REFUSAL_RATE_LIMITED, "Too many connections; try again later", NULL,
                                   &line) == 0)
                (void) !send(descriptor, line.data, line.size, MSG_NOSIGNAL | MSG_DONTWAIT);
        shutdown(descriptor, SHUT_WR);
        close(descriptor);
}

/* Who has never said who it is has the least claim to its place. The list is in the order of coming, the
 * newest first. */
static bool make_room(struct bridge *bridge) {
        struct client *client, *oldest = NULL;
        LIST_FOREACH(client, &bridge->clients, link) {
                if (LIST_EMPTY(&client->seats) && !client->holding)
                        oldest = client;
        }
        if (!oldest || leat_after_ms(0) < oldest->nameless_until)
                return false;
        client_refuse(oldest, refusal_code(REFUSAL_RATE_LIMITED), "Others wait for this place");
        client_close(oldest);
        return true;
}

static void admit(struct bridge *bridge, int descriptor) {
        struct client *client;
        if (bridge->client_count >= (size_t) bridge->max_clients && !make_room(bridge))
                turn_away(descriptor);
        else if (client_open(bridge, descriptor, &client) != 0)
                close(descriptor);
        else
                client_settle(client);
}

static void on_client(leat_plugin *plugin, uint64_t key, void *data) {
        struct bridge *bridge = data;
        (void) key;
        for (int i = 0; i < ACCEPTS_A_TURN; i++) {
                int descriptor;
                int r = listener_accept(&bridge->listener, &descriptor);
                if (r == 0)
                        admit(bridge, descriptor);
                if (r == LEAT_EMPTY)
                        break;
                if (r < 0) { /* It would be ready again at once, and again. */
                        leat_plugin_detach(plugin, bridge->listener_key);
                        bridge->listener_key = 0;
                        bridge_need_tick(bridge);
                        break;
                }
        }
        bridge_sweep(bridge);
}

static int accept_clients(struct bridge *bridge) {
        return leat_plugin_watch(bridge->plugin, bridge->listener.descriptor, POLLIN, on_client, bridge,
                                 &bridge->listener_key);
}

int bridge_start(struct bridge *bridge) {
        to_kernel command = to_kernel_listening(
                (kernel_listening){ .host = bridge->listener.host, .port = bridge->listener.port });
        int r = to_kernel_send(leat_plugin_commands(bridge->plugin), &command, leat_after_ms(REPORT_MS));
        if (r == 0)
                r = accept_clients(bridge);
        if (r != 0)
                leat_plugin_complain(bridge->plugin, "cannot start: %s", leat_strerror(r));
        return r;
}

bool bridge_id_is_leaving(struct bridge *bridge, const struct client *asking, const char *id) {
        const struct seat *seat;
        struct client *client;
        LIST_FOREACH(seat, &bridge->leaving, link) {
                if (identifier_equal(seat->id, id))
                        return true;
        }
        LIST_FOREACH(client, &bridge->clients, link) {
                if (client != asking && client_seat(client, id))
                        return client_gives_way(client);
        }
        return false;
}

static void resume_all(struct bridge *bridge, enum wait wait) {
        struct client *client, *next;
        for (client = LIST_FIRST(&bridge->clients); client; client = next) {
                next = LIST_NEXT(client, link);
                client_resume(client, wait);
                if (next && next->closed) /* It gave way to this one, and is in another list now. */
                        next = LIST_FIRST(&bridge->clients);
        }
}

static void on_kernel_room(leat_plugin *plugin, uint64_t key, void *data) {
        struct bridge *bridge = data;
        leat_plugin_detach(plugin, key);
        bridge->commands_key = 0;
        resume_all(bridge, WAIT_KERNEL);
        bridge_sweep(bridge);
}

int bridge_wait_for_kernel(struct bridge *bridge) {
        leat_plugin *plugin = bridge->plugin;
        if (bridge->commands_key != 0)
                return 0;
        int r = leat_plugin_attach(plugin, on_kernel_room, bridge, &bridge->commands_key);
        if (r == 0)
                r = to_kernel_set_add_sender(leat_plugin_set(plugin), leat_plugin_commands(plugin),
                                             bridge->commands_key);
        if (r != 0 && bridge->commands_key != 0) {
                leat_plugin_detach(plugin, bridge->commands_key);
                bridge->commands_key = 0;
        }
        return r;
}

void bridge_id_freed(struct bridge *bridge) {
        resume_all(bridge, WAIT_ID);
}

void bridge_need_tick(struct bridge *bridge) {
        if (!bridge->ticking)
                leat_plugin_set_tick(bridge->plugin, TICK_MS);
        bridge->ticking = true;
}

/* True when there are more to come. */
static bool look_at_leaving(struct bridge *bridge, leat_deadline now) {
        struct seat *seat, *next;
        for (seat = LIST_FIRST(&bridge->leaving); seat; seat = next) {
                next = LIST_NEXT(seat, link);
                if (seat->leave_by <= now)
                        seat_free(seat);
        }
        return !LIST_EMPTY(&bridge->leaving);
}

static bool look_at_ended(struct bridge *bridge, leat_deadline now) {
        struct client *client, *next;
        bool more = false;
        for (client = LIST_FIRST(&bridge->clients); client; client = next) {
                next = LIST_NEXT(client, link);
                if (client->ended && client->close_by <= now)
                        client_close(client);
                else
                        more |= client->ended || client->wait == WAIT_ID;
        }
        return more;
}

void bridge_tick(struct bridge *bridge) {
        leat_deadline now = leat_after_ms(0);
        bool more = look_at_leaving(bridge, now);
        more |= look_at_ended(bridge, now);
        if (bridge->listener_key == 0 && accept_clients(bridge) != 0)
                more = true;
        bridge->ticking = more;
        if (!more)
                leat_plugin_set_tick(bridge->plugin, 0);
        resume_all(bridge, WAIT_ID);
        bridge_sweep(bridge);
}

void bridge_sweep(struct bridge *bridge) {
        size_t freed = 0;
        while (!LIST_EMPTY(&bridge->closed)) {
                freed += outbox_size(&LIST_FIRST(&bridge->closed)->outbox);
                client_free(LIST_FIRST(&bridge->closed));
        }
        if (freed > TRIM_SIZE)
                malloc_trim(0);
}

void bridge_stop(struct bridge *bridge) {
        while (!LIST_EMPTY(&bridge->clients))
                client_close(LIST_FIRST(&bridge->clients));
        bridge_sweep(bridge);
        while (!LIST_EMPTY(&bridge->leaving))
                seat_free(LIST_FIRST(&bridge->leaving));
}

void bridge_free(struct bridge *bridge) {
        listener_close(&bridge->listener);
        blob_free(&bridge->line);
}
