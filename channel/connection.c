/* Clones of a sender are cheap because they share one descriptor. The count is atomic, since clones may live in different
 * threads; the end is only ever seen by a receiver, which has no clones. */
#include "connection.h"

#include <errno.h>
#include <stdlib.h>

#include "cleanup.h"
#include "descriptor.h"

int connection_create(int fd, const struct fingerprint *fingerprint, struct connection **ret) {
        struct connection *connection = malloc(sizeof(*connection));

        if (!connection)
                return -ENOMEM;
        *connection = (struct connection){ .references = 1, .fd = fd, .fingerprint = *fingerprint };
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
        if (connection->ended)
                (void) close_fd(connection->fd);
        else
                descriptor_close_socket(connection->fd);
        free(connection);
        return NULL;
}
