/* A channel is a socket pair. The socket's direction is a matter of who holds which end: nothing is ever sent back. */
#include <errno.h>
#include <limits.h>
#include <sys/socket.h>

#include "cleanup.h"
#include "connection.h"
#include "guard.h"
#include "leat/endpoint.h"
#include "receiver.h"
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
        int pair[2], r;

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                return -errno;
        tx = pair[0];
        rx = pair[1];
        ask_for_capacity(tx, options ? options->capacity : 0);
        sender_prepare_socket(tx);
        receiver_prepare_socket(rx, plan);
        r = connection_create(tx, &plan->fingerprint, &tx_connection);
        if (r < 0)
                return r;
        (void) take_fd(&tx);
        r = connection_create(rx, &plan->fingerprint, ret_rx);
        if (r < 0)
                return r;
        (void) take_fd(&rx);
        *ret_tx = take_pointer(&tx_connection);
        return 0;
}

int leat_channel_open(const struct leat_type *type, const struct leat_channel_options *options,
                      struct leat_sender **ret_sender, struct leat_receiver **ret_receiver) {
        CLEANUP(connection_cleanup) struct connection *tx = NULL;
        CLEANUP(connection_cleanup) struct connection *rx = NULL;
        struct leat_receiver *receiver;
        const struct plan *plan;
        CALL_GUARD;
        int r = plan_get(type, &plan);

        if (r == 0)
                r = connect_pair(plan, options, &tx, &rx);
        if (r == 0)
                r = receiver_create(rx, plan, &receiver);
        if (r < 0)
                return r;
        (void) take_pointer(&rx);
        if (options && options->message_limit > 0 && options->message_limit < RECEIVER_MESSAGE_LIMIT)
                receiver->message_limit = options->message_limit;
        r = sender_create(tx, plan, ret_sender);
        if (r < 0) {
                leat_receiver_close(&receiver);
                return r;
        }
        (void) take_pointer(&tx);
        *ret_receiver = receiver;
        return 0;
}
