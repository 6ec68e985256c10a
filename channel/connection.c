/* Clones of a sender are cheap because they share one descriptor. The count is atomic, since clones may live in different
 * threads; nothing else here changes after creation. */
#include "connection.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "cleanup.h"

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

struct connection *connection_unref(struct connection *connection) {
        if (!connection || __atomic_sub_fetch(&connection->references, 1, __ATOMIC_ACQ_REL) > 0)
                return NULL;
        if (connection->foreign) {
                /* Closing must not wait for what the socket's other holders have asked for. */
                struct linger none = { 0 };

                (void) setsockopt(connection->fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
        }
        (void) close_fd(connection->fd);
        free(connection);
        return NULL;
}
