/* Starting a program with a channel already in its hands: no name, no server, nobody else can come in
 * between.
 *
 *         struct leat_process worker;
 *
 *         r = job_spawn_receiver((char *[]){ "./worker", NULL }, &jobs, &worker);
 *
 * and in the program that is started, once:
 *
 *         r = job_inherited_receiver(&jobs);
 */
#ifndef LEAT_SPAWN_H
#define LEAT_SPAWN_H

#include <sys/types.h>

#include "leat/endpoint.h"

#ifdef __cplusplus
extern "C" {
#endif

struct leat_spawn_options {
        char *const *argv; /* argv[0] is the program, searched for in PATH when there is no slash in it; ends
                            * with NULL. */
        char *const *envp; /* The program's environment, to which LEAT_INHERITED is added. NULL: this
                            * process's own. */
        /* The end that the program gets, such as &tx.object of a T_sender; one of the two, the other is NULL.
         * It is given: closed here and set to NULL when the program was started, and kept when not. */
        struct leat_sender **give_sender;
        struct leat_receiver **give_receiver;
        /* A sender that has used a lane says in its channel first where it stopped, and may have to wait for
         * room to say so. Zero is LEAT_NOW. */
        leat_deadline deadline;
};

struct leat_process {
        pid_t pid; /* A child of this process: the caller's to wait for, see waitpid(2). */
        int pidfd; /* The same as a descriptor, the caller's to close: to poll for its end, to signal, to wait
                    * for, see pidfd_open(2). -1 where the system gives none. */
};

/* Starts the program. It inherits nothing of Leat but this one end, and everything else as exec(3) says:
 * descriptors that are not close-on-exec, the signal mask, the working directory. What it is given is its own
 * from the start, even if it never asks for it: when it ends, the other side sees LEAT_DISCONNECTED.
 *
 * 0; LEAT_FULL, LEAT_TIMEOUT (see the deadline); what execvpe(3) said, such as -ENOENT and -EACCES; -EINVAL
 * (not one end, or no program; `what` is NULL), -EBADF (an end that is zero), -EBUSY (a receiver that is in a
 * set, or that another process goes on with since a fork; a sender with a loan), -EAGAIN, -EMFILE, -ENFILE,
 * -ENOMEM. */
LEAT_PUBLIC int leat_spawn(const struct leat_spawn_options *what, struct leat_process *ret_process);

/* The end that this program was started with, once: it is the caller's then. The first call takes
 * LEAT_INHERITED out of the environment, so call it before there are threads that read that, see environ(7).
 * A program that was started by another one without having asked, say a shell script in between, hands it on.
 *
 * -ENOENT: it was started without one, or it is taken. LEAT_TYPE_MISMATCH: it is of another type, or the
 * other end; it stays, and can be asked for by its own. LEAT_VERSION_MISMATCH: the program that started this
 * one speaks another version of the protocol. LEAT_MALFORMED, LEAT_NO_DESCRIPTORS, -EBADF (LEAT_INHERITED
 * names no such thing), -ENOMEM. */
LEAT_PUBLIC int leat_inherited_sender(const struct leat_type *type, struct leat_sender **ret_sender);
LEAT_PUBLIC int leat_inherited_receiver(const struct leat_type *type, struct leat_receiver **ret_receiver);

#ifdef __cplusplus
}
#endif

#endif
