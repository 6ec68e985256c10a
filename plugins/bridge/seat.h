/* An id that a TCP connection speaks for: its own pair of channels to the kernel. */
#ifndef BRIDGE_SEAT_H
#define BRIDGE_SEAT_H

#include <stdbool.h>
#include <sys/queue.h>

#include <leat/plugin.h>

#include "refusal.h"

struct bridge;
struct client;

enum seat_state {
        SEAT_OPENING, /* The kernel was asked. */
        SEAT_OPEN,
        SEAT_LEAVING, /* Its connection is gone; the kernel has not let go of the id yet. */
};

struct seat {
        LIST_ENTRY(seat) link; /* Among its connection's, or among the bridge's that are leaving. */
        struct bridge *bridge;
        struct client *client; /* NULL when it is leaving. */
        enum seat_state state;
        char *id;
        kernel_welcome_receiver welcome;
        to_kernel_sender commands;
        to_plugin_receiver deliveries;
        bool spoken;      /* Its client has sent something in its name. */
        char *refused_id; /* Of the message whose refusal waits for room, and nothing is received; NULL:
                           * none. */
        enum refusal refused_for;
        const char *refused_text;
        uint64_t key;      /* Of the receiver that is in the loop's set; 0: none. */
        uint64_t room_key; /* Of the sender, while somebody waits for room; 0: none. */
        leat_deadline leave_by;
};

LIST_HEAD(seat_list, seat);

/* Asks the kernel for a pair of channels under this id; what it says comes to client_welcomed. LEAT_FULL: not
 * now, the kernel's queue has no room; -ENOMEM, -EMFILE, …. */
int seat_open(struct bridge *bridge, struct client *client, const char *id, const char *name,
              const char *version, struct seat **ret_seat);

/* Sends a message in this seat's name. LEAT_FULL: not now; LEAT_DISCONNECTED: the kernel has closed this
 * seat. */
int seat_send(struct seat *seat, const kernel_message *message);

/* Answers a message that came for this seat with an Error in its name. A static `text`, or NULL for the
 * refusal's own. If the kernel has no room for it now, nothing more is received until it has gone. */
void seat_refuse(struct seat *seat, const kernel_message *message, enum refusal refusal, const char *text);

/* Has client_has_room called once there may be room for a message. */
int seat_wait_for_room(struct seat *seat);

/* The connection is gone, and so is its claim. The kernel must have let go of the id before anyone can claim
 * it anew, so the seat stays among those that are leaving until then. */
void seat_leave(struct seat *seat);

/* Forgets it at once. */
void seat_free(struct seat *seat);

#endif
