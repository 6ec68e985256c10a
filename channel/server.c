/* A one-shot server is a listening socket in a folder that nobody can guess. Whoever connects is a candidate: it has to greet
 * with its type and send a first message before it is taken, so that neither silence nor rubbish uses the one shot up.
 * The socket that a candidate came by then is the channel; its end here becomes the receiver. */
#include "leat/server.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "cleanup.h"
#include "deadline.h"
#include "descriptor.h"
#include "fork.h"
#include "greeting.h"
#include "guard.h"
#include "receiver.h"
#include "runtime_folder.h"

/* So many stand side by side. When another comes, the one that has kept silent longest makes room, so that silent ones
 * cannot keep a real one out. */
#define MAX_CANDIDATES 8

#define BACKLOG 64

struct candidate {
        struct leat_receiver *receiver;
        bool has_greeted;
};

struct leat_server {
        const struct plan *plan;
        struct leat_server_options options;
        uint64_t process; /* Only the process that made the folder removes it. */
        int lock_fd;
        int listener;
        int epoll_fd;          /* Readable when there is something for accept to look at. */
        uint8_t other_version; /* Of the last client that had another than ours; 0: none had. */
        size_t n_candidates;
        struct candidate candidates[MAX_CANDIDATES]; /* The oldest first. */
        char folder[RUNTIME_FOLDER_SIZE];
        struct sockaddr_un address;
};

static void leave_folder(struct leat_server *server) {
        if (server->lock_fd >= 0 && server->process == fork_generation())
                runtime_folder_remove(server->folder, server->lock_fd);
        else
                (void) close_fd(server->lock_fd);
        server->lock_fd = -1;
}

/* Out of the epoll, before it is closed or goes its own way. A forked child's epoll is its parent's. */
static void unwatch(const struct leat_server *server, const struct candidate *candidate) {
        if (server->process == fork_generation())
                (void) epoll_ctl(server->epoll_fd, EPOLL_CTL_DEL, candidate->receiver->connection->fd, NULL);
}

static void drop_candidate(struct leat_server *server, size_t index) {
        if (server->candidates[index].receiver)
                unwatch(server, &server->candidates[index]);
        leat_receiver_close(&server->candidates[index].receiver);
        server->n_candidates--;
        memmove(&server->candidates[index], &server->candidates[index + 1],
                (server->n_candidates - index) * sizeof(server->candidates[0]));
}

/* Nobody else is taken. */
static void retire(struct leat_server *server) {
        while (server->n_candidates > 0)
                drop_candidate(server, 0);
        server->listener = close_fd(server->listener);
        leave_folder(server);
}

static int watch(const struct leat_server *server, int fd) {
        struct epoll_event event = { .events = EPOLLIN };

        return epoll_ctl(server->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static int bind_listener(struct leat_server *server) {
        int on = 1;

        server->address.sun_family = AF_UNIX;
        (void) snprintf(server->address.sun_path, sizeof(server->address.sun_path),
                        "%s/" RUNTIME_FOLDER_SOCKET, server->folder);
        /* Nobody but this server holds the listening socket, so it may be non-blocking. */
        server->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (server->listener < 0)
                return -errno;
        (void) setsockopt(server->listener, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on));
        if (bind(server->listener, (struct sockaddr *) &server->address, sizeof(server->address)) < 0)
                return -errno;
        if (server->options.any_user && chmod(server->address.sun_path, 0666) < 0)
                return -errno;
        return listen(server->listener, BACKLOG) < 0 ? -errno : 0;
}

static int start(struct leat_server *server) {
        int r = runtime_folder_create(server->options.any_user ? 0711 : 0700, server->folder,
                                      sizeof(server->folder), &server->lock_fd);

        if (r == 0)
                r = bind_listener(server);
        if (r < 0)
                return r;
        server->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
        if (server->epoll_fd < 0)
                return -errno;
        return watch(server, server->listener);
}

int leat_server_open(const struct leat_type *type, const struct leat_server_options *options,
                     struct leat_server **ret_server) {
        struct leat_server *server;
        const struct plan *plan;
        CALL_GUARD;
        int r = plan_get(type, &plan);

        if (r < 0)
                return r;
        server = calloc(1, sizeof(*server));
        if (!server)
                return -ENOMEM;
        server->plan = plan;
        server->process = fork_generation();
        server->lock_fd = server->listener = server->epoll_fd = -1;
        if (options)
                server->options = *options;
        r = start(server);
        if (r < 0)
                leat_server_close(&server);
        else
                *ret_server = server;
        return r;
}

const char *leat_server_name(const struct leat_server *server) {
        return server ? server->address.sun_path : "";
}

void leat_server_expect(struct leat_server *server, pid_t pid) {
        if (server)
                server->options.pid = pid;
}

int leat_server_versions(const struct leat_server *server, struct leat_versions *ret_versions) {
        if (!server)
                return -EBADF;
        if (server->other_version == 0)
                return -ENODATA;
        *ret_versions = (struct leat_versions){ .ours = LEAT_WIRE_VERSION, .theirs = server->other_version };
        return 0;
}

int leat_server_descriptor(const struct leat_server *server) {
        return server ? server->epoll_fd : -1;
}

static bool is_welcome(const struct leat_server *server, int fd) {
        struct ucred peer;
        socklen_t size = sizeof(peer);

        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
                return false;
        return (server->options.any_user || peer.uid == geteuid()) &&
               (server->options.pid == 0 || peer.pid == server->options.pid);
}

static void make_room(struct leat_server *server) {
        size_t longest_silent = 0;

        if (server->n_candidates < MAX_CANDIDATES)
                return;
        for (size_t i = MAX_CANDIDATES; i > 0; i--)
                if (!server->candidates[i - 1].has_greeted)
                        longest_silent = i - 1;
        drop_candidate(server, longest_silent);
}

/* Takes `fd` over. */
static int add_candidate(struct leat_server *server, int fd) {
        close_cleanup int owned = fd;
        struct connection *connection;
        struct leat_receiver *receiver;
        int r;

        make_room(server);
        r = connection_create(fd, &server->plan->fingerprint, &connection);
        if (r < 0)
                return r;
        (void) take_fd(&owned);
        connection->own = true;
        receiver_prepare_socket(connection, server->plan);
        r = receiver_create(connection, server->plan, &receiver);
        if (r < 0) {
                connection_unref(connection);
                return r;
        }
        server->candidates[server->n_candidates++] = (struct candidate){ .receiver = receiver };
        return watch(server, fd);
}

/* Lets in who stands before the door, while there is room; when there is none, the first of them, for one who has
 * been heard and was silent. *ret_more: others may be left outside. */
static int admit(struct leat_server *server, bool *ret_more) {
        bool has_admitted = false;

        *ret_more = false;
        for (int i = 0; i < BACKLOG && (!has_admitted || server->n_candidates < MAX_CANDIDATES); i++) {
                int fd = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC);
                int r;

                if (fd < 0 && (errno == EINTR || errno == ECONNABORTED))
                        continue;
                if (fd < 0)
                        return errno == EAGAIN ? 0 : -errno;
                if (!is_welcome(server, fd)) {
                        descriptor_close_socket(fd);
                        continue;
                }
                r = add_candidate(server, fd);
                if (r < 0)
                        return r;
                has_admitted = true;
        }
        *ret_more = true;
        return 0;
}

/* One step with one candidate: LEAT_EMPTY means that it has to be waited for. */
static int hear(struct leat_server *server, struct candidate *candidate, const struct leat_type *type,
                void *ret_first) {
        int r;

        if (!candidate->has_greeted) {
                r = greeting_receive(candidate->receiver->connection->fd, server->plan,
                                     &server->other_version);
                if (r != 0)
                        return r;
                candidate->has_greeted = true;
        }
        r = leat_receiver_recv(candidate->receiver, type, ret_first, LEAT_NOW);
        if (r == LEAT_VERSION_MISMATCH)
                server->other_version = candidate->receiver->other_version;
        return r;
}

/* Hears all candidates, the oldest first. LEAT_EMPTY: none is ready; those that failed are gone. */
static int hear_all(struct leat_server *server, const struct leat_type *type,
                    struct leat_receiver **ret_receiver, void *ret_first) {
        for (size_t i = 0; i < server->n_candidates;) {
                int r = hear(server, &server->candidates[i], type, ret_first);

                if (r == 0) {
                        unwatch(server, &server->candidates[i]);
                        *ret_receiver = take_pointer(&server->candidates[i].receiver);
                        retire(server);
                        return 0;
                }
                if (r == LEAT_EMPTY) {
                        i++;
                        continue;
                }
                drop_candidate(server, i);
                if (r == LEAT_TYPE_MISMATCH || r == LEAT_VERSION_MISMATCH)
                        return r;
        }
        return LEAT_EMPTY;
}

static void wait_for_candidates(const struct leat_server *server, leat_deadline deadline) {
        struct pollfd poll_fds[1 + MAX_CANDIDATES] = { { .fd = server->listener, .events = POLLIN } };
        struct timespec left = deadline_left(deadline, INT64_MAX);

        for (size_t i = 0; i < server->n_candidates; i++)
                poll_fds[1 + i] = (struct pollfd){ .fd = server->candidates[i].receiver->connection->fd,
                                                   .events = POLLIN };
        (void) ppoll(poll_fds, 1 + server->n_candidates, &left, NULL);
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
        if (server->listener < 0 || !fingerprint_compatible(&plan->fingerprint, &server->plan->fingerprint))
                return -EINVAL;
        for (int round = 0;; round++) {
                bool last = deadline_passed(deadline), more;

                r = admit(server, &more);
                if (r == 0)
                        r = hear_all(server, type, ret_receiver, ret_first);
                if (r != LEAT_EMPTY)
                        return r;
                if (more && round < BACKLOG)
                        continue; /* All who stood there when we were called, but a crowd must not keep us. */
                if (last)
                        return deadline == LEAT_NOW ? LEAT_EMPTY : LEAT_TIMEOUT;
                wait_for_candidates(server, deadline);
        }
}

void leat_server_close(struct leat_server **server) {
        struct leat_server *closed = take_pointer(server);
        CALL_GUARD;

        if (!closed)
                return;
        retire(closed);
        (void) close_fd(closed->epoll_fd);
        free(closed);
}
