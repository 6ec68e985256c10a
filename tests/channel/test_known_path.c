/* Servers under a path that everybody knows: one at a time has it, and a dead one's is taken over. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <leat/leat.h>

#include "in_child.h"
#include "newcomer.h"
#include "support.h"

LEAT_MESSAGE(number, (u64, value));

static int before;
static char *folder, *path, *lock_path;

static void start(void) {
        before = count_descriptors();
        folder = temp_folder();
        path = path_in(folder, "known");
        lock_path = path_in(folder, "known.lock");
}

static void finish(void) {
        free(path);
        free(lock_path);
        temp_folder_remove(&folder);
        cr_assert_eq(settle_descriptors(before), before, "a descriptor leaked");
}

TestSuite(known_path, .init = start, .fini = finish);

static int listen_at(const char *where, number_server_end *ret_server) {
        return number_listen_with(&(struct leat_server_options){ .path = where }, ret_server);
}

static bool exists(const char *where) {
        struct stat status;

        return lstat(where, &status) == 0;
}

static void serves(number_server_end server, uint64_t value) {
        number_sender tx = { 0 };
        number_receiver rx;
        number got;

        cr_assert_eq(number_connect(path, &tx, leat_after_ms(30000)), 0);
        cr_assert_eq(number_send(tx, &(number){ value }, LEAT_NOW), 0);
        cr_assert_eq(number_accept(server, &rx, &got, leat_after_ms(30000)), 0);
        cr_assert_eq(got.value, value);
        number_sender_close(&tx);
        number_receiver_close(&rx);
}

Test(known_path, is_the_servers_name_and_gone_with_it) {
        char *mine = strdup(path);
        number_server_end server;
        number_sender tx = { 0 };
        struct stat status;

        cr_assert_eq(listen_at(mine, &server), 0);
        memset(mine, 'x', strlen(mine));
        free(mine);
        cr_assert_str_eq(number_server_name(server), path);
        cr_assert_eq(stat(path, &status), 0);
        cr_assert_eq(status.st_mode & 07777, 0600);
        serves(server, 1);
        serves(server, 2);
        number_server_close(&server);
        cr_assert(!exists(path) && !exists(lock_path));
        cr_assert_eq(number_connect(path, &tx, LEAT_NOW), LEAT_REFUSED);
}

Test(known_path, serves_a_one_shot_server_too) {
        number_server_end server;

        cr_assert_eq(number_server_with(&(struct leat_server_options){ .path = path }, &server), 0);
        serves(server, 1);
        cr_assert(!exists(path) && !exists(lock_path), "after its one shot");
        number_server_close(&server);
}

Test(known_path, that_other_users_may_reach_is_open_to_them) {
        struct leat_server_options options = { .path = path, .any_user = true };
        number_server_end server;
        struct stat status;

        cr_assert_eq(number_listen_with(&options, &server), 0);
        cr_assert_eq(stat(path, &status), 0);
        cr_assert_eq(status.st_mode & 07777, 0666);
        number_server_close(&server);
}

Test(known_path, in_use_is_nobody_elses) {
        number_server_end server, second = { 0 };

        cr_assert_eq(listen_at(path, &server), 0);
        cr_assert_eq(listen_at(path, &second), -EADDRINUSE);
        cr_assert_null(second.object);
        serves(server, 1);
        number_server_close(&server);
        cr_assert_eq(listen_at(path, &second), 0);
        serves(second, 2);
        number_server_close(&second);
}

static int bind_raw(int type) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

        strcpy(address.sun_path, path);
        cr_assert_eq(bind(fd, (struct sockaddr *) &address, sizeof(address)), 0);
        return fd;
}

Test(known_path, of_a_stranger_who_listens_is_left_alone) {
        int types[] = { SOCK_SEQPACKET, SOCK_STREAM, SOCK_DGRAM };
        number_server_end server = { 0 };

        for (int i = 0; i < 3; i++) {
                int fd = bind_raw(types[i]);

                if (types[i] != SOCK_DGRAM)
                        cr_assert_eq(listen(fd, 0), 0);
                cr_assert_eq(listen_at(path, &server), -EADDRINUSE, "type %d", types[i]);
                cr_assert(exists(path) && !exists(lock_path));
                close(fd);
                unlink(path);
        }
}

Test(known_path, whose_server_has_a_full_door_is_in_use) {
        number_server_end server = { 0 };
        int fd = bind_raw(SOCK_SEQPACKET), client, other;

        cr_assert_eq(listen(fd, 0), 0);
        client = newcomer(path);
        other = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        cr_assert_eq(listen_at(path, &server), -EADDRINUSE);
        close(other);
        close(client);
        close(fd);
}

Test(known_path, of_a_dead_server_is_taken_over) {
        number_server_end server;
        pid_t child = fork();

        if (child == 0) {
                watchdog(30);
                check_equal(listen_at(path, &server), 0);
                raise(SIGKILL);
        }
        cr_assert_eq(wait_for_exit(child), 128 + SIGKILL);
        cr_assert(exists(path) && exists(lock_path));
        cr_assert_eq(listen_at(path, &server), 0);
        serves(server, 1);
        number_server_close(&server);
        cr_assert(!exists(path) && !exists(lock_path));
}

Test(known_path, with_something_else_there_is_left_alone) {
        number_server_end server = { 0 };
        int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

        close(fd);
        cr_assert_eq(listen_at(path, &server), -EADDRINUSE);
        cr_assert(exists(path));
        unlink(path);
        cr_assert_eq(mkdir(path, 0700), 0);
        cr_assert_eq(listen_at(path, &server), -EADDRINUSE);
        rmdir(path);
        cr_assert_eq(symlink("/nowhere", path), 0);
        cr_assert_eq(listen_at(path, &server), -EADDRINUSE);
        cr_assert(exists(path));
        unlink(path);
        cr_assert_eq(symlink("/nowhere", lock_path), 0);
        cr_assert_eq(listen_at(path, &server), -ELOOP, "a link is not followed");
        unlink(lock_path);
        cr_assert_null(server.object);
}

Test(known_path, that_cannot_be_one_says_so) {
        number_server_end server = { 0 };
        char too_long[200], *nowhere = path_in(folder, "no/where");

        memset(too_long, 'a', sizeof(too_long));
        too_long[0] = '/';
        too_long[108] = 0;
        cr_assert_eq(listen_at("relative", &server), -EINVAL);
        cr_assert_eq(listen_at("", &server), -EINVAL);
        cr_assert_eq(listen_at(too_long, &server), -EINVAL);
        cr_assert_eq(listen_at(nowhere, &server), -ENOENT);
        cr_assert_null(server.object);
        free(nowhere);
}

/* Tries as soon as `go` is at its end, says so when it has won, and keeps what it has until `over` is at its
 * end, too. */
static _Noreturn void be_rival(int go, int won, int over) {
        number_server_end server = { 0 };
        char byte;
        int r;

        watchdog(30);
        check_equal(read(go, &byte, 1), 0);
        r = listen_at(path, &server);
        check(r == 0 || r == -EADDRINUSE);
        if (r == 0)
                check_equal(write(won, "w", 1), 1);
        close(won);
        check_equal(read(over, &byte, 1), 0);
        number_server_close(&server);
        leave_child(0);
}

/* A dead server's socket, and several who find it at the same time. */
Test(known_path, is_taken_over_by_one_of_several) {
        enum { ROUNDS = 30, RIVALS = 4 };

        for (int round = 0; round < ROUNDS; round++) {
                int go[2], won[2], over[2], n_won = 0;
                pid_t rivals[RIVALS];
                char byte;

                close(bind_raw(SOCK_SEQPACKET));
                cr_assert(pipe(go) == 0 && pipe(won) == 0 && pipe(over) == 0);
                for (int i = 0; i < RIVALS; i++) {
                        rivals[i] = fork();
                        if (rivals[i] == 0) {
                                close(go[1]);
                                close(over[1]);
                                be_rival(go[0], won[1], over[0]);
                        }
                }
                close(won[1]);
                close(go[0]);
                close(go[1]);
                while (read(won[0], &byte, 1) > 0)
                        n_won++;
                close(won[0]);
                close(over[0]);
                close(over[1]);
                for (int i = 0; i < RIVALS; i++)
                        cr_assert_eq(wait_for_exit(rivals[i]), 0);
                cr_assert_eq(n_won, 1, "round %d: %d", round, n_won);
                cr_assert(!exists(path) && !exists(lock_path));
        }
}

Test(known_path, stays_with_the_parent_when_a_forked_child_closes_it) {
        number_server_end server;
        pid_t child;

        cr_assert_eq(listen_at(path, &server), 0);
        child = fork();
        if (child == 0) {
                number_server_close(&server);
                leave_child(0);
        }
        cr_assert_eq(wait_for_exit(child), 0);
        serves(server, 1);
        number_server_close(&server);
}
