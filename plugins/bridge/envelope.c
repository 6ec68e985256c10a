/* The two faces of one message. Everything that a client can get wrong in a message's shape is found here, so
 * that what goes on to the kernel is always whole; and everything that the kernel sends is written the way
 * the C# side writes it, since its readers are the judges. */
#include "envelope.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <leat/guid.h>

#include "json_to_msgpack.h"
#include "msgpack_to_json.h"
#include "utf8.h"

#define ID_LIMIT 64

/* A member that is missing or null leaves *ret_value NULL. `object` may be NULL. */
static int member(const json_t *object, const char *name, json_type type, json_t **ret_value) {
        json_t *value = object ? json_object_get(object, name) : NULL;
        if (!value || json_is_null(value)) {
                *ret_value = NULL;
                return 0;
        }
        if (json_typeof(value) != type)
                return REFUSAL_INVALID_MESSAGE;
        *ret_value = value;
        return 0;
}

/* Leaves the default in place when there is none. The text is copied: the tree that it stands in can be a
 * hundred times as large as the line. */
static int read_text(struct envelope *envelope, const json_t *object, const char *name, const char **text) {
        json_t *value;
        int r = member(object, name, JSON_STRING, &value);
        if (r != 0 || !value)
                return r;
        if (strlen(json_string_value(value)) != json_string_length(value))
                return REFUSAL_INVALID_MESSAGE;
        char *copy = strdup(json_string_value(value));
        if (!copy)
                return -ENOMEM;
        envelope->texts[envelope->text_count++] = copy;
        *text = copy;
        return 0;
}

/* A number's type decides: 5 is an integer, 5.0 is not, as in C#. */
static int read_sequence(const json_t *metadata, int32_t *sequence) {
        json_t *value;
        int r = member(metadata, "Sequence", JSON_INTEGER, &value);
        if (r != 0 || !value)
                return r;
        json_int_t number = json_integer_value(value);
        if (number < INT32_MIN || number > INT32_MAX)
                return REFUSAL_NUMBER_OUT_OF_RANGE;
        *sequence = (int32_t) number;
        return 0;
}

static int read_flag(const json_t *object, const char *name, bool *flag) {
        const json_t *value = object ? json_object_get(object, name) : NULL;
        if (value && !json_is_null(value) && !json_is_boolean(value))
                return REFUSAL_INVALID_MESSAGE;
        *flag = json_is_true(value);
        return 0;
}

/* As C# writes it: no more digits of the second's fraction than needed. */
static void trim_fraction(char *timestamp) {
        char *end = timestamp + strlen(timestamp) - 1; /* At the Z. */
        while (end[-1] == '0')
                end--;
        if (end[-1] == '.')
                end--;
        strcpy(end, "Z");
}

static int read_timestamp(const json_t *header, struct envelope *envelope) {
        const char *text = NULL;
        int r = read_text(envelope, header, "Timestamp", &text);
        if (r != 0)
                return r;
        if (!text)
                leat_timestamp_text_now(envelope->timestamp);
        else if (leat_timestamp_normalise(text, strlen(text), envelope->timestamp) != 0)
                return REFUSAL_INVALID_MESSAGE;
        trim_fraction(envelope->timestamp);
        envelope->message.header.timestamp = envelope->timestamp;
        return 0;
}

static int read_header(const json_t *header, struct envelope *envelope) {
        kernel_header *to = &envelope->message.header;
        const char *correlation_id = NULL;
        int r = read_text(envelope, header, "MessageType", &to->message_type);
        if (r == 0)
                r = read_timestamp(header, envelope);
        if (r == 0)
                r = read_text(envelope, header, "CorrelationId", &correlation_id);
        to->correlation_id.present = correlation_id != NULL;
        to->correlation_id.value = correlation_id;
        return r;
}

/* Refused here and not by the kernel, since an id with a NUL would be cut short on its way. */
static int read_id(struct envelope *envelope, const json_t *metadata, const char **id) {
        json_t *value;
        int r = member(metadata, "PluginId", JSON_STRING, &value);
        if (r != 0 || !value)
                return r;
        const char *text = json_string_value(value);
        size_t size = json_string_length(value);
        if (size > ID_LIMIT || utf8_has_control(text, size))
                return REFUSAL_INVALID_ID;
        return read_text(envelope, metadata, "PluginId", id);
}

static int read_metadata(const json_t *metadata, struct envelope *envelope) {
        kernel_metadata *to = &envelope->message.metadata;
        const char *sender = NULL, *target = NULL;
        int r = read_text(envelope, metadata, "Sender", &sender);
        if (r == 0)
                r = read_sequence(metadata, &to->sequence);
        if (r == 0)
                r = read_text(envelope, metadata, "Target", &target);
        if (r == 0)
                r = read_flag(metadata, "Ack", &to->ack);
        if (r == 0)
                r = read_id(envelope, metadata, &to->plugin_id);
        to->sender.present = sender != NULL;
        to->sender.value = sender;
        to->target.present = target != NULL;
        to->target.value = target;
        return r;
}

static int read_payload(const json_t *message, struct envelope *envelope) {
        const json_t *payload = json_object_get(message, "Payload");
        if (!payload)
                return 0;
        int r = json_to_msgpack(payload, &envelope->payload);
        envelope->message.payload = (leat_any){ envelope->payload.data, envelope->payload.size };
        return r;
}

/* `parsed` is what parsing found wrong; the message's id is read all the same. */
static int read_message(const json_t *json, struct envelope *envelope, int parsed) {
        json_t *header = NULL, *metadata = NULL;
        if (!json_is_object(json))
                return REFUSAL_INVALID_MESSAGE;
        int r = member(json, "Header", JSON_OBJECT, &header);
        if (r == 0)
                r = read_text(envelope, header, "MessageId", &envelope->message.header.message_id);
        if (parsed != 0)
                return parsed;
        if (r == 0)
                r = member(json, "Metadata", JSON_OBJECT, &metadata);
        if (r == 0)
                r = read_header(header, envelope);
        if (r == 0)
                r = read_metadata(metadata, envelope);
        return r != 0 ? r : read_payload(json, envelope);
}

int envelope_read(char *line, size_t size, struct envelope *ret_envelope) {
        *ret_envelope = (struct envelope){
                .message.header = { .message_type = "", .message_id = "", .timestamp = "" },
                .message.metadata.plugin_id = "",
        };
        json_t *json = NULL;
        int r = json_parse(line, size, &json);
        if (json)
                r = read_message(json, ret_envelope, r);
        json_decref(json);
        return r;
}

void envelope_free(struct envelope *envelope) {
        for (size_t i = 0; i < envelope->text_count; i++)
                free(envelope->texts[i]);
        blob_free(&envelope->payload);
        *envelope = (struct envelope){ 0 };
}

static int put_text(struct blob *out, const char *name, const char *text) {
        int r = blob_add_text(out, name);
        if (r == 0)
                r = text ? json_put_string(out, text, strlen(text)) : blob_add_text(out, "null");
        return r;
}

static const char *text_or_empty(const char *text) {
        return text ? text : "";
}

static int put_header(struct blob *out, const kernel_header *header) {
        char timestamp[LEAT_TIMESTAMP_SIZE];
        const char *text = text_or_empty(header->timestamp);
        if (leat_timestamp_normalise(text, strlen(text), timestamp) != 0)
                leat_timestamp_text_now(timestamp); /* The C# side could not read the message otherwise. */
        trim_fraction(timestamp);
        int r = put_text(out, "{\"Header\":{\"MessageType\":", text_or_empty(header->message_type));
        if (r == 0)
                r = put_text(out, ",\"MessageId\":", text_or_empty(header->message_id));
        if (r == 0)
                r = put_text(out, ",\"Timestamp\":", timestamp);
        if (r == 0)
                r = put_text(out, ",\"CorrelationId\":",
                             header->correlation_id.present ? text_or_empty(header->correlation_id.value)
                                                            : NULL);
        return r;
}

static int put_metadata(struct blob *out, const kernel_metadata *metadata) {
        char sequence[32];
        snprintf(sequence, sizeof sequence, ",\"Sequence\":%d", (int) metadata->sequence);
        int r = put_text(out, "},\"Metadata\":{\"PluginId\":", text_or_empty(metadata->plugin_id));
        if (r == 0)
                r = put_text(out, ",\"Sender\":",
                             metadata->sender.present ? text_or_empty(metadata->sender.value) : NULL);
        if (r == 0)
                r = blob_add_text(out, sequence);
        if (r == 0 && metadata->target.present)
                r = put_text(out, ",\"Target\":", text_or_empty(metadata->target.value));
        if (r == 0 && metadata->ack)
                r = blob_add_text(out, ",\"Ack\":true");
        return r;
}

/* `payload` is JSON; when it is NULL, the message's own is translated. */
static int put_message(struct blob *out, const kernel_message *message, const char *payload) {
        int r = put_header(out, &message->header);
        if (r == 0)
                r = put_metadata(out, &message->metadata);
        if (r == 0)
                r = blob_add_text(out, "},\"Payload\":");
        if (r == 0)
                r = payload ? blob_add_text(out, payload)
                            : msgpack_to_json(message->payload.data, message->payload.size, out);
        return r != 0 ? r : blob_add_text(out, "}\n");
}

int envelope_write(const kernel_message *message, struct blob *out) {
        size_t before = out->size;
        int r = put_message(out, message, NULL);
        if (r != 0)
                out->size = before;
        return r;
}

/* A message of the kernel's own, which the bridge writes in its name. */
static int put_from_kernel(struct blob *out, const char *type, const char *correlation_id,
                           const char *payload) {
        char id[LEAT_GUID_SIZE], timestamp[LEAT_TIMESTAMP_SIZE];
        leat_guid_new(id);
        leat_timestamp_text_now(timestamp);
        kernel_message message = {
                .header = { .message_type = type, .message_id = id, .timestamp = timestamp },
                .metadata = { .plugin_id = "kernel" },
        };
        message.header.correlation_id.present = correlation_id && *correlation_id;
        message.header.correlation_id.value = correlation_id;
        size_t before = out->size;
        int r = put_message(out, &message, payload);
        if (r != 0)
                out->size = before;
        return r;
}

int envelope_write_error(const char *code, const char *text, const char *correlation_id, struct blob *out) {
        blob_auto payload = { 0 };
        int r = put_text(&payload, "{\"Code\":", code);
        if (r == 0)
                r = put_text(&payload, ",\"Message\":", text_or_empty(text));
        if (r == 0)
                r = blob_add(&payload, "}", sizeof "}");
        return r != 0 ? r : put_from_kernel(out, "Error", correlation_id, payload.data);
}

int envelope_write_refusal(enum refusal refusal, const char *text, const char *correlation_id,
                           struct blob *out) {
        return envelope_write_error(refusal_code(refusal), text ? text : refusal_text(refusal),
                                    correlation_id, out);
}
