/* sd-bus: signals from one side to the other over a socket pair, with no daemon between them. A message's
 * bytes are an array in the signal; they are written where it keeps them, and read where they arrived. An
 * empty one is the last. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include "close_fd.h"
#include "peers.h"

#define LARGEST (64 << 20) /* Of an array in a message, says the D-Bus specification. */

struct link {
        int ends[2]; /* By enum side; of a side, only until its bus has taken it over. */
        sd_bus *bus;
        sd_bus_message *received;
};

static void close_link(struct link *link) {
        (void) sd_bus_message_unref(link->received);
        (void) sd_bus_flush_close_unref(link->bus);
        close_fd(&link->ends[ASKER]);
        close_fd(&link->ends[ANSWERER]);
        free(link);
}

static int open_link(const struct peer *peer, const struct setup *setup, struct link **ret_link) {
        struct link *link = calloc(1, sizeof(*link));

        (void) peer;
        (void) setup;
        if (!link)
                return -ENOMEM;
        *link = (struct link){ .ends = { -1, -1 } };
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, link->ends) < 0) {
                int error = errno;

                close_link(link);
                return -error;
        }
        *ret_link = link;
        return 0;
}

static int start(sd_bus *bus, enum side side) {
        sd_id128_t id;
        int r = sd_id128_randomize(&id);

        if (r >= 0 && side == ANSWERER)
                r = sd_bus_set_server(bus, true, id);
        if (r >= 0)
                r = sd_bus_set_anonymous(bus, true);
        if (r >= 0)
                r = sd_bus_start(bus);
        return r < 0 ? r : 0;
}

static int take_side(struct link *link, enum side side, unsigned index) {
        int r = sd_bus_new(&link->bus);

        (void) index;
        close_fd(&link->ends[side == ASKER ? ANSWERER : ASKER]);
        if (r >= 0)
                r = sd_bus_set_fd(link->bus, link->ends[side], link->ends[side]);
        if (r < 0)
                return r;
        link->ends[side] = -1;
        return start(link->bus, side);
}

static int fill_in(sd_bus_message *message, const void *bytes, size_t size) {
        void *place;
        int r = sd_bus_message_append_array_space(message, 'y', size, &place);

        if (r >= 0 && size > 0)
                memcpy(place, bytes, size);
        return r;
}

/* What the socket does not take is queued without a bound that is worth having, so none is left behind. */
static int send_message(struct link *link, enum direction direction, const void *bytes, size_t size) {
        sd_bus_message *message = NULL;
        uint64_t queued = 0;
        int r = sd_bus_message_new_signal(link->bus, &message, "/leat/bench", "leat.Bench", "Message");

        (void) direction;
        if (r >= 0)
                r = fill_in(message, bytes, size);
        if (r >= 0)
                r = sd_bus_send(link->bus, message, NULL);
        (void) sd_bus_message_unref(message);
        if (r >= 0)
                r = sd_bus_get_n_queued_write(link->bus, &queued);
        if (r >= 0 && queued > 0)
                r = sd_bus_flush(link->bus);
        return r < 0 ? r : 0;
}

static int next_message(sd_bus *bus, sd_bus_message **ret_message) {
        sd_bus_message *message = NULL;

        while (!message) {
                int r = sd_bus_process(bus, &message);

                if (r == 0)
                        r = sd_bus_wait(bus, UINT64_MAX);
                if (r < 0 && r != -EINTR)
                        return r;
        }
        *ret_message = message;
        return 0;
}

static int receive_message(struct link *link, enum direction direction, const void **ret_message,
                           size_t *ret_size) {
        sd_bus_message *message;
        int r = next_message(link->bus, &message);

        (void) direction;
        if (r < 0)
                return r;
        (void) sd_bus_message_unref(link->received);
        link->received = message;
        if (!sd_bus_message_is_signal(message, "leat.Bench", "Message"))
                return -EPIPE; /* The bus says itself that it was disconnected. */
        r = sd_bus_message_read_array(message, 'y', ret_message, ret_size);
        return r < 0 ? r : *ret_size > 0;
}

/* A bus that sees its socket's end may drop what it has not read, so the asker stays for as long as the
 * answerer does. */
static void end_direction(struct link *link, enum direction direction) {
        struct pollfd end = { .fd = sd_bus_get_fd(link->bus) };

        if (send_message(link, direction, NULL, 0) != 0)
                return;
        while (poll(&end, 1, -1) < 0 && errno == EINTR)
                ;
}

const struct peer peer_sd_bus = {
        .name = "sd-bus",
        .title = "sd-bus, peer to peer",
        .wait = "blocking",
        .largest = LARGEST,
        .open = open_link,
        .take_side = take_side,
        .send = send_message,
        .receive = receive_message,
        .end = end_direction,
        .close = close_link,
};
