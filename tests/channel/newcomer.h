/* Clients that do not use the library, before a server: connected, and nothing said; and what they may say
 * then. */
#ifndef TESTS_CHANNEL_NEWCOMER_H
#define TESTS_CHANNEL_NEWCOMER_H

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "stranger.h"
#include "support.h"

static inline int newcomer(const char *name) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

        check(strlen(name) < sizeof(address.sun_path));
        strcpy(address.sun_path, name);
        check(connect(fd, (struct sockaddr *) &address, sizeof(address)) == 0);
        return fd;
}

/* Says honestly of what type its messages will be. */
static inline void greet(int fd, const struct leat_type *type) {
        uint8_t print[FINGERPRINT_MAX_WIRE];
        const struct plan *plan;
        struct forgery greeting;

        check_equal(plan_get(type, &plan), 0);
        greeting = forge(type, PACKET_GREETING, 0, print, fingerprint_write(&plan->fingerprint, print));
        check(send_forgery(fd, &greeting) >= 0);
}

/* Whether the server has closed its end. */
static inline bool is_turned_away(int fd) {
        char byte;
        ssize_t size = recv(fd, &byte, 1, MSG_DONTWAIT | MSG_NOSIGNAL);

        return size == 0 || (size < 0 && errno != EAGAIN);
}

#endif
