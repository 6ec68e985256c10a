/* Listening is separate from the loop because it comes first: the port is bound before the kernel hears of
 * the bridge, so that whoever is started after it can connect. */
#include "listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <leat/error.h>

union address {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
};

/* True when the host is an IP address. */
static bool parse(const char *host, uint16_t port, union address *ret_address, socklen_t *ret_size) {
        union address address = { 0 };
        if (inet_pton(AF_INET6, host, &address.v6.sin6_addr) == 1) {
                address.v6.sin6_family = AF_INET6;
                address.v6.sin6_port = htons(port);
                *ret_size = sizeof address.v6;
                *ret_address = address;
                return true;
        }
        bool valid = inet_pton(AF_INET, host, &address.v4.sin_addr) == 1;
        address.v4.sin_family = AF_INET;
        address.v4.sin_port = htons(port);
        if (!valid)
                address.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        *ret_size = sizeof address.v4;
        *ret_address = address;
        return valid;
}

static int bind_and_listen(int descriptor, const union address *address, socklen_t size) {
        int on = 1;
        /* A restarted bridge must not wait for its predecessor's connections to be forgotten. */
        if (setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0)
                return -errno;
        if (bind(descriptor, &address->any, size) < 0)
                return -errno;
        return listen(descriptor, SOMAXCONN) < 0 ? -errno : 0;
}

static int name(int descriptor, struct listener *listener) {
        union address address = { 0 };
        socklen_t size = sizeof address;
        if (getsockname(descriptor, &address.any, &size) < 0)
                return -errno;
        bool v6 = address.any.sa_family == AF_INET6;
        const void *host = v6 ? (const void *) &address.v6.sin6_addr : (const void *) &address.v4.sin_addr;
        if (!inet_ntop(address.any.sa_family, host, listener->host, sizeof listener->host))
                return -errno;
        listener->port = ntohs(v6 ? address.v6.sin6_port : address.v4.sin_port);
        return 0;
}

int listener_open(const char *host, uint16_t port, struct listener *ret_listener) {
        union address address;
        socklen_t size;
        struct listener listener = { .spare = -1 };
        listener.fell_back = !parse(host, port, &address, &size);
        listener.descriptor = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (listener.descriptor < 0)
                return -errno;
        int r = bind_and_listen(listener.descriptor, &address, size);
        if (r == 0)
                r = name(listener.descriptor, &listener);
        if (r < 0) {
                close(listener.descriptor);
                return r;
        }
        listener.spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
        *ret_listener = listener;
        return 0;
}

static void prepare_client(int descriptor) {
        int on = 1, idle = 10, interval = 5, count = 4, buffer = 128 << 10;
        setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        /* A client may be silent for ever, but not dead: it could not come back under its id. */
        setsockopt(descriptor, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
        setsockopt(descriptor, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
        setsockopt(descriptor, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
        setsockopt(descriptor, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count);
        /* Bounded here, so that what a client leaves unread waits in its outbox, where it is counted. */
        setsockopt(descriptor, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer);
}

/* At the limit of descriptors the client stays in the backlog and the socket readable: to wait for it again
 * would spin. So one descriptor is kept to let the client in and send it away. */
static int turn_away(struct listener *listener) {
        if (listener->spare < 0)
                return -EMFILE;
        close(listener->spare);
        int descriptor = accept4(listener->descriptor, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        int r = descriptor < 0 ? -errno : LEAT_NO_DESCRIPTORS;
        if (descriptor >= 0)
                close(descriptor);
        listener->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
        return r;
}

int listener_accept(struct listener *listener, int *ret_descriptor) {
        for (;;) {
                int descriptor = accept4(listener->descriptor, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
                if (descriptor >= 0) {
                        prepare_client(descriptor);
                        *ret_descriptor = descriptor;
                        return 0;
                }
                switch (errno) {
                case EAGAIN:
                        return LEAT_EMPTY;
                case EMFILE:
                        return turn_away(listener);
                case ENFILE:
                case ENOBUFS:
                case ENOMEM:
                        return -errno;
                case EBADF:
                case EINVAL:
                case ENOTSOCK:
                        return -errno;
                default: /* A client that gave up, or a network error that it left behind: see accept(2). */
                        break;
                }
        }
}

void listener_close(struct listener *listener) {
        if (listener->descriptor >= 0)
                close(listener->descriptor);
        if (listener->spare >= 0)
                close(listener->spare);
        listener->descriptor = listener->spare = -1;
}
