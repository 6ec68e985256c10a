/* All clients together. */
#ifndef BRIDGE_BRIDGE_H
#define BRIDGE_BRIDGE_H

#include "blob.h"
#include "client.h"
#include "listener.h"
#include "seat.h"

struct bridge {
        leat_plugin *plugin;
        struct listener listener;
        uint64_t listener_key; /* 0: nobody is accepted at the moment. */
        struct client_list clients;
        struct client_list closed; /* To be freed by bridge_sweep. */
        size_t client_count;
        struct seat_list leaving;
        uint64_t commands_key; /* Waits for room on the bridge's own channel; 0: not. */
        struct blob line;      /* Reused for each line that is written. */
        bool ticking;
        int64_t max_clients;
};

/* Binds; the plugin's loop is not needed yet. Says on standard error what is wrong. */
int bridge_listen(struct bridge *bridge, const char *host, uint16_t port);

/* Tells the kernel where, and begins to accept. */
int bridge_start(struct bridge *bridge);

/* Whether somebody who is on the way out, or has to go now, still holds the id. */
bool bridge_id_is_leaving(struct bridge *bridge, const struct client *asking, const char *id);

/* Has everyone who waits for room on the bridge's own channel resumed once there may be some. */
int bridge_wait_for_kernel(struct bridge *bridge);

/* An id has become free. */
void bridge_id_freed(struct bridge *bridge);

/* There is a deadline to look at: have bridge_tick called for a while. */
void bridge_need_tick(struct bridge *bridge);
void bridge_tick(struct bridge *bridge);

/* Frees the connections that were closed. To be called last in every callback of the loop. */
void bridge_sweep(struct bridge *bridge);

/* Ends all connections, while the loop is still there. */
void bridge_stop(struct bridge *bridge);

/* Stops listening. Zero descriptors are real ones: a bridge begins as BRIDGE_NEW. */
void bridge_free(struct bridge *bridge);

#define BRIDGE_NEW \
        { .listener = { .descriptor = -1, .spare = -1 }, .max_clients = 256 }

#endif
