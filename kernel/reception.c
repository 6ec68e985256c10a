/* A plugin proves who it is once, at its handshake: by being the process that the kernel started, or by
 * the bridge's word for the connection that it came by. From then on its channel is its identity. */
#include "reception.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>

#include "bus.h"
#include "clock.h"
#include "identifier.h"
#include "life.h"
#include "receipts.h"
#include "supervisor.h"

enum { MESSAGES_A_TURN = 32, MESSAGES_LEFT = 65536, EVENT_NAMES = 256, EXTENSION_MAX_MS = 60 * 60 * 1000 };
enum { DESCRIPTORS_SPARE = 128, DESCRIPTORS_A_ROW = 4 };

static void refuse(kernel_welcome_sender reply, const char *code, const char *text) {
        const kernel_welcome welcome = { .ok = false, .code = code, .text = text };

        (void) kernel_welcome_send(reply, &welcome, LEAT_NOW); /* Who does not listen need not know. */
}

/* What it wants is kept over a restart, and replaced by what the new one says. */
static int subscribe(struct row *row, const kernel_handshake *handshake) {
        words_clear(&row->events);
        for (size_t i = 0; i < handshake->events.count && i < EVENT_NAMES; i++) {
                int r = words_add(&row->events, handshake->events.items[i]);

                if (r < 0)
                        return r;
        }
        row->durable = handshake->durable;
        return 0;
}

/* It is known now what the row wants: it takes up what it owes, or owes nothing. */
static void settle_duties(struct kernel *kernel, struct row *row, bool was_awaited) {
        if (row->durable)
                receipts_post_again(kernel, row);
        else if (was_awaited)
                receipts_forgive(kernel, row);
        else
                receipts_give_up(kernel, row, "EventsLost", "a subscriber is not durable any more");
}

static void welcome(struct kernel *kernel, struct row *row, const kernel_handshake *handshake) {
        bool was_awaited = row_is_awaited(row);
        int r;

        if (row_is_connected(row)) {
                refuse(handshake->reply, "IdInUse", "another connection speaks for this id");
                return;
        }
        if (kernel->stopping) {
                refuse(handshake->reply, "Unauthorized", "the kernel is stopping");
                return;
        }
        r = subscribe(row, handshake);
        if (r == 0)
                r = life_connect(kernel, row, false, handshake->reply);
        if (r != 0) {
                SAY(kernel, "Plugin %s could not be connected: %s", row->id, leat_strerror(r));
                refuse(handshake->reply, "RateLimited", leat_strerror(r));
                return;
        }
        life_heard(kernel, row);
        settle_duties(kernel, row, was_awaited);
}

void reception_accept(struct kernel *kernel, struct row *row) {
        kernel_handshake_receiver visitor = { 0 };
        kernel_handshake handshake;
        int r = kernel_handshake_accept(row->server, &visitor, &handshake, LEAT_NOW);

        if (r == LEAT_EMPTY)
                return;
        if (r != 0) {
                SAY(kernel, "A handshake of plugin %s failed: %s", row->id, leat_strerror(r));
                return;
        }
        kernel_unwatch(kernel, SUBJECT_SERVER, row->serial);
        welcome(kernel, row, &handshake);
        kernel_handshake_receiver_close(&visitor);
        kernel_handshake_server_close(&row->server);
}

/* The last descriptors are for those who are here already: a kernel without any could not even refuse. */
static size_t most_rows(void) {
        struct rlimit limit;

        if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur < DESCRIPTORS_SPARE)
                return 0;
        return (limit.rlim_cur - DESCRIPTORS_SPARE) / DESCRIPTORS_A_ROW;
}

/* Whether the id is not free although nobody is connected: its plugin is ending or about to be restarted, or
 * it is durable, comes by its own channel, and is waited for. Not so one that is started and never was
 * durable: it may well be the one that comes over TCP. */
static bool is_reserved(const struct row *row) {
        return row->state == STATE_STOPPING || row->state == STATE_WAITING || row->durable || row->is_bridge;
}

/* Finds or makes the row for an id that a TCP connection claims; NULL, with the reason, when it may not
 * have it. */
static struct row *claim(struct kernel *kernel, const char *id, const char **ret_code,
                         const char **ret_text) {
        struct row *row;

        *ret_code = "InvalidId";
        *ret_text = identifier_problem(id);
        if (*ret_text)
                return NULL;
        row = kernel_find_row(kernel, id);
        *ret_code = "IdInUse";
        *ret_text = row && row_is_connected(row) ? "another connection speaks for this id"
                                                 : "the kernel restarts the plugin of this id";
        if (row && (row_is_connected(row) || is_reserved(row)))
                return NULL;
        *ret_code = "RateLimited";
        *ret_text = "the kernel has no room for more clients";
        if (row || kernel->n_rows >= most_rows())
                return row;
        return kernel_add_row(kernel, id, NULL);
}

static void open_client(struct kernel *kernel, const kernel_open_client *request) {
        const char *code, *text;
        struct row *row = claim(kernel, request->id, &code, &text);
        bool was_awaited = row && row_is_awaited(row);
        int r;

        if (!row) {
                refuse(request->reply, code, text);
                return;
        }
        words_clear(&row->events);
        row->durable = false;
        r = words_add(&row->events, "*");
        if (r == 0)
                r = life_connect(kernel, row, true, request->reply);
        settle_duties(kernel, row, was_awaited);
        if (r == 0)
                return;
        refuse(request->reply, "RateLimited", leat_strerror(r));
        if (!row->configuration) {
                row->gone = true;
                kernel->untidy = true;
        }
}

static void extend(struct kernel *kernel, struct row *row, uint32_t milliseconds) {
        uint32_t bounded = milliseconds < EXTENSION_MAX_MS ? milliseconds : EXTENSION_MAX_MS;

        life_heard(kernel, row);
        row->patience = clock_add_ms(clock_now(), bounded);
}

static void take(struct kernel *kernel, struct row *row, const to_kernel *message) {
        switch (message->tag) {
        case to_kernel_tag_message:
                life_heard(kernel, row);
                bus_route(kernel, row, &message->message);
                return;
        case to_kernel_tag_extend:
                extend(kernel, row, message->extend.milliseconds);
                return;
        case to_kernel_tag_listening:
                if (row->is_bridge)
                        supervisor_listening(kernel, message->listening.host, message->listening.port);
                else
                        bus_refuse(kernel, row, "Unauthorized", "only the bridge listens", "");
                return;
        case to_kernel_tag_open_client:
                if (row->is_bridge && !kernel->stopping)
                        open_client(kernel, &message->open_client);
                else
                        refuse(message->open_client.reply, "Unauthorized", "only the bridge opens clients");
                to_kernel_release(row->commands); /* The reply's sender: the next message may be long in
                                                   * coming. */
                return;
        }
}

/* Returns what receiving returned. */
static int read_one(struct kernel *kernel, struct row *row) {
        to_kernel message;
        int r = to_kernel_recv(row->commands, &message, LEAT_NOW);

        if (r == 0)
                take(kernel, row, &message);
        else if (r == LEAT_TYPE_MISMATCH || r == LEAT_VERSION_MISMATCH || r == LEAT_MALFORMED ||
                 r == LEAT_TOO_LARGE)
                bus_refuse(kernel, row, "InvalidMessage", leat_strerror(r), "");
        else if (r != LEAT_EMPTY && r != LEAT_DISCONNECTED)
                SAY(kernel, "A message of plugin %s was lost: %s", row->id, leat_strerror(r));
        return r;
}

void reception_read(struct kernel *kernel, struct row *row) {
        for (int i = 0; i < MESSAGES_A_TURN && row_is_connected(row) && !row->cut; i++) {
                int r = read_one(kernel, row);

                if (r == LEAT_DISCONNECTED)
                        life_disconnect(kernel, row);
                if (r != 0)
                        return;
        }
}

void reception_drain(struct kernel *kernel, struct row *row) {
        for (int i = 0; i < MESSAGES_LEFT && row_is_connected(row) && read_one(kernel, row) == 0; i++)
                ;
}
