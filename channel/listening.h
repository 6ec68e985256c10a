/* The place where a server listens: a socket with a name, and the name again when it is left. */
#ifndef LEAT_CHANNEL_LISTENING_H
#define LEAT_CHANNEL_LISTENING_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/un.h>

#include "runtime_folder.h"

struct listening {
        int fd; /* Non-blocking; -1: not, or no longer. */
        int lock_fd;
        uint64_t process; /* Only the process that made the place removes it. */
        bool is_known;    /* It is a path that the user chose, and not a folder of our own. */
        char folder[RUNTIME_FOLDER_SIZE];
        struct sockaddr_un address;
};

/* Nothing to leave. */
void listening_init(struct listening *listening);

/* `path`: see leat_server_options, NULL for a name that nobody can guess. 0; -EINVAL, -EADDRINUSE, and what
 * making the folder and binding says; after a failure it is to be left, too. */
int listening_open(struct listening *listening, const char *path, bool any_user, int backlog);

/* Nobody comes in any more; those who stand before the door are turned away. */
void listening_leave(struct listening *listening);

#endif
