/* A program that is started inherits one descriptor: a socket in which a message already waits, and the end
 * that it is to have is in that message. So an end goes to a new program as it goes to any other process,
 * lanes, fingerprint and all, and there is nothing to agree on but the socket's number. */
#include "leat/spawn.h"

#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cleanup.h"
#include "descriptor.h"
#include "guard.h"
#include "handles.h"
#include "inherited.h"
#include "leat/type.h"
#include "raw.h"
#include "receiver.h"
#include "transmit.h"

static int add_end(const struct leat_spawn_options *what, struct handles *handles) {
        struct endpoint_field field = { .object = NULL };
        size_t index;
        int r;

        if ((what->give_sender == NULL) == (what->give_receiver == NULL))
                return -EINVAL;
        if (what->give_sender) {
                field = (struct endpoint_field){ .object = *what->give_sender, .given = what->give_sender };
                if (*what->give_sender && raw_has_loan(*what->give_sender))
                        return -EBUSY;
        } else {
                field = (struct endpoint_field){ .object = *what->give_receiver,
                                                 .given = what->give_receiver };
        }
        r = handles_add(handles, what->give_sender ? LEAT_KIND_sender : LEAT_KIND_receiver, &field, &index);
        return r == LEAT_EMPTY ? -EBADF : r;
}

static int post_message(int fd, const struct handles *handles) {
        struct buffer table = { .data = NULL };
        struct transmission transmission = {
                .encoding = ENCODING_RAW,
                .tag = fingerprint_tag(&handles->list[0].connection->fingerprint),
                .table = &table,
                .handles = handles,
                .sealed_fd = -1,
        };
        int r = handles_write_table(handles, &table);

        if (r == 0)
                r = transmit(fd, &transmission, LEAT_NOW);
        buffer_free(&table);
        return r;
}

/* The socket to inherit, with the message in it. Its other end is closed already: nobody writes anything
 * else. */
static int post(struct handles *handles, leat_deadline deadline, int *ret_fd) {
        close_cleanup int ours = -1, theirs = -1;
        int pair[2], r;

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                return -errno;
        ours = pair[0];
        theirs = pair[1];
        r = handles_settle(handles, deadline);
        if (r == 0)
                r = post_message(ours, handles);
        handles_finish(handles);
        if (r != 0)
                return r;
        /* Not 0, 1 or 2, which mean something to the program. */
        if (theirs <= STDERR_FILENO)
                return descriptor_duplicate(theirs, ret_fd);
        *ret_fd = take_fd(&theirs);
        return 0;
}

/* With `variable` instead of whatever has its name. The strings are borrowed. NULL: no memory. */
static char **make_environment(char *const *envp, char *variable) {
        size_t n = 0, length = sizeof(INHERITED_VARIABLE "=") - 1;
        char **environment;

        while (envp[n])
                n++;
        environment = calloc(n + 2, sizeof(*environment));
        if (!environment)
                return NULL;
        n = 0;
        for (; *envp; envp++)
                if (strncmp(*envp, variable, length) != 0)
                        environment[n++] = *envp;
        environment[n] = variable;
        return environment;
}

/* The one descriptor that is not close-on-exec, in the program alone: a duplicate onto its own number, see
 * posix_spawn(3). */
static int start_program(const struct leat_spawn_options *what, int fd, pid_t *ret_pid) {
        char variable[sizeof(INHERITED_VARIABLE "=2147483647")];
        free_cleanup char **environment = NULL;
        posix_spawn_file_actions_t actions;
        int r;

        (void) snprintf(variable, sizeof(variable), INHERITED_VARIABLE "=%d", fd);
        environment = make_environment(what->envp ? what->envp : environ, variable);
        if (!environment || posix_spawn_file_actions_init(&actions) != 0)
                return -ENOMEM;
        r = posix_spawn_file_actions_adddup2(&actions, fd, fd);
        if (r == 0)
                r = posix_spawnp(ret_pid, what->argv[0], &actions, NULL, what->argv, environment);
        (void) posix_spawn_file_actions_destroy(&actions);
        return -r;
}

static int spawn(const struct leat_spawn_options *what, struct handles *handles,
                 struct leat_process *ret_process) {
        close_cleanup int fd = -1;
        pid_t pid;
        int r = add_end(what, handles);

        if (r == 0)
                r = post(handles, what->deadline, &fd);
        if (r == 0)
                r = start_program(what, fd, &pid);
        if (r != 0)
                return r;
        handles_release_given(handles);
        /* It is not waited for yet, so the number is still its own. */
        *ret_process = (struct leat_process){ .pid = pid, .pidfd = (int) syscall(SYS_pidfd_open, pid, 0) };
        return 0;
}

int leat_spawn(const struct leat_spawn_options *what, struct leat_process *ret_process) {
        free_cleanup struct handles *handles = NULL;
        CALL_GUARD;

        if (!what || !what->argv || !what->argv[0])
                return -EINVAL;
        handles = calloc(1, sizeof(*handles));
        return handles ? spawn(what, handles, ret_process) : -ENOMEM;
}
