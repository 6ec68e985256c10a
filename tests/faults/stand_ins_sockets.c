/* Sockets, what waits for them, and what comes and goes by them. */
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "stand_in.h"

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77 /* Linux 6.5 */
#endif

/* ---- descriptors ---- */

STAND_IN(int, accept4, int fd, struct sockaddr *address, socklen_t *size, int flags) {
        return stand_in_fails(FAULT_accept4) ? -1 : accept4(fd, address, size, flags);
}

STAND_IN(int, bind, int fd, const struct sockaddr *address, socklen_t size) {
        return stand_in_fails(FAULT_bind) ? -1 : bind(fd, address, size);
}

/* The descriptor is closed whatever close() says, see close(2). */
STAND_IN(int, close, int fd) {
        int effect = stand_in_effect(FAULT_close), r = close(fd);

        if (effect == 0)
                return r;
        errno = effect;
        return -1;
}

STAND_IN(int, connect, int fd, const struct sockaddr *address, socklen_t size) {
        return stand_in_fails(FAULT_connect) ? -1 : connect(fd, address, size);
}

STAND_IN(int, epoll_create1, int flags) {
        return stand_in_fails(FAULT_epoll_create1) ? -1 : epoll_create1(flags);
}

STAND_IN(int, epoll_ctl, int epoll, int what, int fd, struct epoll_event *event) {
        return what == EPOLL_CTL_ADD && stand_in_fails(FAULT_epoll_ctl_add)
                       ? -1
                       : epoll_ctl(epoll, what, fd, event);
}

/* One that does not wait is not interrupted. */
STAND_IN(int, epoll_wait, int epoll, struct epoll_event *events, int n, int ms) {
        return ms != 0 && stand_in_fails(FAULT_epoll_wait) ? -1 : epoll_wait(epoll, events, n, ms);
}

STAND_IN(int, eventfd, unsigned count, int flags) {
        return stand_in_fails(FAULT_eventfd) ? -1 : eventfd(count, flags);
}

STAND_IN(int, fcntl, int fd, int what, ...) {
        va_list list;
        int argument;

        va_start(list, what);
        argument = va_arg(list, int);
        va_end(list);
        if ((what == F_DUPFD_CLOEXEC && stand_in_fails(FAULT_fcntl_dup)) ||
            (what == F_ADD_SEALS && stand_in_fails(FAULT_fcntl_seal)))
                return -1;
        return fcntl(fd, what, argument);
}

STAND_IN(int, listen, int fd, int backlog) {
        return stand_in_fails(FAULT_listen) ? -1 : listen(fd, backlog);
}

STAND_IN(int, memfd_create, const char *name, unsigned flags) {
        return stand_in_fails(FAULT_memfd_create) ? -1 : memfd_create(name, flags);
}

/* The looks that may be mistaken: something is there, it is said, and what was asked for is not. */
static bool pretends_ready(int effect, struct pollfd *fds, nfds_t n) {
        if (effect != FAULT_READY)
                return false;
        for (nfds_t i = 0; i < n; i++)
                fds[i].revents = fds[i].events;
        return n > 0;
}

STAND_IN(int, poll, struct pollfd *fds, nfds_t n, int ms) {
        int effect = stand_in_effect(FAULT_poll);

        if (pretends_ready(effect, fds, n))
                return (int) n;
        if (effect != 0 && effect != FAULT_READY) {
                errno = effect;
                return -1;
        }
        return poll(fds, n, ms);
}

STAND_IN(int, ppoll, struct pollfd *fds, nfds_t n, const struct timespec *left, const sigset_t *mask) {
        int effect = stand_in_effect(FAULT_ppoll);

        if (pretends_ready(effect, fds, n))
                return (int) n;
        if (effect != 0 && effect != FAULT_READY) {
                errno = effect;
                return -1;
        }
        return ppoll(fds, n, left, mask);
}

STAND_IN(int, shutdown, int fd, int how) {
        return stand_in_fails(FAULT_shutdown) ? -1 : shutdown(fd, how);
}

STAND_IN(int, socket, int domain, int type, int protocol) {
        return stand_in_fails(FAULT_socket) ? -1 : socket(domain, type, protocol);
}

STAND_IN(int, socketpair, int domain, int type, int protocol, int *pair) {
        return stand_in_fails(FAULT_socketpair) ? -1 : socketpair(domain, type, protocol, pair);
}

STAND_IN(int, getpeername, int fd, struct sockaddr *address, socklen_t *size) {
        return stand_in_fails(FAULT_getpeername) ? -1 : getpeername(fd, address, size);
}

STAND_IN(int, getsockname, int fd, struct sockaddr *address, socklen_t *size) {
        return stand_in_fails(FAULT_getsockname) ? -1 : getsockname(fd, address, size);
}

STAND_IN(int, getsockopt, int fd, int level, int option, void *value, socklen_t *size) {
        bool is_pidfd = level == SOL_SOCKET && option == SO_PEERPIDFD;

        return stand_in_fails(is_pidfd ? FAULT_getsockopt_pidfd : FAULT_getsockopt)
                       ? -1
                       : getsockopt(fd, level, option, value, size);
}

STAND_IN(int, setsockopt, int fd, int level, int option, const void *value, socklen_t size) {
        return stand_in_fails(FAULT_setsockopt) ? -1 : setsockopt(fd, level, option, value, size);
}

/* ---- packets ---- */

/* A try never says EAGAIN where something is. */
static bool is_impossible(int effect, int flags) {
        if (effect != EAGAIN || !(flags & MSG_DONTWAIT))
                return false;
        stand_in_unharmed();
        return true;
}

/* As Linux does when the other end sends and closes between a try's look for packets and its look for the end. */
static bool says_end(int effect, int fd) {
        static _Thread_local bool was_said;
        struct pollfd poll_fd = { .fd = fd, .events = POLLRDHUP };
        uint8_t byte;

        if (effect != FAULT_END)
                return false;
        was_said = !was_said && poll(&poll_fd, 1, 0) == 1 &&
                   recv(fd, &byte, sizeof(byte), MSG_PEEK | MSG_DONTWAIT) > 0;
        if (!was_said)
                stand_in_unharmed();
        return was_said;
}

STAND_IN(ssize_t, recv, int fd, void *to, size_t size, int flags) {
        int effect = stand_in_effect(FAULT_recv);

        if (says_end(effect, fd))
                return 0;
        if (effect == FAULT_END)
                effect = 0;
        if (effect == 0 || is_impossible(effect, flags))
                return recv(fd, to, size, flags);
        errno = effect;
        return -1;
}

STAND_IN(ssize_t, send, int fd, const void *from, size_t size, int flags) {
        return stand_in_fails(FAULT_send) ? -1 : send(fd, from, size, flags);
}

/* The least buffer that a socket can have: SOCK_MIN_SNDBUF, see socket(7), less what the system keeps for
 * itself. */
#define ALWAYS_FITS 4096

static bool fits(const struct msghdr *message) {
        size_t size = 0;

        for (size_t i = 0; i < message->msg_iovlen; i++)
                size += message->msg_iov[i].iov_len;
        return size <= ALWAYS_FITS;
}

STAND_IN(ssize_t, sendmsg, int fd, const struct msghdr *message, int flags) {
        int effect = stand_in_effect(FAULT_sendmsg);

        if (effect == EMSGSIZE && fits(message)) {
                stand_in_unharmed();
                effect = 0;
        }
        if (effect == 0)
                return sendmsg(fd, message, flags);
        errno = effect;
        return -1;
}

/* What the system does when the table of descriptors is full: it hands over as many as fit, and drops the
 * others. */
static void cut(struct msghdr *message, size_t keep) {
        bool is_cut = false;

        for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header; header = CMSG_NXTHDR(message, header)) {
                size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
                int fd;

                if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS || count <= keep)
                        continue;
                for (size_t i = keep; i < count; i++) {
                        memcpy(&fd, CMSG_DATA(header) + i * sizeof(fd), sizeof(fd));
                        (void) close(fd);
                }
                header->cmsg_len = CMSG_LEN(keep * sizeof(int));
                if (keep == 0)
                        header->cmsg_type = INT16_MAX; /* None of ours. */
                message->msg_flags |= MSG_CTRUNC;
                is_cut = true;
        }
        if (!is_cut)
                stand_in_unharmed();
}

STAND_IN(ssize_t, recvmsg, int fd, struct msghdr *message, int flags) {
        int effect = stand_in_effect(FAULT_recvmsg);
        ssize_t size;

        if (says_end(effect, fd)) {
                message->msg_controllen = 0;
                message->msg_flags = 0;
                return 0;
        }
        if (effect == FAULT_END)
                effect = 0;
        if (effect != 0 && effect < FAULT_HALF && !is_impossible(effect, flags)) {
                errno = effect;
                return -1;
        }
        size = recvmsg(fd, message, flags);
        if (effect >= FAULT_HALF && size >= 0)
                cut(message, effect == FAULT_SOME_CUT);
        return size;
}
