/* To the kernel every id is a plugin with a channel of its own: that channel is its identity, whatever the
 * messages claim. So one connection that speaks for three ids has three seats, and each is listed, supervised
 * and reached for itself. */
#include "seat.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bridge.h"

/* How many deliveries one seat gives its connection in one turn. */
#define DELIVERIES_A_TURN 64

/* The kernel lets go of an id as soon as it looks; if it never does, it is not for us to hold it. */
#define LEAVE_MS 2000

static void stop_listening(struct seat *seat) {
        if (seat->key != 0)
                leat_plugin_detach(seat->bridge->plugin, seat->key);
        seat->key = 0;
}

static void stop_waiting_for_room(struct seat *seat) {
        if (seat->room_key != 0)
                leat_plugin_detach(seat->bridge->plugin, seat->room_key);
        seat->room_key = 0;
}

/* Nothing here waits: a message that cannot be received now is received in the next turn. */
static void receive(struct seat *seat) {
        to_plugin delivery;
        for (int i = 0; i < DELIVERIES_A_TURN && !seat->refused_id; i++) {
                int r = to_plugin_recv(seat->deliveries, &delivery, LEAT_NOW);
                if (r == LEAT_EMPTY || r == LEAT_NO_DESCRIPTORS)
                        break;
                if (r == LEAT_DISCONNECTED && seat->state == SEAT_LEAVING) {
                        struct bridge *bridge = seat->bridge;
                        seat_free(seat);
                        bridge_id_freed(bridge);
                        return;
                }
                if (seat->state == SEAT_LEAVING)
                        continue;
                if (r == LEAT_DISCONNECTED || (r == 0 && delivery.tag == to_plugin_tag_stop)) {
                        client_close(seat->client);
                        return;
                }
                if (r == 0)
                        client_deliver(seat->client, seat, &delivery.message);
                else
                        seat->client->outbox.lost++; /* A message that cannot be received. */
        }
        if (seat->state == SEAT_OPEN)
                client_settle(seat->client);
}

static void on_delivery(leat_plugin *plugin, uint64_t key, void *data) {
        struct seat *seat = data;
        struct bridge *bridge = seat->bridge;
        (void) plugin;
        (void) key;
        receive(seat);
        bridge_sweep(bridge);
}

static int listen_to_deliveries(struct seat *seat) {
        leat_plugin *plugin = seat->bridge->plugin;
        int r = leat_plugin_attach(plugin, on_delivery, seat, &seat->key);
        if (r == 0)
                r = to_plugin_set_add(leat_plugin_set(plugin), seat->deliveries, seat->key);
        return r;
}

static void take_channels(struct seat *seat, kernel_welcome *welcome) {
        seat->deliveries = to_plugin_receiver_take(&welcome->deliveries);
        if (seat->state == SEAT_OPENING) {
                seat->state = SEAT_OPEN;
                seat->commands = to_kernel_sender_take(&welcome->commands);
        } /* Otherwise the welcome's sender is closed with it, and the kernel lets go. */
        kernel_welcome_receiver_close(&seat->welcome);
}

/* The kernel has answered a seat whose connection did not wait. */
static void welcome_too_late(struct seat *seat, int r, kernel_welcome *welcome) {
        if (r == 0 && welcome->ok) {
                take_channels(seat, welcome);
                if (listen_to_deliveries(seat) == 0)
                        return;
        }
        struct bridge *bridge = seat->bridge;
        seat_free(seat);
        bridge_id_freed(bridge);
}

static void welcome(struct seat *seat) {
        kernel_welcome welcome;
        int r = kernel_welcome_recv(seat->welcome, &welcome, LEAT_NOW);
        if (r == LEAT_EMPTY || r == LEAT_NO_DESCRIPTORS)
                return;
        stop_listening(seat);
        if (seat->state == SEAT_LEAVING) {
                welcome_too_late(seat, r, &welcome);
                return;
        }
        struct client *client = seat->client;
        if (r == 0 && !welcome.ok) {
                client_refuse(client, welcome.code, welcome.text);
                seat_free(seat);
                client_resume(client, WAIT_WELCOME);
                return;
        }
        if (r == 0) {
                take_channels(seat, &welcome);
                r = listen_to_deliveries(seat);
        }
        if (r == 0)
                client_resume(client, WAIT_WELCOME);
        else
                client_close(client);
}

static void on_welcome(leat_plugin *plugin, uint64_t key, void *data) {
        struct seat *seat = data;
        struct bridge *bridge = seat->bridge;
        (void) plugin;
        (void) key;
        welcome(seat);
        bridge_sweep(bridge);
}

static int ask_kernel(struct seat *seat, const char *name, const char *version) {
        leat_plugin *plugin = seat->bridge->plugin;
        kernel_welcome_sender reply = { 0 };
        int r = kernel_welcome_channel(&reply, &seat->welcome);
        if (r == 0)
                r = leat_plugin_attach(plugin, on_welcome, seat, &seat->key);
        if (r == 0)
                r = kernel_welcome_set_add(leat_plugin_set(plugin), seat->welcome, seat->key);
        if (r == 0) {
                to_kernel command = to_kernel_open_client(
                        (kernel_open_client){ .id = seat->id,
                                              .name = name,
                                              .version = version,
                                              .reply = kernel_welcome_sender_give(&reply) });
                r = to_kernel_send(leat_plugin_commands(plugin), &command, LEAT_NOW);
        }
        kernel_welcome_sender_close(&reply); /* Given and gone, unless the send failed. */
        return r;
}

int seat_open(struct bridge *bridge, struct client *client, const char *id, const char *name,
              const char *version, struct seat **ret_seat) {
        struct seat *seat = calloc(1, sizeof *seat);
        if (!seat)
                return -ENOMEM;
        seat->bridge = bridge;
        seat->client = client;
        seat->state = SEAT_OPENING;
        seat->id = strdup(id);
        LIST_INSERT_HEAD(&client->seats, seat, link);
        client->seat_count++;
        int r = seat->id ? ask_kernel(seat, name, version) : -ENOMEM;
        if (r != 0) {
                seat_free(seat);
                return r;
        }
        *ret_seat = seat;
        return 0;
}

static int send_message(struct seat *seat, const kernel_message *message) {
        to_kernel command = to_kernel_message(*message);
        return to_kernel_send(seat->commands, &command, LEAT_NOW);
}

int seat_send(struct seat *seat, const kernel_message *message) {
        int r = send_message(seat, message);
        seat->spoken |= r == 0;
        return r;
}

static int send_refusal(struct seat *seat) {
        char id[LEAT_GUID_SIZE], timestamp[LEAT_TIMESTAMP_SIZE];
        leat_guid_new(id);
        leat_timestamp_text_now(timestamp);
        kernel_message error = {
                .header = { .message_type = "Error", .message_id = id, .timestamp = timestamp },
                .metadata = { .plugin_id = seat->id },
        };
        error.header.correlation_id.present = true;
        error.header.correlation_id.value = seat->refused_id;
        int r = leat_payload_error(refusal_code(seat->refused_for), seat->refused_text, &error.payload);
        if (r == 0)
                r = send_message(seat, &error);
        leat_payload_free(&error.payload);
        return r;
}

static void forget_refusal(struct seat *seat) {
        free(seat->refused_id);
        seat->refused_id = NULL;
}

/* When it can be said in no way, the client goes: the kernel then tells everybody whose requests it has not
 * answered. */
static void try_refusal(struct seat *seat) {
        int r = send_refusal(seat);
        if (r == LEAT_FULL && seat_wait_for_room(seat) == 0) {
                stop_listening(seat);
                return;
        }
        forget_refusal(seat);
        if (r == 0 && seat->key == 0)
                r = listen_to_deliveries(seat);
        if (r != 0)
                client_close(seat->client);
}

void seat_refuse(struct seat *seat, const kernel_message *message, enum refusal refusal, const char *text) {
        seat->refused_id = strdup(message->header.message_id);
        seat->refused_for = refusal;
        seat->refused_text = text ? text : refusal_text(refusal);
        if (seat->refused_id)
                try_refusal(seat);
        else
                client_close(seat->client);
}

static void on_room(leat_plugin *plugin, uint64_t key, void *data) {
        struct seat *seat = data;
        struct bridge *bridge = seat->bridge;
        (void) plugin;
        (void) key;
        stop_waiting_for_room(seat);
        if (seat->refused_id)
                try_refusal(seat);
        if (seat->client)
                client_resume(seat->client, WAIT_ROOM);
        bridge_sweep(bridge);
}

int seat_wait_for_room(struct seat *seat) {
        leat_plugin *plugin = seat->bridge->plugin;
        if (seat->room_key != 0)
                return 0;
        int r = leat_plugin_attach(plugin, on_room, seat, &seat->room_key);
        if (r == 0)
                r = to_kernel_set_add_sender(leat_plugin_set(plugin), seat->commands, seat->room_key);
        if (r != 0)
                stop_waiting_for_room(seat);
        return r;
}

void seat_leave(struct seat *seat) {
        stop_waiting_for_room(seat);
        if (seat->state == SEAT_OPEN && seat->key == 0) /* It shows when the kernel has let go. */
                (void) listen_to_deliveries(seat);
        forget_refusal(seat);
        to_kernel_sender_close(&seat->commands);
        LIST_REMOVE(seat, link);
        seat->client->seat_count--;
        seat->client = NULL;
        seat->state = SEAT_LEAVING;
        seat->leave_by = leat_after_ms(LEAVE_MS);
        LIST_INSERT_HEAD(&seat->bridge->leaving, seat, link);
        bridge_need_tick(seat->bridge);
}

void seat_free(struct seat *seat) {
        stop_waiting_for_room(seat);
        stop_listening(seat);
        LIST_REMOVE(seat, link);
        if (seat->client)
                seat->client->seat_count--;
        kernel_welcome_receiver_close(&seat->welcome);
        to_kernel_sender_close(&seat->commands);
        to_plugin_receiver_close(&seat->deliveries);
        free(seat->refused_id);
        free(seat->id);
        free(seat);
}
