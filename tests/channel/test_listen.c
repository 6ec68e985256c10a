/* Servers for many clients: each has a channel of its own, and none stands in another's way. */
#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <leat/leat.h>

#include "in_child.h"
#include "newcomer.h"
#include "servers_folder.h"
#include "support.h"

LEAT_MESSAGE(number, (u64, value));
LEAT_MESSAGE(request, (u64, client), (u64, count), (sender, number, reply));

TestSuite(listen, .init = enter_folder, .fini = leave_folder);

static request_server_end open_server(void) {
        request_server_end server;

        cr_assert_eq(request_listen(&server), 0);
        return server;
}

static request_sender join(request_server_end server, uint64_t client) {
        request_sender tx = { 0 };

        cr_assert_eq(request_connect(request_server_name(server), &tx, LEAT_NOW), 0);
        cr_assert_eq(request_send(tx, &(request){ .client = client }, LEAT_NOW), 0);
        return tx;
}

static request_receiver accept_any(request_server_end server, uint64_t *ret_client) {
        request_receiver rx = { 0 };
        request first;
        int r = request_accept(server, &rx, &first, leat_after_ms(30000));

        cr_assert_eq(r, 0, "%d: %s", r, leat_strerror(r));
        *ret_client = first.client;
        return rx;
}

static request_receiver accept_client(request_server_end server, uint64_t client) {
        uint64_t accepted;
        request_receiver rx = accept_any(server, &accepted);

        cr_assert_eq(accepted, client);
        return rx;
}

Test(listen, accepts_one_after_the_other_each_with_a_channel_of_its_own) {
        request_server_end server = open_server();
        request_receiver rx[10];
        request_sender tx[10];
        request got;

        for (uint64_t i = 0; i < 10; i++) {
                tx[i] = join(server, i);
                rx[i] = accept_client(server, i);
        }
        for (uint64_t i = 0; i < 10; i++)
                cr_assert_eq(request_send(tx[i], &(request){ .client = i, .count = 1 }, LEAT_NOW), 0);
        for (uint64_t i = 0; i < 10; i++) {
                cr_assert_eq(request_recv(rx[i], &got, LEAT_NOW), 0);
                cr_assert(got.client == i && got.count == 1);
                cr_assert_eq(request_recv(rx[i], &got, LEAT_NOW), LEAT_EMPTY);
                request_sender_close(&tx[i]);
                cr_assert_eq(request_recv(rx[i], &got, LEAT_NOW), LEAT_DISCONNECTED);
                request_receiver_close(&rx[i]);
        }
        request_server_close(&server);
}

Test(listen, those_who_came_first_are_accepted_first_and_the_others_stay) {
        request_server_end server = open_server();
        request_sender tx[100];
        request_receiver rx;
        request got;

        for (uint64_t i = 0; i < 100; i++)
                tx[i] = join(server, i);
        for (uint64_t i = 0; i < 100; i++) {
                rx = accept_client(server, i);
                request_receiver_close(&rx);
        }
        cr_assert_eq(request_accept(server, &rx, &got, LEAT_NOW), LEAT_EMPTY);
        for (int i = 0; i < 100; i++)
                request_sender_close(&tx[i]);
        request_server_close(&server);
}

Test(listen, its_channels_outlive_it_and_who_waits_is_turned_away) {
        request_server_end server = open_server();
        request_sender accepted = join(server, 1), waiting, late = { 0 };
        request_receiver rx = accept_client(server, 1);
        char *name = strdup(request_server_name(server));
        int silent = newcomer(name);
        request got;

        waiting = join(server, 2);
        request_server_close(&server);
        cr_assert_eq(access(name, F_OK), -1);
        cr_assert(is_turned_away(silent));
        cr_assert_eq(request_send(waiting, &(request){ .count = 1 }, LEAT_NOW), LEAT_DISCONNECTED);
        cr_assert_eq(request_connect(name, &late, LEAT_NOW), LEAT_REFUSED);
        cr_assert_eq(request_send(accepted, &(request){ .count = 1 }, LEAT_NOW), 0);
        cr_assert_eq(request_recv(rx, &got, LEAT_NOW), 0);
        request_sender_close(&accepted);
        request_sender_close(&waiting);
        request_receiver_close(&rx);
        close(silent);
        free(name);
}

/* A client: says who it is, asks how often it has asked, five times. */
static _Noreturn void be_client(const char *name, uint64_t client) {
        request_sender tx = { 0 };

        watchdog(60);
        check_equal(request_connect(name, &tx, LEAT_FOREVER), 0);
        for (uint64_t i = 0; i < 5; i++) {
                number_sender reply;
                number_receiver answers;
                number answer;

                check_equal(number_channel(&reply, &answers), 0);
                check_equal(request_send(tx,
                                         &(request){ .client = client,
                                                     .count = i,
                                                     .reply = number_sender_give(&reply) },
                                         LEAT_FOREVER),
                            0);
                check_equal(number_recv(answers, &answer, LEAT_FOREVER), 0);
                check_equal(answer.value, client * 1000 + i);
                number_receiver_close(&answers);
        }
        request_sender_close(&tx);
        leave_child(0);
}

enum { CLIENTS = 200, DOOR = CLIENTS };

struct guest {
        request_receiver rx;
        uint64_t client;
        uint64_t next;
};

static void answer(struct guest *guest, const request *asked) {
        cr_assert_eq(asked->client, guest->client);
        cr_assert_eq(asked->count, guest->next);
        guest->next++;
        cr_assert_eq(number_send(asked->reply, &(number){ asked->client * 1000 + asked->count }, LEAT_NOW),
                     0);
}

static void let_in(request_server_end server, leat_set set, struct guest *guests, size_t *n_guests) {
        struct guest *guest = &guests[*n_guests];
        request first;
        int r = request_accept(server, &guest->rx, &first, LEAT_NOW);

        if (r == LEAT_EMPTY)
                return;
        cr_assert_eq(r, 0, "%d: %s", r, leat_strerror(r));
        guest->client = first.client;
        answer(guest, &first);
        request_release(guest->rx);
        cr_assert_eq(request_set_add(set, guest->rx, (*n_guests)++), 0);
}

Test(listen, two_hundred_processes_at_once) {
        static struct guest guests[CLIENTS];
        static bool seen[CLIENTS];
        pid_t clients[CLIENTS];
        request_server_end server = open_server();
        size_t n_guests = 0, n_gone = 0;
        leat_set set;
        uint64_t key;
        request got;

        watchdog(120);
        for (uint64_t i = 0; i < CLIENTS; i++) {
                clients[i] = fork();
                if (clients[i] == 0)
                        be_client(request_server_name(server), i);
                cr_assert_gt(clients[i], 0);
        }
        cr_assert_eq(leat_set_create(&set), 0);
        cr_assert_eq(leat_set_watch(set, request_server_descriptor(server), POLLIN, DOOR), 0);
        while (n_gone < CLIENTS) {
                cr_assert_eq(leat_set_wait(set, &key, leat_after_ms(60000)), 0);
                if (key == DOOR) {
                        let_in(server, set, guests, &n_guests);
                        continue;
                }
                switch (request_recv(guests[key].rx, &got, LEAT_NOW)) {
                case 0:
                        answer(&guests[key], &got);
                        request_release(guests[key].rx);
                        break;
                case LEAT_DISCONNECTED:
                        cr_assert_eq(guests[key].next, 5);
                        cr_assert_not(seen[guests[key].client]);
                        seen[guests[key].client] = true;
                        request_receiver_close(&guests[key].rx);
                        n_gone++;
                        break;
                case LEAT_EMPTY:
                        break;
                default:
                        cr_assert_fail("cannot receive from client %lu", (unsigned long) guests[key].client);
                }
        }
        for (int i = 0; i < CLIENTS; i++)
                cr_assert_eq(wait_for_exit(clients[i]), 0);
        leat_set_close(&set);
        request_server_close(&server);
}

enum { IN_A_HURRY = 50 };

static void *connect_many(void *name) {
        for (uint64_t i = 0; i < IN_A_HURRY; i++) {
                request_sender tx = { 0 };

                check_equal(request_connect(name, &tx, LEAT_FOREVER), 0);
                check_equal(request_send(tx, &(request){ .client = i }, LEAT_FOREVER), 0);
                request_sender_close(&tx);
        }
        return NULL;
}

/* Who is let in before it has spoken may be overtaken. */
Test(listen, a_client_that_said_all_and_left_is_accepted_and_at_its_end) {
        request_server_end server = open_server();
        char *name = strdup(request_server_name(server));
        bool was_seen[IN_A_HURRY] = { false };
        request_receiver rx;
        pthread_t thread;
        uint64_t client;
        request got;

        pthread_create(&thread, NULL, connect_many, name);
        for (int i = 0; i < IN_A_HURRY; i++) {
                rx = accept_any(server, &client);
                cr_assert(client < IN_A_HURRY && !was_seen[client]);
                was_seen[client] = true;
                cr_assert_eq(request_recv(rx, &got, leat_after_ms(30000)), LEAT_DISCONNECTED);
                request_receiver_close(&rx);
        }
        pthread_join(thread, NULL);
        cr_assert_eq(request_accept(server, &rx, &got, LEAT_NOW), LEAT_EMPTY);
        request_server_close(&server);
        free(name);
}

Test(listen, its_descriptor_is_readable_while_somebody_is_there_to_be_heard) {
        request_server_end server = open_server();
        struct pollfd poll_fd = { .fd = request_server_descriptor(server), .events = POLLIN };
        request_sender a, b;
        request_receiver rx[2];

        cr_assert_eq(poll(&poll_fd, 1, 0), 0);
        a = join(server, 1);
        b = join(server, 2);
        cr_assert_eq(poll(&poll_fd, 1, 0), 1);
        rx[0] = accept_client(server, 1);
        cr_assert_eq(poll(&poll_fd, 1, 0), 1, "the second is there still");
        rx[1] = accept_client(server, 2);
        for (int i = 0; poll(&poll_fd, 1, 0) > 0; i++) {
                request got;

                cr_assert_lt(i, 3, "nobody is there any more");
                cr_assert_eq(request_accept(server, &(request_receiver){ 0 }, &got, LEAT_NOW), LEAT_EMPTY);
        }
        for (int i = 0; i < 2; i++)
                request_receiver_close(&rx[i]);
        request_sender_close(&a);
        request_sender_close(&b);
        request_server_close(&server);
}

/* ---- fork ---- */

/* One worker of several: answers whom it has accepted with its own pid, until it is told to end. */
static _Noreturn void be_worker(request_server_end server) {
        request_receiver rx;
        request got;

        watchdog(30);
        do {
                check_equal(request_accept(server, &rx, &got, LEAT_FOREVER), 0);
                check_equal(number_send(got.reply, &(number){ (uint64_t) getpid() }, LEAT_FOREVER), 0);
                request_receiver_close(&rx);
        } while (got.count == 0);
        request_server_close(&server);
        leave_child(0);
}

/* Asks whoever accepts; returns who that was. */
static pid_t ask(request_server_end server, bool end) {
        number_sender reply;
        number_receiver answers;
        number answer;
        request_sender tx = { 0 };

        cr_assert_eq(number_channel(&reply, &answers), 0);
        cr_assert_eq(request_connect(request_server_name(server), &tx, LEAT_NOW), 0);
        cr_assert_eq(
                request_send(tx, &(request){ .count = end, .reply = number_sender_give(&reply) }, LEAT_NOW),
                0);
        cr_assert_eq(number_recv(answers, &answer, leat_after_ms(30000)), 0);
        number_receiver_close(&answers);
        request_sender_close(&tx);
        return (pid_t) answer.value;
}

Test(listen, after_a_fork_each_client_goes_to_one_of_the_processes) {
        enum { WORKERS = 4 };
        request_server_end server = open_server();

        for (int i = 0; i < WORKERS; i++)
                if (fork() == 0)
                        be_worker(server);
        for (int i = 0; i < 100; i++)
                cr_assert_neq(ask(server, false), getpid());
        for (int i = 0; i < WORKERS; i++)
                cr_assert_eq(wait_for_exit(ask(server, true)), 0);
        cr_assert_eq(access(request_server_name(server), F_OK), 0, "it is the parent's to remove");
        request_server_close(&server);
}

Test(listen, who_was_let_in_before_a_fork_stays_with_the_parent) {
        request_server_end server = open_server();
        request_sender early, late;
        request_receiver rx;
        request got;
        pid_t child;

        cr_assert_eq(request_connect(request_server_name(server), &early, LEAT_NOW), 0);
        cr_assert_eq(request_accept(server, &rx, &got, LEAT_NOW), LEAT_EMPTY, "it has greeted only");
        cr_assert_eq(request_send(early, &(request){ .client = 1 }, LEAT_NOW), 0);
        late = join(server, 2);
        child = fork();
        if (child == 0) {
                watchdog(30);
                check(request_server_descriptor(server) >= 0);
                check_equal(request_accept(server, &rx, &got, LEAT_FOREVER), 0);
                check_equal(got.client, 2);
                request_receiver_close(&rx);
                request_server_close(&server);
                leave_child(0);
        }
        cr_assert_eq(wait_for_exit(child), 0);
        rx = accept_client(server, 1);
        request_receiver_close(&rx);
        request_sender_close(&early);
        request_sender_close(&late);
        request_server_close(&server);
}

/* ---- shortage ---- */

static void without_descriptors_it_says_so_and_goes_on_when_there_are_some(void) {
        struct rlimit limit;
        request_server_end server = open_server();
        request_sender tx = join(server, 1);
        request_receiver rx = { 0 };
        request got;

        check_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
        limit.rlim_cur = (rlim_t) newcomer(request_server_name(server)) + 1; /* That was the last one. */
        check_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
        check_equal(request_accept(server, &rx, &got, LEAT_NOW), -EMFILE);
        check_equal(request_accept(server, &rx, &got, LEAT_FOREVER), -EMFILE);
        check(!request_receiver_is_set(rx));
        limit.rlim_cur += 50;
        check_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
        check_equal(request_accept(server, &rx, &got, LEAT_NOW), 0);
        check_equal(got.client, 1);
        request_receiver_close(&rx);
        request_sender_close(&tx);
        request_server_close(&server);
}

Test(listen, without_descriptors_it_says_so_and_goes_on_when_there_are_some) {
        run_in_child(without_descriptors_it_says_so_and_goes_on_when_there_are_some);
}

static void silent_clients_take_no_more_than_a_quarter_of_the_descriptors(void) {
        struct rlimit limit = { .rlim_cur = 200, .rlim_max = 200 };
        request_server_end server;
        request_receiver rx;
        request got;
        int n, fds[100];

        check_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
        server = open_server();
        n = count_descriptors();
        for (int i = 0; i < 100; i++)
                fds[i] = newcomer(request_server_name(server));
        check_equal(request_accept(server, &rx, &got, LEAT_NOW), LEAT_EMPTY);
        check_equal(count_descriptors(), n + 100 + 50);
        for (int i = 0; i < 100; i++)
                check_equal(is_turned_away(fds[i]), i < 50);
        request_server_close(&server);
}

Test(listen, silent_clients_take_no_more_than_a_quarter_of_the_descriptors) {
        run_in_child(silent_clients_take_no_more_than_a_quarter_of_the_descriptors);
}
