/* What peers need that join by the name of a socket: a private folder to put it in, and a way for the side
 * that sends to stay until the other has read all, because libraries drop what is queued when a socket is
 * closed. */
#ifndef LEAT_BENCH_JOINING_H
#define LEAT_BENCH_JOINING_H

#include "peer.h"

/* The first member of such a peer's link. */
struct joining {
        char folder[48], path[64], url[80]; /* The path is the socket's; the URL is ipc:// and the path. */
        enum side side;
        int done[2]; /* A pipe; at its end the answerer is gone. */
};

/* In the process that forks both sides: makes a link of so many bytes, which are 0 behind the first
 * member. */
int joining_open(size_t size, struct link **ret_link);

/* In each side, before it joins. */
void joining_take_side(struct joining *joining, enum side side);

/* In each side, when its socket is made: a first message and its answer prove that both have met. From then
 * on the names are not needed any more and are removed, so that nothing is left whatever happens. 0, or a
 * negative errno. */
int joining_greet(struct joining *joining, const struct peer *peer, struct link *link);

/* By the asker, when it has sent its last: waits for the answerer's end. */
void joining_wait(const struct joining *joining);

/* In the process that forked both sides: see leave() in peer.h. */
void joining_leave(struct link *link);

/* Frees the link, at last. */
void joining_close(struct link *link);

#endif
