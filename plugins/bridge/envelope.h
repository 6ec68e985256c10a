/* The IKT300 message: a line of JSON outside, a kernel_message inside. */
#ifndef BRIDGE_ENVELOPE_H
#define BRIDGE_ENVELOPE_H

#include <stddef.h>

#include <leat/protocol.h>
#include <leat/timestamp.h>

#include "blob.h"
#include "refusal.h"

/* The texts of a message that are not its payload: MessageId, MessageType, Timestamp, CorrelationId,
 * PluginId, Sender and Target. */
enum { ENVELOPE_TEXTS = 7 };

/* A message read from a line. The message points into what stands behind it: never copy or move this struct.
 * What it holds is not much larger than the line was, for as long as the message may have to wait. */
struct envelope {
        kernel_message message;
        char timestamp[LEAT_TIMESTAMP_SIZE];
        char *texts[ENVELOPE_TEXTS];
        size_t text_count;
        struct blob payload;
};

/* Reads one line, which is changed in place. Names match by case, unknown ones are ignored, what is missing
 * or null takes its default: an empty text, 0, false, null, and for the timestamp the time now. Texts other
 * than the payload's cannot hold NUL, because inside they are C strings.
 *
 * 0; any refusal of json_parse; REFUSAL_INVALID_MESSAGE for a wrong type; REFUSAL_INVALID_ID; -ENOMEM.
 * Whatever it returns, *ret_envelope is set and must be freed, and its message_id is the message's if one
 * could be read, else "". When plugin_id is empty, the message is to be ignored. */
int envelope_read(char *line, size_t size, struct envelope *ret_envelope);

/* Frees and zeroes. */
void envelope_free(struct envelope *envelope);

/* Appends the message as a line: all properties, null where there is none; Target and Ack only when set.
 * Refusals as msgpack_to_json, -ENOMEM; *out is then as it was. */
int envelope_write(const kernel_message *message, struct blob *out);

/* Appends an Error message from the kernel. `text` may be NULL for the refusal's own; an empty or NULL
 * correlation_id is written as null. -ENOMEM; *out is then as it was. */
int envelope_write_error(const char *code, const char *text, const char *correlation_id, struct blob *out);
int envelope_write_refusal(enum refusal refusal, const char *text, const char *correlation_id,
                           struct blob *out);

#endif
