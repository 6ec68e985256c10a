/* Servers: how processes that share nothing but a name come to share channels.
 *
 * T_server makes a one-shot server under an unguessable name; the name travels by argument, environment or file; T_connect
 * turns it into a sender; T_accept gives the receiver together with the first message. Either side may be first.
 * Only one client ever gets through: the first whose greeting and first message are complete. Silent and broken
 * ones do not use the one shot up.
 *
 * T_listen makes a server for many clients, each with a channel of its own: T_accept can be called again and again. All else is the
 * same. */
#ifndef LEAT_SERVER_H
#define LEAT_SERVER_H

#include <sys/types.h>

#include "leat/endpoint.h"

#ifdef __cplusplus
extern "C" {
#endif

struct leat_server_options {
        bool any_user; /* Default: only processes of the same effective user. */
        pid_t pid;     /* Only this process may join; 0: any. See also T_server_expect. */
        /* A name that clients know without being told: an absolute path of at most 107 bytes (it is copied). A socket that a dead
         * server of the same user has left there is replaced; it and PATH.lock beside it are removed with the server. Whoever
         * may reach the path can connect, if it is of the same user (or any_user). Default: a name that nobody can guess. */
        const char *path;
        /* How many clients may stand side by side that are let in but have not sent their first message. When another comes, the
         * one that has kept silent longest is turned away. Default: 8, and 256 for a server for many; but never more than a quarter of
         * the descriptors that the process may have (RLIMIT_NOFILE, see getrlimit(2)). */
        size_t waiting_limit;
        /* What a client may cost: of its first message, for which nobody has vouched, and of the receiver that accept gives, until
         * T_receiver_limit says otherwise. One whose first message is over them is turned away. All zero: the defaults. */
        struct leat_receiver_limits limits;
};

/* A one-shot server. -EMFILE, -ENOMEM; -EACCES, -ENAMETOOLONG, … when no folder for the name can be made: below the first of
 * XDG_RUNTIME_DIR and TMPDIR that is usable, else below /tmp. With a path: -EADDRINUSE (a server has it, or something is
 * there that is no socket of this user), -EINVAL (not absolute, or too long), -ENOENT, -EACCES, … Does not wait. */
LEAT_PUBLIC int leat_server_open(const struct leat_type *type, const struct leat_server_options *options,
                                 struct leat_server **ret_server);

/* A server for many clients. As above. After fork(2) both processes can accept from it, each client goes to one of them; those that were let
 * in before, but not accepted, stay with the one that had let them in. */
LEAT_PUBLIC int leat_server_listen(const struct leat_type *type, const struct leat_server_options *options,
                                   struct leat_server **ret_server);

/* The name, an absolute path of at most 107 bytes; it belongs to the server. Of a zero server it is empty.
 * Whoever knows it may connect, so do not put it where others can read it (a command line is readable by all, an environment by the same user only). */
LEAT_PUBLIC const char *leat_server_name(const struct leat_server *server);

/* From now on only this process may join (its pid at the time it connected, see SO_PEERCRED in unix(7)). */
LEAT_PUBLIC void leat_server_expect(struct leat_server *server, pid_t pid);

/* Waits for a client and its first message, which lives as if received from *ret_receiver. After 0 a one-shot server
 * takes nobody else, and its name is gone; close it. LEAT_EMPTY, LEAT_TIMEOUT, LEAT_TYPE_MISMATCH (a client of another
 * type came, and was turned away), LEAT_VERSION_MISMATCH (one that speaks another version of the protocol, likewise): the
 * server is open still and accept can be called again. So it can after -EMFILE, -ENFILE, -ENOBUFS, -ENOMEM, -ENOSPC (see epoll(7)): somebody
 * stands before the door who cannot be let in now, or a client's first message could not be taken. That client keeps its
 * place for the next calls, but is turned away after eight such failures, or if memory ran out when its message was taken already or before
 * it had a place. A client that is turned away sees LEAT_DISCONNECTED. -EINVAL after a one-shot server was used. -EBADF: the server
 * is zero. */
LEAT_PUBLIC int leat_server_accept(struct leat_server *server, const struct leat_type *type,
                                   struct leat_receiver **ret_receiver, void *ret_first, leat_deadline deadline);

/* As leat_receiver_versions, of the last client that accept turned away with LEAT_VERSION_MISMATCH. */
LEAT_PUBLIC int leat_server_versions(const struct leat_server *server, struct leat_versions *ret_versions);

/* As leat_receiver_schemas, of the last client that accept turned away with LEAT_TYPE_MISMATCH: the server's type and the client's, or those of
 * an end in its first message. A client tells the text of its type, its first 16 KiB; where this process has never used that type, it is what
 * the client said, with all but printable ASCII and line feeds written as \xHH. Nothing proves it: show it to a person, and do no
 * more with it. Both are valid until the next call on this server. */
LEAT_PUBLIC int leat_server_schemas(const struct leat_server *server, struct leat_schemas *ret_schemas);

/* A descriptor to poll for POLLIN before calling accept with LEAT_NOW; it belongs to the server. (leat_set_watch
 * takes it.) -1: the server is zero, or a child of fork(2) can have none. */
LEAT_PUBLIC int leat_server_descriptor(struct leat_server *server);

/* Channels that were accepted live on. */
LEAT_PUBLIC void leat_server_close(struct leat_server **server);

/* Joins a server; does not wait until it accepts, but while more clients stand before it than the system lets (64, and
 * net.core.somaxconn for a server for many). LEAT_REFUSED: there is no such server (any more). LEAT_TIMEOUT, also for LEAT_NOW: too
 * many clients stand before it. -EACCES: the name belongs to another user. -EINVAL: not a server's name, or a type that cannot be a
 * message. -EPROTO (a table of another version), -EMFILE, -ENFILE, -ENOMEM. */
LEAT_PUBLIC int leat_connect(const struct leat_type *type, const char *name, struct leat_sender **ret_sender,
                             leat_deadline deadline);

/* Who connected to a server: as the system knows it (SO_PEERCRED, see unix(7)), not as it says. */
struct leat_peer {
        pid_t pid; /* Of the process that connected, even if it is gone or has handed its sender on. 0: in another pid namespace. */
        uid_t uid; /* Effective ones, at the time it connected. */
        gid_t gid;
        int pidfd; /* A descriptor of that process, the caller's to close; -1 where the system gives none (before Linux 6.5; or the
                    * process is gone). Unlike the pid it can never come to mean another process, see pidfd_open(2). */
};

/* Who is, or was, at the other end of a receiver that T_accept gave. -ENODATA: it did not come from a server (its maker is in no
 * position to tell where its senders are), or has been handed on in a message. -EBADF, -EMFILE, -ENFILE. */
LEAT_PUBLIC int leat_receiver_peer(const struct leat_receiver *receiver, struct leat_peer *ret_peer);

#ifdef __cplusplus
}
#endif

#endif
