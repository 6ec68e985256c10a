/* Usually the name is all that protects a server from those who shall not know it, and the place is a folder
 * that goes with the server. A path that is known to all is protected by what the system says of each client,
 * see server.c. */
#include "listening.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "fork.h"
#include "known_path.h"

void listening_init(struct listening *listening) {
        *listening = (struct listening){ .fd = -1, .lock_fd = -1, .process = fork_generation() };
}

static int claim_path(struct listening *listening, const char *path) {
        size_t size = strlen(path);
        int r;

        if (path[0] != '/' || size >= sizeof(listening->address.sun_path))
                return -EINVAL;
        r = known_path_claim(path, &listening->lock_fd);
        if (r < 0)
                return r;
        listening->is_known = true;
        memcpy(listening->address.sun_path, path, size + 1);
        return 0;
}

static int make_folder(struct listening *listening, bool any_user) {
        int r = runtime_folder_create(any_user ? 0711 : 0700, listening->folder, sizeof(listening->folder),
                                      &listening->lock_fd);

        if (r < 0)
                return r;
        (void) snprintf(listening->address.sun_path, sizeof(listening->address.sun_path),
                        "%s/" RUNTIME_FOLDER_SOCKET, listening->folder);
        return 0;
}

static int bind_socket(struct listening *listening, bool any_user) {
        const struct sockaddr *address = (const struct sockaddr *) &listening->address;
        int on = 1;

        listening->address.sun_family = AF_UNIX;
        /* Nobody but the server holds the listening socket, so it may be non-blocking. */
        listening->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (listening->fd < 0)
                return -errno;
        (void) setsockopt(listening->fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on));
        /* The file that binding makes has the socket's own mode, less the umask. */
        (void) fchmod(listening->fd, 0600);
        if (bind(listening->fd, address, sizeof(listening->address)) < 0)
                return -errno;
        return any_user && chmod(listening->address.sun_path, 0666) < 0 ? -errno : 0;
}

int listening_open(struct listening *listening, const char *path, bool any_user, int backlog) {
        int r = path ? claim_path(listening, path) : make_folder(listening, any_user);

        if (r == 0)
                r = bind_socket(listening, any_user);
        if (r < 0)
                return r;
        return listen(listening->fd, backlog) < 0 ? -errno : 0;
}

void listening_leave(struct listening *listening) {
        listening->fd = close_fd(listening->fd);
        if (listening->lock_fd < 0)
                return;
        if (listening->process != fork_generation())
                (void) close_fd(listening->lock_fd);
        else if (listening->is_known)
                known_path_leave(listening->address.sun_path, listening->lock_fd);
        else
                runtime_folder_remove(listening->folder, listening->lock_fd);
        listening->lock_fd = -1;
}
