/* A set waits on many receivers, and on plain descriptors, at once.
 *
 * It says which one is ready; the program then receives with its own type:
 *
 *         while ((r = leat_set_wait(set, &key, LEAT_FOREVER)) == 0)
 *                 if (key == JOBS)
 *                         r = draw_recv(jobs, &job, LEAT_NOW);
 *
 * Readiness is fair (each ready member comes once a round, however much it has to say) and a hint, as with poll(2):
 * LEAT_EMPTY is possible. It is level-triggered: what is not read stays ready. A receiver that has answered
 * LEAT_DISCONNECTED has left its set by itself. One thread at a time uses a set; after fork(2) the set works on in
 * both processes, but each receiver that has or had lanes in the one that waits first: in the other it is always ready, and
 * receiving says -EBUSY; remove it or close it. A receiver in a set cannot be given away; it leaves by leat_set_remove or by
 * being closed. */
#ifndef LEAT_SET_H
#define LEAT_SET_H

#include <stdbool.h>

#include "leat/endpoint.h"

#ifdef __cplusplus
extern "C" {
#endif

struct leat_set_members;

typedef struct leat_set {
        struct leat_set_members *object;
} leat_set;

/* -EMFILE, -ENFILE, -ENOMEM; -ENOSPC, as from adding to it and waiting: this user watches as many descriptors as epoll(7) allows, see
 * max_user_watches there. A set has two descriptors of its own. */
LEAT_PUBLIC int leat_set_create(leat_set *ret_set);

/* T_set_add and T_set_add_sender: a receiver is ready when it has a message or its end; a sender when it may have room
 * for one or its receiver is gone. `key` is the caller's, unique in the set: -EEXIST; also when a sender of this
 * channel is in the set already by the channel's socket (one with a lane of its own is there by that). -EBUSY when the receiver is in a set. The
 * set borrows its members: remove a sender before closing it. While too many descriptors of this user are in flight (see
 * leat_sender_send) a sender is ready as before, though what has handles is LEAT_FULL: who gets that from a sender
 * that is ready should pause for a millisecond before waiting again, or would do nothing but ask. */
LEAT_PUBLIC int leat_set_add_receiver(leat_set set, struct leat_receiver *receiver, uint64_t key);
LEAT_PUBLIC int leat_set_add_sender(leat_set set, struct leat_sender *sender, uint64_t key);

/* T_set_add_sender_end: ready only when the receiver is gone in every process, and from then on. Any number of senders of a
 * channel can be in the set so, and one of them by leat_set_add_sender beside, if that comes first; each but the first costs
 * a descriptor. -EEXIST: the key. -EMFILE. */
LEAT_PUBLIC int leat_set_add_sender_end(leat_set set, struct leat_sender *sender, uint64_t key);

/* Adds any descriptor that epoll(7) takes; events: POLLIN, POLLOUT, both or none, see poll(2). Hang-up and error always
 * count as ready. The descriptor stays the caller's: remove it before closing it. -EPERM: what epoll
 * cannot watch, such as a regular file or /dev/null, which is always ready anyway; -EEXIST: the key is in the set, or the descriptor by
 * another key; -EBADF: it is not open. */
LEAT_PUBLIC int leat_set_watch(leat_set set, int descriptor, short events, uint64_t key);

/* -ENOENT when there is no such member. */
LEAT_PUBLIC int leat_set_remove(leat_set set, uint64_t key);

/* Waits until a member is ready. 0; LEAT_EMPTY, LEAT_TIMEOUT, LEAT_WOKEN (see leat_set_wake). An empty set waits too. Where
 * there are senders, or receivers with lanes, waiting begins with up to 50 us of looking, or twice what wake-ups take where
 * that is longer (at most 500 us), unless that was in vain lately, or the other sides of all these run on the same CPU. */
LEAT_PUBLIC int leat_set_wait(leat_set set, uint64_t *ret_key, leat_deadline deadline);

/* Ends a wait, from any thread and from a signal handler: the one that is going on says LEAT_WOKEN, or if none is, the next one
 * does, before it looks at any member. Several wakes before a wait says so are one. What the waker wrote before, the woken thread
 * sees. A wake is for the process that it is called in: nothing is heard of it on the other side of a fork(2). It makes an armed
 * descriptor readable. Not to be called while the set is being closed. Leaves errno alone. -EBADF. */
LEAT_PUBLIC int leat_set_wake(leat_set set);

/* As leat_receiver_arm, for the whole set: wait with LEAT_NOW until LEAT_EMPTY, then arm, then poll. */
LEAT_PUBLIC int leat_set_arm(leat_set set, int *ret_descriptor);

LEAT_PUBLIC void leat_set_close(leat_set *set);

#ifdef __cplusplus
}
#endif

#endif
