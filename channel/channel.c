/* A channel is a socket pair. The socket's direction is a matter of who holds which end: nothing is ever sent
 * back. */
#include <errno.h>
#include <limits.h>
#include <sys/socket.h>

#include "cleanup.h"
#include "connection.h"
#include "guard.h"
#include "lanes.h"
#include "leat/endpoint.h"
#include "packet.h"
#include "receiver.h"
#include "ring_memory.h"
#include "sender.h"

CLEANUP_FUNCTION(connection_cleanup, struct connection *, connection_unref);

/* Asks for room; the system grants what it likes, and more is no fault of the channel. */
static void ask_for_capacity(int fd, size_t capacity) {
        int bytes = capacity > INT_MAX / 2 ? INT_MAX / 2 : (int) capacity;

        if (bytes > 0)
                (void) setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
}

static int connect_pair(const struct plan *plan, const struct leat_channel_options *options,
                        struct connection **ret_tx, struct connection **ret_rx) {
        close_cleanup int tx = -1, rx = -1;
        CLEANUP(connection_cleanup) struct connection *tx_connection = NULL;
        CLEANUP(connection_cleanup) struct connection *rx_connection = NULL;
        int pair[2], r;

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                return -errno;
        tx = pair[0];
        rx = pair[1];
        ask_for_capacity(tx, options ? options->capacity : 0);
        packet_prepare_sending(tx);
        r = connection_create(tx, &plan->fingerprint, &tx_connection);
        if (r < 0)
                return r;
        (void) take_fd(&tx);
        r = connection_create(rx, &plan->fingerprint, &rx_connection);
        if (r < 0)
                return r;
        (void) take_fd(&rx);
        rx_connection->own = true;
        connection_set_options(tx_connection, options);
        connection_set_options(rx_connection, options);
        receiver_prepare_socket(rx_connection, plan);
        *ret_rx = take_pointer(&rx_connection);
        *ret_tx = take_pointer(&tx_connection);
        return 0;
}

static struct leat_receiver_limits limits_of(const struct leat_channel_options *options) {
        return (struct leat_receiver_limits){ .message_limit = options->message_limit,
                                              .handle_limit = options->handle_limit,
                                              .lane_limit = options->lane_limit,
                                              .lane_memory = options->lane_memory };
}

/* Both ends are here, so nothing need be offered. Where it cannot be had now, it is asked for again when
 * something was sent; but not one that is too large for this receiver, for only making it would take its
 * time. */
static void open_lane(struct leat_sender *sender, struct leat_receiver *receiver) {
        size_t limit = connection_ring_limit(sender->connection, 0);
        struct lane_writer *lane;
        struct lane_parts parts;

        if (ring_memory_size_for(limit) > receiver->lane_memory) {
                sender->promotion.state = PROMOTION_REFUSED;
                return;
        }
        if (lane_writer_create(limit, &lane, &parts) < 0)
                return;
        if (lanes_add_open(receiver, &parts.offer, parts.memory, parts.socket) == 0) {
                sender->lane = lane;
                sender->promotion.state = PROMOTION_DONE;
        } else {
                (void) close_fd(parts.memory);
                (void) close_fd(parts.socket);
                lane_writer_free(lane);
        }
}

static bool are_possible(const struct leat_channel_options *options) {
        return options->lanes == LEAT_LANES_AUTOMATIC || options->lanes == LEAT_LANES_ALWAYS ||
               options->lanes == LEAT_LANES_NEVER;
}

int leat_channel_open(const struct leat_type *type, const struct leat_channel_options *options,
                      struct leat_sender **ret_sender, struct leat_receiver **ret_receiver) {
        CLEANUP(connection_cleanup) struct connection *tx = NULL;
        CLEANUP(connection_cleanup) struct connection *rx = NULL;
        struct leat_receiver *receiver;
        struct leat_sender *sender;
        const struct plan *plan;
        CALL_GUARD;
        int r = options && !are_possible(options) ? -EINVAL : plan_get(type, &plan);

        if (r == 0)
                r = connect_pair(plan, options, &tx, &rx);
        if (r == 0)
                r = receiver_create(rx, plan, &receiver);
        if (r < 0)
                return r;
        (void) take_pointer(&rx);
        if (options) {
                struct leat_receiver_limits limits = limits_of(options);

                receiver_limit(receiver, &limits);
        }
        r = sender_create(tx, plan, &sender);
        if (r < 0) {
                leat_receiver_close(&receiver);
                return r;
        }
        (void) take_pointer(&tx);
        if (sender->connection->lanes == LEAT_LANES_ALWAYS && connection_allows_lanes(sender->connection))
                open_lane(sender, receiver);
        *ret_sender = sender;
        *ret_receiver = receiver;
        return 0;
}
