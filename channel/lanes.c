/* A receiver with lanes has many places to look at: a ring for each of them, and sockets. Rings are looked at
 * in turn, for that costs nothing; sockets now and then, for that is a system call: after some time of
 * receiving, when nothing is found, and when it sleeps. A lane that is empty for long is armed: it is only
 * looked at in passing then, until its bell rings. */
#include "lanes.h"

#include <errno.h>

#include "deadline.h"
#include "set.h"

/* Looks in vain before a lane is armed. */
#define FRUITLESS_LOOKS 1000

/* Pieces and control packets that are taken without a message before the clock and the sockets are looked
 * at. */
#define PIECES_AT_ONCE 64

/* ---- sockets ---- */

void lanes_notice(struct lane_reader *lane, uint32_t events) {
        if (events & (EPOLLHUP | EPOLLRDHUP | EPOLLERR))
                lane_reader_hang(lane);
        if (!lane_reader_is_open(lane))
                lane->receiver->lanes->socket_is_ready = true; /* Its marker may be there. */
        if (lane->state == LANE_ARMED && lanes_claim(lane->receiver) == 0 && lane->state == LANE_ARMED) {
                ring_reader_disarm(&lane->ring);
                lanes_wake(lane);
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
                lanes->looked = deadline_now();
                return 0;
        }
        r = lanes_watch(receiver);
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
        return lane_reader_is_open(lane) && (lane->is_hung || !lane_reader_is_empty(lane));
}

bool lanes_have_something(struct leat_receiver *receiver) {
        const struct lanes *lanes = receiver->lanes;

        if (lanes_claim(receiver) < 0)
                return true; /* Receiving says so. */
        if (lanes->socket_is_ready)
                return true; /* A barrier bars it no longer, or the lane that it is about has something. */
        for (size_t i = 0; i < lanes->n; i++)
                if (has_something(lanes->list[i]))
                        return true;
        return false;
}

/* Whether the channel's socket must not be read yet. A barrier beyond what is committed is a lie, which ends
 * its lane. */
static bool is_barred(struct leat_receiver *receiver) {
        struct lanes *lanes = receiver->lanes;
        struct lane_reader *lane;

        if (lanes->barrier.position == 0)
                return false;
        lane = lanes_find(receiver, &lanes->barrier.identity);
        if (lane && lane->ring.position < lanes->barrier.position) {
                if (!lane_reader_is_empty(lane))
                        return true;
                lanes_drop(receiver, lane);
        }
        lanes->barrier.position = 0;
        return false;
}

static void begin_turn(struct lanes *lanes, size_t index) {
        counters_settle_turn(lanes);
        lanes->current = lanes->list[index];
        lanes->next = index + 1;
        lanes->turn = LANES_TURN;
        counters_start_turn(lanes);
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
                if (lane->state == LANE_AWAKE && ++lane->fruitless >= FRUITLESS_LOOKS) {
                        if (is_watched(lane) && lane_reader_arm(lane))
                                lanes->n_awake--;
                        lane->fruitless = 0;
                }
        }
        return false;
}

/* One message, or LEAT_EMPTY when its lane has none that is whole: then there may be another lane that
 * has. */
static int take_from(struct leat_receiver *receiver, size_t index, struct incoming *ret_incoming) {
        struct lanes *lanes = receiver->lanes;
        struct lane_reader *lane = lanes->list[index];
        uint64_t before = lane->ring.position;
        int r;

        if (lane->state == LANE_ARMED) {
                ring_reader_disarm(&lane->ring);
                lanes_wake(lane);
        }
        counters_settle_turn(lanes);
        r = lane->is_hung && before >= lane->last ? LEAT_DISCONNECTED
                                                  : incoming_take_from_lane(receiver, lane, ret_incoming);
        lanes->turn -= (int64_t) (lane->ring.position - before) + LANES_MESSAGE_COST;
        counters_start_turn(lanes);
        if (r == LEAT_DISCONNECTED || (r == LEAT_EMPTY && lane->is_hung && lane->ring.position == before)) {
                lanes_drop(receiver, lane);
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

/* The channel's socket was found empty. Who has written into a lane has put its marker into the socket
 * before, so if that was so before the socket was looked at, the marker has been taken: by another process
 * that reads as well since a fork, perhaps. A lane whose end was seen before, with nothing in it, is never
 * opened any more. Returns whether there may be more. */
static bool settle_unopened(struct leat_receiver *receiver) {
        struct lanes *lanes = receiver->lanes;
        bool may_be_more = false;

        for (size_t i = lanes->n; i-- > 0;) {
                struct lane_reader *lane = lanes->list[i];

                if (lane_reader_is_open(lane))
                        continue;
                if (lane_reader_is_empty(lane)) {
                        if (lane->is_hung)
                                lanes_drop(receiver, lane);
                        continue;
                }
                if (lane->state == LANE_FILLED || lane->is_hung)
                        lanes_wake(lane);
                else
                        lane->state = LANE_FILLED;
                may_be_more = true;
        }
        return may_be_more;
}

/* Every lane's sender held it, so they all are gone, whoever may still have a lane's socket. */
static void end_socket(struct leat_receiver *receiver) {
        const struct lanes *lanes = receiver->lanes;

        for (size_t i = 0; i < lanes->n; i++)
                lanes_notice(lanes->list[i], EPOLLHUP);
        poller_remove(&receiver->poller, receiver->place);
        receiver->place = POLLER_NOWHERE;
        if (receiver->set)
                set_forget_socket(receiver);
}

/* LEAT_MORE: something was for us; LEAT_EMPTY: nothing. */
static int take_from_socket(struct leat_receiver *receiver, struct incoming *ret_incoming) {
        bool had_ended = receiver->connection->ended;
        int r = LEAT_DISCONNECTED;

        if (!had_ended) {
                if (is_barred(receiver))
                        return LEAT_EMPTY;
                r = incoming_take_from_socket(receiver, ret_incoming, LEAT_NOW);
        }
        if (r != LEAT_EMPTY && r != LEAT_DISCONNECTED)
                return r;
        receiver->lanes->socket_is_ready = false;
        if (r == LEAT_DISCONNECTED && !had_ended)
                end_socket(receiver);
        return settle_unopened(receiver) ? LEAT_MORE : LEAT_EMPTY;
}

/* Between two turns the sockets get theirs. */
static int take_between_turns(struct leat_receiver *receiver, struct incoming *ret_incoming) {
        struct lanes *lanes = receiver->lanes;
        int r;

        if (deadline_now() - lanes->looked >= LANES_LOOK_NS) {
                r = look(receiver, LEAT_NOW);
                if (r < 0)
                        return r;
        }
        return lanes->socket_is_ready ? take_from_socket(receiver, ret_incoming) : LEAT_EMPTY;
}

/* While no other lane has anything the same goes on: without one whose turn it is nobody would spin for the
 * answer that may be on its way. */
static void pass_turn(struct leat_receiver *receiver) {
        struct lanes *lanes = receiver->lanes;
        size_t index;

        if (find_next(receiver, &index)) {
                begin_turn(lanes, index);
        } else {
                counters_settle_turn(lanes);
                lanes->turn = LANES_TURN;
                counters_start_turn(lanes);
        }
}

/* The sockets' turn comes when a lane's is over, also where a lane has brought nothing but pieces. */
static int take_next(struct leat_receiver *receiver, struct incoming *ret_incoming) {
        struct lanes *lanes = receiver->lanes;
        int r;

        if (lanes->current && lanes->turn <= 0) {
                pass_turn(receiver);
                r = take_between_turns(receiver, ret_incoming);
                if (r != LEAT_EMPTY)
                        return r;
        }
        r = take_from_rings(receiver, ret_incoming);
        if (r != LEAT_EMPTY)
                return r;
        return lanes->socket_is_ready || lanes->n_awake == 0 ? take_from_socket(receiver, ret_incoming)
                                                             : LEAT_EMPTY;
}

/* All that can be had without waiting. */
static int take_now(struct leat_receiver *receiver, struct incoming *ret_incoming) {
        int r = LEAT_MORE;

        for (int left = PIECES_AT_ONCE; r == LEAT_MORE; left--) {
                if (left == 0)
                        return LEAT_EMPTY;
                r = take_next(receiver, ret_incoming);
        }
        return r;
}

bool lanes_arm(struct leat_receiver *receiver) {
        struct lanes *lanes = receiver->lanes;
        uint32_t core = spin_core();

        if (lanes->socket_is_ready || lanes_claim(receiver) < 0)
                return false;
        for (size_t i = 0; i < lanes->n; i++) {
                struct lane_reader *lane = lanes->list[i];

                if (!lane_reader_is_open(lane) && !ring_reader_arm(&lane->ring)) {
                        lanes->socket_is_ready = true; /* Its marker was there before. */
                        return false;
                }
                if (lane->state != LANE_AWAKE)
                        continue;
                if (!lane_reader_arm(lane))
                        return false;
                ring_set_reader_core(&lane->ring, core);
                lanes->n_awake--;
        }
        return true;
}

uint32_t lanes_other_core(const struct lanes *lanes, uint32_t core) {
        for (size_t i = 0; claim_is_current(&lanes->claim) && i < lanes->n; i++) {
                const struct lane_reader *lane = lanes->list[i];
                uint32_t other = ring_writer_core(&lane->ring);

                if (lane_reader_is_open(lane) && !lane->is_hung && other != core)
                        return other;
        }
        return core;
}

int64_t lanes_rang(const struct lanes *lanes) {
        int64_t last = 0;

        for (size_t i = 0; claim_is_current(&lanes->claim) && i < lanes->n; i++) {
                int64_t rang = ring_writer_rang(&lanes->list[i]->ring);

                if (rang > last)
                        last = rang;
        }
        return last;
}

bool lanes_spin(struct leat_receiver *receiver) {
        struct lanes *lanes = receiver->lanes;
        struct lane_reader *lane = lanes->current;
        size_t index;

        if (!lane || lanes->n_awake == 0 || lanes->turn <= 0 || lanes->socket_is_ready ||
            !claim_is_current(&lanes->claim) || !spin_may(&lanes->spinner, ring_writer_core(&lane->ring)))
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
                        receiver->counters.waits++;
                        spin_succeeded(&lanes->spinner);
                        return true;
                }
        } while (spin_goes_on(&lanes->spinner));
        return false;
}

static int sleep_until(struct leat_receiver *receiver, leat_deadline deadline) {
        struct lanes *lanes = receiver->lanes;
        int64_t before;
        int r = lanes_watch(receiver);

        if (r < 0)
                return r;
        if (!lanes_arm(receiver))
                return 0;
        receiver->counters.waits += !deadline_passed(deadline);
        before = deadline_now();
        r = look(receiver, deadline);
        spin_slept(&lanes->spinner, before, deadline_now(), lanes_rang(lanes));
        return r;
}

int lanes_take(struct leat_receiver *receiver, struct incoming *ret_incoming, leat_deadline deadline) {
        struct lanes *lanes = receiver->lanes;
        bool has_waited = false;

        for (;;) {
                int r = lanes_claim(receiver);

                if (r < 0)
                        return r;
                r = receiver->cut ? LEAT_DISCONNECTED : take_now(receiver, ret_incoming);

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
