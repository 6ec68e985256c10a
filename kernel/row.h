/* A row of the kernel's table: one plugin, or one client that came through the bridge, with all that
 * belongs to it. */
#ifndef LEAT_KERNEL_ROW_H
#define LEAT_KERNEL_ROW_H

#include "configuration.h"
#include "leat/protocol.h"
#include "leat/timestamp.h"
#include "outbox.h"
#include "output.h"
#include "process.h"
#include "sent_ids.h"
#include "states.h"

struct receipt;
struct request;

/* The bridge's exit code when it cannot listen on its address; it has said why. */
enum { BRIDGE_CANNOT_LISTEN = 3 };

/* How far a process that is to end has been urged. */
enum urgency { URGENCY_TOLD, URGENCY_TERMINATED, URGENCY_KILLED };

/* The acknowledged events that a durable plugin has not answered, oldest first; answered ones in between
 * are NULL. */
struct duties {
        struct receipt **ring;
        size_t places, head, count; /* places: a power of two. */
        size_t bytes;
};

/* The requests to a plugin that it has not answered. */
struct requests {
        struct request *oldest, *newest;
        size_t count;
};

struct row {
        uint64_t serial; /* Never used twice. */
        char *id;
        const struct plugin_configuration *configuration; /* NULL: a client. */
        const struct limits *limits;
        bool is_bridge; /* The plugin that may open clients. */

        enum state state;
        leat_deadline deadline;   /* Of the state. */
        leat_deadline last_words; /* Its process is gone; what came over TCP may still arrive until then. */
        enum urgency urgency;
        bool spared;       /* It ended because the user wanted so; that is no failure. */
        uint32_t failures; /* Quick ones, in a row. */
        uint32_t restarts; /* Quick ones, in a row, failures or not. */
        leat_deadline well_since;

        /* Its process, if the kernel started one. */
        struct process process;
        struct words extra; /* Arguments for this start alone. */
        struct output output, errors;
        kernel_handshake_server_end server;
        bool ended; /* The process is gone, and this is how: */
        struct process_end end;

        /* Its channels, its own or through the bridge. */
        to_kernel_receiver commands;
        to_plugin_sender deliveries;
        uint64_t session; /* Counts connections of all rows; 0: not connected. */
        bool bridged;
        bool deaf;              /* It does not take deliveries any more. */
        bool flushing;          /* The set tells when deliveries has room. */
        const char *cut;        /* Why its channels are to be closed, as soon as nobody looks at it. */
        bool gone;              /* The row is to be removed. */
        leat_deadline heard;    /* When its last message was read. */
        leat_deadline patience; /* Not overdue before this. */
        leat_timestamp seen;
        bool was_seen;

        /* What it wants. Kept over a restart. */
        struct words events;
        bool durable;
        struct outbox outbox;
        struct duties duties;
        struct requests requests; /* To it. */
        size_t reserved;          /* Bytes of its outbox, for refusals of what it has asked. */
        struct sent_ids said;     /* Its events. */
};

/* A row in state stopped. NULL when out of memory. */
struct row *row_new(uint64_t serial, const char *id, const struct plugin_configuration *configuration,
                    const struct limits *limits);

/* Kills its process, closes and frees everything but its duties and the requests to it, which must have been
 * given up. */
struct row *row_free(struct row *row);

bool row_is_connected(const struct row *row);

/* Whether it is being started and nobody knows yet what it wants: it has never said so, or it has stopped
 * since. */
bool row_is_awaited(const struct row *row);

/* Whether it wants events of that name. */
bool row_wants(const struct row *row, const char *event);

#endif
