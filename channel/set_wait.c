/* Waiting on a set. Events are fetched in batches and handed out one at a time, which is what makes it fair:
 * the system puts a member that is still ready behind the others. Members with lanes are looked at in turn,
 * between looks at the sockets; only they are walked. */
#include <errno.h>

#include "deadline.h"
#include "fork.h"
#include "guard.h"
#include "lane_writer.h"
#include "lanes.h"
#include "leat/set.h"
#include "members.h"
#include "sender.h"

/* While lanes keep a set busy, the sockets are looked at after one answer, then, when there was nothing,
 * after 2, 4 and at last so many; and earlier when so much time has passed, for who takes long over each
 * message must not keep those waiting who come by a socket: then the next gap is shorter again. */
#define ANSWERS_BETWEEN_LOOKS 256

/* The clock costs as much as an answer or two. */
#define ANSWERS_BETWEEN_CLOCKS 16

static bool is_ready_by_lane(const struct member *member) {
        if (member->sender)
                return member->sender->lane && lane_writer_has_room(member->sender->lane);
        return member->receiver->lanes && lanes_have_something(member->receiver);
}

/* The next member in turn whose lanes have something. */
static const struct member *next_with_lanes(struct leat_set_members *set) {
        struct member *start = set->turn, *member = start;

        if (!start)
                return NULL;
        do {
                if (is_ready_by_lane(member)) {
                        set->turn = member->next;
                        return member;
                }
                member = member->next;
        } while (member != start);
        return NULL;
}

/* The next member of the batch; what is about a lane is only noted. */
static const struct member *next_event(struct leat_set_members *set) {
        struct poller_event event;

        while (poller_next(&set->poller, &event)) {
                struct member *member = event.owner;

                if (event.kind == WATCHES_WAKE)
                        continue; /* What was said is in its mark. */
                if (event.kind == RECEIVER_LANE) {
                        lanes_notice(event.owner, event.events);
                        continue;
                }
                if (member->receiver && member->receiver->lanes)
                        member->receiver->lanes->socket_is_ready = true;
                return member;
        }
        return NULL;
}

static void count_answers(struct leat_set_members *set, unsigned n) {
        set->until_look = n < ANSWERS_BETWEEN_CLOCKS ? n : ANSWERS_BETWEEN_CLOCKS;
        set->beyond = n - set->until_look;
}

static const struct member *next_ready(struct leat_set_members *set) {
        const struct member *member = next_event(set);

        if (member)
                return member;
        member = next_with_lanes(set);
        if (member)
                set->until_look = set->until_look > 0 ? set->until_look - 1 : 0;
        else
                count_answers(set, set->gap = 1);
        return member;
}

static bool is_time_to_look(struct leat_set_members *set) {
        if (set->beyond == 0 || deadline_now() - set->looked >= LANES_LOOK_NS)
                return true;
        count_answers(set, set->beyond);
        return false;
}

/* Sockets get their turn between answers of lanes. */
static int look(struct leat_set_members *set) {
        int r = poller_fetch(&set->poller, LEAT_NOW);
        int64_t now = deadline_now();

        if (r > 0 || set->gap == 0)
                set->gap = 1;
        else if (now - set->looked >= LANES_LOOK_NS)
                set->gap = set->gap > 1 ? set->gap / 2 : 1;
        else if (set->gap < ANSWERS_BETWEEN_LOOKS)
                set->gap *= 2;
        set->looked = now;
        count_answers(set, set->gap);
        return r;
}

/* NULL: it is on the socket. */
static const struct ring_writer *ring_of(const struct leat_sender *sender) {
        return sender->lane && !lane_writer_is_inherited(sender->lane) ? &sender->lane->ring : NULL;
}

/* Whether a lane's other side may be at work on another core than this one. */
static bool works_elsewhere(const struct member *member, uint32_t core) {
        uint32_t other = core;

        if (member->sender && ring_of(member->sender))
                other = ring_reader_core(ring_of(member->sender));
        else if (!member->sender && member->receiver->lanes)
                other = lanes_other_core(member->receiver->lanes, core);
        return other != core;
}

static bool anybody_works_elsewhere(const struct leat_set_members *set) {
        const struct member *member = set->turn;
        uint32_t core = spin_core();

        do {
                if (works_elsewhere(member, core))
                        return true;
                member = member->next;
        } while (member != set->turn);
        return false;
}

static bool spin(struct leat_set_members *set) {
        if (!set->turn || !spin_may(&set->spinner, 0) || !anybody_works_elsewhere(set))
                return false;
        spin_start(&set->spinner);
        do
                if (next_with_lanes(set)) {
                        spin_succeeded(&set->spinner);
                        return true;
                }
        while (spin_goes_on(&set->spinner));
        return false;
}

static bool arm_member(struct leat_set_members *set, struct member *member) {
        if (member->sender)
                return set_watch_sender(set, member) != 0 || !member->sender->lane ||
                       lane_writer_arm(member->sender->lane);
        return !member->receiver->lanes || lanes_arm(member->receiver);
}

/* All lanes of all members are armed: true, and their bells will tell. */
static bool arm_lanes(struct leat_set_members *set) {
        struct member *member = set->turn;

        if (!member)
                return true;
        do {
                if (!arm_member(set, member))
                        return false;
                member = member->next;
        } while (member != set->turn);
        return true;
}

static int64_t rang(const struct member *member) {
        if (member->sender)
                return ring_of(member->sender) ? ring_reader_rang(ring_of(member->sender)) : 0;
        return member->receiver->lanes ? lanes_rang(member->receiver->lanes) : 0;
}

static int64_t last_rang(const struct leat_set_members *set) {
        const struct member *member = set->turn;
        int64_t last = 0;

        do {
                int64_t when = rang(member);

                last = when > last ? when : last;
                member = member->next;
        } while (member != set->turn);
        return last;
}

static int sleep_until(struct leat_set_members *set, leat_deadline deadline) {
        int64_t before;
        int r;

        if (!set->turn)
                return poller_fetch(&set->poller, deadline);
        if (!arm_lanes(set))
                return 0;
        if (deadline == LEAT_NOW)
                return poller_fetch(&set->poller, deadline);
        before = deadline_now();
        r = poller_fetch(&set->poller, deadline);
        spin_slept(&set->spinner, before, deadline_now(), last_rang(set));
        return r;
}

static int wait_for_member(struct leat_set_members *set, uint64_t *ret_key, leat_deadline deadline) {
        const struct member *member;
        bool has_waited = false;
        int r = set_open(set);

        if (r < 0)
                return r;
        if (wake_take(&set->wake))
                return LEAT_WOKEN;
        if (set->turn && set->until_look == 0 && is_time_to_look(set)) {
                (void) look(set);
                has_waited = true;
        }
        while (!(member = next_ready(set))) {
                if (wake_take(&set->wake))
                        return LEAT_WOKEN;
                if (has_waited && deadline_passed(deadline))
                        return deadline == LEAT_NOW ? LEAT_EMPTY : LEAT_TIMEOUT;
                if (deadline != LEAT_NOW && spin(set))
                        continue;
                r = sleep_until(set, deadline);
                if (r < 0 && r != -EINTR)
                        return r;
                has_waited = true;
        }
        *ret_key = member->key;
        return 0;
}

int leat_set_wait(leat_set set, uint64_t *ret_key, leat_deadline deadline) {
        const struct member *member;

        if (!set.object)
                return -EBADF;
        /* While lanes are busy nothing below calls the system. Nobody said a word in this process: then its
         * poller is open, too. */
        if (set.object->until_look > 0 && !poller_has_fetched(&set.object->poller) &&
            wake_is_quiet(&set.object->wake, fork_generation())) {
                member = next_with_lanes(set.object);
                if (member) {
                        set.object->until_look--;
                        *ret_key = member->key;
                        return 0;
                }
        }
        CALL_GUARD;
        return wait_for_member(set.object, ret_key, deadline);
}

int leat_set_arm(leat_set set, int *ret_descriptor) {
        CALL_GUARD;
        int r;

        if (!set.object)
                return -EBADF;
        r = set_open(set.object);
        if (r < 0)
                return r;
        if (wake_was_said(&set.object->wake) || poller_has_fetched(&set.object->poller) ||
            next_with_lanes(set.object) || !arm_lanes(set.object) || poller_is_readable(&set.object->poller))
                return LEAT_MORE;
        *ret_descriptor = set.object->poller.fd;
        return 0;
}
