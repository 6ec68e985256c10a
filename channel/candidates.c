/* Whoever connects has to greet with its type and send a first message before it is taken, so that neither silence nor rubbish uses a
 * one-shot server up, or keeps one for many from those behind it. They stand side by side: each is heard when it has something to say,
 * and costs nothing while it is silent but its place. When all places are taken, the one that has kept silent longest makes room, so
 * that silent ones cannot keep a real one out, whether they have greeted or not.
 *
 * A candidate is a receiver already, but one that grants no lanes: what a stranger can make us map is kept for those who are accepted. */
#include "candidates.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "cleanup.h"
#include "fork.h"
#include "greeting.h"

/* So often somebody is heard again whose message found no room here. Who asks for more than there will ever be must not keep those busy who
 * accept. */
#define MOST_TRIES 8

struct candidate {
        TAILQ_ENTRY(candidate) entry;
        struct leat_receiver *receiver;
        uint32_t place; /* In the poller, once it has to be waited for. */
        bool has_greeted;
        unsigned tries;    /* That failed for want of memory or descriptors. */
        size_t lane_limit; /* For when it is accepted. */
};

void candidates_init(struct candidates *candidates, const struct plan *plan, size_t limit,
                     const struct leat_receiver_limits *limits) {
        *candidates = (struct candidates){
                .plan = plan, .limits = *limits, .limit = limit, .door = POLLER_NOWHERE
        };
        poller_init(&candidates->poller);
        TAILQ_INIT(&candidates->silent);
        TAILQ_INIT(&candidates->introduced);
}

int candidates_open(struct candidates *candidates, int listener) {
        return poller_add(&candidates->poller, listener, EPOLLIN, CANDIDATES_DOOR, NULL, &candidates->door);
}

static struct candidate_list *list_of(struct candidates *candidates, const struct candidate *candidate) {
        return candidate->has_greeted ? &candidates->introduced : &candidates->silent;
}

static struct leat_receiver *forget(struct candidates *candidates, struct candidate *candidate) {
        struct leat_receiver *receiver = candidate->receiver;

        poller_remove(&candidates->poller, candidate->place);
        TAILQ_REMOVE(list_of(candidates, candidate), candidate, entry);
        candidates->count--;
        candidates->n_introduced -= candidate->has_greeted;
        receiver->lane_limit = candidate->lane_limit;
        receiver->short_of_descriptors = candidate->tries > 0;
        free(candidate);
        return receiver;
}

static void drop(struct candidates *candidates, struct candidate *candidate) {
        struct leat_receiver *receiver = forget(candidates, candidate);

        leat_receiver_close(&receiver);
}

static struct candidate *first(struct candidates *candidates) {
        struct candidate *candidate = TAILQ_FIRST(&candidates->silent);

        return candidate ? candidate : TAILQ_FIRST(&candidates->introduced);
}

static void drop_all(struct candidates *candidates) {
        struct candidate *candidate;

        while ((candidate = first(candidates)))
                drop(candidates, candidate);
}

int candidates_renew(struct candidates *candidates) {
        if (candidates->poller.process == fork_generation())
                return 0;
        drop_all(candidates);
        return poller_open(&candidates->poller);
}

static bool has_something_to_say(const struct candidate *candidate) {
        struct pollfd poll_fd = { .fd = candidate->receiver->connection->fd, .events = POLLIN };

        return poll(&poll_fd, 1, 0) > 0;
}

static struct candidate *find_silent_in(struct candidate_list *list) {
        struct candidate *candidate;

        TAILQ_FOREACH(candidate, list, entry)
        if (!has_something_to_say(candidate))
                return candidate;
        return NULL;
}

/* Who has greeted stays longer, but those who have hold half of the places at the most: in the others one has time to greet. */
static struct candidate *find_silent(struct candidates *candidates) {
        bool introduced_go_first = candidates->n_introduced > candidates->limit / 2;
        struct candidate *candidate =
                find_silent_in(introduced_go_first ? &candidates->introduced : &candidates->silent);

        return candidate
                       ? candidate
                       : find_silent_in(introduced_go_first ? &candidates->silent : &candidates->introduced);
}

bool candidates_have_room(struct candidates *candidates) {
        return candidates->count < candidates->limit || find_silent(candidates);
}

static int make_receiver(struct candidates *candidates, int fd, struct leat_receiver **ret_receiver) {
        close_cleanup int owned = fd;
        struct connection *connection;
        int r = connection_create(fd, &candidates->plan->fingerprint, &connection);

        if (r < 0)
                return r;
        (void) take_fd(&owned);
        connection->own = connection->accepted = true;
        receiver_prepare_socket(connection, candidates->plan);
        r = receiver_create(connection, candidates->plan, ret_receiver);
        if (r < 0) {
                connection_unref(connection);
                return r;
        }
        receiver_limit(*ret_receiver, &candidates->limits);
        return 0;
}

static int take_greeting(struct candidates *candidates, struct candidate *candidate) {
        int r = greeting_receive(candidate->receiver->connection->fd, candidates->plan, &candidates->mismatch,
                                 &candidates->other_version);

        if (r != 0)
                return r;
        TAILQ_REMOVE(&candidates->silent, candidate, entry);
        candidate->has_greeted = true;
        candidates->n_introduced++;
        TAILQ_INSERT_TAIL(&candidates->introduced, candidate, entry);
        return 0;
}

static int take_first(struct candidates *candidates, struct candidate *candidate,
                      const struct leat_type *type, void *ret_first) {
        int r = candidate->has_greeted ? 0 : take_greeting(candidates, candidate);

        if (r != 0)
                return r;
        r = leat_receiver_recv(candidate->receiver, type, ret_first, LEAT_NOW);
        if (r == LEAT_VERSION_MISMATCH)
                candidates->other_version = candidate->receiver->other_version;
        if (r == LEAT_TYPE_MISMATCH)
                mismatch_copy(&candidates->mismatch, &candidate->receiver->mismatch);
        return r == LEAT_NO_DESCRIPTORS ? -EMFILE : r;
}

/* What could not be taken for want of something waits where it was; but it may have been missed only after taking. */
static bool waits_still(const struct candidate *candidate) {
        struct leat_counters counters = { 0 };

        (void) leat_receiver_counters(candidate->receiver, &counters);
        return counters.refusals == 0;
}

/* It will have to be waited for. */
static int keep(struct candidates *candidates, struct candidate *candidate, int why) {
        int r = candidate->place != POLLER_NOWHERE
                        ? 0
                        : poller_add(&candidates->poller, candidate->receiver->connection->fd, EPOLLIN,
                                     CANDIDATES_ONE, candidate, &candidate->place);

        if (r < 0) {
                drop(candidates, candidate);
                return r;
        }
        if (candidates->count > candidates->limit) {
                struct candidate *silent = find_silent(candidates);

                if (silent)
                        drop(candidates, silent);
        }
        return why;
}

int candidates_hear(struct candidates *candidates, struct candidate *candidate, const struct leat_type *type,
                    struct leat_receiver **ret_receiver, void *ret_first) {
        int r = take_first(candidates, candidate, type, ret_first);

        if (r == 0) {
                *ret_receiver = forget(candidates, candidate);
                return 0;
        }
        if (r == LEAT_EMPTY || (r < 0 && ++candidate->tries < MOST_TRIES && waits_still(candidate)))
                return keep(candidates, candidate, r);
        drop(candidates, candidate);
        return r < 0 || r == LEAT_TYPE_MISMATCH || r == LEAT_VERSION_MISMATCH ? r : LEAT_MORE;
}

static int make_candidate(struct candidates *candidates, int fd, struct candidate **ret_candidate) {
        struct leat_receiver *receiver;
        struct candidate *candidate;
        int r = make_receiver(candidates, fd, &receiver);

        if (r < 0)
                return r;
        candidate = calloc(1, sizeof(*candidate));
        if (!candidate) {
                leat_receiver_close(&receiver);
                return -ENOMEM;
        }
        candidate->receiver = receiver;
        candidate->place = POLLER_NOWHERE;
        candidate->lane_limit = receiver->lane_limit;
        receiver->lane_limit = 0;
        receiver->short_of_descriptors = true; /* Its one message shall not be the one that is lost. */
        TAILQ_INSERT_TAIL(&candidates->silent, candidate, entry);
        candidates->count++;
        *ret_candidate = candidate;
        return 0;
}

int candidates_add(struct candidates *candidates, int fd, const struct leat_type *type,
                   struct leat_receiver **ret_receiver, void *ret_first) {
        struct candidate *candidate;
        int r = make_candidate(candidates, fd, &candidate);

        return r < 0 ? r : candidates_hear(candidates, candidate, type, ret_receiver, ret_first);
}

void candidates_dismiss(struct candidates *candidates) {
        drop_all(candidates);
        poller_remove(&candidates->poller, candidates->door);
        candidates->door = POLLER_NOWHERE;
}

void candidates_close(struct candidates *candidates) {
        candidates_dismiss(candidates);
        mismatch_forget(&candidates->mismatch);
        poller_close(&candidates->poller);
}
