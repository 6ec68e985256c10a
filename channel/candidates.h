/* Those who have connected to a server and have not yet said all that it takes to become a channel. */
#ifndef LEAT_CHANNEL_CANDIDATES_H
#define LEAT_CHANNEL_CANDIDATES_H

#include <stddef.h>
#include <sys/queue.h>

#include "mismatch.h"
#include "plan.h"
#include "poller.h"
#include "receiver.h"

struct candidate;

TAILQ_HEAD(candidate_list, candidate);

struct candidates {
        const struct plan *plan;
        struct leat_receiver_limits limits; /* Of each one's receiver. */
        struct poller poller;               /* Of them all, and of the socket that they come by. */
        uint32_t door;                      /* That socket's place in it. */
        struct candidate_list silent;       /* The longest silent first. */
        struct candidate_list introduced;   /* They have greeted. */
        size_t count;
        size_t n_introduced;
        size_t limit;
        struct mismatch mismatch; /* Of the last one that had another type than ours. */
        uint8_t other_version;    /* Of the last one that had another than ours; 0: none had. */
};

/* What the poller tells of. */
enum candidates_event { CANDIDATES_DOOR, CANDIDATES_ONE };

void candidates_init(struct candidates *candidates, const struct plan *plan, size_t limit,
                     const struct leat_receiver_limits *limits);

/* Watches the socket that they come by. 0; -EMFILE, -ENFILE, -ENOMEM. */
int candidates_open(struct candidates *candidates, int listener);

/* After a fork: those who stood there are the parent's. 0; -EMFILE, -ENFILE, -ENOMEM. */
int candidates_renew(struct candidates *candidates);

/* Whether there is room for one more, if need be that of one that keeps silent. False: all have just said something; hear them
 * first. */
bool candidates_have_room(struct candidates *candidates);

/* One more: takes `fd` over, and hears it. If it stays, and there was no room, the one that has kept silent longest goes. As below. */
int candidates_add(struct candidates *candidates, int fd, const struct leat_type *type,
                   struct leat_receiver **ret_receiver, void *ret_first);

/* What one has to say, without waiting. 0: it is complete, gone from here, and *ret_receiver is the caller's; LEAT_EMPTY: there will be more;
 * LEAT_TYPE_MISMATCH, LEAT_VERSION_MISMATCH: it was of another type, or version, and was turned away; LEAT_MORE: it was no good, and was turned
 * away. -EMFILE, -ENOMEM, …: there was no room for what it said. That waits and is heard again, a few times; but it was turned away if it
 * was missed too late, or a candidate itself found no room. */
int candidates_hear(struct candidates *candidates, struct candidate *candidate, const struct leat_type *type,
                    struct leat_receiver **ret_receiver, void *ret_first);

/* All are turned away, and the socket that they came by is not watched any more. The poller stays until it is closed. */
void candidates_dismiss(struct candidates *candidates);

void candidates_close(struct candidates *candidates);

#endif
