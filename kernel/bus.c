/* Events go to everybody who wants them, requests to one, answers back to who asked. Nothing here waits: a
 * letter that finds no room goes into the row's outbox, and the set tells when to try again. */
#include "bus.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "heartbeats.h"
#include "identifier.h"
#include "leat/event.h"
#include "letters.h"
#include "life.h"
#include "ownership.h"
#include "receipts.h"
#include "requests.h"

static void cut(struct kernel *kernel, struct row *row, const char *why) {
        if (!row->cut)
                row->cut = why;
        kernel->untidy = true;
}

static void watch_for_room(struct kernel *kernel, struct row *row, bool wanted) {
        if (row->flushing == wanted)
                return;
        row->flushing = wanted;
        if (!wanted)
                kernel_unwatch(kernel, SUBJECT_DELIVERIES, row->serial);
        else if (to_plugin_set_add_sender(kernel->set, row->deliveries,
                                          kernel_key(SUBJECT_DELIVERIES, row->serial)) != 0)
                cut(kernel, row, "its channel cannot be watched");
}

static void become_deaf(struct kernel *kernel, struct row *row) {
        row->deaf = true;
        watch_for_room(kernel, row, false);
        outbox_clear(&row->outbox);
}

void bus_post(struct kernel *kernel, struct row *row, leat_encoded letter, enum letter_class class) {
        int r;

        if (!row_is_connected(row) || row->deaf || row->cut)
                return;
        r = outbox_post(&row->outbox, row->deliveries, letter, class);
        if (r == LEAT_DISCONNECTED)
                become_deaf(kernel, row);
        else if (r == LEAT_TOO_LARGE)
                cut(kernel, row, "it leaves too many answers unread");
        else if (r != 0)
                SAY(kernel, "A message for plugin %s was lost: %s", row->id, leat_strerror(r));
        if (!row->deaf)
                watch_for_room(kernel, row, row->outbox.count > 0 || row->outbox.lost > 0);
}

void bus_flush(struct kernel *kernel, struct row *row) {
        int r = outbox_flush(&row->outbox, row->deliveries);

        if (r == LEAT_DISCONNECTED)
                become_deaf(kernel, row);
        else if (r == 0)
                watch_for_room(kernel, row, false);
        else if (r != LEAT_FULL)
                SAY(kernel, "A message for plugin %s was lost: %s", row->id, leat_strerror(r));
}

void bus_refuse(struct kernel *kernel, struct row *row, const char *code, const char *text,
                const char *correlation) {
        leat_encoded letter;

        if (letters_error(code, text, correlation, &letter) != 0)
                return;
        bus_post(kernel, row, letter, LETTER_ANSWER);
        leat_encoded_close(&letter);
}

static const char *correlation_of(const kernel_message *message) {
        return message->header.correlation_id.present ? message->header.correlation_id.value : "";
}

/* Encodes the message for others; tells its sender when it cannot be. */
static bool encode(struct kernel *kernel, struct row *row, const kernel_message *message,
                   leat_encoded *ret_letter) {
        int r = letters_forward(message, row->id, ret_letter);

        if (r != 0)
                bus_refuse(kernel, row, "InvalidMessage", leat_strerror(r), message->header.message_id);
        return r == 0;
}

/* A durable subscriber that is being restarted is owed the event too, and so is a plugin that is just being
 * started: it may turn out to be one. */
static bool is_owed(const struct row *row) {
        return row->durable || row_is_awaited(row);
}

static void deliver(struct kernel *kernel, struct row *to, leat_encoded letter, struct receipt *receipt) {
        enum letter_class class = LETTER_EVENT;

        if (receipt && is_owed(to)) {
                if (receipts_owe(kernel, receipt, to) != 0) {
                        outbox_lose(&to->outbox);
                        watch_for_room(kernel, to, row_is_connected(to) && !to->deaf);
                        return;
                }
                class = LETTER_DUTY;
        }
        bus_post(kernel, to, letter, class);
}

static void route_event(struct kernel *kernel, struct row *row, const kernel_message *message) {
        const char *id = message->header.message_id, *name = leat_event_name(message->payload);
        struct receipt *receipt = NULL;
        leat_encoded letter;

        if (message->metadata.ack && !*id) {
                bus_refuse(kernel, row, "InvalidMessage", "an acknowledged event needs a MessageId", "");
                return;
        }
        if (!encode(kernel, row, message, &letter))
                return;
        if (message->metadata.ack)
                receipt = receipts_open(kernel, row, id, name, letter);
        else if (*id)
                sent_ids_add(&row->said, sent_ids_hash(id));
        if (message->metadata.ack && !receipt)
                bus_refuse(kernel, row, "EventsLost", "out of memory", id);
        else
                for (size_t i = 0; i < kernel->n_rows; i++)
                        if (kernel->rows[i] != row &&
                            (row_wants(kernel->rows[i], name) || row_is_awaited(kernel->rows[i])))
                                deliver(kernel, kernel->rows[i], letter, receipt);
        if (receipt)
                receipts_close(kernel, receipt);
        leat_encoded_close(&letter);
}

/* Without a MessageId nobody could tell what an answer is to. Tells the asker when there can be none. */
static bool expect_answer(struct kernel *kernel, struct row *row, struct row *target, const char *id) {
        int r = *id ? requests_add(kernel, row, target, id) : 0;

        if (r != 0)
                bus_refuse(kernel, row, "RateLimited",
                           r == LEAT_FULL ? "too many requests wait for an answer" : leat_strerror(r), id);
        return r == 0;
}

static void route_request(struct kernel *kernel, struct row *row, const kernel_message *message) {
        struct row *target = kernel_find_row(kernel, message->metadata.target.value);
        const char *id = message->header.message_id;
        leat_encoded letter;

        if (!target || !row_is_connected(target) || target->deaf) {
                bus_refuse(kernel, row, "UnknownTarget",
                           target ? "the target is not connected" : "there is no plugin of that id", id);
                return;
        }
        if (target->outbox.bytes[LETTER_ANSWER] > target->outbox.limit / 2) {
                bus_refuse(kernel, row, "RateLimited", "the target is too far behind", id);
                return;
        }
        if (!encode(kernel, row, message, &letter))
                return;
        if (expect_answer(kernel, row, target, id))
                bus_post(kernel, target, letter, LETTER_ANSWER);
        leat_encoded_close(&letter);
}

/* An event may be answered, once, by anybody. */
static struct row *find_publisher(struct kernel *kernel, const char *correlation) {
        uint64_t hash = sent_ids_hash(correlation);

        for (size_t i = 0; i < kernel->n_rows; i++)
                if (sent_ids_take(&kernel->rows[i]->said, hash))
                        return kernel->rows[i];
        return NULL;
}

/* Returns whether it answers anything. */
static bool deliver_answer(struct kernel *kernel, struct row *row, const char *correlation, bool error,
                           leat_encoded letter) {
        struct row *publisher;

        if (receipts_answer(kernel, row, correlation, error, letter) ||
            requests_answer(kernel, row, correlation, letter))
                return true;
        publisher = find_publisher(kernel, correlation);
        if (publisher)
                bus_post(kernel, publisher, letter, LETTER_ANSWER);
        return publisher != NULL;
}

static void route_answer(struct kernel *kernel, struct row *row, const kernel_message *message, bool error) {
        const char *correlation = correlation_of(message);
        leat_encoded letter;

        if (!encode(kernel, row, message, &letter))
                return;
        if (!*correlation || !deliver_answer(kernel, row, correlation, error, letter))
                SAY(kernel, "%s from plugin %s answers nothing (CorrelationId %s)",
                    error ? "Error" : "CommandResponse", row->id, *correlation ? correlation : "missing");
        leat_encoded_close(&letter);
}

static void log_heartbeat(struct kernel *kernel, struct row *row, const kernel_message *message) {
        int r;

        if (kernel->heartbeats < 0)
                return;
        r = heartbeats_write(kernel->heartbeats, row->id, message->metadata.sequence);
        if (r < 0) {
                SAY(kernel, "%s cannot be written any more: %s", HEARTBEATS_NAME, leat_strerror(r));
                close_descriptor(&kernel->heartbeats);
        }
}

/* A handshake inside a channel comes from a client of the bridge; a plugin of the kernel's has shaken
 * hands before. */
static void answer_handshake(struct kernel *kernel, struct row *row, const kernel_message *message) {
        leat_encoded letter;

        life_event(kernel, row, EVENT_HANDSHAKE);
        if (letters_ok(message->header.message_id, &letter) != 0)
                return;
        bus_post(kernel, row, letter, LETTER_ANSWER);
        leat_encoded_close(&letter);
}

void bus_route(struct kernel *kernel, struct row *row, const kernel_message *message) {
        const char *type = message->header.message_type;

        if (strcasecmp(type, "Handshake") == 0)
                answer_handshake(kernel, row, message);
        else if (strcasecmp(type, "Heartbeat") == 0)
                log_heartbeat(kernel, row, message);
        else if (strcasecmp(type, "CommandRequest") == 0 && message->metadata.target.present &&
                 *message->metadata.target.value)
                route_request(kernel, row, message);
        else if (strcasecmp(type, "CommandRequest") == 0)
                route_event(kernel, row, message);
        else if (strcasecmp(type, "CommandResponse") == 0 || strcasecmp(type, "Error") == 0)
                route_answer(kernel, row, message, strcasecmp(type, "Error") == 0);
        else
                bus_refuse(kernel, row, "InvalidMessage", "the MessageType is unknown",
                           message->header.message_id);
}
