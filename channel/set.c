/* A set is an epoll with names. Members are found by their key in a tree (search.h), and by events through an index and a
 * generation: an event may be about a member that has left since, and whose place another one has taken, so it
 * never carries a pointer. Events are fetched in batches and handed out one at a time, which is what makes it fair:
 * the system puts a member that is still ready behind the others. */
#include "set.h"

#include <errno.h>
#include <poll.h>
#include <search.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cleanup.h"
#include "deadline.h"
#include "fork.h"
#include "guard.h"
#include "receiver.h"
#include "sender.h"

#define BATCH 64

struct member {
        uint64_t key;                   /* First, for the tree's comparison. */
        struct leat_receiver *receiver; /* NULL: only a descriptor. */
        int fd;
        uint32_t events;
        uint32_t index;
};

/* A place outlives its members; every new one makes a new generation. */
struct place {
        struct member *member;
        uint32_t generation;
};

struct leat_set_members {
        int epoll_fd;
        uint64_t process; /* fork_generation() of the process that made the epoll. */
        void *tree;
        struct place *places;
        size_t n_places;
        struct epoll_event ready[BATCH];
        int n_ready;
        int next_ready;
};

static int compare_keys(const void *a, const void *b) {
        uint64_t key_a = *(const uint64_t *) a, key_b = *(const uint64_t *) b;

        return key_a < key_b ? -1 : key_a > key_b;
}

static struct member *find_member(const struct leat_set_members *set, uint64_t key) {
        struct member **found = tfind(&key, &set->tree, compare_keys);

        return found ? *found : NULL;
}

static int watch_member(const struct leat_set_members *set, int epoll_fd, const struct member *member) {
        struct epoll_event event = { .events = member->events };

        event.data.u64 = (uint64_t) set->places[member->index].generation << 32 | member->index;
        return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, member->fd, &event) < 0 ? -errno : 0;
}

/* An epoll inherited by fork() shares its registrations with the parent's, so a child starts a new one. */
static int set_ready_for_use(struct leat_set_members *set) {
        close_cleanup int fd = -1;

        if (set->process == fork_generation())
                return 0;
        fd = epoll_create1(EPOLL_CLOEXEC);
        if (fd < 0)
                return -errno;
        for (size_t i = 0; i < set->n_places; i++)
                if (set->places[i].member) {
                        int r = watch_member(set, fd, set->places[i].member);

                        if (r < 0)
                                return r; /* All of it is tried again at the next use. */
                }
        (void) close_fd(set->epoll_fd);
        set->epoll_fd = take_fd(&fd);
        set->process = fork_generation();
        set->n_ready = set->next_ready = 0;
        return 0;
}

int leat_set_create(leat_set *ret_set) {
        struct leat_set_members *set;
        CALL_GUARD;

        set = calloc(1, sizeof(*set));
        if (!set)
                return -ENOMEM;
        set->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
        if (set->epoll_fd < 0) {
                int r = -errno;

                free(set);
                return r;
        }
        set->process = fork_generation();
        ret_set->object = set;
        return 0;
}

static int find_place(struct leat_set_members *set, uint32_t *ret_index) {
        size_t n = set->n_places ? set->n_places * 2 : 8;
        struct place *places;

        for (size_t i = 0; i < set->n_places; i++)
                if (!set->places[i].member) {
                        *ret_index = (uint32_t) i;
                        return 0;
                }
        places = reallocarray(set->places, n, sizeof(*places));
        if (!places)
                return -ENOMEM;
        for (size_t i = set->n_places; i < n; i++)
                places[i] = (struct place){ 0 };
        *ret_index = (uint32_t) set->n_places;
        set->places = places;
        set->n_places = n;
        return 0;
}

static int insert_member(struct leat_set_members *set, struct member *member) {
        struct member **entry;
        int r = find_place(set, &member->index);

        if (r < 0)
                return r;
        entry = tsearch(member, &set->tree, compare_keys);
        if (!entry)
                return -ENOMEM;
        if (*entry != member)
                return -EEXIST;
        set->places[member->index].generation++;
        r = watch_member(set, set->epoll_fd, member);
        if (r < 0) {
                (void) tdelete(member, &set->tree, compare_keys);
                return r;
        }
        set->places[member->index].member = member;
        return 0;
}

static int add_member(leat_set set, uint64_t key, struct leat_receiver *receiver, int fd, uint32_t events) {
        struct member *member;
        int r;

        if (!set.object)
                return -EBADF;
        r = set_ready_for_use(set.object);
        if (r < 0)
                return r;
        member = malloc(sizeof(*member));
        if (!member)
                return -ENOMEM;
        *member = (struct member){ .key = key, .receiver = receiver, .fd = fd, .events = events };
        r = insert_member(set.object, member);
        if (r < 0)
                free(member);
        return r;
}

static void remove_member(struct leat_set_members *set, struct member *member) {
        /* Before its descriptor is closed: another one of the same open file would keep it in the epoll. In a child the
         * epoll is the parent's until set_ready_for_use() was called. */
        if (set->process == fork_generation())
                (void) epoll_ctl(set->epoll_fd, EPOLL_CTL_DEL, member->fd, NULL);
        if (member->receiver)
                member->receiver->set = NULL;
        set->places[member->index].member = NULL;
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
        r = add_member(set, key, receiver, receiver->connection->fd, EPOLLIN);
        if (r == 0) {
                receiver->set = set.object;
                receiver->set_key = key;
        }
        return r;
}

int leat_set_add_sender(leat_set set, struct leat_sender *sender, uint64_t key) {
        CALL_GUARD;

        if (!sender)
                return -EBADF;
        return add_member(set, key, NULL, sender->connection->fd, EPOLLOUT);
}

int leat_set_watch(leat_set set, int descriptor, short events, uint64_t key) {
        uint32_t wanted = 0;
        CALL_GUARD;

        if (events & POLLIN)
                wanted |= EPOLLIN;
        if (events & POLLOUT)
                wanted |= EPOLLOUT;
        return add_member(set, key, NULL, descriptor, wanted);
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

/* The next event of the batch that is about a member still here. */
static struct member *next_ready(struct leat_set_members *set) {
        while (set->next_ready < set->n_ready) {
                uint64_t data = set->ready[set->next_ready++].data.u64;
                const struct place *place = &set->places[data & UINT32_MAX];

                if (place->member && place->generation == data >> 32)
                        return place->member;
        }
        return NULL;
}

/* epoll_wait() counts in milliseconds; epoll_pwait2() (Linux 5.11) does not round. */
static int wait_for_events(struct leat_set_members *set, leat_deadline deadline) {
        struct timespec left = deadline_left(deadline, INT64_MAX);
        int64_t ms;
        int n = -1;

#ifdef SYS_epoll_pwait2
        n = (int) syscall(SYS_epoll_pwait2, set->epoll_fd, set->ready, BATCH,
                          deadline == LEAT_FOREVER ? NULL : &left, NULL, 0);
        if (n >= 0 || errno != ENOSYS)
                return n;
#endif
        ms = deadline == LEAT_FOREVER ? -1 : (int64_t) left.tv_sec * 1000 + (left.tv_nsec + 999999) / 1000000;
        n = epoll_wait(set->epoll_fd, set->ready, BATCH, ms > 3600000 ? 3600000 : (int) ms);
        return n;
}

int leat_set_wait(leat_set set, uint64_t *ret_key, leat_deadline deadline) {
        struct leat_set_members *members = set.object;
        struct member *member;
        bool has_waited = false;
        CALL_GUARD;
        int n, r;

        if (!members)
                return -EBADF;
        r = set_ready_for_use(members);
        if (r < 0)
                return r;
        while (!(member = next_ready(members))) {
                if (has_waited && deadline_passed(deadline))
                        return deadline == LEAT_NOW ? LEAT_EMPTY : LEAT_TIMEOUT;
                n = wait_for_events(members, deadline);
                if (n < 0 && errno != EINTR)
                        return -errno;
                has_waited = true;
                members->next_ready = 0;
                members->n_ready = n > 0 ? n : 0;
        }
        *ret_key = member->key;
        return 0;
}

int leat_set_arm(leat_set set, int *ret_descriptor) {
        struct pollfd poll_fd = { .events = POLLIN };
        CALL_GUARD;
        int r;

        if (!set.object)
                return -EBADF;
        r = set_ready_for_use(set.object);
        if (r < 0)
                return r;
        poll_fd.fd = set.object->epoll_fd;
        if (set.object->next_ready < set.object->n_ready || poll(&poll_fd, 1, 0) > 0)
                return LEAT_MORE;
        *ret_descriptor = set.object->epoll_fd;
        return 0;
}

void leat_set_close(leat_set *set) {
        struct leat_set_members *closed = take_pointer(&set->object);
        CALL_GUARD;

        if (!closed)
                return;
        for (size_t i = 0; i < closed->n_places; i++)
                if (closed->places[i].member)
                        remove_member(closed, closed->places[i].member);
        (void) close_fd(closed->epoll_fd);
        free(closed->places);
        free(closed);
}
