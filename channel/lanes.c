/* A receiver with lanes has many places to look at: a ring for each of them, and sockets. Rings are looked at in turn, for that
 * costs nothing; sockets now and then, for that is a system call: after some time of receiving, when nothing is found, and when it
 * sleeps. A lane that is empty for long is armed: it costs nothing until its bell rings. */
#include "lanes.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "cleanup.h"
#include "deadline.h"
#include "descriptor.h"
#include "ring_memory.h"
#include "set.h"

/* A busy receiver looks at its sockets so often. */
#define LOOK_NS INT64_C(50000)

/* Looks in vain before a lane is armed. */
#define FRUITLESS_LOOKS 1000

/* Pieces and control packets that are taken without a message before the clock and the sockets are looked at. */
#define PIECES_AT_ONCE 1024

static int make_lanes(struct leat_receiver *receiver) {
        const struct plan *plan = receiver->plan;
        struct lanes *lanes;

        if (receiver->lanes)
                return 0;
        lanes = calloc(1, sizeof(*lanes));
        if (!lanes)
                return -ENOMEM;
        if (plan->image_is_memory && plan->plain_size <= receiver->message_limit) {
                lanes->image_type = plan->type;
                lanes->image_size = plan->plain_size;
        }
        lanes->process = fork_generation();
        receiver->lanes = lanes;
        return 0;
}

/* ---- coming ---- */

static int check_limits(const struct leat_receiver *receiver, const struct lane_offer *offer) {
        size_t limit = receiver->lane_limit ? receiver->lane_limit : LANES_DEFAULT_LIMIT;
        size_t memory = receiver->lane_memory ? receiver->lane_memory : LANES_DEFAULT_MEMORY;
        const struct lanes *lanes = receiver->lanes;

        if (!connection_allows_lanes(receiver->connection) || receiver->connection->ended)
                return LEAT_REFUSED;
        if (offer->limit > offer->size || offer->limit < RING_MIN_SIZE / 2 || offer->size > memory)
                return LEAT_REFUSED;
        return lanes->n < limit && lanes->mapped <= memory - offer->size ? 0 : LEAT_REFUSED;
}

static struct lane_reader *find_lane(const struct leat_receiver *receiver,
                                     const struct lane_identity *identity) {
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

static int watch_lane(struct lane_reader *lane) {
        struct leat_receiver *receiver = lane->receiver;
        int r = 0;

        if (receiver->place != POLLER_NOWHERE && lane->place == POLLER_NOWHERE)
                r = poller_add(&receiver->poller, lane->socket, EPOLLIN | EPOLLRDHUP | EPOLLET, RECEIVER_LANE,
                               lane, &lane->place);
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

static int add(struct leat_receiver *receiver, const struct lane_offer *offer, int memory, int socket,
               struct lane_reader **ret_lane) {
        struct lane_reader *lane;
        struct lanes *lanes;
        int r = make_lanes(receiver);

        if (r == 0)
                r = check_limits(receiver, offer);
        if (r == 0 && !receiver->set)
                r = lanes_watch(receiver, &receiver->poller); /* So that no receive needs a new descriptor. */
        if (r == 0)
                r = make_room(receiver->lanes);
        if (r == 0)
                r = lane_reader_create(receiver, offer, memory, socket, &lane);
        if (r != 0)
                return r;
        r = watch_lane(lane);
        if (r < 0) {
                forget_places(lane);
                lane->memory = lane->socket = -1;
                lane_reader_free(lane);
                return r;
        }
        lanes = receiver->lanes;
        lanes->list[lanes->n++] = lane;
        lanes->mapped += (size_t) offer->size;
        *ret_lane = lane;
        return 0;
}

static void wake(struct lane_reader *lane) {
        lane->is_armed = false;
        lane->fruitless = 0;
        lane->receiver->lanes->n_awake++;
}

static void open_lane(struct lane_reader *lane) {
        lane->is_open = true;
        wake(lane);
}

int lanes_add_open(struct leat_receiver *receiver, const struct lane_offer *offer, int memory, int socket) {
        struct lane_reader *lane;
        int r = add(receiver, offer, memory, socket, &lane);

        if (r == 0)
                open_lane(lane);
        return r;
}

void lanes_consider(struct leat_receiver *receiver, const struct lane_offer *offer, int memory, int socket) {
        uint8_t answer = LANE_ACCEPTED;
        struct lane_reader *lane;
        bool is_socket = descriptor_identify(socket) == DESCRIPTOR_CHANNEL_SOCKET;
        int r = LEAT_REFUSED;

        if (is_socket && !find_lane(receiver, &offer->identity) && offer->size <= RING_MAX_SIZE &&
            ring_memory_is_size((size_t) offer->size))
                r = ring_memory_check(memory, (size_t) offer->size);
        if (r == 0)
                r = add(receiver, offer, memory, socket, &lane);
        if (r != 0)
                answer = LANE_REFUSED;
        if (is_socket)
                (void) send(socket, &answer, sizeof(answer), MSG_DONTWAIT | MSG_NOSIGNAL);
        if (r != 0) {
                receiver->cut |= descriptor_dispose(memory) < 0;
                receiver->cut |= descriptor_dispose(socket) < 0;
        }
}

void lanes_mark(struct leat_receiver *receiver, const struct lane_identity *identity) {
        struct lane_reader *lane = find_lane(receiver, identity);

        if (lane && !lane->is_open)
                open_lane(lane);
}

void lanes_bar(struct leat_receiver *receiver, const struct lane_barrier *barrier) {
        const struct lane_reader *lane = find_lane(receiver, &barrier->identity);

        if (!lane || !lane->is_open || lane->ring.position >= barrier->position)
                return;
        receiver->lanes->barrier = *barrier;
        receiver->lanes->has_barrier = true;
}

/* ---- going ---- */

static void drop(struct leat_receiver *receiver, size_t index) {
        struct lanes *lanes = receiver->lanes;
        struct lane_reader *lane = lanes->list[index];

        if (lane->is_open && !lane->is_armed)
                lanes->n_awake--;
        if (lanes->current == lane)
                lanes->current = NULL;
        lanes->mapped -= lane->ring.size;
        forget_places(lane);
        lanes->n--;
        for (size_t i = index; i < lanes->n; i++)
                lanes->list[i] = lanes->list[i + 1];
        if (lanes->next > index)
                lanes->next--;
        lane_reader_free(lane);
}

struct lanes *lanes_free(struct leat_receiver *receiver) {
        struct lanes *lanes = receiver->lanes;

        if (!lanes)
                return NULL;
        while (lanes->n > 0) {
                struct lane_reader *lane = lanes->list[lanes->n - 1];

                if (lanes->process != fork_generation())
                        lane->ring.memory = NULL; /* Something else may be at that address here. */
                else if (lane_reader_is_owner(lane))
                        ring_reader_close(&lane->ring);
                drop(receiver, lanes->n - 1);
        }
        free(lanes->list);
        free(lanes);
        receiver->lanes = NULL;
        return NULL;
}

/* ---- sockets ---- */

void lanes_notice(struct lane_reader *lane, uint32_t events) {
        if (events & (EPOLLHUP | EPOLLRDHUP | EPOLLERR))
                lane->is_hung = true;
        if (!lane->is_open)
                lane->receiver->lanes->socket_is_ready = true; /* Its marker may be there. */
        if (lane->is_open && lane->is_armed) {
                ring_reader_disarm(&lane->ring);
                wake(lane);
        }
}

int lanes_watch(struct leat_receiver *receiver, struct poller *poller) {
        struct lanes *lanes = receiver->lanes;

        if (receiver->place == POLLER_NOWHERE && !receiver->connection->ended) {
                int r = poller_add(poller, receiver->connection->fd, EPOLLIN, RECEIVER_SOCKET, receiver,
                                   &receiver->place);

                if (r < 0)
                        return r;
        }
        for (size_t i = 0; lanes && i < lanes->n; i++)
                if (lanes->list[i]->place == POLLER_NOWHERE) {
                        int r = poller_add(poller, lanes->list[i]->socket, EPOLLIN | EPOLLRDHUP | EPOLLET,
                                           RECEIVER_LANE, lanes->list[i], &lanes->list[i]->place);

                        if (r < 0)
                                return r;
                }
        return poller_open(poller);
}

/* Once the channel's socket is at its end nothing but the lanes' ends is waited for. */
static void look_for_ends(struct lanes *lanes) {
        for (size_t i = 0; i < lanes->n; i++) {
                struct pollfd poll_fd = { .fd = lanes->list[i]->socket, .events = POLLRDHUP };

                if (poll(&poll_fd, 1, 0) > 0)
                        lanes->list[i]->is_hung = true;
        }
}

/* Takes note of what the sockets have to say, and sleeps for it until then. 0; negative errno. */
static int look(struct leat_receiver *receiver, leat_deadline deadline) {
        struct lanes *lanes = receiver->lanes;
        struct poller_event event;
        int r;

        if (deadline == LEAT_NOW && receiver->set && receiver->place == POLLER_NOWHERE) {
                /* The set watches for it; a poller of its own would be one too many. */
                lanes->socket_is_ready = true;
                if (receiver->connection->ended)
                        look_for_ends(lanes);
                lanes->looked = deadline_now();
                return 0;
        }
        r = lanes_watch(receiver, &receiver->poller);
        if (r < 0)
                return r;
        r = poller_fetch(&receiver->poller, deadline);
        while (poller_next(&receiver->poller, &event)) {
                if (event.kind == RECEIVER_LANE)
                        lanes_notice(event.owner, event.events);
                else
                        lanes->socket_is_ready = true;
        }
        lanes->looked = deadline_now();
        return r < 0 && r != -EINTR ? r : 0;
}

/* ---- taking ---- */

static bool has_something(const struct lane_reader *lane) {
        struct ring_record record;

        return lane->is_open && (lane->is_hung || ring_peek(&lane->ring, &record) != RING_EMPTY);
}

bool lanes_have_something(const struct leat_receiver *receiver) {
        const struct lanes *lanes = receiver->lanes;

        if (lanes->socket_is_ready && !lanes->has_barrier)
                return true;
        for (size_t i = 0; i < lanes->n; i++)
                if (has_something(lanes->list[i]))
                        return true;
        return false;
}

/* Whether the channel's socket may be read; ends the lane of a barrier that speaks of more than there is. */
static bool is_barred(struct leat_receiver *receiver) {
        struct lanes *lanes = receiver->lanes;
        struct lane_reader *lane;

        if (!lanes->has_barrier)
                return false;
        lane = find_lane(receiver, &lanes->barrier.identity);
        if (lane && lane->ring.position < lanes->barrier.position) {
                struct ring_record record;

                if (ring_peek(&lane->ring, &record) != RING_EMPTY)
                        return true;
                lane->is_hung = true;
        }
        lanes->has_barrier = false;
        return false;
}

static void begin_turn(struct lanes *lanes, size_t index) {
        lanes->current = lanes->list[index];
        lanes->next = index + 1;
        lanes->turn = LANES_TURN;
}

static bool is_watched(const struct lane_reader *lane) {
        return lane->place != POLLER_NOWHERE || lane->set_place != POLLER_NOWHERE;
}

/* The next lane with something in it. False: there is none. */
static bool find_next(struct leat_receiver *receiver, size_t *ret_index) {
        struct lanes *lanes = receiver->lanes;

        for (size_t looked = 0, n = lanes->n; looked < n; looked++) {
                size_t index = (lanes->next + looked) % n;
                struct lane_reader *lane = lanes->list[index];

                if (has_something(lane)) {
                        lane->fruitless = 0;
                        *ret_index = index;
                        return true;
                }
                if (lane->is_open && !lane->is_armed && ++lane->fruitless >= FRUITLESS_LOOKS) {
                        if (is_watched(lane) && lane_reader_arm(lane))
                                lanes->n_awake--;
                        lane->fruitless = 0;
                }
        }
        return false;
}

/* One message, or LEAT_EMPTY when its lane has none that is whole: then there may be another lane that has. */
static int take_from(struct leat_receiver *receiver, size_t index, struct incoming *ret_incoming) {
        struct lanes *lanes = receiver->lanes;
        struct lane_reader *lane = lanes->list[index];
        uint64_t before = lane->ring.position;
        int r;

        if (lane->is_open && lane->is_armed) {
                ring_reader_disarm(&lane->ring);
                wake(lane);
        }
        r = lane->is_open ? incoming_take_from_lane(receiver, lane, ret_incoming) : LEAT_EMPTY;
        lanes->turn -= (int64_t) (lane->ring.position - before) + LANES_MESSAGE_COST;
        if (r == LEAT_DISCONNECTED || (r == LEAT_EMPTY && lane->is_hung && lane->ring.position == before)) {
                drop(receiver, index);
                return LEAT_EMPTY;
        }
        return r;
}

static int take_from_rings(struct leat_receiver *receiver, struct incoming *ret_incoming) {
        struct lanes *lanes = receiver->lanes;
        size_t index;
        int r;

        if (lanes->current && lanes->turn > 0 && has_something(lanes->current)) {
                index = (lanes->next + lanes->n - 1) % lanes->n;
        } else {
                if (!find_next(receiver, &index))
                        return LEAT_EMPTY;
                begin_turn(lanes, index);
        }
        r = take_from(receiver, index, ret_incoming);
        return r == LEAT_EMPTY ? LEAT_MORE : r;
}

/* Nothing waits in the channel's socket: lanes whose end had been seen before are never opened any more. */
static void drop_unopened(struct leat_receiver *receiver) {
        struct lanes *lanes = receiver->lanes;

        for (size_t i = lanes->n; i-- > 0;)
                if (!lanes->list[i]->is_open && lanes->list[i]->is_hung)
                        drop(receiver, i);
}

/* LEAT_MORE: something was for us; LEAT_EMPTY: nothing. */
static int take_from_socket(struct leat_receiver *receiver, struct incoming *ret_incoming) {
        struct lanes *lanes = receiver->lanes;
        int r;

        if (receiver->connection->ended) {
                lanes->socket_is_ready = false;
                drop_unopened(receiver);
                return LEAT_EMPTY;
        }
        if (is_barred(receiver))
                return LEAT_EMPTY;
        r = incoming_take_from_socket(receiver, ret_incoming, LEAT_NOW);
        if (r == LEAT_EMPTY || r == LEAT_DISCONNECTED)
                drop_unopened(receiver);
        if (r == LEAT_EMPTY)
                lanes->socket_is_ready = false;
        if (r == LEAT_DISCONNECTED) {
                poller_remove(&receiver->poller, receiver->place);
                receiver->place = POLLER_NOWHERE;
                if (receiver->set)
                        set_forget_socket(receiver);
                lanes->socket_is_ready = false;
                return LEAT_EMPTY;
        }
        return r;
}

/* Between two turns the sockets get theirs. */
static int take_between_turns(struct leat_receiver *receiver, struct incoming *ret_incoming) {
        struct lanes *lanes = receiver->lanes;
        int r;

        if (deadline_now() - lanes->looked >= LOOK_NS) {
                r = look(receiver, LEAT_NOW);
                if (r < 0)
                        return r;
        }
        return lanes->socket_is_ready ? take_from_socket(receiver, ret_incoming) : LEAT_EMPTY;
}

/* All that can be had without waiting. */
static int take_now(struct leat_receiver *receiver, struct incoming *ret_incoming) {
        struct lanes *lanes = receiver->lanes;
        int r = LEAT_MORE, left = PIECES_AT_ONCE;

        if (lanes->current && lanes->turn <= 0) {
                lanes->current = NULL;
                r = take_between_turns(receiver, ret_incoming);
        }
        for (; r == LEAT_MORE || r == LEAT_EMPTY; left--) {
                if (left == 0)
                        return LEAT_EMPTY;
                r = take_from_rings(receiver, ret_incoming);
                if (r == LEAT_EMPTY) {
                        bool asks = lanes->socket_is_ready || lanes->n_awake == 0;

                        r = asks ? take_from_socket(receiver, ret_incoming) : LEAT_EMPTY;
                        if (r == LEAT_EMPTY)
                                return LEAT_EMPTY;
                }
        }
        return r;
}

bool lanes_arm(struct leat_receiver *receiver) {
        struct lanes *lanes = receiver->lanes;

        if (lanes->socket_is_ready)
                return false;
        for (size_t i = 0; i < lanes->n; i++) {
                struct lane_reader *lane = lanes->list[i];

                if (!lane->is_open || lane->is_armed)
                        continue;
                if (!lane_reader_arm(lane))
                        return false;
                lanes->n_awake--;
        }
        return true;
}

bool lanes_spin(struct leat_receiver *receiver) {
        struct lanes *lanes = receiver->lanes;
        struct lane_reader *lane = lanes->current;
        size_t index;

        if (!lane || lanes->n_awake == 0 || lanes->turn <= 0 || lanes->socket_is_ready ||
            lanes->process != fork_generation() || !spin_may(&lanes->spinner, ring_writer_core(&lane->ring)))
                return false;
        ring_set_reader_core(&lane->ring, spin_core());
        spin_start(&lanes->spinner);
        do {
                bool found = has_something(lane);

                if (!found && lanes->n_awake > 1 && find_next(receiver, &index)) {
                        begin_turn(lanes, index);
                        found = true;
                }
                if (found) {
                        spin_succeeded(&lanes->spinner);
                        return true;
                }
        } while (spin_goes_on(&lanes->spinner));
        return false;
}

static int sleep_until(struct leat_receiver *receiver, leat_deadline deadline) {
        struct lanes *lanes = receiver->lanes;
        int64_t before;
        int r = lanes_watch(receiver, &receiver->poller);

        if (r < 0)
                return r;
        if (!lanes_arm(receiver))
                return 0;
        before = deadline_now();
        r = look(receiver, deadline);
        spin_slept(&lanes->spinner, deadline_now() - before);
        return r;
}

/* A forked child has none of the mappings. It takes the lanes over unless another process has done so before. 0; -EBUSY. */
static int claim(struct leat_receiver *receiver) {
        struct lanes *lanes = receiver->lanes;

        for (size_t i = 0; i < lanes->n; i++)
                if (lane_reader_claim(lanes->list[i]) < 0)
                        return -EBUSY;
        lanes->process = fork_generation();
        return 0;
}

static bool is_owner(struct leat_receiver *receiver) {
        struct lanes *lanes = receiver->lanes;

        if (lanes->process != fork_generation() && claim(receiver) < 0)
                return false;
        return lanes->n == 0 || lane_reader_is_owner(lanes->list[0]);
}

int lanes_take(struct leat_receiver *receiver, struct incoming *ret_incoming, leat_deadline deadline) {
        struct lanes *lanes = receiver->lanes;
        bool has_waited = false;

        if (!is_owner(receiver))
                return -EBUSY;
        for (;;) {
                int r = receiver->cut ? LEAT_DISCONNECTED : take_now(receiver, ret_incoming);

                if (r != LEAT_EMPTY)
                        return r;
                if (receiver->connection->ended && lanes->n == 0)
                        return LEAT_DISCONNECTED;
                if (has_waited && deadline_passed(deadline))
                        return deadline == LEAT_NOW ? LEAT_EMPTY : LEAT_TIMEOUT;
                if (deadline == LEAT_NOW)
                        r = look(receiver, LEAT_NOW);
                else if (lanes_spin(receiver))
                        continue;
                else
                        r = sleep_until(receiver, deadline);
                if (r < 0)
                        return r;
                has_waited = true;
        }
}
