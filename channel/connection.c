/* Clones of a sender are cheap because they share one descriptor. The count is atomic, since clones may live in different
 * threads; nothing else here changes after creation.
 *
 * Closing the last reference to a socket drops what waits in it unread, and with it the descriptors in there, which may be
 * anything: a TCP socket with SO_LINGER keeps close(2) waiting as long as its sender likes. */
#include "connection.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "cleanup.h"
#include "reaper.h"

int connection_create(int fd, bool foreign, const struct fingerprint *fingerprint, struct connection **ret) {
        struct connection *connection = malloc(sizeof(*connection));

        if (!connection)
                return -ENOMEM;
        *connection = (struct connection){
                .references = 1, .fd = fd, .foreign = foreign, .fingerprint = *fingerprint
        };
        *ret = connection;
        return 0;
}

struct connection *connection_ref(struct connection *connection) {
        (void) __atomic_add_fetch(&connection->references, 1, __ATOMIC_RELAXED);
        return connection;
}

/* At the end recvmsg() says 0, as it does for an empty packet, unless SO_PASSCRED marks packets (see packet.c). */
static bool marks_packets(int fd) {
        int on = 0;
        socklen_t size = sizeof(on);

        return getsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, &size) == 0 && on;
}

static bool has_unread(int fd) {
        char byte;
        union {
                struct cmsghdr header;
                char room[CMSG_SPACE(sizeof(struct ucred))];
        } control;
        struct iovec part = { .iov_base = &byte, .iov_len = 1 };
        struct msghdr message = {
                .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
        };
        ssize_t n;

        do
                n = recvmsg(fd, &message, MSG_PEEK | MSG_DONTWAIT);
        while (n < 0 && (errno == EINTR || errno == ECONNRESET)); /* The latter is said once. */
        if (n != 0)
                return n > 0;
        return message.msg_controllen > 0 || !marks_packets(fd);
}

struct connection *connection_unref(struct connection *connection) {
        if (!connection || __atomic_sub_fetch(&connection->references, 1, __ATOMIC_ACQ_REL) > 0)
                return NULL;
        if (connection->foreign) {
                /* Closing must not wait for what the socket's other holders have asked for. */
                struct linger none = { 0 };

                (void) setsockopt(connection->fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
        }
        if (has_unread(connection->fd))
                reaper_close_seen(connection->fd);
        else
                (void) close_fd(connection->fd);
        free(connection);
        return NULL;
}
