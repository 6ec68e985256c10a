/* A descriptor that came from a peer is a live thing in the peer's hands: its file may be served by a process
 * that never answers, its socket's lock may be held by a thread that never runs again. fstat(2), ioctl(2),
 * even close(2) then wait without end. So it is identified by three questions that are answered without its
 * file's help, and what is neither memory nor one of our sockets is given to the reaper unseen. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cleanup.h"
#include "descriptor.h"
#include "reaper.h"

leat_descriptor leat_descriptor_lend(int number) {
        if (number < 0 || number == INT_MAX)
                return (leat_descriptor){ 0 };
        return (leat_descriptor){ .number_plus_one = number + 1 };
}

leat_descriptor leat_descriptor_give(int *number) {
        leat_descriptor descriptor = leat_descriptor_lend(*number);

        if (descriptor.number_plus_one != 0) {
                descriptor.given = true;
                descriptor.home = number;
        }
        return descriptor;
}

int leat_descriptor_number(leat_descriptor descriptor) {
        return descriptor.number_plus_one - 1;
}

int leat_descriptor_take(leat_descriptor *descriptor) {
        int number = leat_descriptor_number(*descriptor);

        if (descriptor->home)
                *descriptor->home = -1;
        *descriptor = (leat_descriptor){ 0 };
        return number;
}

static int socket_option(int fd, int option) {
        socklen_t length = sizeof(int);
        int value;

        return getsockopt(fd, SOL_SOCKET, option, &value, &length) < 0 ? -1 : value;
}

bool descriptor_is_channel_socket(int fd) {
        return socket_option(fd, SO_DOMAIN) == AF_UNIX && socket_option(fd, SO_TYPE) == SOCK_SEQPACKET;
}

enum descriptor_kind descriptor_identify(int fd) {
        if (fcntl(fd, F_GET_SEALS) >= 0)
                return DESCRIPTOR_MEMORY;
        if (descriptor_is_channel_socket(fd))
                return DESCRIPTOR_CHANNEL_SOCKET;
        return socket_option(fd, SO_DOMAIN) < 0 ? DESCRIPTOR_UNKNOWN : DESCRIPTOR_OTHER_SOCKET;
}

/* Whether no descriptor waits in a socket of ours. The system counts them, and says so in /proc/PID/fdinfo (unix_show_fdinfo in its
 * net/unix/af_unix.c), without a lock that anybody else can hold. Where it does not, or there is no /proc, nothing is known. */
static bool is_known_to_hold_none(int fd) {
        char path[64], text[512];
        close_cleanup int info = -1;
        ssize_t size;

        (void) snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
        info = (int) TEMP_FAILURE_RETRY(open(path, O_RDONLY | O_CLOEXEC));
        if (info < 0)
                return false;
        size = read(info, text, sizeof(text) - 1);
        text[size > 0 ? size : 0] = 0;
        return strstr(text, "\nscm_fds: 0\n");
}

/* Whether closing a socket may close what waits in it unread. Asked by poll(2) and not by looking: who shares the socket can hold the
 * lock that receiving takes. After a hang-up nothing more comes, so there it can be asked what has. */
static bool may_hold_descriptors(int fd) {
        struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
        int n = poll(&poll_fd, 1, 0);

        if (n < 0)
                return true; /* Nothing is known. */
        if (n == 0 || !(poll_fd.revents & POLLIN))
                return false;
        return !(poll_fd.revents & POLLHUP) || !is_known_to_hold_none(fd);
}

void descriptor_close_socket(int fd) {
        if (may_hold_descriptors(fd))
                reaper_close_seen(fd);
        else
                (void) close_fd(fd);
}

void descriptor_close_own_socket(int fd) {
        struct msghdr message = { 0 };
        ssize_t size = recvmsg(fd, &message, MSG_PEEK | MSG_DONTWAIT);

        if (size == 0) /* Maybe the end, said too early, see packet_receive(). */
                size = recvmsg(fd, &message, MSG_PEEK | MSG_DONTWAIT);
        if (size < 0 ? errno == EAGAIN : size == 0 && !(message.msg_flags & MSG_CTRUNC))
                (void) close_fd(fd);
        else
                reaper_close_seen(fd);
}

/* Closes it when that cannot wait. */
static bool close_if_harmless(int fd) {
        switch (descriptor_identify(fd)) {
        case DESCRIPTOR_MEMORY:
                (void) close_fd(fd);
                return true;
        case DESCRIPTOR_CHANNEL_SOCKET: /* AF_UNIX knows no SO_LINGER; what waits in it may. */
                if (may_hold_descriptors(fd))
                        return false;
                (void) close_fd(fd);
                return true;
        case DESCRIPTOR_OTHER_SOCKET: /* The peer could set SO_LINGER again after we had cleared it. */
        case DESCRIPTOR_UNKNOWN:
                break;
        }
        return false;
}

int descriptor_dispose(int fd) {
        return fd < 0 || close_if_harmless(fd) ? 0 : reaper_close(fd);
}

int descriptor_dispose_also(int fd, int before) {
        if (before == 0)
                return descriptor_dispose(fd);
        if (fd >= 0 && !close_if_harmless(fd))
                reaper_close_at_leisure(fd);
        return before;
}

int descriptor_duplicate(int fd, int *ret_fd) {
        /* Not 0, 1 or 2: they mean something to others, even while they are closed. */
        int duplicate = fcntl(fd, F_DUPFD_CLOEXEC, 3);

        if (duplicate < 0)
                return -errno;
        *ret_fd = duplicate;
        return 0;
}
