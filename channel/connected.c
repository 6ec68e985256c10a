/* Whether the other side is there, asked without receiving or sending anything. A socket is hung up as soon
 * as the last holder of its other end has closed it, whatever waits unread; and a lane can be over before its
 * channel's socket is. */
#include <poll.h>

#include "guard.h"
#include "lane_writer.h"
#include "receiver.h"
#include "sender.h"

static bool is_hung_up(struct pollfd *poll_fds, nfds_t n) {
        bool is = false;

        if (poll(poll_fds, n, 0) <= 0)
                return false; /* No memory, at the worst: nothing is known of an end. */
        for (nfds_t i = 0; i < n; i++)
                is |= (poll_fds[i].revents & (POLLHUP | POLLERR)) != 0;
        return is;
}

bool leat_sender_is_connected(const struct leat_sender *sender) {
        struct pollfd poll_fds[2] = { { .fd = -1 }, { .fd = -1 } };
        CALL_GUARD;

        if (!sender)
                return false;
        poll_fds[0].fd = sender->connection->fd;
        if (sender->lane && !lane_writer_is_inherited(sender->lane)) {
                if (lane_writer_has_ended(sender->lane))
                        return false;
                poll_fds[1].fd = lane_writer_socket(sender->lane);
        }
        return !is_hung_up(poll_fds, 2);
}

bool leat_receiver_is_connected(const struct leat_receiver *receiver) {
        struct pollfd poll_fd = { .fd = -1 };
        CALL_GUARD;

        if (!receiver || receiver->cut)
                return false;
        poll_fd.fd = receiver->connection->fd;
        return !is_hung_up(&poll_fd, 1);
}
