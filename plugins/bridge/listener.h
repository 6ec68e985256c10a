/* The TCP socket on which clients arrive. */
#ifndef BRIDGE_LISTENER_H
#define BRIDGE_LISTENER_H

#include <stdbool.h>
#include <stdint.h>

struct listener {
        int descriptor;
        int spare;     /* Given up for a moment when descriptors run out, see listener_accept. */
        char host[64]; /* What it really listens on. */
        uint16_t port;
        bool fell_back; /* The host was no IP address, so it listens on loopback. */
};

/* Listens on an IPv4 or IPv6 address; another host falls back to 127.0.0.1. Port 0 takes a free one. Both
 * descriptors are close-on-exec and not blocking. -EADDRINUSE, -EADDRNOTAVAIL, -EACCES, …: see bind(2). */
int listener_open(const char *host, uint16_t port, struct listener *ret_listener);

/* The next client, as a socket that is close-on-exec and does not block. 0; LEAT_EMPTY: nobody waits;
 * LEAT_NO_DESCRIPTORS: one client was accepted and closed at once, because there is no descriptor for it;
 * another errno's negative: nobody can be accepted now, try again after a while. */
int listener_accept(struct listener *listener, int *ret_descriptor);

void listener_close(struct listener *listener);

#endif
