/* The way of IKT300 through Leat's own bridge: an event as a line of JSON over TCP to the bridge, from there
 * to the kernel, back to the bridge and over TCP to another client. Beside tcp-json, which goes directly, it
 * says what the way costs.
 *
 * The bridge drops what a client leaves unread for too long. So that nothing is dropped, the answerer tells
 * after every so many events how far it is, by an event of its own, and the asker has no more on their way
 * than that allows. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "close_fd.h"
#include "json_lines.h"
#include "kernel_run.h"
#include "peers.h"

#define ON_THEIR_WAY 256
#define TELL_EVERY   64

struct link {
        int port[2]; /* A pipe, in which the answerer tells the asker where the bridge listens. */
        enum side side;
        struct kernel_run kernel; /* The answerer's. */
        struct json_lines lines;
        uint64_t sent, told;         /* Of the asker's events: sent, and known to have arrived. */
        uint64_t seen, untold, word; /* The answerer's. */
        uint64_t ids;
};

static const char *const names[] = { [ASKER] = "Asker", [ANSWERER] = "Answerer" };

static void close_link(struct link *link) {
        close_fd(&link->port[0]);
        close_fd(&link->port[1]);
        close_fd(&link->lines.fd);
        kernel_run_end(&link->kernel);
        free(link);
}

static int open_link(const struct peer *peer, const struct setup *setup, struct link **ret_link) {
        struct link *link = calloc(1, sizeof(*link));
        int r;

        (void) peer;
        (void) setup;
        if (!link)
                return -ENOMEM;
        link->lines.fd = -1;
        if (pipe2(link->port, O_CLOEXEC) < 0) {
                r = -errno;
                free(link);
                return r;
        }
        *ret_link = link;
        return 0;
}

/* What it speaks of is in the payload: "Number", and "Told" or "Last" in those that are no messages. */
static int send_message(struct link *link, const char *type, json_t *payload) {
        char id[37];

        (void) snprintf(id, sizeof(id), "00000000-0000-4000-8000-%012" PRIx64, ++link->ids);
        return json_lines_send(&link->lines,
                               json_pack("{s:{s:s, s:s, s:s}, s:{s:s}, s:o}", "Header", "MessageType", type,
                                         "MessageId", id, "Timestamp", "2026-01-31T12:00:00Z", "Metadata",
                                         "PluginId", names[link->side], "Payload", payload));
}

static int send_event(struct link *link, uint64_t number, const char *mark) {
        return send_message(link, "CommandRequest",
                            json_pack("{s:I, s:f, s:s, s:b}", "Number", (json_int_t) number, "Value", 21.5,
                                      "Unit", "celsius", mark ? mark : "Valid", 1));
}

struct event {
        uint64_t number;
        bool told, last;
};

static int receive_event(struct link *link, struct event *ret_event) {
        const char *type;
        json_int_t number;
        json_t *message, *payload;
        int r = json_lines_receive(&link->lines, &message);

        if (r <= 0)
                return r;
        r = -EBADMSG; /* An Error too: the bridge has dropped events, or refuses something. */
        if (json_unpack(message, "{s:{s:s}, s:o}", "Header", "MessageType", &type, "Payload", &payload) ==
                    0 &&
            strcmp(type, "CommandRequest") == 0 && json_unpack(payload, "{s:I}", "Number", &number) == 0) {
                *ret_event =
                        (struct event){ (uint64_t) number, json_is_true(json_object_get(payload, "Told")),
                                        json_is_true(json_object_get(payload, "Last")) };
                r = 1;
        }
        json_decref(message);
        return r;
}

static int join(struct link *link, uint16_t port) {
        struct sockaddr_in address = { .sin_family = AF_INET,
                                       .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                       .sin_port = htons(port) };
        json_t *welcome;
        int on = 1, r;

        link->lines.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (link->lines.fd < 0 ||
            connect(link->lines.fd, (struct sockaddr *) &address, sizeof(address)) < 0 ||
            setsockopt(link->lines.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) < 0)
                return -errno;
        r = send_message(link, "Handshake",
                         json_pack("{s:s, s:s}", "Name", names[link->side], "Version", "1.0"));
        if (r != 0)
                return r;
        r = json_lines_receive(&link->lines, &welcome);
        if (r <= 0)
                return r < 0 ? r : -EPIPE;
        r = json_is_true(json_object_get(json_object_get(welcome, "Payload"), "OK")) ? 0 : -EBADMSG;
        json_decref(welcome);
        return r;
}

static int start_kernel(struct link *link) {
        json_t *configuration = json_pack("{s:b, s:i, s:[]}", "bridge", 1, "port", 0, "plugins");
        int r = configuration ? kernel_run_start(configuration, &link->kernel) : -ENOMEM;

        json_decref(configuration);
        return r;
}

static int take_side(struct link *link, enum side side, unsigned index) {
        uint16_t port = 0;
        int r;

        (void) index;
        link->side = side;
        close_fd(&link->port[side == ASKER ? 1 : 0]);
        if (side == ASKER) {
                if (read(link->port[0], &port, sizeof(port)) != (ssize_t) sizeof(port))
                        return -EPIPE;
                return join(link, port);
        }
        r = start_kernel(link);
        if (r != 0)
                return r;
        if (write(link->port[1], &link->kernel.port, sizeof(port)) < 0)
                return -errno;
        return join(link, link->kernel.port);
}

static int read_told(struct link *link) {
        struct event event;
        int r = receive_event(link, &event);

        if (r <= 0)
                return r < 0 ? r : -EPIPE;
        if (!event.told)
                return -EBADMSG;
        link->told = event.number;
        return 0;
}

static int send_word(struct link *link, enum direction direction, const void *message, size_t size) {
        uint64_t word;

        (void) size;
        memcpy(&word, message, sizeof(word));
        if (direction == BACK) {
                link->untold = 0; /* An answer says as much. */
                return send_event(link, word, NULL);
        }
        while (link->sent - link->told >= ON_THEIR_WAY) {
                int r = read_told(link);

                if (r != 0)
                        return r;
        }
        link->sent++;
        return send_event(link, word, NULL);
}

static int receive_word(struct link *link, enum direction direction, const void **ret_message,
                        size_t *ret_size) {
        struct event event;
        int r = receive_event(link, &event);

        if (r <= 0)
                return r;
        link->word = event.number;
        *ret_message = &link->word;
        *ret_size = sizeof(link->word);
        if (direction == BACK) {
                link->told = link->sent;
                return event.told ? -EBADMSG : 1;
        }
        link->seen += !event.last;
        if (event.last || ++link->untold == TELL_EVERY) {
                link->untold = 0;
                r = send_event(link, link->seen, "Told");
        }
        if (r < 0)
                return r;
        return event.last ? 0 : 1;
}

/* What is underway would be lost with the connection: so it is left only when the answerer has told that all
 * is there. */
static void end_direction(struct link *link, enum direction direction) {
        if (direction == BACK || link->side != ASKER || send_event(link, link->sent, "Last") != 0)
                return;
        for (;;) {
                struct event event;

                if (receive_event(link, &event) <= 0 || !event.told || event.number == link->sent)
                        return;
        }
}

static int64_t others_cpu_ns(struct link *link) {
        return kernel_run_cpu_ns(&link->kernel);
}

const struct peer peer_bridge = {
        .name = "bridge",
        .title = "bridge, JSON lines to and from it",
        .wait = "blocking",
        .largest = 64,
        .typed = true,
        .open = open_link,
        .take_side = take_side,
        .send = send_word,
        .receive = receive_word,
        .others_cpu_ns = others_cpu_ns,
        .end = end_direction,
        .close = close_link,
};
