/* Who is in a set. A set is a poller with names: members are found by their key in a tree (search.h), and by
 * events through their place in the poller. Those that have lanes are kept apart, since these have to be
 * looked at before each sleep, and the others cost nothing. */
#include "set.h"

#include <errno.h>
#include <poll.h>
#include <search.h>
#include <stdlib.h>

#include "cleanup.h"
#include "descriptor.h"
#include "guard.h"
#include "lane_writer.h"
#include "lanes.h"
#include "members.h"
#include "receiver.h"
#include "sender.h"

static int compare_keys(const void *a, const void *b) {
        uint64_t key_a = *(const uint64_t *) a, key_b = *(const uint64_t *) b;

        return key_a < key_b ? -1 : key_a > key_b;
}

static struct member *find_member(const struct leat_set_members *set, uint64_t key) {
        struct member **found = tfind(&key, &set->tree, compare_keys);

        return found ? *found : NULL;
}

/* Watches a socket that stands in the poller already, by another descriptor. */
static int watch_again(struct leat_set_members *set, struct member *member, int socket, uint32_t events) {
        close_cleanup int fd = -1;
        int r = descriptor_duplicate(socket, &fd);

        if (r == 0)
                r = poller_add(&set->poller, fd, events, WATCHES_MEMBER, member, &member->place);
        if (r == 0)
                member->own_fd = take_fd(&fd);
        return r;
}

static int watch_channel(struct leat_set_members *set, struct member *member) {
        int socket = member->sender->connection->fd;
        int r = poller_add(&set->poller, socket, EPOLLOUT, WATCHES_MEMBER, member, &member->place);

        return r == -EEXIST ? watch_again(set, member, socket, EPOLLOUT) : r;
}

/* In a child the lanes of senders are not its own, and their sockets are closed. */
static void forget_inherited(struct leat_set_members *set) {
        struct member *member = set->turn;

        do {
                if (member->sender)
                        sender_forget_inherited_lane(member->sender);
                if (member->watches_lane) {
                        poller_remove(&set->poller, member->place);
                        member->place = POLLER_NOWHERE;
                        member->watches_lane = false;
                }
                member = member->next;
        } while (member != set->turn);
}

/* Senders whose lanes were forgotten are ready by their channels' sockets again. A socket stands in an epoll
 * once by each of its descriptors, and now clones may meet there. */
static int watch_forgotten(struct leat_set_members *set) {
        struct member *member = set->turn;
        int r = 0;

        do {
                if (member->sender && member->place == POLLER_NOWHERE)
                        r = watch_channel(set, member);
                member = member->next;
        } while (r == 0 && member != set->turn);
        return r;
}

int set_open(struct leat_set_members *set) {
        close_cleanup int fd = -1;
        int r;

        if (wake_is_open(&set->wake))
                return 0;
        if (set->turn)
                forget_inherited(set);
        poller_remove(&set->poller, set->wake_place); /* The parent's. */
        set->wake_place = POLLER_NOWHERE;
        r = set->turn ? watch_forgotten(set) : 0;
        if (r == 0)
                r = wake_create_descriptor(&fd);
        if (r == 0)
                r = poller_add(&set->poller, fd, EPOLLIN | EPOLLET, WATCHES_WAKE, NULL, &set->wake_place);
        if (r == 0)
                wake_use(&set->wake, take_fd(&fd));
        return r;
}

int leat_set_create(leat_set *ret_set) {
        struct leat_set_members *set;
        CALL_GUARD;
        int r;

        set = calloc(1, sizeof(*set));
        if (!set)
                return -ENOMEM;
        poller_init(&set->poller);
        wake_init(&set->wake);
        set->wake_place = POLLER_NOWHERE;
        r = set_open(set);
        if (r < 0) {
                poller_close(&set->poller);
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
        return 0;
}

static int add_member(leat_set set, struct member wanted, int fd, uint32_t events) {
        struct member *member;
        int r;

        if (!set.object)
                return -EBADF;
        r = set_open(set.object);
        if (r < 0)
                return r;
        member = malloc(sizeof(*member));
        if (!member)
                return -ENOMEM;
        *member = wanted;
        member->own_fd = -1;
        r = insert_member(set.object, member, fd, events);
        if (r < 0)
                free(member);
        return r;
}

/* It is looked at from now on, behind all the others. */
static void gain_lane(struct leat_set_members *set, struct member *member) {
        if (member->n_lanes++ > 0)
                return;
        if (!set->turn) {
                set->turn = member->next = member->previous = member;
                return;
        }
        member->next = set->turn;
        member->previous = set->turn->previous;
        member->previous->next = member->next->previous = member;
}

static void lose_lane(struct leat_set_members *set, struct member *member) {
        if (--member->n_lanes > 0)
                return;
        if (set->turn == member)
                set->turn = member->next == member ? NULL : member->next;
        member->next->previous = member->previous;
        member->previous->next = member->next;
}

int set_watch_lane(struct leat_receiver *receiver, struct lane_reader *lane) {
        int r = set_open(receiver->set);

        if (r == 0)
                r = lanes_register(lane, &receiver->set->poller, &lane->set_place);
        if (r == 0)
                gain_lane(receiver->set, find_member(receiver->set, receiver->set_key));
        return r;
}

void set_forget_lane(struct leat_receiver *receiver, struct lane_reader *lane) {
        if (lane->set_place == POLLER_NOWHERE)
                return;
        poller_remove(&receiver->set->poller, lane->set_place);
        lane->set_place = POLLER_NOWHERE;
        lose_lane(receiver->set, find_member(receiver->set, receiver->set_key));
}

void set_forget_socket(struct leat_receiver *receiver) {
        struct member *member = find_member(receiver->set, receiver->set_key);

        poller_remove(&receiver->set->poller, member->place);
        member->place = POLLER_NOWHERE;
}

/* Room in a lane's ring is told by a bell; that in its socket, where a packet has found none, by the system.
 * Who reads bells makes room in the socket too, so it is not asked for without need. */
static int watch_room(struct leat_set_members *set, struct member *member) {
        const struct lane_writer *lane = member->sender->lane;
        bool wants_socket = lane && lane_writer_wants_socket(lane);
        uint32_t events = EPOLLIN | EPOLLRDHUP | EPOLLET | (wants_socket ? EPOLLOUT : 0U);

        if (member->watches_room == wants_socket)
                return 0;
        member->watches_room = wants_socket;
        return poller_change(&set->poller, member->place, events);
}

int set_watch_sender(struct leat_set_members *set, struct member *member) {
        uint32_t place;
        int r;

        if (member->watches_lane == (member->sender->lane != NULL))
                return watch_room(set, member);
        r = member->sender->lane ? poller_add(&set->poller, lane_writer_socket(member->sender->lane),
                                              EPOLLIN | EPOLLRDHUP | EPOLLET, WATCHES_MEMBER, member, &place)
                                 : poller_add(&set->poller, member->sender->connection->fd, EPOLLOUT,
                                              WATCHES_MEMBER, member, &place);
        if (r < 0)
                return r;
        member->watches_room = false;
        poller_remove(&set->poller, member->place);
        member->place = place;
        member->watches_lane = !member->watches_lane;
        return watch_room(set, member);
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
                lose_lane(set, member);
        (void) tdelete(member, &set->tree, compare_keys);
        if (member->own_fd >= 0)
                descriptor_close_socket(member->own_fd);
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
        struct member *member;
        CALL_GUARD;
        int r;

        if (!sender)
                return -EBADF;
        sender_forget_inherited_lane(sender);
        r = add_member(set, (struct member){ .key = key, .sender = sender }, sender->connection->fd,
                       EPOLLOUT);
        if (r < 0)
                return r;
        member = find_member(set.object, key);
        gain_lane(set.object, member);
        r = set_watch_sender(set.object, member);
        if (r < 0)
                remove_member(set.object, member);
        return r;
}

/* A socket stands in an epoll once by each of its descriptors. */
static int add_end_again(leat_set set, const struct leat_sender *sender, uint64_t key) {
        close_cleanup int fd = -1;
        int r = descriptor_duplicate(sender->connection->fd, &fd);

        if (r == 0)
                r = add_member(set, (struct member){ .key = key }, fd, 0);
        if (r == 0)
                find_member(set.object, key)->own_fd = take_fd(&fd);
        return r;
}

/* Hang-up is told unasked. */
int leat_set_add_sender_end(leat_set set, struct leat_sender *sender, uint64_t key) {
        CALL_GUARD;
        int r;

        if (!sender)
                return -EBADF;
        r = add_member(set, (struct member){ .key = key }, sender->connection->fd, 0);
        return r == -EEXIST && !find_member(set.object, key) ? add_end_again(set, sender, key) : r;
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

int leat_set_wake(leat_set set) {
        if (!set.object)
                return -EBADF;
        wake_say(&set.object->wake);
        return 0;
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

void leat_set_close(leat_set *set) {
        struct leat_set_members *closed = take_pointer(&set->object);
        CALL_GUARD;

        if (!closed)
                return;
        while (closed->tree)
                remove_member(closed, *(struct member **) closed->tree);
        poller_close(&closed->poller);
        wake_close(&closed->wake);
        free(closed);
}
