/* A lane costs memory, three descriptors and up to half a millisecond, so it is for a sender that has proved
 * busy: ROW messages in a row, BUSY_NS apart on average. Large messages take longer by the socket, and gain
 * more; so each GRAIN of bytes counts as a message. Those with handles count for nothing: they go by a socket
 * with a lane too, and are called twice then. A lane is offered by the channel's socket and answered on its
 * own; meanwhile all goes on as before. */
#include "promotion.h"

#include "cleanup.h"
#include "deadline.h"
#include "fingerprint.h"

#define ROW        64U
#define LEAST_SENT 8U /* Few messages prove nothing, however large. */
#define GRAIN      ((size_t) 16 << 10)
#define BUSY_NS    INT64_C(500000)
#define MAX_MISSES 10U

/* Making a lane takes a millisecond for some 3 MiB, and whoever sends has not asked for it. */
#define LARGEST_UNASKED ((size_t) 16 << 20)

/* What could not be done now (no descriptors, no memory, a full socket) is tried again after longer and
 * longer rows. */
static uint32_t row_of(const struct promotion *promotion, const struct connection *connection) {
        uint32_t row = connection->lanes == LEAT_LANES_ALWAYS ? 1 : ROW;

        return row << promotion->misses;
}

static void miss(struct promotion *promotion) {
        promotion->sent = 0;
        if (promotion->misses < MAX_MISSES)
                promotion->misses++;
}

static void offer(struct promotion *promotion, const struct connection *connection, size_t body_size) {
        struct lane_writer *lane;
        struct lane_parts parts;
        size_t limit = connection_ring_limit(connection, promotion->is_modest ? 0 : body_size);
        int r = lane_writer_create(limit, &lane, &parts);

        if (r == 0) {
                r = lane_send_offer(connection->fd, fingerprint_tag(&connection->fingerprint), &parts.offer,
                                    parts.memory, parts.socket, LEAT_NOW);
                (void) close_fd(parts.memory);
                (void) close_fd(parts.socket);
                if (r == 0) {
                        promotion->state = PROMOTION_OFFERED;
                        promotion->lane = lane;
                        return;
                }
                lane_writer_free(lane);
        }
        if (r == LEAT_REFUSED)
                promotion->state = PROMOTION_REFUSED; /* It takes no descriptors at all. */
        else
                miss(promotion);
}

static bool may_have_lane(const struct connection *connection) {
        return connection_allows_lanes(connection) &&
               (connection->lanes == LEAT_LANES_ALWAYS || connection->ring_limit <= LARGEST_UNASKED);
}

static bool is_busy(const struct promotion *promotion, const struct connection *connection) {
        return connection->lanes == LEAT_LANES_ALWAYS ||
               deadline_now() - promotion->since <= (int64_t) promotion->weight * BUSY_NS;
}

static bool gains_nothing(const struct connection *connection, const struct transmission *transmission) {
        return connection->lanes != LEAT_LANES_ALWAYS && transmission->handles &&
               transmission->handles->count > 0;
}

void promotion_count(struct promotion *promotion, const struct connection *connection,
                     const struct transmission *transmission) {
        uint32_t row;

        if (promotion->state != PROMOTION_COUNTING || gains_nothing(connection, transmission))
                return;
        if (!may_have_lane(connection)) {
                promotion->state = PROMOTION_REFUSED;
                return;
        }
        row = row_of(promotion, connection);
        if (promotion->sent++ == 0) {
                promotion->since = deadline_now();
                promotion->weight = 0;
        }
        promotion->weight += 1 + transmission->body_size / GRAIN;
        if (promotion->weight < row || (promotion->sent < LEAST_SENT && promotion->sent < row))
                return;
        if (is_busy(promotion, connection))
                offer(promotion, connection, transmission->body_size);
        else
                promotion->sent = 0;
}

/* A receiver that has no memory for a large lane may well have some for a common one. */
static void be_refused(struct promotion *promotion, const struct connection *connection) {
        bool was_large = promotion->lane->ring.limit > connection_ring_limit(connection, 0);

        promotion_end(promotion);
        if (was_large)
                promotion->is_modest = true;
        else
                promotion->state = PROMOTION_REFUSED;
}

static void hear_answer(struct promotion *promotion, const struct connection *connection) {
        int r = lane_take_answer(lane_writer_socket(promotion->lane));

        if (r == 0)
                promotion->state = PROMOTION_ACCEPTED;
        else if (r == LEAT_REFUSED)
                be_refused(promotion, connection);
}

struct lane_writer *promotion_step(struct promotion *promotion, const struct connection *connection) {
        if (!promotion->lane)
                return NULL;
        if (lane_writer_is_inherited(promotion->lane)) {
                /* The parent's offer. All that went out until the fork went by the socket. */
                promotion_end(promotion);
                return NULL;
        }
        if (promotion->state == PROMOTION_OFFERED)
                hear_answer(promotion, connection);
        if (promotion->state != PROMOTION_ACCEPTED ||
            lane_send_marker(connection->fd, fingerprint_tag(&connection->fingerprint),
                             &promotion->lane->identity, LEAT_NOW) != 0)
                return NULL;
        promotion->state = PROMOTION_DONE;
        return take_pointer(&promotion->lane);
}

struct promotion promotion_clone(const struct promotion *promotion) {
        return (struct promotion){ .state = promotion->state == PROMOTION_REFUSED ? PROMOTION_REFUSED
                                                                                  : PROMOTION_COUNTING };
}

void promotion_end(struct promotion *promotion) {
        lane_writer_free(promotion->lane);
        *promotion = (struct promotion){ .state = PROMOTION_COUNTING };
}
