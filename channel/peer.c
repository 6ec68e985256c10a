/* Who connected is known to the system alone, and for a socket that a server accepted: a socket pair says who
 * made it, whoever holds it now. */
#include <errno.h>
#include <sys/socket.h>

#include "guard.h"
#include "leat/server.h"
#include "receiver.h"

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77 /* Linux 6.5 */
#endif

/* -1: this system has none, or none for a process that is gone. A shortage is an error, as it will pass. */
static int get_pidfd(int fd, int *ret_pidfd) {
        int pidfd;
        socklen_t size = sizeof(pidfd);

        if (getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &size) == 0)
                *ret_pidfd = pidfd;
        else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM)
                return -errno;
        else
                *ret_pidfd = -1;
        return 0;
}

int leat_receiver_peer(const struct leat_receiver *receiver, struct leat_peer *ret_peer) {
        struct leat_peer peer;
        struct ucred known;
        socklen_t size = sizeof(known);
        CALL_GUARD;
        int r;

        if (!receiver)
                return -EBADF;
        if (!receiver->connection->accepted)
                return -ENODATA;
        if (getsockopt(receiver->connection->fd, SOL_SOCKET, SO_PEERCRED, &known, &size) < 0)
                return -errno;
        r = get_pidfd(receiver->connection->fd, &peer.pidfd);
        if (r < 0)
                return r;
        peer.pid = known.pid;
        peer.uid = known.uid;
        peer.gid = known.gid;
        *ret_peer = peer;
        return 0;
}
