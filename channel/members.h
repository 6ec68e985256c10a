/* A set from the inside: its members, and which of them can be ready by a ring in memory, about which no
 * descriptor says anything while both sides are awake. */
#ifndef LEAT_CHANNEL_MEMBERS_H
#define LEAT_CHANNEL_MEMBERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "poller.h"
#include "receiver.h"
#include "spin.h"
#include "wake.h"

/* What a set registers with its poller, beside the lanes of its receivers. */
enum { WATCHES_MEMBER = RECEIVER_LANE + 1, WATCHES_WAKE };

struct member {
        uint64_t key;                   /* First, for the tree's comparison. */
        struct leat_receiver *receiver; /* Both NULL: only a descriptor. */
        struct leat_sender *sender;
        bool watches_lane; /* A sender: not the channel's socket any more. */
        bool watches_room; /* In its lane's socket. */
        size_t n_lanes;    /* A receiver's that are watched. A sender may get a lane by any send: 1. */
        struct member *next, *previous; /* With lanes: in the ring of those that are. */
        uint32_t place;
        int own_fd; /* What stands there, where it is nobody else's; -1. */
};

struct leat_set_members {
        struct poller poller;
        void *tree;
        struct member
                *turn; /* The members with lanes stand in a ring; this one is looked at next. NULL: there are
                       * none. */
        unsigned until_look; /* So many answers more, then the clock is looked at, and perhaps the sockets. */
        unsigned beyond;     /* So many more beyond these, then the sockets whatever the clock says. */
        unsigned gap;        /* Both together, the next time. */
        int64_t looked;      /* When the sockets were looked at last. */
        struct spinner spinner;
        struct wake wake;
        uint32_t wake_place;
};

/* Ready to be waited on in this process. 0; -EMFILE, -ENFILE, -ENOMEM, and the next use tries again. */
int set_open(struct leat_set_members *set);

/* A sender that got a lane is ready by that, and no longer by the channel's socket. 0; negative errno. */
int set_watch_sender(struct leat_set_members *set, struct member *member);

#endif
