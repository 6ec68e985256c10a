/* One TCP client. */
#ifndef BRIDGE_CLIENT_H
#define BRIDGE_CLIENT_H

#include <stdbool.h>
#include <sys/queue.h>

#include "envelope.h"
#include "line.h"
#include "outbox.h"
#include "seat.h"

/* What the message that came last is waiting for; while it waits, nothing more is read. */
enum wait {
        WAIT_NOTHING,
        WAIT_ID,      /* For the end of somebody else's claim to the id, who is on the way out. */
        WAIT_KERNEL,  /* For room on the bridge's own channel. */
        WAIT_WELCOME, /* For the kernel's answer. */
        WAIT_ROOM,    /* For room on the seat's channel. */
        WAIT_ANSWER,  /* It has gone, and was the first handshake of its id: nothing is written before its
                      * answer. */
};

struct client {
        LIST_ENTRY(client) link;
        struct bridge *bridge;
        int descriptor;
        uint64_t key;  /* 0: not watched. */
        short watched; /* POLLIN, POLLOUT. */
        struct line_reader lines;
        struct outbox outbox;
        struct seat_list seats;
        size_t seat_count;
        struct envelope message; /* The one in hand, when `holding`. */
        bool holding;
        enum wait wait;
        const struct seat *greeting;  /* Whose answer it is, with WAIT_ANSWER. */
        bool blocked;                 /* The socket took no more. */
        bool deaf;                    /* Nothing can be written any more; what it has sent still counts. */
        bool ended;                   /* The client will send no more. */
        bool exhausted;               /* And all that it sent was looked at. */
        bool closed;                  /* To be freed. */
        uint64_t awaited;             /* Answers that the client has coming. */
        leat_deadline nameless_until; /* It may be without an id, even when there are too many. */
        leat_deadline close_by;       /* When it has ended. */
};

LIST_HEAD(client_list, client);

/* Takes the socket. -ENOMEM, and it is still the caller's. */
int client_open(struct bridge *bridge, int descriptor, struct client **ret_client);

/* Goes on, if the message in hand waits for this. */
void client_resume(struct client *client, enum wait wait);

/* Answers the message in hand with an Error and drops it. */
void client_refuse(struct client *client, const char *code, const char *text);

/* The kernel has a message for one of its seats. After any number of them: client_settle. */
void client_deliver(struct client *client, struct seat *seat, const kernel_message *message);

/* To be called after anything that changed it: writes, closes it when all is done, and watches what must be
 * watched. */
void client_settle(struct client *client);

/* Writes what can be written now, and closes. It stays in memory until bridge_sweep. */
void client_close(struct client *client);

/* The seat with this id, compared without case; NULL when it has none. */
struct seat *client_seat(const struct client *client, const char *id);

/* Somebody else claims an id that this client holds. True when it will give it up: because it has said
 * goodbye, and what it said before is still to be read; or because only answers keep it, and then it is
 * closed now. */
bool client_gives_way(struct client *client);

void client_free(struct client *client);

#endif
