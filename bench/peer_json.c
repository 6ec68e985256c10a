/* The way of IKT300: an event as one line of JSON over loopback TCP. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "close_fd.h"
#include "json_lines.h"
#include "peers.h"

struct link {
        int ends[2]; /* By enum side. */
        uint64_t word;
        struct json_lines lines; /* Of the side's own end. */
};

static void close_link(struct link *link) {
        close_fd(&link->ends[ASKER]);
        close_fd(&link->ends[ANSWERER]);
        free(link);
}

static int join(int listener, int ends[2]) {
        struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t length = sizeof(address);
        int on = 1;

        if (bind(listener, (struct sockaddr *) &address, length) < 0 || listen(listener, 1) < 0 ||
            getsockname(listener, (struct sockaddr *) &address, &length) < 0 ||
            (ends[ASKER] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) < 0 ||
            connect(ends[ASKER], (struct sockaddr *) &address, length) < 0 ||
            (ends[ANSWERER] = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) < 0)
                return -errno;
        for (int i = 0; i < 2; i++)
                if (setsockopt(ends[i], IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) < 0)
                        return -errno;
        return 0;
}

static int open_link(const struct peer *peer, const struct setup *setup, struct link **ret_link) {
        struct link *link = calloc(1, sizeof(*link));
        int listener, r;

        (void) peer;
        (void) setup;
        if (!link)
                return -ENOMEM;
        link->ends[ASKER] = link->ends[ANSWERER] = -1;
        listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        r = listener < 0 ? -errno : join(listener, link->ends);
        close_fd(&listener);
        if (r != 0)
                close_link(link);
        else
                *ret_link = link;
        return r;
}

static int take_side(struct link *link, enum side side, unsigned index) {
        (void) index;
        close_fd(&link->ends[side == ASKER ? ANSWERER : ASKER]);
        link->lines.fd = link->ends[side];
        return 0;
}

static int send_event(struct link *link, enum direction direction, const void *message, size_t size) {
        uint64_t word;

        (void) direction;
        (void) size;
        memcpy(&word, message, sizeof(word));
        return json_lines_send(&link->lines,
                               json_pack("{s:{s:s,s:I,s:s}, s:{s:s,s:I,s:s}, s:{s:f,s:s,s:b}}", "header",
                                         "type", "event", "id", (json_int_t) word, "version", "1.0",
                                         "metadata", "sender", "event-simulator", "timestamp",
                                         (json_int_t) 1790000000, "topic", "sensors/temperature", "payload",
                                         "value", 21.5, "unit", "celsius", "valid", 1));
}

static int receive_event(struct link *link, enum direction direction, const void **ret_message,
                         size_t *ret_size) {
        json_int_t word;
        json_t *event;
        int r = json_lines_receive(&link->lines, &event);

        (void) direction;
        if (r <= 0)
                return r;
        r = json_unpack(event, "{s:{s:I}}", "header", "id", &word) == 0 ? 1 : -EBADMSG;
        json_decref(event);
        if (r != 1)
                return r;
        link->word = (uint64_t) word;
        *ret_message = &link->word;
        *ret_size = sizeof(link->word);
        return r;
}

static void end_direction(struct link *link, enum direction direction) {
        (void) shutdown(link->ends[direction == THERE ? ASKER : ANSWERER], SHUT_WR);
}

const struct peer peer_json = {
        .name = "tcp-json",
        .title = "loopback TCP, JSON lines",
        .wait = "blocking",
        .largest = 64,
        .typed = true,
        .open = open_link,
        .take_side = take_side,
        .send = send_event,
        .receive = receive_event,
        .end = end_direction,
        .close = close_link,
};
