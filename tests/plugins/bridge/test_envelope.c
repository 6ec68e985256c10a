/* The bridge's two faces of one message: a line of JSON, and a kernel_message. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <leat/guid.h>

#include "plugins/bridge/envelope.h"

/* Reads a text, which stays as it is. What the envelope points to lives until release(). */
struct read {
        struct envelope envelope;
        char *line;
        int result;
};

static void read_line(struct read *read, const char *text) {
        read->line = strdup(text);
        read->result = envelope_read(read->line, strlen(text), &read->envelope);
}

static void release(struct read *read) {
        envelope_free(&read->envelope);
        free(read->line);
}

#define read_auto __attribute__((cleanup(release))) struct read

static int result_of(const char *text) {
        read_auto read;
        read_line(&read, text);
        return read.result;
}

static const char full[] =
        "{\"Header\":{\"MessageType\":\"CommandRequest\",\"MessageId\":\"6b3f3b56-c2bf-4f1c-9afa-"
        "1b21f2f6b0e8\","
        "\"Timestamp\":\"2025-12-02T10:35:00.1234567Z\",\"CorrelationId\":\"c\"},"
        "\"Metadata\":{\"PluginId\":\"P\",\"Sender\":\"S\",\"Sequence\":-5,\"Target\":\"T\",\"Ack\":true},"
        "\"Payload\":{\"UserId\":4711,\"Deep\":[1,2.5,null,\"\xC3\xA6\"]}}";

Test(envelope, every_field_is_read) {
        read_auto read;
        read_line(&read, full);
        const kernel_message *m = &read.envelope.message;
        cr_assert_eq(read.result, 0);
        cr_assert_str_eq(m->header.message_type, "CommandRequest");
        cr_assert_str_eq(m->header.message_id, "6b3f3b56-c2bf-4f1c-9afa-1b21f2f6b0e8");
        cr_assert_str_eq(m->header.timestamp, "2025-12-02T10:35:00.1234567Z");
        cr_assert(m->header.correlation_id.present);
        cr_assert_str_eq(m->header.correlation_id.value, "c");
        cr_assert_str_eq(m->metadata.plugin_id, "P");
        cr_assert_str_eq(m->metadata.sender.value, "S");
        cr_assert_eq(m->metadata.sequence, -5);
        cr_assert_str_eq(m->metadata.target.value, "T");
        cr_assert(m->metadata.ack);
        cr_assert_eq(((const unsigned char *) m->payload.data)[0], 0x82);
}

Test(envelope, what_was_read_is_written_the_same) {
        read_auto read;
        read_line(&read, full);
        blob_auto out = { 0 };
        cr_assert_eq(envelope_write(&read.envelope.message, &out), 0);
        cr_assert_eq(out.size, strlen(full) + 1);
        cr_assert_arr_eq(out.data, full, strlen(full), "%.*s", (int) out.size, out.data);
        cr_assert_eq(out.data[out.size - 1], '\n');
}

Test(envelope, written_json_has_all_properties_with_nulls_and_target_and_ack_only_when_set) {
        const char *json =
                "{\"Header\":{\"MessageType\":\"Heartbeat\",\"MessageId\":\"m\",\"Timestamp\":\"2025-12-"
                "02T10:35:00Z\","
                "\"CorrelationId\":null},\"Metadata\":{\"PluginId\":\"P\",\"Sender\":null,\"Sequence\":0},"
                "\"Payload\":null}";
        read_auto read;
        read_line(&read, json);
        blob_auto out = { 0 };
        cr_assert_eq(envelope_write(&read.envelope.message, &out), 0);
        cr_assert_eq(out.size, strlen(json) + 1);
        cr_assert_arr_eq(out.data, json, strlen(json), "%.*s", (int) out.size, out.data);
}

Test(envelope, missing_and_null_properties_take_their_defaults) {
        const char *lines[] = { "{}", "{\"Header\":{},\"Metadata\":{}}",
                                "{\"Header\":null,\"Metadata\":null,\"Payload\":null}",
                                "{\"Header\":{\"MessageType\":null,\"MessageId\":null,\"Timestamp\":null,"
                                "\"CorrelationId\":null},"
                                "\"Metadata\":{\"PluginId\":null,\"Sender\":null,\"Sequence\":null,"
                                "\"Target\":null,\"Ack\":null}}" };
        for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
                read_auto read;
                read_line(&read, lines[i]);
                const kernel_message *m = &read.envelope.message;
                cr_assert_eq(read.result, 0, "%s", lines[i]);
                cr_assert_str_eq(m->header.message_type, "");
                cr_assert_str_eq(m->header.message_id, "");
                cr_assert_eq(strncmp(m->header.timestamp, "20", 2), 0);
                cr_assert_not(m->header.correlation_id.present);
                cr_assert_str_eq(m->metadata.plugin_id, "");
                cr_assert_not(m->metadata.sender.present);
                cr_assert_eq(m->metadata.sequence, 0);
                cr_assert_not(m->metadata.target.present);
                cr_assert_not(m->metadata.ack);
        }
}

Test(envelope, names_match_by_case_and_unknown_ones_are_ignored) {
        read_auto read;
        read_line(&read, "{\"header\":5,\"Extra\":[1],\"Header\":{\"messageid\":7,\"MessageId\":\"m\"},"
                         "\"Metadata\":{\"pluginid\":[],\"PluginId\":\"P\",\"More\":{}}}");
        cr_assert_eq(read.result, 0);
        cr_assert_str_eq(read.envelope.message.header.message_id, "m");
        cr_assert_str_eq(read.envelope.message.metadata.plugin_id, "P");
}

Test(envelope, wrong_shapes_are_invalid_messages) {
        const char *lines[] = { "5",
                                "[]",
                                "\"x\"",
                                "null",
                                "{\"Header\":[]}",
                                "{\"Metadata\":\"\"}",
                                "{\"Header\":{\"MessageType\":5}}",
                                "{\"Header\":{\"MessageId\":{}}}",
                                "{\"Header\":{\"Timestamp\":\"yesterday\"}}",
                                "{\"Header\":{\"Timestamp\":5}}",
                                "{\"Header\":{\"Timestamp\":\"2025-02-30\"}}",
                                "{\"Header\":{\"CorrelationId\":1}}",
                                "{\"Metadata\":{\"PluginId\":1}}",
                                "{\"Metadata\":{\"Sender\":true}}",
                                "{\"Metadata\":{\"Sequence\":\"5\"}}",
                                "{\"Metadata\":{\"Sequence\":1.5}}",
                                "{\"Metadata\":{\"Sequence\":5.0}}",
                                "{\"Metadata\":{\"Target\":[]}}",
                                "{\"Metadata\":{\"Ack\":1}}",
                                "{\"Header\":{\"MessageId\":\"a\\u0000b\"}}",
                                "{\"Metadata\":{\"Target\":\"a\\u0000b\"}}" };
        for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
                cr_assert_eq(result_of(lines[i]), REFUSAL_INVALID_MESSAGE, "%s", lines[i]);
}

Test(envelope, the_refused_messages_id_is_known_when_it_could_be_read) {
        const struct {
                const char *line;
                int result;
        } cases[] = {
                { "{\"Metadata\":{\"Ack\":5},\"Header\":{\"MessageId\":\"m\"}}", REFUSAL_INVALID_MESSAGE },
                { "{\"Metadata\":5,\"Header\":{\"MessageId\":\"m\"}}", REFUSAL_INVALID_MESSAGE },
                { "{\"Payload\":1e999,\"Header\":{\"MessageId\":\"m\"}}", REFUSAL_NUMBER_OUT_OF_RANGE },
                { "{\"Payload\":[99999999999999999999],\"Header\":{\"MessageId\":\"m\"}}",
                  REFUSAL_NUMBER_OUT_OF_RANGE },
                { "{\"Header\":{\"MessageId\":\"m\"},\"Metadata\":{\"Sequence\":2147483648}}",
                  REFUSAL_NUMBER_OUT_OF_RANGE },
                { "{\"Header\":{\"MessageId\":\"m\"},\"Metadata\":{\"PluginId\":\"a\\nb\"}}",
                  REFUSAL_INVALID_ID },
        };
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
                read_auto read;
                read_line(&read, cases[i].line);
                cr_assert_eq(read.result, cases[i].result, "%s", cases[i].line);
                cr_assert_str_eq(read.envelope.message.header.message_id, "m");
        }
        read_auto read;
        read_line(&read, "{\"Header\":{\"MessageId\":\"m\"}");
        cr_assert_eq(read.result, REFUSAL_INVALID_JSON);
        cr_assert_str_eq(read.envelope.message.header.message_id, "");
}

static int result_of_id(const char *id) {
        char line[256];
        snprintf(line, sizeof line, "{\"Metadata\":{\"PluginId\":\"%s\"}}", id);
        return result_of(line);
}

Test(envelope, ids_are_up_to_64_bytes_without_control_characters) {
        char id[66];
        memset(id, 'x', sizeof id);
        id[64] = 0;
        cr_assert_eq(result_of_id(id), 0);
        id[64] = 'x';
        id[65] = 0;
        cr_assert_eq(result_of_id(id), REFUSAL_INVALID_ID);
        cr_assert_eq(result_of_id("\\u0000"), REFUSAL_INVALID_ID);
        cr_assert_eq(result_of_id("a\\u0000"), REFUSAL_INVALID_ID);
        cr_assert_eq(result_of_id("a\\tb"), REFUSAL_INVALID_ID);
        cr_assert_eq(result_of_id("a\\u0085b"), REFUSAL_INVALID_ID);
        cr_assert_eq(result_of_id("\xC3\x86sj \xF0\x9F\x98\x80"), 0);
}

Test(envelope, timestamps_are_accepted_as_documented_and_written_in_utc_without_needless_digits) {
        const char *pairs[][2] = { { "2025-12-02", "2025-12-02T00:00:00Z" },
                                   { "2025-12-02T10:35:00", "2025-12-02T10:35:00Z" },
                                   { "2025-12-02T10:35:00.5000000Z", "2025-12-02T10:35:00.5Z" },
                                   { "2025-12-02T10:35:00.1234567890123456Z",
                                     "2025-12-02T10:35:00.1234567Z" },
                                   { "2025-12-02T10:35:00.12+02:00", "2025-12-02T08:35:00.12Z" } };
        for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
                char line[128];
                snprintf(line, sizeof line, "{\"Header\":{\"Timestamp\":\"%s\"}}", pairs[i][0]);
                read_auto read;
                read_line(&read, line);
                cr_assert_eq(read.result, 0, "%s", line);
                cr_assert_str_eq(read.envelope.message.header.timestamp, pairs[i][1]);
        }
}

Test(envelope, error_names_its_code_and_the_offending_message) {
        blob_auto out = { 0 };
        cr_assert_eq(envelope_write_refusal(REFUSAL_TOO_DEEP, NULL, "m", &out), 0);
        json_t *json = json_loadb(out.data, out.size, 0, NULL);
        const char *type, *id, *timestamp, *correlation, *plugin, *code, *text;
        json_t *sender;
        int sequence;
        cr_assert_eq(json_unpack(json, "{s:{s:s,s:s,s:s,s:s},s:{s:s,s:o,s:i},s:{s:s,s:s}}", "Header",
                                 "MessageType", &type, "MessageId", &id, "Timestamp", &timestamp,
                                 "CorrelationId", &correlation, "Metadata", "PluginId", &plugin, "Sender",
                                 &sender, "Sequence", &sequence, "Payload", "Code", &code, "Message", &text),
                     0);
        cr_assert_str_eq(type, "Error");
        cr_assert(leat_guid_valid(id, strlen(id)));
        cr_assert_str_eq(correlation, "m");
        cr_assert_str_eq(plugin, "kernel");
        cr_assert(json_is_null(sender));
        cr_assert_str_eq(code, "TooDeep");
        cr_assert_gt(strlen(text), 0);
        json_decref(json);
}

Test(envelope, error_without_a_readable_id_correlates_to_null) {
        blob_auto out = { 0 };
        cr_assert_eq(envelope_write_refusal(REFUSAL_INVALID_JSON, NULL, "", &out), 0);
        cr_assert_not_null(memmem(out.data, out.size, "\"CorrelationId\":null", 20));
}

Test(envelope, message_that_json_cannot_hold_leaves_nothing_behind) {
        kernel_message message = { .payload = { "\xCF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 9 } };
        blob_auto out = { 0 };
        cr_assert_eq(blob_add_text(&out, "before"), 0);
        cr_assert_eq(envelope_write(&message, &out), REFUSAL_NUMBER_OUT_OF_RANGE);
        cr_assert_eq(out.size, 6);
}
