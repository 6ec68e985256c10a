/* One-shot servers: either side may be first, the first complete client wins, and nobody else uses the shot
 * up. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <leat/leat.h>

#include "decode.h"
#include "greeting.h"

#include "newcomer.h"
#include "servers_folder.h"
#include "stranger.h"
#include "support.h"

LEAT_MESSAGE(number, (u64, value));
LEAT_MESSAGE(hello, (u64, pid), (sender, number, reply), (string, next_server));
LEAT_MESSAGE(other, (string, words));

static int count_entries(const char *path) {
        DIR *all = opendir(path);
        int count = 0;

        check(all != NULL);
        for (struct dirent *entry; (entry = readdir(all));)
                count += entry->d_name[0] != '.';
        closedir(all);
        return count;
}

TestSuite(server, .init = enter_folder, .fini = leave_folder);

static hello_server_end open_server(void) {
        hello_server_end server;

        cr_assert_eq(hello_server(&server), 0);
        return server;
}

static const struct plan *plan_of(const struct leat_type *type) {
        const struct plan *plan;

        check_equal(plan_get(type, &plan), 0);
        return plan;
}

static void expect_hello(hello_server_end *server, uint64_t pid) {
        hello_receiver rx = { 0 };
        hello first;
        int r = hello_accept(*server, &rx, &first, leat_after_ms(30000));

        cr_assert_eq(r, 0, "%d: %s", r, leat_strerror(r));
        cr_assert_eq(first.pid, pid);
        hello_receiver_close(&rx);
        hello_server_close(server);
}

Test(server, accepts_a_client_that_was_first) {
        hello_server_end server = open_server();
        hello_receiver rx;
        hello_sender tx;
        hello got;

        cr_assert_eq(hello_connect(hello_server_name(server), &tx, LEAT_NOW), 0, "does not wait for accept");
        cr_assert_eq(hello_send(tx, &(hello){ .pid = 1, .next_server = "x" }, LEAT_NOW), 0);
        cr_assert_eq(hello_send(tx, &(hello){ .pid = 2 }, LEAT_NOW), 0);
        cr_assert_eq(hello_accept(server, &rx, &got, LEAT_NOW), 0);
        cr_assert_eq(got.pid, 1);
        cr_assert_str_eq(got.next_server, "x");
        cr_assert_eq(hello_recv(rx, &got, LEAT_NOW), 0);
        cr_assert_eq(got.pid, 2);
        hello_server_close(&server);
        cr_assert_eq(hello_send(tx, &(hello){ .pid = 3 }, LEAT_NOW), 0, "the channel outlives its server");
        cr_assert_eq(hello_recv(rx, &got, LEAT_NOW), 0);
        hello_sender_close(&tx);
        cr_assert_eq(hello_recv(rx, &got, LEAT_NOW), LEAT_DISCONNECTED);
        hello_receiver_close(&rx);
}

static void *connect_later(void *name) {
        hello_sender tx;

        sleep_ms(20);
        check_equal(hello_connect(name, &tx, LEAT_FOREVER), 0);
        sleep_ms(20);
        check_equal(hello_send(tx, &(hello){ .pid = 5 }, LEAT_FOREVER), 0);
        hello_sender_close(&tx);
        return NULL;
}

Test(server, accepts_a_client_that_comes_later) {
        hello_server_end server = open_server();
        char *name = strdup(hello_server_name(server));
        pthread_t thread;

        pthread_create(&thread, NULL, connect_later, name);
        expect_hello(&server, 5);
        pthread_join(thread, NULL);
        free(name);
}

Test(server, accepts_a_program_that_was_started_with_its_name) {
        hello_server_end server = open_server();
        pid_t child = fork();

        if (child == 0) {
                execl(CHANNEL_CLIENT, CHANNEL_CLIENT, hello_server_name(server), "4711", (char *) NULL);
                _exit(127);
        }
        hello_server_expect(server, child);
        expect_hello(&server, 4711);
        cr_assert_eq(wait_for_exit(child), 0);
}

Test(server, takes_one_client_only_and_its_name_is_gone_after) {
        hello_server_end server = open_server();
        char *name = strdup(hello_server_name(server));
        hello_receiver rx, other_rx = { 0 };
        hello_sender tx, late = { 0 };
        hello got;

        cr_assert_eq(hello_connect(name, &tx, LEAT_NOW), 0);
        cr_assert_eq(hello_send(tx, &(hello){ .pid = 1 }, LEAT_NOW), 0);
        cr_assert_eq(hello_accept(server, &rx, &got, LEAT_NOW), 0);
        cr_assert_eq(access(name, F_OK), -1);
        cr_assert_eq(count_entries(folder), 0, "and its folder");
        cr_assert_eq(hello_connect(name, &late, leat_after_ms(100)), LEAT_REFUSED);
        cr_assert_not(hello_sender_is_set(late));
        cr_assert_eq(hello_accept(server, &other_rx, &got, LEAT_NOW), -EINVAL);
        hello_server_close(&server);
        hello_sender_close(&tx);
        hello_receiver_close(&rx);
        free(name);
}

Test(server, turns_the_others_away) {
        hello_server_end server = open_server();
        hello_receiver rx;
        hello_sender tx[5];
        hello got;

        for (uint64_t i = 0; i < 5; i++) {
                cr_assert_eq(hello_connect(hello_server_name(server), &tx[i], LEAT_NOW), 0);
                cr_assert_eq(hello_send(tx[i], &(hello){ .pid = i }, LEAT_NOW), 0);
        }
        cr_assert_eq(hello_accept(server, &rx, &got, LEAT_NOW), 0);
        cr_assert_eq(got.pid, 0, "the first that is complete");
        cr_assert_eq(hello_send(tx[0], &(hello){ .pid = 9 }, LEAT_NOW), 0);
        for (int i = 1; i < 5; i++)
                cr_assert_eq(hello_send(tx[i], &(hello){ .pid = 9 }, LEAT_NOW), LEAT_DISCONNECTED);
        for (int i = 0; i < 5; i++)
                hello_sender_close(&tx[i]);
        hello_receiver_close(&rx);
        hello_server_close(&server);
}

Test(server, hears_the_first_complete_one_of_a_crowd) {
        hello_server_end server = open_server();
        hello_sender tx[30];

        for (uint64_t i = 0; i < 30; i++) {
                cr_assert_eq(hello_connect(hello_server_name(server), &tx[i], LEAT_NOW), 0);
                cr_assert_eq(hello_send(tx[i], &(hello){ .pid = i }, LEAT_NOW), 0);
        }
        expect_hello(&server, 0);
        for (int i = 0; i < 30; i++)
                hello_sender_close(&tx[i]);
}

Test(server, silent_clients_do_not_use_the_shot_up_however_many) {
        hello_server_end server = open_server();
        int fds[40];
        hello_sender tx;
        hello_receiver rx;
        hello got;

        for (int i = 0; i < 40; i++)
                fds[i] = newcomer(hello_server_name(server));
        cr_assert_eq(hello_accept(server, &rx, &got, LEAT_NOW), LEAT_EMPTY);
        cr_assert_eq(hello_accept(server, &rx, &got, leat_after_ms(5)), LEAT_TIMEOUT);
        cr_assert_eq(hello_connect(hello_server_name(server), &tx, LEAT_NOW), 0);
        cr_assert_eq(hello_accept(server, &rx, &got, LEAT_NOW), LEAT_EMPTY, "it has greeted only");
        cr_assert_eq(hello_send(tx, &(hello){ .pid = 6 }, LEAT_NOW), 0);
        expect_hello(&server, 6);
        hello_sender_close(&tx);
        for (int i = 0; i < 40; i++)
                close(fds[i]);
}

Test(server, clients_that_only_greet_do_not_use_it_up_either) {
        hello_server_end server = open_server();
        hello_sender silent[20], tx;
        hello_receiver rx;
        hello got;

        for (int i = 0; i < 20; i++)
                cr_assert_eq(hello_connect(hello_server_name(server), &silent[i], LEAT_NOW), 0);
        cr_assert_eq(hello_accept(server, &rx, &got, leat_after_ms(5)), LEAT_TIMEOUT);
        cr_assert_eq(hello_connect(hello_server_name(server), &tx, LEAT_NOW), 0);
        cr_assert_eq(hello_send(tx, &(hello){ .pid = 6 }, LEAT_NOW), 0);
        expect_hello(&server, 6);
        hello_sender_close(&tx);
        for (int i = 0; i < 20; i++)
                hello_sender_close(&silent[i]);
}

Test(server, broken_clients_do_not_use_it_up) {
        hello_server_end server = open_server();
        struct forgery bad_message = forge(hello_type(), PACKET_MESSAGE, ENCODING_MESSAGEPACK, "\xc1", 1);
        uint8_t print[FINGERPRINT_MAX_WIRE], spoiled[FINGERPRINT_MAX_WIRE + PACKET_HEADER_SIZE];
        size_t size = fingerprint_write(&plan_of(hello_type())->fingerprint, print);
        struct forgery greeting = forge(hello_type(), PACKET_GREETING, 0, print, size);
        int null = dup(0), fd;
        hello_receiver rx;
        hello got;

        /* Each is gone by the next: closed by the server. */
        for (int i = 0; i < 10; i++) {
                struct forgery bad = greeting;
                char byte;

                fd = newcomer(hello_server_name(server));
                switch (i) {
                case 0:
                        send(fd, "rubbish", 7, MSG_NOSIGNAL);
                        break;
                case 1:
                        send(fd, "", 0, MSG_NOSIGNAL);
                        break;
                case 2: /* A message without a greeting. */
                        send_forgery(fd, &bad_message);
                        break;
                case 3:
                        send_forgery(fd, &greeting);
                        send_forgery(fd, &bad_message);
                        break;
                case 4: /* Two greetings. */
                        send_forgery(fd, &greeting);
                        send_forgery(fd, &greeting);
                        break;
                case 5:
                        bad.rest_size--;
                        bad.start[16]--;
                        send_forgery(fd, &bad);
                        break;
                case 6:
                        bad.fds = &null;
                        bad.n_fds = 1;
                        send_forgery(fd, &bad);
                        break;
                case 7:
                        bad.start[4] ^= 1; /* A tag that is not the fingerprint's. */
                        send_forgery(fd, &bad);
                        break;
                case 8:
                        memcpy(spoiled, print, size);
                        spoiled[0] = 200;
                        bad.rest = spoiled;
                        send_forgery(fd, &bad);
                        break;
                default:
                        shutdown(fd, SHUT_RDWR);
                }
                cr_assert_eq(hello_accept(server, &rx, &got, LEAT_NOW), LEAT_EMPTY, "case %d", i);
                errno = 0;
                cr_assert_leq(recv(fd, &byte, 1, MSG_DONTWAIT | MSG_NOSIGNAL), 0);
                cr_assert_neq(errno, EAGAIN, "case %d is still let stand there", i);
                close(fd);
        }
        close(null);
        fd = newcomer(hello_server_name(server));
        cr_assert_geq(send_forgery(fd, &greeting), 0);
        bad_message = forge(hello_type(), PACKET_MESSAGE, ENCODING_MESSAGEPACK, "\x93\x07\xc0\xa0", 4);
        cr_assert_geq(send_forgery(fd, &bad_message), 0);
        expect_hello(&server, 7);
        close(fd);
}

Test(server, a_client_of_another_type_is_turned_away_and_accept_can_be_called_again) {
        hello_server_end server = open_server();
        hello_receiver rx;
        hello_sender tx;
        other_sender wrong;
        hello got;

        cr_assert_eq(other_connect(hello_server_name(server), &wrong, LEAT_NOW), 0);
        cr_assert_eq(hello_accept(server, &rx, &got, LEAT_FOREVER), LEAT_TYPE_MISMATCH);
        cr_assert_eq(other_send(wrong, &(other){ "x" }, LEAT_NOW), LEAT_DISCONNECTED);
        other_sender_close(&wrong);
        cr_assert_eq(hello_connect(hello_server_name(server), &tx, LEAT_NOW), 0);
        cr_assert_eq(hello_send(tx, &(hello){ .pid = 6 }, LEAT_NOW), 0);
        expect_hello(&server, 6);
        hello_sender_close(&tx);
}

/* What a client would say in version `version`: its greeting, or its first message after a greeting in
 * ours. */
static int come_in_version(hello_server_end server, uint8_t version, bool greets_well) {
        uint8_t body[FINGERPRINT_MAX_WIRE];
        size_t size = fingerprint_write(&plan_of(hello_type())->fingerprint, body);
        struct forgery greeting = forge(hello_type(), PACKET_GREETING, 0, body, size);
        struct forgery first =
                forge(hello_type(), PACKET_MESSAGE, ENCODING_MESSAGEPACK, "\x93\x07\xc0\xa0", 4);
        int fd = newcomer(hello_server_name(server));

        *(greets_well ? first.start : greeting.start) = version;
        cr_assert_geq(send_forgery(fd, &greeting), 0);
        cr_assert_geq(send_forgery(fd, &first), 0);
        return fd;
}

Test(server, a_client_of_another_version_is_turned_away_and_both_are_named) {
        hello_server_end server = open_server();
        struct leat_versions named = { 7, 7 };
        hello_receiver rx;
        hello_sender tx;
        hello got;

        cr_assert_eq(hello_server_versions(server, &named), -ENODATA);
        for (uint8_t version = 2; version < 4; version++) {
                int fd = come_in_version(server, version, version == 3);

                cr_assert_eq(hello_accept(server, &rx, &got, LEAT_FOREVER), LEAT_VERSION_MISMATCH);
                cr_assert_eq(hello_server_versions(server, &named), 0);
                cr_assert_eq(named.ours, LEAT_WIRE_VERSION);
                cr_assert_eq(named.theirs, version);
                cr_assert_lt(send(fd, "", 1, MSG_NOSIGNAL), 0, "it hears of it");
                close(fd);
        }
        cr_assert_eq(hello_connect(hello_server_name(server), &tx, LEAT_NOW), 0);
        cr_assert_eq(hello_send(tx, &(hello){ .pid = 6 }, LEAT_NOW), 0);
        expect_hello(&server, 6);
        hello_sender_close(&tx);
        cr_assert_eq(hello_server_versions(server, &named), -EBADF);
}

Test(server, insists_on_one_process) {
        hello_server_end server = open_server();
        struct leat_server_options options = { .pid = getpid() };
        hello_receiver rx;
        hello_sender tx;
        hello got;
        pid_t child;

        hello_server_expect(server, getppid());
        cr_assert_eq(hello_connect(hello_server_name(server), &tx, LEAT_NOW), 0);
        cr_assert_eq(hello_send(tx, &(hello){ .pid = 1 }, LEAT_NOW), 0);
        cr_assert_eq(hello_accept(server, &rx, &got, leat_after_ms(5)), LEAT_TIMEOUT);
        cr_assert_eq(hello_send(tx, &(hello){ .pid = 1 }, LEAT_NOW), LEAT_DISCONNECTED);
        hello_sender_close(&tx);
        hello_server_close(&server);

        cr_assert_eq(hello_server_with(&options, &server), 0);
        child = fork();
        if (child == 0) {
                watchdog(30);
                check_equal(hello_connect(hello_server_name(server), &tx, LEAT_FOREVER), 0);
                while (hello_send(tx, &(hello){ .pid = 2 }, leat_after_ms(30000)) != LEAT_DISCONNECTED)
                        sleep_ms(1);
                leave_child(0);
        }
        while (kill(child, 0) == 0 && waitpid(child, NULL, WNOHANG) == 0)
                cr_assert_eq(hello_accept(server, &rx, &got, leat_after_ms(5)), LEAT_TIMEOUT);
        cr_assert_eq(hello_connect(hello_server_name(server), &tx, LEAT_NOW), 0);
        cr_assert_eq(hello_send(tx, &(hello){ .pid = 3 }, LEAT_NOW), 0);
        expect_hello(&server, 3);
        hello_sender_close(&tx);
}

Test(server, connecting_to_what_is_no_server_says_so) {
        char long_name[200];
        hello_sender tx = { 0 };
        char *file = path_in(folder, "file");
        FILE *made = fopen(file, "we");

        fclose(made);
        memset(long_name, 'a', sizeof(long_name));
        long_name[0] = '/';
        long_name[199] = 0;
        cr_assert_eq(hello_connect(NULL, &tx, LEAT_NOW), -EINVAL);
        cr_assert_eq(hello_connect("", &tx, LEAT_NOW), -EINVAL);
        cr_assert_eq(hello_connect("relative", &tx, LEAT_NOW), -EINVAL);
        cr_assert_eq(hello_connect(long_name, &tx, LEAT_NOW), -EINVAL);
        cr_assert_eq(hello_connect("/nowhere/at/all", &tx, LEAT_NOW), LEAT_REFUSED);
        cr_assert_eq(hello_connect(file, &tx, LEAT_NOW), LEAT_REFUSED);
        cr_assert_not(hello_sender_is_set(tx));
        free(file);
}

Test(server, connecting_to_a_full_door_ends_at_the_deadline) {
        hello_server_end server = open_server();
        hello_sender tx[200];
        int n = 0, r;

        while (n < 200 && (r = hello_connect(hello_server_name(server), &tx[n], LEAT_NOW)) == 0)
                n++;
        cr_assert_lt(n, 200);
        cr_assert_eq(r, LEAT_TIMEOUT);
        cr_assert_eq(hello_connect(hello_server_name(server), &tx[n], leat_after_ms(20)), LEAT_TIMEOUT);
        while (n > 0)
                hello_sender_close(&tx[--n]);
        hello_server_close(&server);
}

Test(server, its_deadlines_are_never_early) {
        hello_server_end server = open_server();
        hello_receiver rx;
        hello got;

        cr_assert_eq(hello_accept(server, &rx, &got, LEAT_NOW), LEAT_EMPTY);
        for (int us = 1; us < 3000; us = us * 3 + 7) {
                leat_deadline deadline = leat_after_us(us);

                cr_assert_eq(hello_accept(server, &rx, &got, deadline), LEAT_TIMEOUT);
                cr_assert_geq(leat_after_ns(0), deadline);
        }
        hello_server_close(&server);
}

Test(server, can_be_polled) {
        hello_server_end server = open_server();
        struct pollfd poll_fd = { .fd = hello_server_descriptor(server), .events = POLLIN };
        hello_receiver rx;
        hello_sender tx;
        hello got;

        cr_assert_eq(poll(&poll_fd, 1, 0), 0);
        cr_assert_eq(hello_connect(hello_server_name(server), &tx, LEAT_NOW), 0);
        cr_assert_eq(poll(&poll_fd, 1, 0), 1);
        cr_assert_eq(hello_accept(server, &rx, &got, LEAT_NOW), LEAT_EMPTY);
        cr_assert_eq(poll(&poll_fd, 1, 0), 0, "the greeting is read");
        cr_assert_eq(hello_send(tx, &(hello){ .pid = 1 }, LEAT_NOW), 0);
        cr_assert_eq(poll(&poll_fd, 1, 0), 1);
        expect_hello(&server, 1);
        hello_sender_close(&tx);
}

Test(server, its_name_is_short_private_and_cannot_be_guessed) {
        hello_server_end a = open_server(), b = open_server();
        struct stat status;
        char parent[200];

        cr_assert_str_neq(hello_server_name(a), hello_server_name(b));
        cr_assert_leq(strlen(hello_server_name(a)), 107);
        cr_assert_eq(strncmp(hello_server_name(a), folder, strlen(folder)), 0);
        strcpy(parent, hello_server_name(a));
        *strrchr(parent, '/') = 0;
        cr_assert_eq(stat(parent, &status), 0);
        cr_assert_eq(status.st_mode & 07777, 0700);
        cr_assert_geq(strlen(strrchr(parent, '/')), 32, "128 bits in hexadecimal digits");
        hello_server_close(&a);
        hello_server_close(&b);
        cr_assert_eq(count_entries(folder), 0);
        cr_assert_str_eq(hello_server_name(a), "");
        hello_server_close(&a);
}

Test(server, works_without_a_runtime_folder) {
        hello_server_end server;
        hello_sender tx;
        const char *temp = getenv("TMPDIR");

        unsetenv("XDG_RUNTIME_DIR");
        server = open_server();
        cr_assert_eq(strncmp(hello_server_name(server), temp ? temp : "/tmp", strlen(temp ? temp : "/tmp")),
                     0);
        cr_assert_eq(hello_connect(hello_server_name(server), &tx, LEAT_NOW), 0);
        cr_assert_eq(hello_send(tx, &(hello){ .pid = 1 }, LEAT_NOW), 0);
        expect_hello(&server, 1);
        hello_sender_close(&tx);
}

Test(server, a_forked_child_that_closes_it_leaves_it_to_its_parent) {
        hello_server_end server = open_server();
        hello_sender tx;
        pid_t child = fork();

        if (child == 0) {
                hello_server_close(&server);
                leave_child(0);
        }
        cr_assert_eq(wait_for_exit(child), 0);
        cr_assert_eq(hello_connect(hello_server_name(server), &tx, LEAT_NOW), 0);
        cr_assert_eq(hello_send(tx, &(hello){ .pid = 1 }, LEAT_NOW), 0);
        expect_hello(&server, 1);
        hello_sender_close(&tx);
}

/* fork, one message with a sender in it; the parent answers through it. */
Test(server, introduces_a_child_that_sends_its_parent_a_sender) {
        hello_server_end server = open_server();
        hello_receiver rx;
        hello first;
        pid_t child = fork();

        if (child == 0) {
                hello_sender tx = { 0 };
                number_sender reply = { 0 };
                number_receiver answers = { 0 };
                number answer;

                watchdog(30);
                check_equal(number_channel(&reply, &answers), 0);
                check_equal(hello_connect(hello_server_name(server), &tx, LEAT_FOREVER), 0);
                check_equal(hello_send(tx, &(hello){ .pid = 1, .reply = number_sender_give(&reply) },
                                       LEAT_FOREVER),
                            0);
                check_equal(number_recv(answers, &answer, LEAT_FOREVER), 0);
                check_equal(answer.value, 42);
                leave_child(0);
        }
        cr_assert_eq(hello_accept(server, &rx, &first, leat_after_ms(30000)), 0);
        cr_assert_eq(number_send(first.reply, &(number){ 42 }, LEAT_NOW), 0);
        cr_assert_eq(wait_for_exit(child), 0);
        hello_receiver_close(&rx);
        hello_server_close(&server);
}

Test(server, a_chain_of_two) {
        hello_server_end server = open_server(), second;
        hello_receiver rx;
        hello_sender tx;
        hello first;
        pid_t child = fork();

        if (child == 0) {
                watchdog(30);
                hello_server_close(&server); /* As after an exec: only the name is known. */
                leave_child(0);
        }
        cr_assert_eq(wait_for_exit(child), 0);
        child = fork();
        if (child == 0) {
                hello got;

                watchdog(30);
                check_equal(hello_server(&second), 0);
                check_equal(hello_connect(hello_server_name(server), &tx, LEAT_FOREVER), 0);
                check_equal(
                        hello_send(tx, &(hello){ .next_server = hello_server_name(second) }, LEAT_FOREVER),
                        0);
                check_equal(hello_accept(second, &rx, &got, LEAT_FOREVER), 0);
                check_equal(got.pid, 77);
                hello_server_close(&second);
                leave_child(0);
        }
        cr_assert_eq(hello_accept(server, &rx, &first, leat_after_ms(30000)), 0);
        cr_assert_eq(hello_connect(first.next_server, &tx, leat_after_ms(30000)), 0);
        cr_assert_eq(hello_send(tx, &(hello){ .pid = 77 }, LEAT_NOW), 0);
        cr_assert_eq(wait_for_exit(child), 0);
        hello_sender_close(&tx);
        hello_receiver_close(&rx);
        hello_server_close(&server);
}
