/* One-shot servers: how two processes that share nothing but a name come to share a channel.
 *
 * T_server makes a server under an unguessable name; the name travels by argument, environment or file; T_connect
 * turns it into a sender; T_accept gives the receiver together with the first message. Either side may be first.
 * Only one client ever gets through: the first whose greeting and first message are complete. Silent and broken
 * ones do not use the one shot up. */
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
};

/* -EMFILE, -ENOMEM, -EACCES, -ENAMETOOLONG, … when no folder for the name can be made: below XDG_RUNTIME_DIR, else
 * below TMPDIR, else below /tmp. */
LEAT_PUBLIC int leat_server_open(const struct leat_type *type, const struct leat_server_options *options,
                                 struct leat_server **ret_server);

/* The name, an absolute path of at most 107 bytes; it belongs to the server. Whoever knows it may connect, so do not
 * put it where others can read it (a command line is readable by all, an environment by the same user only). */
LEAT_PUBLIC const char *leat_server_name(const struct leat_server *server);

/* From now on only this process may join (its pid at the time it connected, see SO_PEERCRED in unix(7)). */
LEAT_PUBLIC void leat_server_expect(struct leat_server *server, pid_t pid);

/* Waits for the client and its first message, which lives as if received from *ret_receiver. After 0 the server
 * takes nobody else, and its name is gone; close it. LEAT_EMPTY, LEAT_TIMEOUT, LEAT_TYPE_MISMATCH (a client of another
 * type came, and was turned away), LEAT_VERSION_MISMATCH (one that speaks another version of the protocol, likewise): the
 * server is open still and accept can be called again. A client that is turned away sees LEAT_DISCONNECTED. -EINVAL after it was used. */
LEAT_PUBLIC int leat_server_accept(struct leat_server *server, const struct leat_type *type,
                                   struct leat_receiver **ret_receiver, void *ret_first, leat_deadline deadline);

/* As leat_receiver_versions, of the last client that accept turned away with LEAT_VERSION_MISMATCH. */
LEAT_PUBLIC int leat_server_versions(const struct leat_server *server, struct leat_versions *ret_versions);

/* A descriptor to poll for POLLIN before calling accept with LEAT_NOW; it belongs to the server. (leat_set_watch
 * takes it.) */
LEAT_PUBLIC int leat_server_descriptor(const struct leat_server *server);

LEAT_PUBLIC void leat_server_close(struct leat_server **server);

/* Joins a server; does not wait until it accepts. LEAT_REFUSED: there is no such server (any more). LEAT_TIMEOUT: too
 * many clients stand before it. -EACCES: the name belongs to another user. -EINVAL: not a server's name. */
LEAT_PUBLIC int leat_connect(const struct leat_type *type, const char *name, struct leat_sender **ret_sender,
                             leat_deadline deadline);

#ifdef __cplusplus
}
#endif

#endif
