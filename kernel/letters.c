/* Every message that leaves the kernel is made here, so that what the kernel says of itself looks the same
 * everywhere and a forwarded message can never carry another sender than the channel it came by. */
#include "letters.h"

#include <stdio.h>

#include "identifier.h"
#include "leat/guid.h"
#include "leat/payload.h"
#include "leat/timestamp.h"

int letters_forward(const kernel_message *message, const char *sender, leat_encoded *ret_letter) {
        to_plugin letter = to_plugin_message(*message);

        letter.message.metadata.plugin_id = sender;
        letter.message.metadata.sender.present = true;
        letter.message.metadata.sender.value = sender;
        return to_plugin_encode(&letter, ret_letter);
}

static int encode(const char *type, const char *correlation, leat_any payload, leat_encoded *ret_letter) {
        char id[LEAT_GUID_SIZE], time[LEAT_TIMESTAMP_SIZE];
        kernel_message message = {
                .header = { .message_type = type, .message_id = id, .timestamp = time },
                .metadata = { .plugin_id = IDENTIFIER_KERNEL },
                .payload = payload,
        };
        to_plugin letter;

        leat_guid_new(id);
        leat_timestamp_text_now(time);
        message.header.correlation_id.present = *correlation != '\0';
        message.header.correlation_id.value = correlation;
        letter = to_plugin_message(message);
        return to_plugin_encode(&letter, ret_letter);
}

static int encode_and_free(int r, const char *type, const char *correlation, leat_any payload,
                           leat_encoded *ret_letter) {
        if (r == 0) {
                r = encode(type, correlation, payload, ret_letter);
                leat_payload_free(&payload);
        }
        return r;
}

int letters_ok(const char *correlation, leat_encoded *ret_letter) {
        leat_any payload = { 0 };
        int r = leat_payload_ok(correlation, &payload);

        return encode_and_free(r, "CommandResponse", correlation, payload, ret_letter);
}

int letters_error(const char *code, const char *text, const char *correlation, leat_encoded *ret_letter) {
        leat_any payload = { 0 };
        int r = leat_payload_error(code, text, &payload);

        return encode_and_free(r, "Error", correlation, payload, ret_letter);
}

int letters_events_lost(uint64_t count, leat_encoded *ret_letter) {
        char text[64];
        leat_any payload = { 0 };
        leat_member members[] = {
                { "Code", leat_value_string("EventsLost") },
                { "Message", leat_value_string("") },
                { "Count", leat_value_integer((int64_t) count) },
        };
        int r;

        snprintf(text, sizeof(text), "EventsLost %llu", (unsigned long long) count);
        members[1].value = leat_value_string(text); /* Now that its length is known. */
        r = leat_payload_write(members, sizeof(members) / sizeof(members[0]), &payload);
        return encode_and_free(r, "Error", "", payload, ret_letter);
}

int letters_stop(const char *reason, leat_encoded *ret_letter) {
        to_plugin letter = to_plugin_stop((kernel_stop){ .reason = reason });

        return to_plugin_encode(&letter, ret_letter);
}
