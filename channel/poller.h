/* An epoll whose registrations are places with a generation: an event may be about something that has left
 * since, and whose place another has taken, so it never carries a pointer. */
#ifndef LEAT_CHANNEL_POLLER_H
#define LEAT_CHANNEL_POLLER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>

#include "leat/deadline.h"

#define POLLER_BATCH 64

/* No place: what poller_remove() takes without a word. */
#define POLLER_NOWHERE UINT32_MAX

struct poller_place;

struct poller {
        int fd;           /* -1 until the first use. */
        uint64_t process; /* fork_generation() of the process that made it. */
        struct poller_place *places;
        uint32_t n_places;
        uint32_t first_free;
        struct epoll_event ready[POLLER_BATCH];
        int n_ready;
        int next_ready;
};

struct poller_event {
        unsigned kind; /* As it was registered. */
        void *owner;
        uint32_t events;
};

void poller_init(struct poller *poller);

/* Makes the epoll, or makes it anew in a forked child: an inherited one shares its registrations with the
 * parent's. 0; -EMFILE, -ENFILE, -ENOMEM; what fails is tried again at the next use. */
int poller_open(struct poller *poller);

/* Registers a descriptor; `events` as in epoll_ctl(2), level-triggered unless EPOLLET is among them. 0;
 * -EEXIST, -EPERM, -EBADF, -ENOMEM, -ENOSPC and what poller_open() says. */
int poller_add(struct poller *poller, int fd, uint32_t events, unsigned kind, void *owner,
               uint32_t *ret_place);

/* Registers it for other events. 0; negative errno. */
int poller_change(struct poller *poller, uint32_t place, uint32_t events);

/* Before the descriptor is closed: a duplicate elsewhere would keep it in the epoll. */
void poller_remove(struct poller *poller, uint32_t place);

/* Waits and fetches a batch once the last one was handed out. The number of events; 0 when there is none;
 * -EINTR. */
int poller_fetch(struct poller *poller, leat_deadline deadline);

static inline bool poller_has_fetched(const struct poller *poller) {
        return poller->next_ready < poller->n_ready;
}

/* The next event of the batch that is about something still here. False at the batch's end. */
bool poller_next(struct poller *poller, struct poller_event *ret_event);

/* Whether an event waits to be fetched; fetches none. */
bool poller_is_readable(const struct poller *poller);

void poller_close(struct poller *poller);

#endif
