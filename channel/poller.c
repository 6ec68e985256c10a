/* Sets and receivers both wait on many descriptors that come and go. Here is what they have in common: places
 * that outlive what is in them, each new tenant making a new generation; events fetched in batches; and an
 * epoll that is made anew after fork(). */
#include "poller.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cleanup.h"
#include "deadline.h"
#include "fork.h"

#define LONGEST_WAIT_MS 3600000

struct poller_place {
        int fd; /* -1: free. */
        uint32_t events;
        uint32_t generation;
        uint32_t next_free;
        unsigned kind;
        void *owner;
};

void poller_init(struct poller *poller) {
        *poller = (struct poller){ .fd = -1, .first_free = POLLER_NOWHERE };
}

static int control(int epoll_fd, int operation, const struct poller *poller, uint32_t index) {
        const struct poller_place *place = &poller->places[index];
        struct epoll_event event = { .events = place->events };

        event.data.u64 = (uint64_t) place->generation << 32 | index;
        return epoll_ctl(epoll_fd, operation, place->fd, &event) < 0 ? -errno : 0;
}

int poller_open(struct poller *poller) {
        close_cleanup int fd = -1;

        if (poller->fd >= 0 && poller->process == fork_generation())
                return 0;
        fd = epoll_create1(EPOLL_CLOEXEC);
        if (fd < 0)
                return -errno;
        for (uint32_t i = 0; i < poller->n_places; i++)
                if (poller->places[i].fd >= 0) {
                        int r = control(fd, EPOLL_CTL_ADD, poller, i);

                        if (r < 0)
                                return r;
                }
        (void) close_fd(poller->fd);
        poller->fd = take_fd(&fd);
        poller->process = fork_generation();
        poller->n_ready = poller->next_ready = 0;
        return 0;
}

static int make_places(struct poller *poller) {
        uint32_t n = poller->n_places ? poller->n_places * 2 : 8;
        struct poller_place *places = reallocarray(poller->places, n, sizeof(*places));

        if (!places)
                return -ENOMEM;
        for (uint32_t i = poller->n_places; i < n; i++)
                places[i] =
                        (struct poller_place){ .fd = -1, .next_free = i + 1 < n ? i + 1 : POLLER_NOWHERE };
        poller->first_free = poller->n_places;
        poller->places = places;
        poller->n_places = n;
        return 0;
}

static void free_place(struct poller *poller, uint32_t index) {
        struct poller_place *place = &poller->places[index];

        place->fd = -1;
        place->generation++;
        place->next_free = poller->first_free;
        poller->first_free = index;
}

int poller_add(struct poller *poller, int fd, uint32_t events, unsigned kind, void *owner,
               uint32_t *ret_place) {
        struct poller_place *place;
        uint32_t index;
        int r = poller_open(poller);

        if (r == 0 && poller->first_free == POLLER_NOWHERE)
                r = make_places(poller);
        if (r < 0)
                return r;
        index = poller->first_free;
        place = &poller->places[index];
        poller->first_free = place->next_free;
        place->fd = fd;
        place->events = events;
        place->kind = kind;
        place->owner = owner;
        r = control(poller->fd, EPOLL_CTL_ADD, poller, index);
        if (r < 0) {
                free_place(poller, index);
                return r;
        }
        *ret_place = index;
        return 0;
}

int poller_change(struct poller *poller, uint32_t index, uint32_t events) {
        int r = poller_open(poller);

        if (r < 0)
                return r;
        poller->places[index].events = events;
        return control(poller->fd, EPOLL_CTL_MOD, poller, index);
}

void poller_remove(struct poller *poller, uint32_t index) {
        if (index == POLLER_NOWHERE)
                return;
        /* In a child the epoll is the parent's until poller_open() was called. */
        if (poller->process == fork_generation())
                (void) epoll_ctl(poller->fd, EPOLL_CTL_DEL, poller->places[index].fd, NULL);
        free_place(poller, index);
}

/* epoll_wait() counts in milliseconds; epoll_pwait2() (Linux 5.11) does not round. Asked once: where it is
 * not known, or where a sandbox forbids what it does not know (no other cause is called EPERM). */
static int wait_for_events(struct poller *poller, leat_deadline deadline) {
        struct timespec left;
        int64_t ms;
        int n;

        if (deadline == LEAT_NOW)
                return epoll_wait(poller->fd, poller->ready, POLLER_BATCH, 0);
        left = deadline_left(deadline, INT64_MAX);
#ifdef SYS_epoll_pwait2
        static atomic_bool without_pwait2;

        if (!atomic_load_explicit(&without_pwait2, memory_order_relaxed)) {
                n = (int) syscall(SYS_epoll_pwait2, poller->fd, poller->ready, POLLER_BATCH,
                                  deadline == LEAT_FOREVER ? NULL : &left, NULL, 0);
                if (n >= 0 || (errno != ENOSYS && errno != EPERM))
                        return n;
                atomic_store_explicit(&without_pwait2, true, memory_order_relaxed);
        }
#endif
        ms = deadline == LEAT_FOREVER ? -1 : (int64_t) left.tv_sec * 1000 + (left.tv_nsec + 999999) / 1000000;
        n = epoll_wait(poller->fd, poller->ready, POLLER_BATCH,
                       ms > LONGEST_WAIT_MS ? LONGEST_WAIT_MS : (int) ms);
        return n;
}

int poller_fetch(struct poller *poller, leat_deadline deadline) {
        int n;

        if (poller_has_fetched(poller))
                return poller->n_ready - poller->next_ready;
        n = wait_for_events(poller, deadline);
        poller->next_ready = 0;
        poller->n_ready = n > 0 ? n : 0;
        return n < 0 ? -errno : n;
}

bool poller_next(struct poller *poller, struct poller_event *ret_event) {
        while (poller_has_fetched(poller)) {
                const struct epoll_event *event = &poller->ready[poller->next_ready++];
                const struct poller_place *place = &poller->places[event->data.u64 & UINT32_MAX];

                if (place->fd < 0 || place->generation != event->data.u64 >> 32)
                        continue;
                *ret_event = (struct poller_event){ .kind = place->kind,
                                                    .owner = place->owner,
                                                    .events = event->events };
                return true;
        }
        return false;
}

bool poller_is_readable(const struct poller *poller) {
        struct pollfd poll_fd = { .fd = poller->fd, .events = POLLIN };

        return poll(&poll_fd, 1, 0) > 0;
}

void poller_close(struct poller *poller) {
        (void) close_fd(poller->fd);
        free(poller->places);
        poller_init(poller);
}
