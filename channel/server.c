/* A server is a place where it listens, and the candidates who have come in by it. The socket by which one came is the channel, and its end
 * here becomes the receiver, when the candidate has said all that it takes. One-shot servers are then at their end; those for many
 * go on with the others. */
#include "leat/server.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "candidates.h"
#include "cleanup.h"
#include "deadline.h"
#include "descriptor.h"
#include "guard.h"
#include "listening.h"

/* So many are let in at a time, before those who are in already are heard again. */
#define BATCH 64

/* So often an accept looks at what is there before it looks at its deadline: enough for a thousand who stood there when it was called, but a
 * crowd must not keep it. */
#define MAX_ROUNDS 16

struct ways {
        int backlog; /* Those who may stand before the door, see listen(2). */
        size_t waiting_limit;
};

static const struct ways one_shot = { .backlog = 64, .waiting_limit = 8 };
static const struct ways for_many = { .backlog = SOMAXCONN, .waiting_limit = 256 };

struct leat_server {
        const struct plan *plan;
        struct leat_server_options options;
        bool is_one_shot;
        struct listening listening;
        struct candidates candidates;
};

/* Nobody else is taken. */
static void retire(struct leat_server *server) {
        candidates_dismiss(&server->candidates);
        listening_leave(&server->listening);
}

/* Silent clients shall not take all the descriptors that the process may have. */
static size_t limit_waiting(size_t asked, size_t usual) {
        struct rlimit descriptors;
        size_t quarter;

        if (asked > 0)
                return asked;
        if (getrlimit(RLIMIT_NOFILE, &descriptors) < 0)
                return usual;
        quarter = (size_t) descriptors.rlim_cur / 4;
        return quarter < 1 ? 1 : quarter < usual ? quarter : usual;
}

static int start(const struct leat_type *type, const struct leat_server_options *options,
                 const struct ways *ways, struct leat_server **ret_server) {
        struct leat_server *server;
        const struct plan *plan;
        int r = plan_get(type, &plan);

        if (r < 0)
                return r;
        server = calloc(1, sizeof(*server));
        if (!server)
                return -ENOMEM;
        if (options)
                server->options = *options;
        server->plan = plan;
        server->is_one_shot = ways == &one_shot;
        listening_init(&server->listening);
        candidates_init(&server->candidates, plan,
                        limit_waiting(server->options.waiting_limit, ways->waiting_limit),
                        &server->options.limits);
        r = listening_open(&server->listening, server->options.path, server->options.any_user, ways->backlog);
        server->options.path = NULL; /* The caller's memory. */
        if (r == 0)
                r = candidates_open(&server->candidates, server->listening.fd);
        if (r < 0)
                leat_server_close(&server);
        else
                *ret_server = server;
        return r;
}

int leat_server_open(const struct leat_type *type, const struct leat_server_options *options,
                     struct leat_server **ret_server) {
        CALL_GUARD;

        return start(type, options, &one_shot, ret_server);
}

int leat_server_listen(const struct leat_type *type, const struct leat_server_options *options,
                       struct leat_server **ret_server) {
        CALL_GUARD;

        return start(type, options, &for_many, ret_server);
}

const char *leat_server_name(const struct leat_server *server) {
        return server ? server->listening.address.sun_path : "";
}

void leat_server_expect(struct leat_server *server, pid_t pid) {
        if (server)
                server->options.pid = pid;
}

int leat_server_versions(const struct leat_server *server, struct leat_versions *ret_versions) {
        if (!server)
                return -EBADF;
        if (server->candidates.other_version == 0)
                return -ENODATA;
        *ret_versions = (struct leat_versions){ .ours = LEAT_WIRE_VERSION,
                                                .theirs = server->candidates.other_version };
        return 0;
}

int leat_server_schemas(const struct leat_server *server, struct leat_schemas *ret_schemas) {
        return server ? mismatch_tell(&server->candidates.mismatch, ret_schemas) : -EBADF;
}

int leat_server_descriptor(struct leat_server *server) {
        CALL_GUARD;

        if (!server || candidates_renew(&server->candidates) < 0)
                return -1;
        return server->candidates.poller.fd;
}

static bool is_welcome(const struct leat_server *server, int fd) {
        struct ucred peer;
        socklen_t size = sizeof(peer);

        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
                return false;
        return (server->options.any_user || peer.uid == geteuid()) &&
               (server->options.pid == 0 || peer.pid == server->options.pid);
}

/* Takes over who has just been let in. As candidates_add(). */
static int welcome(struct leat_server *server, int fd, const struct leat_type *type,
                   struct leat_receiver **ret_receiver, void *ret_first) {
        if (is_welcome(server, fd))
                return candidates_add(&server->candidates, fd, type, ret_receiver, ret_first);
        descriptor_close_socket(fd);
        return LEAT_MORE;
}

/* Lets in those who stand before the door, one by one, until one is complete: after a fork there may be others who can take the rest. As
 * look(). */
static int admit(struct leat_server *server, const struct leat_type *type,
                 struct leat_receiver **ret_receiver, void *ret_first) {
        int failure = LEAT_MORE;

        for (int i = 0; i < BATCH && candidates_have_room(&server->candidates); i++) {
                int fd = accept4(server->listening.fd, NULL, NULL, SOCK_CLOEXEC);
                int r;

                if (fd < 0 && (errno == EINTR || errno == ECONNABORTED))
                        continue;
                if (fd < 0)
                        return errno == EAGAIN ? failure : -errno;
                r = welcome(server, fd, type, ret_receiver, ret_first);
                if (r < 0)
                        failure = r;
                else if (r != LEAT_EMPTY && r != LEAT_MORE)
                        return r;
        }
        return failure;
}

/* Lets in and hears those that there are now. 0; LEAT_EMPTY: there was nobody; LEAT_MORE: nothing came of it, but there may be more;
 * LEAT_TYPE_MISMATCH, LEAT_VERSION_MISMATCH; a negative errno, when nobody who is in was complete. */
static int look(struct leat_server *server, const struct leat_type *type, struct leat_receiver **ret_receiver,
                void *ret_first) {
        struct candidates *candidates = &server->candidates;
        struct poller_event event;
        int n = poller_fetch(&candidates->poller, LEAT_NOW), failure = 0;

        if (n <= 0)
                return n == 0 ? LEAT_EMPTY : n == -EINTR ? LEAT_MORE : n;
        while (poller_next(&candidates->poller, &event)) {
                int r = event.kind == CANDIDATES_DOOR
                                ? admit(server, type, ret_receiver, ret_first)
                                : candidates_hear(candidates, event.owner, type, ret_receiver, ret_first);

                if (r == 0 || r == LEAT_TYPE_MISMATCH || r == LEAT_VERSION_MISMATCH)
                        return r;
                if (r < 0)
                        failure = r;
        }
        return failure < 0 ? failure : LEAT_MORE;
}

static int look_until(struct leat_server *server, const struct leat_type *type,
                      struct leat_receiver **ret_receiver, void *ret_first, leat_deadline deadline) {
        for (int round = 0;; round++) {
                bool last = deadline_passed(deadline);
                int r = look(server, type, ret_receiver, ret_first);

                if (r == LEAT_MORE && round < MAX_ROUNDS)
                        continue;
                if (r != LEAT_MORE && r != LEAT_EMPTY)
                        return r;
                if (last)
                        return deadline == LEAT_NOW ? LEAT_EMPTY : LEAT_TIMEOUT;
                r = poller_fetch(&server->candidates.poller, deadline);
                if (r < 0 && r != -EINTR)
                        return r;
        }
}

int leat_server_accept(struct leat_server *server, const struct leat_type *type,
                       struct leat_receiver **ret_receiver, void *ret_first, leat_deadline deadline) {
        const struct plan *plan;
        CALL_GUARD;
        int r;

        if (!server)
                return -EBADF;
        r = plan_get(type, &plan);
        if (r < 0)
                return r;
        if (server->listening.fd < 0 ||
            !fingerprint_compatible(&plan->fingerprint, &server->plan->fingerprint))
                return -EINVAL;
        r = candidates_renew(&server->candidates);
        if (r == 0)
                r = look_until(server, type, ret_receiver, ret_first, deadline);
        if (r == 0 && server->is_one_shot)
                retire(server);
        return r;
}

void leat_server_close(struct leat_server **server) {
        struct leat_server *closed = take_pointer(server);
        CALL_GUARD;

        if (!closed)
                return;
        retire(closed);
        candidates_close(&closed->candidates);
        free(closed);
}
