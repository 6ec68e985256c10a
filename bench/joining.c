/* The names and the end of peers that join by a socket's name. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "joining.h"

static void close_fd(int *fd) {
        if (*fd >= 0)
                (void) close(*fd);
        *fd = -1;
}

/* Not where TMPDIR says: the name of a socket must fit 107 bytes. */
int joining_open(struct joining *ret_joining) {
        struct joining joining = { .folder = "/tmp/leat-bench-XXXXXX" };

        if (!mkdtemp(joining.folder))
                return -errno;
        if (pipe2(joining.done, O_CLOEXEC) < 0) {
                int error = errno;

                (void) rmdir(joining.folder);
                return -error;
        }
        (void) snprintf(joining.path, sizeof(joining.path), "%s/socket", joining.folder);
        (void) snprintf(joining.url, sizeof(joining.url), "ipc://%s", joining.path);
        *ret_joining = joining;
        return 0;
}

void joining_take_side(struct joining *joining, enum side side) {
        joining->side = side;
        close_fd(&joining->done[side == ASKER ? 1 : 0]);
}

static void forget_names(const struct joining *joining) {
        (void) unlink(joining->path);
        (void) rmdir(joining->folder);
}

int joining_greet(struct joining *joining, const struct peer *peer, struct link *link) {
        uint64_t hello[2] = { 0 };
        const void *message;
        size_t size;
        int r = joining->side == ASKER ? peer->send(link, THERE, hello, sizeof(hello)) : 0;

        if (r == 0) {
                r = peer->receive(link, joining->side == ASKER ? BACK : THERE, &message, &size);
                r = r == 1 ? 0 : r == 0 ? -EPIPE : r;
        }
        if (r == 0 && joining->side == ANSWERER)
                r = peer->send(link, BACK, hello, sizeof(hello));
        if (r == 0 && joining->side == ASKER)
                forget_names(joining);
        return r;
}

void joining_wait(const struct joining *joining) {
        char byte;

        while (read(joining->done[0], &byte, 1) < 0 && errno == EINTR)
                ;
}

void joining_leave(struct joining *joining) {
        close_fd(&joining->done[0]);
        close_fd(&joining->done[1]);
}

/* The names are gone already, unless the sides did not come to a greeting. */
void joining_close(struct joining *joining) {
        joining_leave(joining);
        forget_names(joining);
}
