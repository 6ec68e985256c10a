/* A client is a stranger: it may send half a message, a thousand at once, nonsense, or nothing; it may read
 * slowly, never, or go away at any moment. Its messages are taken one by one and in order. One that has to
 * wait (for the kernel's welcome, for room) makes its own connection wait and no other: it is kept in hand,
 * and the socket is not read until it has gone. */
#include "client.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bridge.h"
#include "kernel/identifier.h"

#define MAX_SEATS 64

/* More than this is not collected before it is written. */
#define WRITE_SIZE ((size_t) 64 << 10)

/* How long a client is left in peace that has not said who it is, when others wait for its place. */
#define NAMELESS_MS 10000

/* How long a client that has closed its side is kept for answers that are due to it. */
#define CLOSE_MS 60000

static void on_ready(leat_plugin *plugin, uint64_t key, void *data);

static bool is_type(const kernel_message *message, const char *type) {
        return strcasecmp(message->header.message_type, type) == 0;
}

static bool is_answer(const kernel_message *message) {
        return is_type(message, "CommandResponse") || is_type(message, "Error");
}

/* A request; without one it is an event. */
static bool has_target(const kernel_message *message) {
        return message->metadata.target.present && *message->metadata.target.value;
}

/* The client reads no more. What it sent before it went is still done: it may have sent an event and left. */
static void become_deaf(struct client *c) {
        c->deaf = true;
        c->blocked = false;
        outbox_free(&c->outbox);
}

/* Writes what the socket takes. */
static void flush(struct client *c) {
        if (c->blocked || c->deaf || c->wait == WAIT_ANSWER)
                return;
        int r = outbox_flush(&c->outbox, c->descriptor);
        c->blocked = r == LEAT_FULL;
        if (r < 0)
                become_deaf(c);
}

/* So that what a fast reader is sent at once does not count as what a slow one leaves unread. */
static void relieve(struct client *c) {
        if (outbox_size(&c->outbox) > WRITE_SIZE)
                flush(c);
        if (outbox_overflows(&c->outbox))
                client_close(c);
}

/* Queues bridge->line. */
static void reply(struct client *c, int written) {
        const struct blob *line = &c->bridge->line;
        if (c->deaf)
                return;
        if (written != 0 || outbox_add_reply(&c->outbox, line->data, line->size) != 0)
                client_close(c); /* No memory: it would wait for this for ever. */
        else
                relieve(c);
}

static struct blob *new_line(struct client *c) {
        c->bridge->line.size = 0;
        return &c->bridge->line;
}

static void drop_message(struct client *c) {
        envelope_free(&c->message);
        c->holding = false;
}

void client_refuse(struct client *c, const char *code, const char *text) {
        const char *id = c->message.message.header.message_id;
        int r = envelope_write_error(code, text, id, new_line(c));
        if (r > 0) /* The text was no UTF-8. */
                r = envelope_write_error(code, "", id, new_line(c));
        drop_message(c);
        reply(c, r);
}

static void refuse(struct client *c, enum refusal refusal, const char *text) {
        client_refuse(c, refusal_code(refusal), text ? text : refusal_text(refusal));
}

/* Whether the kernel, or another plugin through it, will say something to it. */
static bool expects_answer(const kernel_message *message) {
        const kernel_metadata *metadata = &message->metadata;
        if (is_type(message, "CommandRequest"))
                return metadata->ack || has_target(message);
        return !is_answer(message) && !is_type(message, "Heartbeat");
}

/* Everything but the kernel's word that events were lost, which answers nothing. */
static bool answers_something(const kernel_message *message) {
        leat_value code = { 0 };
        if (!is_type(message, "Error") || message->header.correlation_id.present)
                return is_answer(message);
        leat_payload_find(message->payload, "Code", &code);
        return !leat_text_equal(code.text, "EventsLost");
}

static void forward(struct client *c, struct seat *seat) {
        const kernel_message *message = &c->message.message;
        bool greets = !seat->spoken && is_type(message, "Handshake");
        if (greets)
                flush(c);
        int r = seat_send(seat, message);
        if (r == LEAT_FULL && seat_wait_for_room(seat) == 0) {
                c->wait = WAIT_ROOM;
        } else if (r == LEAT_DISCONNECTED) {
                client_close(c);
        } else if (r != 0) {
                bool ours = r != LEAT_TOO_LARGE && r != -EINVAL;
                refuse(c, ours ? REFUSAL_RATE_LIMITED : REFUSAL_INVALID_MESSAGE, leat_strerror(r));
        } else {
                c->awaited += expects_answer(message);
                if (greets) {
                        c->wait = WAIT_ANSWER;
                        c->greeting = seat;
                }
                drop_message(c);
        }
}

/* A member of the handshake's payload; what is no text or has a NUL in it counts as "". */
static void copy_text(const leat_value *value, char *ret_text, size_t size) {
        *ret_text = 0;
        if (value->kind != LEAT_VALUE_TEXT || value->text.size >= size || value->text.size == 0)
                return;
        if (memchr(value->text.data, 0, value->text.size))
                return;
        memcpy(ret_text, value->text.data, value->text.size);
        ret_text[value->text.size] = 0;
}

static void open_seat(struct client *c, const char *id) {
        static const char *const names[] = { "Name", "Version" };
        leat_value values[2] = { 0 };
        char name[256], version[256];
        struct seat *seat;
        const kernel_message *message = &c->message.message;
        if (is_type(message, "Handshake"))
                leat_payload_read(message->payload, names, 2, values);
        copy_text(&values[0], name, sizeof name);
        copy_text(&values[1], version, sizeof version);

        if (c->seat_count == MAX_SEATS) {
                refuse(c, REFUSAL_RATE_LIMITED, "A connection may speak for 64 ids");
                return;
        }
        int r = seat_open(c->bridge, c, id, *name ? name : id, version, &seat);
        if (r == 0)
                c->wait = WAIT_WELCOME;
        else if (r == LEAT_FULL && bridge_wait_for_kernel(c->bridge) == 0)
                c->wait = WAIT_KERNEL;
        else if (r == LEAT_DISCONNECTED)
                client_close(c);
        else
                refuse(c, REFUSAL_RATE_LIMITED, leat_strerror(r));
}

/* The message in hand goes on its way, or is told what to wait for. */
static void advance(struct client *c) {
        const char *id = c->message.message.metadata.plugin_id;
        struct seat *seat = client_seat(c, id);
        if (seat) {
                forward(c, seat);
        } else if (bridge_id_is_leaving(c->bridge, c, id)) {
                c->wait = WAIT_ID;
                bridge_need_tick(c->bridge);
        } else {
                open_seat(c, id);
        }
}

static void read_message(struct client *c, char *line, size_t size) {
        int r = envelope_read(line, size, &c->message);
        if (r > 0)
                refuse(c, (enum refusal) r, NULL);
        else if (r < 0)
                refuse(c, REFUSAL_RATE_LIMITED, leat_strerror(r));
        else if (*c->message.message.metadata.plugin_id)
                c->holding = true;
        else
                drop_message(c); /* Nobody sent it. */
}

/* False when there is none. */
static bool take_line(struct client *c) {
        char *text;
        size_t size;
        enum line line = line_reader_next(&c->lines, &text, &size);
        if (line == LINE_NONE && c->ended && !c->exhausted) {
                c->exhausted = true;
                line = line_reader_last(&c->lines, &text, &size);
        }
        if (line == LINE_TEXT)
                read_message(c, text, size);
        else if (line == LINE_TOO_LONG)
                refuse(c, REFUSAL_LINE_TOO_LONG, NULL);
        return line != LINE_NONE;
}

static void process(struct client *c) {
        while (!c->closed && c->wait == WAIT_NOTHING) {
                if (c->holding)
                        advance(c);
                else if (!take_line(c))
                        break;
        }
}

void client_resume(struct client *c, enum wait wait) {
        if (c->closed || c->wait != wait)
                return;
        c->wait = WAIT_NOTHING;
        process(c);
        client_settle(c);
}

/* Nothing more can be read. */
static void end(struct client *c) {
        c->ended = true;
        c->close_by = leat_after_ms(CLOSE_MS);
        bridge_need_tick(c->bridge);
        process(c);
        client_settle(c);
        if (!c->closed)
                bridge_id_freed(c->bridge); /* It may stay a while: who waits for its ids must decide anew. */
}

static void read_some(struct client *c) {
        char *room;
        size_t size;
        if (line_reader_room(&c->lines, &room, &size) != 0) {
                client_close(c);
                return;
        }
        ssize_t n = recv(c->descriptor, room, size, MSG_DONTWAIT);
        if (n > 0) {
                line_reader_filled(&c->lines, (size_t) n);
                process(c);
        } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
                if (n < 0) {
                        become_deaf(c);
                        c->exhausted = true; /* A line that was cut short is not taken for a whole one. */
                }
                end(c);
        }
}

static void unwatch(struct client *c) {
        if (c->key != 0)
                leat_plugin_detach(c->bridge->plugin, c->key);
        c->key = 0;
}

/* No events: a reset shows all the same. */
static void watch(struct client *c, short events) {
        if (c->key != 0 && events == c->watched)
                return;
        unwatch(c);
        c->watched = events;
        if (leat_plugin_watch(c->bridge->plugin, c->descriptor, events, on_ready, c, &c->key) != 0)
                client_close(c);
}

static bool is_done(const struct client *c) {
        return c->exhausted && c->wait == WAIT_NOTHING &&
               (c->deaf || (c->awaited == 0 && outbox_is_empty(&c->outbox)));
}

void client_settle(struct client *c) {
        if (c->closed)
                return;
        flush(c);
        bool reads = !c->ended && c->wait == WAIT_NOTHING;
        if (is_done(c) || outbox_overflows(&c->outbox))
                client_close(c);
        else if (c->deaf && !reads)
                unwatch(c);
        else
                watch(c, (short) ((reads ? POLLIN : 0) | (c->blocked ? POLLOUT : 0)));
}

static void on_ready(leat_plugin *plugin, uint64_t key, void *data) {
        struct client *c = data;
        struct bridge *bridge = c->bridge;
        (void) plugin;
        (void) key;
        if (c->watched == 0)
                become_deaf(c);
        c->blocked = false;
        flush(c);
        if (c->watched & POLLIN)
                read_some(c);
        client_settle(c);
        bridge_sweep(bridge);
}

/* What cannot be said in JSON. A request's sender hears so; an answer that cannot be said is no answer, so
 * its asker, who is our client, hears so instead of it. */
static void undeliverable(struct client *c, struct seat *seat, const kernel_message *message,
                          enum refusal refusal) {
        if (is_answer(message))
                reply(c, envelope_write_refusal(refusal, NULL, message->header.correlation_id.value,
                                                new_line(c)));
        else
                seat_refuse(seat, message, refusal, NULL);
}

/* Queues bridge->line, which others want the client to read. */
static void queue_event(struct client *c, int written) {
        const struct blob *line = &c->bridge->line;
        if (c->deaf)
                return;
        if (written != 0 || outbox_add_event(&c->outbox, line->data, line->size) != 0)
                c->outbox.lost++;
}

static void queue_request(struct client *c, struct seat *seat, const kernel_message *message, int written) {
        const struct blob *line = &c->bridge->line;
        if (c->deaf) /* It goes soon, and then the kernel tells who asked. */
                return;
        int r = written != 0 ? written : outbox_add_request(&c->outbox, line->data, line->size);
        if (r == LEAT_FULL) { /* It may have read since. */
                c->blocked = false;
                flush(c);
                r = c->deaf ? 0 : outbox_add_request(&c->outbox, line->data, line->size);
        }
        if (r != 0)
                seat_refuse(seat, message, REFUSAL_RATE_LIMITED, "the target is too far behind");
}

/* From the kernel's welcome on there may be events for it, and a simple client takes the first line for the
 * answer to its handshake: so that is what it gets first. */
static void put_first(struct client *c, const struct blob *line) {
        if (!c->deaf && outbox_add_first(&c->outbox, line->data, line->size) != 0)
                client_close(c);
        client_resume(c, WAIT_ANSWER);
}

void client_deliver(struct client *c, struct seat *seat, const kernel_message *message) {
        struct blob *line = new_line(c);
        if (c->awaited > 0 && answers_something(message))
                c->awaited--;
        int r = envelope_write(message, line);
        if (r == 0 && c->wait == WAIT_ANSWER && c->greeting == seat && answers_something(message))
                put_first(c, line);
        else if (r > 0)
                undeliverable(c, seat, message, (enum refusal) r);
        else if (!is_type(message, "CommandRequest"))
                reply(c, r);
        else if (has_target(message))
                queue_request(c, seat, message, r);
        else
                queue_event(c, r);
        if (!c->closed)
                relieve(c);
}

/* What the client has sent and nobody read would make close(2) reset the connection, and the client lose what
 * was written last. */
static void say_goodbye(struct client *c) {
        char rest[4096];
        if (!c->blocked && !c->deaf)
                outbox_flush(&c->outbox, c->descriptor);
        shutdown(c->descriptor, SHUT_WR);
        for (int i = 0; i < 64 && recv(c->descriptor, rest, sizeof rest, MSG_DONTWAIT) > 0; i++)
                ;
        close(c->descriptor);
        c->descriptor = -1;
}

void client_close(struct client *c) {
        if (c->closed)
                return;
        c->closed = true;
        unwatch(c);
        say_goodbye(c);
        while (!LIST_EMPTY(&c->seats))
                seat_leave(LIST_FIRST(&c->seats));
        LIST_REMOVE(c, link);
        LIST_INSERT_HEAD(&c->bridge->closed, c, link);
        c->bridge->client_count--;
}

struct seat *client_seat(const struct client *c, const char *id) {
        struct seat *seat;
        LIST_FOREACH(seat, &c->seats, link) {
                if (identifier_equal(seat->id, id))
                        return seat;
        }
        return NULL;
}

bool client_gives_way(struct client *c) {
        struct pollfd poller = { .fd = c->descriptor, .events = POLLRDHUP };
        if (c->wait == WAIT_ID) /* Two that wait for one another would wait for ever. */
                return false;
        if (!c->ended)
                return poll(&poller, 1, 0) > 0;
        if (c->exhausted && c->wait == WAIT_NOTHING)
                client_close(c); /* Only answers that are late keep it. */
        return true;
}

int client_open(struct bridge *bridge, int descriptor, struct client **ret_client) {
        struct client *c = calloc(1, sizeof *c);
        if (!c)
                return -ENOMEM;
        c->bridge = bridge;
        c->descriptor = descriptor;
        c->nameless_until = leat_after_ms(NAMELESS_MS);
        outbox_init(&c->outbox);
        LIST_INIT(&c->seats);
        LIST_INSERT_HEAD(&bridge->clients, c, link);
        bridge->client_count++;
        *ret_client = c;
        return 0;
}

void client_free(struct client *c) {
        LIST_REMOVE(c, link);
        envelope_free(&c->message);
        line_reader_free(&c->lines);
        outbox_free(&c->outbox);
        free(c);
}
