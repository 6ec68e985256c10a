/* A set is a poller with names. Members are found by their key in a tree (search.h), and by events through their place in the
 * poller. Events are fetched in batches and handed out one at a time, which is what makes it fair: the system puts a member that is
 * still ready behind the others. */
#include "set.h"

#include <errno.h>
#include <poll.h>
#include <search.h>
#include <stdlib.h>

#include "cleanup.h"
#include "deadline.h"
#include "fork.h"
#include "guard.h"
#include "lane_writer.h"
#include "lanes.h"
#include "poller.h"
#include "receiver.h"
#include "sender.h"

/* What a set registers with its poller. */
enum { WATCHES_MEMBER = RECEIVER_LANE + 1 };

/* While lanes keep a set busy, the sockets are looked at after one answer, then, when there was nothing, after 2, 4 and at last so
 * many. */
#define ANSWERS_BETWEEN_LOOKS 256

struct member {
        uint64_t key;                   /* First, for the tree's comparison. */
        struct leat_receiver *receiver; /* Both NULL: only a descriptor. */
        struct leat_sender *sender;
        bool watches_lane; /* Not the channel's socket any more. */
        struct member *next, *previous;
        uint32_t place;
};

struct leat_set_members {
        struct poller poller;
        void *tree;
        struct member *first, *last;
        struct member *turn; /* Whose lanes are looked at next; NULL: the first's. */
        size_t n_lanes;      /* Of all receivers in it, and one for each sender. */
        unsigned until_look; /* So many answers more, then the sockets are looked at. */
        unsigned gap;        /* So many the next time. */
        struct spinner spinner;
};

static int compare_keys(const void *a, const void *b) {
        uint64_t key_a = *(const uint64_t *) a, key_b = *(const uint64_t *) b;

        return key_a < key_b ? -1 : key_a > key_b;
}

static struct member *find_member(const struct leat_set_members *set, uint64_t key) {
        struct member **found = tfind(&key, &set->tree, compare_keys);

        return found ? *found : NULL;
}

int leat_set_create(leat_set *ret_set) {
        struct leat_set_members *set;
        CALL_GUARD;
        int r;

        set = calloc(1, sizeof(*set));
        if (!set)
                return -ENOMEM;
        poller_init(&set->poller);
        r = poller_open(&set->poller);
        if (r < 0) {
                free(set);
                return r;
        }
        ret_set->object = set;
        return 0;
}

static int insert_member(struct leat_set_members *set, struct member *member, int fd, uint32_t events) {
        struct member **entry = tsearch(member, &set->tree, compare_keys);
        int r;

        if (!entry)
                return -ENOMEM;
        if (*entry != member)
                return -EEXIST;
        r = poller_add(&set->poller, fd, events, WATCHES_MEMBER, member, &member->place);
        if (r < 0) {
                (void) tdelete(member, &set->tree, compare_keys);
                return r;
        }
        member->previous = set->last;
        if (set->last)
                set->last->next = member;
        else
                set->first = member;
        set->last = member;
        return 0;
}

static int add_member(leat_set set, struct member wanted, int fd, uint32_t events) {
        struct member *member;
        int r;

        if (!set.object)
                return -EBADF;
        r = poller_open(&set.object->poller);
        if (r < 0)
                return r;
        member = malloc(sizeof(*member));
        if (!member)
                return -ENOMEM;
        *member = wanted;
        r = insert_member(set.object, member, fd, events);
        if (r < 0)
                free(member);
        return r;
}

int set_watch_lane(struct leat_receiver *receiver, struct lane_reader *lane) {
        int r = poller_add(&receiver->set->poller, lane->socket, EPOLLIN | EPOLLRDHUP | EPOLLET,
                           RECEIVER_LANE, lane, &lane->set_place);

        if (r == 0)
                receiver->set->n_lanes++;
        return r;
}

void set_forget_lane(struct leat_receiver *receiver, struct lane_reader *lane) {
        if (lane->set_place == POLLER_NOWHERE)
                return;
        poller_remove(&receiver->set->poller, lane->set_place);
        lane->set_place = POLLER_NOWHERE;
        receiver->set->n_lanes--;
}

void set_forget_socket(struct leat_receiver *receiver) {
        struct member *member = find_member(receiver->set, receiver->set_key);

        poller_remove(&receiver->set->poller, member->place);
        member->place = POLLER_NOWHERE;
}

/* A sender that got a lane is ready by that, and no longer by the channel's socket. */
static int watch_sender(struct leat_set_members *set, struct member *member) {
        uint32_t place;
        int r;

        if (member->watches_lane == (member->sender->lane != NULL))
                return 0;
        r = member->sender->lane ? poller_add(&set->poller, lane_writer_socket(member->sender->lane),
                                              EPOLLIN | EPOLLRDHUP | EPOLLET, WATCHES_MEMBER, member, &place)
                                 : poller_add(&set->poller, member->sender->connection->fd, EPOLLOUT,
                                              WATCHES_MEMBER, member, &place);
        if (r < 0)
                return r;
        poller_remove(&set->poller, member->place);
        member->place = place;
        member->watches_lane = !member->watches_lane;
        return 0;
}

static void forget_lanes(struct leat_receiver *receiver) {
        for (size_t i = 0; receiver->lanes && i < receiver->lanes->n; i++)
                set_forget_lane(receiver, receiver->lanes->list[i]);
}

static int watch_lanes(struct leat_receiver *receiver) {
        int r = 0;

        for (size_t i = 0; r == 0 && receiver->lanes && i < receiver->lanes->n; i++)
                r = set_watch_lane(receiver, receiver->lanes->list[i]);
        return r;
}

static void remove_member(struct leat_set_members *set, struct member *member) {
        poller_remove(&set->poller, member->place);
        if (member->receiver) {
                forget_lanes(member->receiver);
                member->receiver->set = NULL;
        }
        if (member->sender)
                set->n_lanes--;
        if (set->turn == member)
                set->turn = member->next;
        if (member->next)
                member->next->previous = member->previous;
        else
                set->last = member->previous;
        if (member->previous)
                member->previous->next = member->next;
        else
                set->first = member->next;
        (void) tdelete(member, &set->tree, compare_keys);
        free(member);
}

void set_forget_receiver(struct leat_receiver *receiver) {
        struct member *member = find_member(receiver->set, receiver->set_key);

        if (member)
                remove_member(receiver->set, member);
}

int leat_set_add_receiver(leat_set set, struct leat_receiver *receiver, uint64_t key) {
        CALL_GUARD;
        int r;

        if (!receiver)
                return -EBADF;
        if (receiver->set)
                return -EBUSY;
        r = add_member(set, (struct member){ .key = key, .receiver = receiver }, receiver->connection->fd,
                       EPOLLIN);
        if (r < 0)
                return r;
        receiver->set = set.object;
        receiver->set_key = key;
        r = watch_lanes(receiver);
        if (r < 0)
                set_forget_receiver(receiver);
        return r;
}

int leat_set_add_sender(leat_set set, struct leat_sender *sender, uint64_t key) {
        CALL_GUARD;
        int r;

        if (!sender)
                return -EBADF;
        r = add_member(set, (struct member){ .key = key, .sender = sender }, sender->connection->fd,
                       EPOLLOUT);
        if (r < 0)
                return r;
        set.object->n_lanes++;
        return watch_sender(set.object, find_member(set.object, key));
}

int leat_set_watch(leat_set set, int descriptor, short events, uint64_t key) {
        uint32_t wanted = 0;
        CALL_GUARD;

        if (events & POLLIN)
                wanted |= EPOLLIN;
        if (events & POLLOUT)
                wanted |= EPOLLOUT;
        return add_member(set, (struct member){ .key = key }, descriptor, wanted);
}

int leat_set_remove(leat_set set, uint64_t key) {
        struct member *member;
        CALL_GUARD;

        if (!set.object)
                return -EBADF;
        member = find_member(set.object, key);
        if (!member)
                return -ENOENT;
        remove_member(set.object, member);
        return 0;
}

/* ---- waiting ---- */

static bool is_ready_by_lane(const struct member *member) {
        if (member->sender)
                return member->sender->lane && lane_writer_has_room(member->sender->lane);
        return member->receiver && member->receiver->lanes && lanes_have_something(member->receiver);
}

/* The next member in turn whose lanes have something. */
static const struct member *next_with_lanes(struct leat_set_members *set) {
        struct member *start = set->turn ? set->turn : set->first, *member = start;

        if (set->n_lanes == 0 || !start)
                return NULL;
        do {
                struct member *next = member->next ? member->next : set->first;

                if (is_ready_by_lane(member)) {
                        set->turn = next;
                        return member;
                }
                member = next;
        } while (member != start);
        return NULL;
}

/* The next member of the batch; what is about a lane is only noted. */
static const struct member *next_event(struct leat_set_members *set) {
        struct poller_event event;

        while (poller_next(&set->poller, &event)) {
                struct member *member = event.owner;

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

static const struct member *next_ready(struct leat_set_members *set) {
        const struct member *member = next_event(set);

        if (member)
                return member;
        member = next_with_lanes(set);
        if (member)
                set->until_look = set->until_look > 0 ? set->until_look - 1 : 0;
        else
                set->until_look = set->gap = 1;
        return member;
}

/* Sockets get their turn between answers of lanes. */
static int look(struct leat_set_members *set) {
        int r = poller_fetch(&set->poller, LEAT_NOW);

        set->gap = r > 0 ? 1 : set->gap < ANSWERS_BETWEEN_LOOKS ? set->gap * 2 : ANSWERS_BETWEEN_LOOKS;
        set->until_look = set->gap = set->gap ? set->gap : 1;
        return r;
}

/* Whether a lane's other side may be at work on another core than this one. */
static bool works_elsewhere(const struct member *member, uint32_t core) {
        uint32_t other = core;

        if (member->sender && member->sender->lane && !lane_writer_is_inherited(member->sender->lane))
                other = ring_reader_core(&member->sender->lane->ring);
        else if (member->receiver && member->receiver->lanes)
                other = lanes_other_core(member->receiver->lanes, core);
        return other != core;
}

static bool spin(struct leat_set_members *set) {
        const struct member *member = set->first;
        uint32_t core = spin_core();

        if (set->n_lanes == 0)
                return false;
        while (member && !works_elsewhere(member, core))
                member = member->next;
        if (!member || !spin_may(&set->spinner, 0))
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

/* All lanes of all members are armed: true, and their bells will tell. */
static bool arm_lanes(struct leat_set_members *set) {
        if (set->n_lanes == 0)
                return true;
        for (struct member *member = set->first; member; member = member->next) {
                if (member->sender && watch_sender(set, member) == 0 && member->sender->lane &&
                    !lane_writer_arm(member->sender->lane))
                        return false;
                if (member->receiver && member->receiver->lanes && !lanes_arm(member->receiver))
                        return false;
        }
        return true;
}

static int sleep_until(struct leat_set_members *set, leat_deadline deadline) {
        int64_t before;
        int r;

        if (set->n_lanes == 0)
                return poller_fetch(&set->poller, deadline);
        if (!arm_lanes(set))
                return 0;
        if (deadline == LEAT_NOW)
                return poller_fetch(&set->poller, deadline);
        before = deadline_now();
        r = poller_fetch(&set->poller, deadline);
        spin_slept(&set->spinner, deadline_now() - before);
        return r;
}

static int wait_for_member(struct leat_set_members *set, uint64_t *ret_key, leat_deadline deadline) {
        const struct member *member;
        bool has_waited = false;
        int r = poller_open(&set->poller);

        if (r < 0)
                return r;
        if (set->n_lanes > 0 && set->until_look == 0) {
                (void) look(set);
                has_waited = true;
        }
        while (!(member = next_ready(set))) {
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
        /* While lanes are busy nothing below calls the system. */
        if (set.object->until_look > 0 && !poller_has_fetched(&set.object->poller) &&
            set.object->poller.process == fork_generation()) {
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
        r = poller_open(&set.object->poller);
        if (r < 0)
                return r;
        if (poller_has_fetched(&set.object->poller) || next_with_lanes(set.object) ||
            !arm_lanes(set.object) || poller_is_readable(&set.object->poller))
                return LEAT_MORE;
        *ret_descriptor = set.object->poller.fd;
        return 0;
}

void leat_set_close(leat_set *set) {
        struct leat_set_members *closed = take_pointer(&set->object);
        CALL_GUARD;

        if (!closed)
                return;
        while (closed->first)
                remove_member(closed, closed->first);
        poller_close(&closed->poller);
        free(closed);
}
