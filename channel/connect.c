/* Joining a server by its name. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "cleanup.h"
#include "connection.h"
#include "deadline.h"
#include "greeting.h"
#include "guard.h"
#include "leat/server.h"
#include "packet.h"
#include "sender.h"

/* A full backlog blocks connect(2), which a signal or this interrupts. */
#define SLICE_NS INT64_C(1000000000)

static int parse_name(const char *name, struct sockaddr_un *ret_address) {
        size_t size = name ? strlen(name) : 0;

        if (size == 0 || name[0] != '/' || size >= sizeof(ret_address->sun_path))
                return -EINVAL;
        *ret_address = (struct sockaddr_un){ .sun_family = AF_UNIX };
        memcpy(ret_address->sun_path, name, size);
        return 0;
}

/* What to do about a failed connect(): 0 means try again. */
static int after_failed_connect(int error, leat_deadline deadline) {
        switch (error) {
        case EINTR: /* By signals that come faster than the clock ticks by which the wait is bounded, it would
                     * go on for ever. */
        case EAGAIN:
                return deadline_passed(deadline) ? LEAT_TIMEOUT : 0;
        case ENOENT:
        case ENOTDIR:
        case ECONNREFUSED:
        case ECONNRESET:
        case EPROTOTYPE:
                return LEAT_REFUSED;
        case EPERM:
                return -EACCES;
        default:
                return -error;
        }
}

/* A try must not wait at all, and the shortest SO_SNDTIMEO is a tick of the system's clock. So it is made
 * non-blocking, for as long as nobody else can have the socket. */
static int open_socket(leat_deadline deadline) {
        return socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | (deadline == LEAT_NOW ? SOCK_NONBLOCK : 0), 0);
}

static int make_blocking(int fd, leat_deadline deadline) {
        return deadline == LEAT_NOW && fcntl(fd, F_SETFL, 0) < 0 ? -errno : 0;
}

static int connect_socket(int fd, const struct sockaddr_un *address, leat_deadline deadline) {
        for (;;) {
                struct timeval slice = deadline_left_timeval(deadline, SLICE_NS);
                int r;

                /* A non-blocking connect(2) to a full backlog fails at once and cannot be polled. */
                (void) setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &slice, sizeof(slice));
                if (connect(fd, (const struct sockaddr *) address, sizeof(*address)) == 0)
                        return make_blocking(fd, deadline);
                r = after_failed_connect(errno, deadline);
                if (r != 0)
                        return r;
        }
}

int leat_connect(const struct leat_type *type, const char *name, struct leat_sender **ret_sender,
                 leat_deadline deadline) {
        close_cleanup int fd = -1;
        struct connection *connection;
        struct sockaddr_un address;
        const struct plan *plan;
        CALL_GUARD;
        int r = plan_get(type, &plan);

        if (r == 0)
                r = parse_name(name, &address);
        if (r < 0)
                return r;
        fd = open_socket(deadline);
        if (fd < 0)
                return -errno;
        r = connect_socket(fd, &address, deadline);
        if (r == 0)
                r = greeting_send(fd, plan, deadline);
        if (r != 0)
                return r == LEAT_DISCONNECTED ? LEAT_REFUSED : r;
        packet_prepare_sending(fd);
        r = connection_create(fd, &plan->fingerprint, &connection);
        if (r < 0)
                return r;
        (void) take_fd(&fd);
        r = sender_create(connection, plan, ret_sender);
        if (r < 0)
                connection_unref(connection);
        return r;
}
