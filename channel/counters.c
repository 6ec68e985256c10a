/* What endpoints have done. A message that goes by a lane's fast way must cost nothing more for being
 * counted, so there it is derived from what is kept anyway.
 *
 * A sender's lane counts the messages until it looks up from its ring, and knows how many bytes it has put
 * there: see lane_writer.h.
 *
 * A receiver's lane knows how many bytes it has read, and what is left of its turn. In a turn each message of
 * `size` bytes counts as size + LANES_MESSAGE_COST, and in the ring it takes a header and size rounded up. So
 * of n messages the one sum is greater than the other by n * (LANES_MESSAGE_COST - RING_HEADER_SIZE), less
 * what was rounded up: at most 7 bytes each. There are never so many messages in a turn that this makes
 * one. */
#include "counters.h"

#include <assert.h>
#include <errno.h>

#include "lanes.h"
#include "receiver.h"
#include "sender.h"

#define COST_OF_MESSAGE ((uint64_t) (LANES_MESSAGE_COST - RING_HEADER_SIZE))

/* The last one may begin when one unit is left. */
static_assert((LANES_TURN / LANES_MESSAGE_COST + 1) * (RING_ALIGNMENT - 1) < COST_OF_MESSAGE,
              "what is rounded up in a turn is less than a message");

static void add_turn(const struct lanes *lanes, struct leat_counters *counters) {
        uint64_t spent, read, n;

        if (!lanes->current)
                return;
        spent = (uint64_t) (lanes->settled_turn - lanes->turn);
        read = lanes->current->ring.position - lanes->settled_position;
        n = (spent - read + COST_OF_MESSAGE - 1) / COST_OF_MESSAGE;
        counters->messages += n;
        counters->bytes += read - n * RING_HEADER_SIZE;
}

void counters_start_turn(struct lanes *lanes) {
        lanes->settled_turn = lanes->turn;
        lanes->settled_position = lanes->current ? lanes->current->ring.position : 0;
}

void counters_settle_turn(struct lanes *lanes) {
        if (!lanes->current)
                return;
        add_turn(lanes, &lanes->current->receiver->counters);
        counters_start_turn(lanes);
}

void counters_note_taken(struct leat_counters *counters, size_t size, int r) {
        switch (r) {
        case 0:
                counters_add(counters, size);
                return;
        case LEAT_TYPE_MISMATCH:
        case LEAT_VERSION_MISMATCH:
        case LEAT_MALFORMED:
        case LEAT_TOO_LARGE:
                counters->refusals++;
                return;
        default:
                return;
        }
}

int leat_sender_counters(const struct leat_sender *sender, struct leat_counters *ret_counters) {
        struct leat_counters counters;

        if (!sender)
                return -EBADF;
        counters = sender->counters;
        if (sender->lane)
                sender_count_lane(sender, &counters);
        *ret_counters = counters;
        return 0;
}

int leat_receiver_counters(const struct leat_receiver *receiver, struct leat_counters *ret_counters) {
        struct leat_counters counters;

        if (!receiver)
                return -EBADF;
        counters = receiver->counters;
        counters.refusals += receiver->lost;
        if (receiver->lanes)
                add_turn(receiver->lanes, &counters);
        *ret_counters = counters;
        return 0;
}
