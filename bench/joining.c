/* The names and the end of peers that join by a socket's name. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "close_fd.h"
#include "joining.h"

static struct joining *joining_of(struct link *link) {
        return (struct joining *) (void *) link;
}

/* Not where TMPDIR says: the name of a socket must fit 107 bytes. */
static int make_names(struct joining *joining) {
        *joining = (struct joining){ .folder = "/tmp/leat-bench-XXXXXX" };
        if (!mkdtemp(joining->folder))
                return -errno;
        if (pipe2(joining->done, O_CLOEXEC) < 0) {
                int error = errno;

                (void) rmdir(joining->folder);
                return -error;
        }
        (void) snprintf(joining->path, sizeof(joining->path), "%s/socket", joining->folder);
        (void) snprintf(joining->url, sizeof(joining->url), "ipc://%s", joining->path);
        return 0;
}

int joining_open(size_t size, struct link **ret_link) {
        struct link *link = calloc(1, size);
        int r = link ? make_names(joining_of(link)) : -ENOMEM;

        if (r != 0)
                free(link);
        else
                *ret_link = link;
        return r;
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

void joining_leave(struct link *link) {
        close_fd(&joining_of(link)->done[0]);
        close_fd(&joining_of(link)->done[1]);
}

/* The names are gone already, unless the sides did not come to a greeting. */
void joining_close(struct link *link) {
        joining_leave(link);
        forget_names(joining_of(link));
        free(link);
}
