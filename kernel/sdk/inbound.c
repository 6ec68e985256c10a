/* What the kernel sends to a plugin: events and requests for its callbacks, answers for those who wait,
 * and word from the kernel itself. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "runtime.h"

static bool is_type(const kernel_message *message, const char *type) {
        return strcasecmp(message->header.message_type, type) == 0;
}

static bool is_request(const kernel_message *message) {
        return message->metadata.target.present && message->metadata.target.value[0] != '\0';
}

/* Who sent it: the kernel fills in `sender` when it passes a message on. */
static const char *sender_of(const kernel_message *message) {
        if (message->metadata.plugin_id[0] != '\0' || !message->metadata.sender.present)
                return message->metadata.plugin_id;
        return message->metadata.sender.value;
}

static leat_plugin_message view_of(const kernel_message *message) {
        leat_plugin_message view = {
                .id = message->header.message_id,
                .sender = sender_of(message),
                .timestamp = message->header.timestamp,
                .name = is_request(message) ? "" : leat_event_name(message->payload),
                .sequence = message->metadata.sequence,
                .acknowledge = message->metadata.ack,
                .payload = message->payload,
        };

        return view;
}

/* An answer that could not be sent is no answer: the kernel keeps the event, and will ask again. */
static void answer_event(leat_plugin *plugin, const leat_plugin_message *event, int result) {
        leat_any payload;
        int r;

        if (result > 0) {
                r = leat_plugin_refuse(plugin, event->id, "InvalidMessage", leat_strerror(result),
                                       LEAT_FOREVER);
        } else {
                r = leat_payload_ok(event->id, &payload);
                if (r == 0) {
                        r = leat_plugin_respond(plugin, event->id, payload, LEAT_FOREVER);
                        leat_payload_free(&payload);
                }
        }
        if (r != 0 && r != LEAT_DISCONNECTED)
                leat_plugin_complain(plugin, "cannot answer the event %s: %s", event->id, leat_strerror(r));
}

static void on_event(leat_plugin *plugin, const kernel_message *message) {
        leat_plugin_message event = view_of(message);
        int r = LEAT_REFUSED;

        if (plugin->program->event != NULL)
                r = plugin->program->event(plugin, &event, plugin->data);
        if (plugin->program->durable && event.acknowledge && r >= 0)
                answer_event(plugin, &event, r);
}

static void on_request(leat_plugin *plugin, const kernel_message *message) {
        leat_plugin_message request = view_of(message);
        int r = LEAT_REFUSED;

        plugin->request = request.id;
        if (plugin->program->request != NULL)
                r = plugin->program->request(plugin, &request, plugin->data);
        if (r != 0 && plugin->request != NULL)
                (void) leat_plugin_refuse(plugin, request.id, "InvalidMessage",
                                          plugin->program->request == NULL ? "this plugin answers no requests"
                                                                           : leat_strerror(r),
                                          LEAT_FOREVER);
        plugin->request = NULL;
}

/* An Error's payload as C strings, cut to what fits. */
struct error_text {
        char code[64];
        char text[512];
};

static void copy_text(char *to, size_t size, const leat_value *value) {
        size_t length = 0;

        if (value->kind == LEAT_VALUE_TEXT)
                length = value->text.size < size - 1 ? value->text.size : size - 1;
        if (length > 0)
                memcpy(to, value->text.data, length);
        to[length] = '\0';
}

static void read_error(leat_any payload, struct error_text *ret_error) {
        static const char *const names[] = { "Code", "Message" };
        leat_value values[2];

        (void) leat_payload_read(payload, names, 2, values); /* Missing ones are empty. */
        copy_text(ret_error->code, sizeof(ret_error->code), &values[0]);
        copy_text(ret_error->text, sizeof(ret_error->text), &values[1]);
}

void inbound_answer(leat_plugin *plugin, struct waiter *waiter, const leat_plugin_reply *reply) {
        waiter->answer(plugin, reply, waiter->data);
        free(waiter);
}

void inbound_give_up(leat_plugin *plugin, int result) {
        leat_plugin_reply reply = { .result = result, .sender = "", .code = "", .text = "" };
        struct waiter *waiter;

        while ((waiter = waiting_take_any(&plugin->waiting)) != NULL)
                inbound_answer(plugin, waiter, &reply);
}

static void on_notice(leat_plugin *plugin, const struct error_text *error) {
        if (plugin->program->notice != NULL)
                plugin->program->notice(plugin, error->code, error->text, plugin->data);
        else
                leat_plugin_complain(plugin, "%s: %s", error->code, error->text);
}

static void on_answer(leat_plugin *plugin, const kernel_message *message) {
        bool is_error = is_type(message, "Error");
        leat_plugin_reply reply = {
                .sender = sender_of(message), .code = "", .text = "", .payload = message->payload
        };
        struct waiter *waiter = NULL;
        struct error_text error;

        if (message->header.correlation_id.present)
                waiter = waiting_take(&plugin->waiting, message->header.correlation_id.value);
        if (is_error) {
                read_error(message->payload, &error);
                reply.result = LEAT_REFUSED;
                reply.code = error.code;
                reply.text = error.text;
        }
        if (waiter != NULL)
                inbound_answer(plugin, waiter, &reply);
        else if (is_error)
                on_notice(plugin, &error);
}

void inbound_delivery(leat_plugin *plugin, const to_plugin *delivery) {
        const kernel_message *message = &delivery->message;

        if (delivery->tag == to_plugin_tag_stop)
                plugin_leave(plugin, LEAT_PLUGIN_DONE,
                             delivery->stop.reason[0] != '\0' ? delivery->stop.reason : "stop");
        else if (is_type(message, "CommandRequest") && is_request(message))
                on_request(plugin, message);
        else if (is_type(message, "CommandRequest"))
                on_event(plugin, message);
        else if (is_type(message, "CommandResponse") || is_type(message, "Error"))
                on_answer(plugin, message);
}
