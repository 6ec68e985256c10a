/* What a plugin sends: events, requests, answers and heartbeats. The kernel reads at all times, so there
 * is room unless it is stopped; then the sender waits here, but in a way that a signal can end. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "runtime.h"

static int prepare_room(leat_plugin *plugin) {
        leat_set room = { NULL };
        int r;

        if (plugin->room.object != NULL)
                return 0;
        r = leat_set_create(&room);
        if (r != 0)
                return r;
        r = to_kernel_set_add_sender(room, plugin->commands, KEY_ROOM);
        if (r == 0)
                r = leat_set_watch(room, plugin->signals.descriptor, POLLIN, KEY_SIGNALS);
        if (r != 0) {
                leat_set_close(&room);
                return r;
        }
        plugin->room = room;
        return 0;
}

/* A plugin that leaves has a second for everything that it still wants to say. */
static leat_deadline limited(const leat_plugin *plugin, leat_deadline deadline) {
        return plugin->leaving && plugin->last_words < deadline ? plugin->last_words : deadline;
}

int outbound_send(leat_plugin *plugin, const to_kernel *message, leat_deadline deadline) {
        if (!to_kernel_sender_is_set(plugin->commands))
                return LEAT_DISCONNECTED;
        for (;;) {
                uint64_t key = 0;
                int r = to_kernel_send(plugin->commands, message, LEAT_NOW);

                if (r != LEAT_FULL || deadline == LEAT_NOW)
                        return r;
                r = prepare_room(plugin);
                if (r == 0)
                        r = leat_set_wait(plugin->room, &key, limited(plugin, deadline));
                if (r != 0)
                        return r == LEAT_EMPTY ? LEAT_TIMEOUT : r;
                if (key == KEY_SIGNALS)
                        plugin_read_signals(plugin);
        }
}

/* A message from this plugin, with an id and a time of its own. The texts are borrowed. */
struct letter {
        char id[LEAT_GUID_SIZE];
        char timestamp[LEAT_TIMESTAMP_SIZE];
        to_kernel command;
};

static void letter_begin(struct letter *letter, const leat_plugin *plugin, const char *type) {
        kernel_message *message;

        leat_guid_new(letter->id);
        leat_timestamp_text_now(letter->timestamp);
        memset(&letter->command, 0, sizeof(letter->command));
        letter->command.tag = to_kernel_tag_message;
        message = &letter->command.message;
        message->header.message_type = type;
        message->header.message_id = letter->id;
        message->header.timestamp = letter->timestamp;
        message->metadata.plugin_id = plugin->id;
}

static int32_t after(int32_t sequence) {
        return sequence == INT32_MAX ? 1 : sequence + 1;
}

/* Sends it under the sequence's next number, which is used up only if it was sent. */
static int letter_send(struct letter *letter, leat_plugin *plugin, int32_t *sequence,
                       leat_deadline deadline) {
        int r;

        letter->command.message.metadata.sequence = after(*sequence);
        r = outbound_send(plugin, &letter->command, deadline);
        if (r == 0)
                *sequence = after(*sequence);
        return r;
}

int outbound_heartbeat(leat_plugin *plugin) {
        struct letter letter;
        leat_member time;
        leat_any payload;
        int r;

        letter_begin(&letter, plugin, "Heartbeat");
        time.name = "Timestamp";
        time.value = leat_value_string(letter.timestamp);
        r = leat_payload_write(&time, 1, &payload);
        if (r != 0)
                return r;
        letter.command.message.payload = payload;
        r = letter_send(&letter, plugin, &plugin->heartbeats_sent, LEAT_NOW);
        leat_payload_free(&payload);
        return r;
}

/* Sends a CommandRequest; with an `answer`, its waiter is in place before the message leaves. */
static int send_request(leat_plugin *plugin, struct letter *letter, leat_plugin_answer *answer, void *data,
                        leat_deadline deadline) {
        int r = 0;

        if (answer != NULL)
                r = waiting_add(&plugin->waiting, letter->id, deadline, answer, data);
        if (r != 0)
                return r;
        r = letter_send(letter, plugin, &plugin->events_sent, deadline);
        if (r != 0 && answer != NULL)
                free(waiting_take(&plugin->waiting, letter->id));
        return r;
}

int leat_plugin_publish(leat_plugin *plugin, leat_any payload, leat_deadline deadline) {
        struct letter letter;

        letter_begin(&letter, plugin, "CommandRequest");
        letter.command.message.payload = payload;
        return send_request(plugin, &letter, NULL, NULL, deadline);
}

int leat_plugin_publish_acknowledged(leat_plugin *plugin, leat_any payload, leat_plugin_answer *answer,
                                     void *data, leat_deadline deadline) {
        struct letter letter;

        if (answer == NULL)
                return -EINVAL;
        letter_begin(&letter, plugin, "CommandRequest");
        letter.command.message.metadata.ack = true;
        letter.command.message.payload = payload;
        return send_request(plugin, &letter, answer, data, deadline);
}

int leat_plugin_request(leat_plugin *plugin, const char *target, leat_any payload, leat_plugin_answer *answer,
                        void *data, leat_deadline deadline) {
        struct letter letter;

        if (answer == NULL || target == NULL || target[0] == '\0')
                return -EINVAL;
        letter_begin(&letter, plugin, "CommandRequest");
        letter.command.message.metadata.target.present = true;
        letter.command.message.metadata.target.value = target;
        letter.command.message.payload = payload;
        return send_request(plugin, &letter, answer, data, deadline);
}

static int send_answer(leat_plugin *plugin, const char *type, const char *request_id, leat_any payload,
                       leat_deadline deadline) {
        struct letter letter;
        int r;

        letter_begin(&letter, plugin, type);
        letter.command.message.header.correlation_id.present = true;
        letter.command.message.header.correlation_id.value = request_id;
        letter.command.message.payload = payload;
        r = outbound_send(plugin, &letter.command, deadline);
        if (r == 0 && plugin->request != NULL && strcmp(plugin->request, request_id) == 0)
                plugin->request = NULL;
        return r;
}

int leat_plugin_respond(leat_plugin *plugin, const char *request_id, leat_any payload,
                        leat_deadline deadline) {
        return send_answer(plugin, "CommandResponse", request_id, payload, deadline);
}

int leat_plugin_refuse(leat_plugin *plugin, const char *request_id, const char *code, const char *text,
                       leat_deadline deadline) {
        leat_any payload;
        int r = leat_payload_error(code, text, &payload);

        if (r != 0)
                return r;
        r = send_answer(plugin, "Error", request_id, payload, deadline);
        leat_payload_free(&payload);
        return r;
}

int leat_plugin_extend(leat_plugin *plugin, uint32_t milliseconds) {
        to_kernel command = { .tag = to_kernel_tag_extend, .extend = { .milliseconds = milliseconds } };

        return outbound_send(plugin, &command, LEAT_NOW);
}
