/* How a receiver's lanes come and go: their limits, who watches their sockets, their ends, and who of several
 * processes has them after a fork. */
#include "lanes.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "cleanup.h"
#include "guard.h"
#include "set.h"

void lanes_set_plan(struct lanes *lanes, const struct plan *plan, size_t message_limit) {
        lanes->image_type = NULL;
        if (!plan->image_is_memory || plan->plain_size > message_limit)
                return;
        lanes->image_type = plan->type;
        lanes->image = (struct ring_record){ .size = (uint32_t) plan->plain_size,
                                             .kind = LANE_MESSAGE,
                                             .aux = ENCODING_PLAIN };
}

static int make_lanes(struct leat_receiver *receiver) {
        struct lanes *lanes;
        int r;

        if (receiver->lanes)
                return 0;
        lanes = calloc(1, sizeof(*lanes));
        if (!lanes)
                return -ENOMEM;
        r = claim_create(&lanes->claim);
        if (r < 0) {
                free(lanes);
                return r;
        }
        if (receiver->plan)
                lanes_set_plan(lanes, receiver->plan, receiver->message_limit);
        receiver->lanes = lanes;
        return 0;
}

/* ---- coming ---- */

static int check_limits(const struct leat_receiver *receiver, const struct lane_offer *offer) {
        size_t limit = receiver->lane_limit, memory = receiver->lane_memory;
        const struct lanes *lanes = receiver->lanes;

        if (!connection_allows_lanes(receiver->connection) || receiver->connection->ended)
                return LEAT_REFUSED;
        if (offer->limit > offer->size || offer->limit < RING_MIN_SIZE / 2 || offer->size > memory)
                return LEAT_REFUSED;
        return lanes->n < limit && lanes->mapped <= memory - offer->size ? 0 : LEAT_REFUSED;
}

/* Descriptors are numbered from below, so what lanes never take is the last that is free. */
static bool are_among_the_last(int memory, int socket) {
        rlim_t highest = (rlim_t) (memory > socket ? memory : socket);
        struct rlimit limit;

        return getrlimit(RLIMIT_NOFILE, &limit) == 0 && highest + LANES_SPARED_DESCRIPTORS >= limit.rlim_cur;
}

struct lane_reader *lanes_find(const struct leat_receiver *receiver, const struct lane_identity *identity) {
        const struct lanes *lanes = receiver->lanes;

        for (size_t i = 0; lanes && i < lanes->n; i++)
                if (memcmp(&lanes->list[i]->identity, identity, sizeof(*identity)) == 0)
                        return lanes->list[i];
        return NULL;
}

static int make_room(struct lanes *lanes) {
        size_t capacity = lanes->capacity ? lanes->capacity * 2 : 4;
        struct lane_reader **list;

        if (lanes->n < lanes->capacity)
                return 0;
        list = reallocarray(lanes->list, capacity, sizeof(struct lane_reader *));
        if (!list)
                return -ENOMEM;
        lanes->list = list;
        lanes->capacity = capacity;
        return 0;
}

int lanes_register(struct lane_reader *lane, struct poller *poller, uint32_t *ret_place) {
        return poller_add(poller, lane->socket, EPOLLIN | EPOLLRDHUP | EPOLLET, RECEIVER_LANE, lane,
                          ret_place);
}

static int watch_by_receiver(struct lane_reader *lane) {
        if (lane->place != POLLER_NOWHERE)
                return 0;
        return lanes_register(lane, &lane->receiver->poller, &lane->place);
}

static int watch_lane(struct lane_reader *lane) {
        struct leat_receiver *receiver = lane->receiver;
        int r = receiver->place != POLLER_NOWHERE ? watch_by_receiver(lane) : 0;

        if (r == 0 && receiver->set)
                r = set_watch_lane(receiver, lane);
        return r;
}

static void forget_places(struct lane_reader *lane) {
        poller_remove(&lane->receiver->poller, lane->place);
        if (lane->receiver->set)
                set_forget_lane(lane->receiver, lane);
        lane->place = lane->set_place = POLLER_NOWHERE;
}

/* It cannot fail any more: the channel's socket is in that list already. */
static void close_in_child(struct lane_reader *lane) {
        (void) fork_close_in_child(&lane->in_child, &lane->socket);
}

void lanes_close_in_child(struct leat_receiver *receiver) {
        for (size_t i = 0; receiver->lanes && i < receiver->lanes->n; i++)
                close_in_child(receiver->lanes->list[i]);
}

static int add_unwatched(struct leat_receiver *receiver, const struct lane_offer *offer, int memory,
                         int socket, struct lane_reader **ret_lane) {
        struct lanes *lanes = receiver->lanes;
        struct lane_reader *lane;
        int r = make_room(lanes);

        if (r == 0)
                r = lane_reader_create(receiver, offer, memory, socket, &lane);
        if (r != 0)
                return r;
        lanes->list[lanes->n++] = lane;
        lanes->mapped += (size_t) offer->size;
        if (receiver->stays_here)
                close_in_child(lane);
        *ret_lane = lane;
        return 0;
}

int lanes_add_moved(struct leat_receiver *receiver, const struct lane_offer *offer, int memory, int socket,
                    struct lane_reader **ret_lane) {
        int r = make_lanes(receiver);

        if (r == 0)
                r = add_unwatched(receiver, offer, memory, socket, ret_lane);
        if (r == 0)
                (*ret_lane)->armings = LANE_READER_DRAINED_AFTER; /* Old bells may wait there. */
        return r;
}

int lanes_add(struct leat_receiver *receiver, const struct lane_offer *offer, int memory, int socket,
              struct lane_reader **ret_lane) {
        struct lane_reader *lane;
        int r = make_lanes(receiver);

        if (r == 0)
                r = are_among_the_last(memory, socket) ? LEAT_REFUSED : check_limits(receiver, offer);
        if (r == 0 && !receiver->set)
                r = lanes_watch(receiver); /* So that no receive needs a new descriptor. */
        if (r == 0)
                r = add_unwatched(receiver, offer, memory, socket, &lane);
        if (r != 0)
                return r;
        r = watch_lane(lane);
        if (r < 0) {
                lane->memory = lane->socket = -1;
                lanes_drop(receiver, lane);
                return r;
        }
        *ret_lane = lane;
        return 0;
}

void lanes_wake(struct lane_reader *lane) {
        lane->state = LANE_AWAKE;
        lane->fruitless = 0;
        lane->receiver->lanes->n_awake++;
}

int lanes_add_open(struct leat_receiver *receiver, const struct lane_offer *offer, int memory, int socket) {
        struct lane_reader *lane;
        int r = lanes_add(receiver, offer, memory, socket, &lane);

        if (r == 0)
                lanes_wake(lane);
        return r;
}

/* ---- going ---- */

static size_t index_of(const struct lanes *lanes, const struct lane_reader *lane) {
        size_t index = 0;

        while (lanes->list[index] != lane)
                index++;
        return index;
}

void lanes_drop(struct leat_receiver *receiver, struct lane_reader *lane) {
        struct lanes *lanes = receiver->lanes;
        size_t index = index_of(lanes, lane);

        if (lane->state == LANE_AWAKE)
                lanes->n_awake--;
        if (lanes->current == lane) {
                counters_settle_turn(lanes);
                lanes->current = NULL;
        }
        lanes->mapped -= lane->ring.size;
        forget_places(lane);
        lanes->n--;
        for (size_t i = index; i < lanes->n; i++)
                lanes->list[i] = lanes->list[i + 1];
        if (lanes->next > index)
                lanes->next--;
        lane->state = LANE_DROPPED;
        if (lane != lanes->held)
                lane_reader_free(lane);
}

void *lanes_hold(struct lanes *lanes, struct lane_reader *lane, const struct lane_message *message) {
        lanes->held = lane;
        return lane_reader_hold(lane, message);
}

void lanes_let_go(struct lanes *lanes) {
        struct lane_reader *lane = take_pointer(&lanes->held);

        if (!lane)
                return;
        if (lane->state == LANE_DROPPED) {
                CALL_GUARD;

                lane_reader_free(lane);
                return;
        }
        lane_reader_let_go(lane);
}

struct lanes *lanes_free(struct leat_receiver *receiver) {
        struct lanes *lanes = receiver->lanes;
        bool is_own;

        if (!lanes)
                return NULL;
        /* After a fork another process may go on receiving: then only the sockets' ends tell. */
        is_own = claim_is_current(&lanes->claim);
        lanes_let_go(lanes);
        while (lanes->n > 0) {
                struct lane_reader *lane = lanes->list[lanes->n - 1];

                if (lane->process == fork_generation() && is_own)
                        ring_reader_close(&lane->ring);
                lanes_drop(receiver, lane);
        }
        claim_free(&lanes->claim);
        buffer_free(&lanes->spare);
        free(lanes->list);
        free(lanes);
        receiver->lanes = NULL;
        return NULL;
}

/* ---- sockets ---- */

int lanes_watch(struct leat_receiver *receiver) {
        const struct lanes *lanes = receiver->lanes;
        int r = 0;

        if (receiver->place == POLLER_NOWHERE && !receiver->connection->ended)
                r = poller_add(&receiver->poller, receiver->connection->fd, EPOLLIN, RECEIVER_SOCKET,
                               receiver, &receiver->place);
        for (size_t i = 0; r == 0 && lanes && i < lanes->n; i++)
                r = watch_by_receiver(lanes->list[i]);
        return r == 0 ? poller_open(&receiver->poller) : r;
}

/* ---- after a fork ---- */

/* What was armed may have been rung for somebody else, so all lanes are looked at anew. */
int lanes_claim(struct leat_receiver *receiver) {
        struct lanes *lanes = receiver->lanes;
        int r = 0;

        if (claim_is_current(&lanes->claim))
                return 0;
        for (size_t i = 0; r == 0 && i < lanes->n; i++)
                r = lane_reader_map(lanes->list[i]);
        if (r == 0)
                r = claim_renew(&lanes->claim);
        if (r < 0)
                return r;
        for (size_t i = 0; i < lanes->n; i++)
                if (lanes->list[i]->state == LANE_ARMED)
                        lanes_wake(lanes->list[i]);
        return 0;
}
