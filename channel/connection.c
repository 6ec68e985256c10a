/* Clones of a sender are cheap because they share one descriptor. The count is atomic, since clones may live
 * in different threads; the end is only ever seen by a receiver, which has no clones. */
#include "connection.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "descriptor.h"
#include "lane.h"
#include "tsan.h"

/* LEAT_LANES=always|automatic|never in the environment speaks for the channels whose makers have said
 * nothing. Read once. */
static enum leat_lanes lanes_of_environment(void) {
        static atomic_int known = -1;
        int lanes = atomic_load_explicit(&known, memory_order_relaxed);
        const char *value;

        if (lanes < 0) {
                value = secure_getenv("LEAT_LANES");
                if (value && strcmp(value, "always") == 0)
                        lanes = LEAT_LANES_ALWAYS;
                else if (value && strcmp(value, "never") == 0)
                        lanes = LEAT_LANES_NEVER;
                else
                        lanes = LEAT_LANES_AUTOMATIC;
                atomic_store_explicit(&known, lanes, memory_order_relaxed);
        }
        return (enum leat_lanes) lanes;
}

int connection_create(int fd, const struct fingerprint *fingerprint, struct connection **ret) {
        struct connection *connection = malloc(sizeof(*connection));

        if (!connection)
                return -ENOMEM;
        *connection = (struct connection){
                .references = 1, .fd = fd, .fingerprint = *fingerprint, .lanes = lanes_of_environment()
        };
        *ret = connection;
        return 0;
}

void connection_set_options(struct connection *connection, const struct leat_channel_options *options) {
        if (!options)
                return;
        connection->ordered = options->ordered;
        if (options->lanes != LEAT_LANES_AUTOMATIC)
                connection->lanes = options->lanes;
        if (options->capacity > 0)
                connection->ring_limit = options->capacity;
}

size_t connection_ring_limit(const struct connection *connection, size_t body_size) {
        if (connection->ring_limit > 0)
                return connection->ring_limit;
        return body_size > LANE_LARGE_BODY ? LANE_LIMIT_FOR_LARGE : LANE_DEFAULT_LIMIT;
}

bool connection_allows_lanes(const struct connection *connection) {
        return !connection->ordered && connection->lanes != LEAT_LANES_NEVER && !tsan_is_blind();
}

struct connection *connection_ref(struct connection *connection) {
        (void) __atomic_add_fetch(&connection->references, 1, __ATOMIC_RELAXED);
        return connection;
}

struct connection *connection_unref(struct connection *connection) {
        if (!connection || __atomic_sub_fetch(&connection->references, 1, __ATOMIC_ACQ_REL) > 0)
                return NULL;
        held_forget(connection);
        if (connection->ended)
                (void) close_fd(connection->fd);
        else if (connection->own)
                descriptor_close_own_socket(connection->fd);
        else
                descriptor_close_socket(connection->fd);
        free(connection);
        return NULL;
}
