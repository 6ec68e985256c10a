/* Servers, as ipc-channel's tests have them. Its one-shot server takes one client; whatever is expected of it
 * holds of a server for many too, so each is tested with both. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "servers.h"

#include "servers_folder.h"
#include "support.h"

TestSuite(servers, .init = enter_folder, .fini = leave_folder);

static hello_server_end open_server(bool for_many) {
        hello_server_end server;

        cr_assert_eq(for_many ? hello_listen(&server) : hello_server(&server), 0);
        return server;
}

static hello_receiver accept_hello(hello_server_end server, hello *ret_first) {
        hello_receiver rx = { 0 };
        int r = hello_accept(server, &rx, ret_first, leat_after_ms(30000));

        cr_assert_eq(r, 0, "%d: %s", r, leat_strerror(r));
        return rx;
}

static void connect_first(bool for_many) {
        hello_server_end server = open_server(for_many);
        hello_sender tx = { 0 };
        hello_receiver rx;
        hello first;

        cr_assert_eq(hello_connect(hello_server_name(server), &tx, LEAT_FOREVER), 0);
        cr_assert_eq(hello_send(tx, &(hello){ .text = "connected first" }, LEAT_FOREVER), 0);
        rx = accept_hello(server, &first);
        cr_assert_str_eq(first.text, "connected first");
        hello_sender_close(&tx);
        cr_assert_eq(hello_recv(rx, &first, leat_after_ms(30000)), LEAT_DISCONNECTED);
        hello_receiver_close(&rx);
        hello_server_close(&server);
}

Test(servers, connect_first) {
        connect_first(false);
        connect_first(true);
}

static void *join_later(void *name) {
        hello_sender tx = { 0 };

        sleep_ms(50);
        check_equal(hello_connect(name, &tx, LEAT_FOREVER), 0);
        sleep_ms(50);
        check_equal(hello_send(tx, &(hello){ .text = "accepted first" }, LEAT_FOREVER), 0);
        hello_sender_close(&tx);
        return NULL;
}

static void accept_first(bool for_many) {
        hello_server_end server = open_server(for_many);
        char *name = strdup(hello_server_name(server));
        hello_receiver rx;
        pthread_t thread;
        hello first;

        pthread_create(&thread, NULL, join_later, name);
        rx = accept_hello(server, &first);
        cr_assert_str_eq(first.text, "accepted first");
        pthread_join(thread, NULL);
        hello_receiver_close(&rx);
        hello_server_close(&server);
        free(name);
}

Test(servers, accept_first) {
        accept_first(false);
        accept_first(true);
}

static void exec_connects_by_a_name_from_its_arguments(bool for_many) {
        hello_server_end server = open_server(for_many);
        char *name = strdup(hello_server_name(server));
        hello_receiver rx;
        hello first;
        pid_t child = fork();

        if (child == 0) {
                execl(CLIENT, CLIENT, name, (char *) NULL);
                _exit(127);
        }
        rx = accept_hello(server, &first);
        cr_assert_str_eq(first.text, "by exec");
        cr_assert_eq(hello_recv(rx, &first, leat_after_ms(30000)), LEAT_DISCONNECTED);
        cr_assert_eq(wait_for_exit(child), 0);
        hello_receiver_close(&rx);
        hello_server_close(&server);
        free(name);
}

Test(servers, a_program_started_by_exec_connects_by_a_name_from_its_arguments_sends_and_exits_0) {
        exec_connects_by_a_name_from_its_arguments(false);
        exec_connects_by_a_name_from_its_arguments(true);
}

static void fork_one_message(bool for_many) {
        hello_server_end server = open_server(for_many);
        hello_sender tx = { 0 };
        hello_receiver rx;
        hello first;
        pid_t child = fork();

        if (child == 0) {
                watchdog(30);
                check_equal(hello_connect(hello_server_name(server), &tx, LEAT_FOREVER), 0);
                check_equal(hello_send(tx, &(hello){ .text = "by fork" }, LEAT_FOREVER), 0);
                leave_child(0);
        }
        rx = accept_hello(server, &first);
        cr_assert_str_eq(first.text, "by fork");
        cr_assert_eq(wait_for_exit(child), 0);
        cr_assert_eq(hello_recv(rx, &first, leat_after_ms(30000)), LEAT_DISCONNECTED);
        hello_receiver_close(&rx);
        hello_server_close(&server);
}

Test(servers, fork_one_message) {
        fork_one_message(false);
        fork_one_message(true);
}

/* The child gives a sender; the parent replies through it. */
static void fork_a_sender_sent_to_the_parent(bool for_many) {
        hello_server_end server = open_server(for_many);
        hello_receiver rx;
        hello first;
        pid_t child = fork();

        if (child == 0) {
                word_sender reply = { 0 };
                word_receiver answers = { 0 };
                hello_sender tx = { 0 };
                word answer;

                watchdog(30);
                check_equal(word_channel(&reply, &answers), 0);
                check_equal(hello_connect(hello_server_name(server), &tx, LEAT_FOREVER), 0);
                check_equal(hello_send(tx, &(hello){ .text = "answer me", .reply = word_sender_give(&reply) },
                                       LEAT_FOREVER),
                            0);
                check_equal(word_recv(answers, &answer, LEAT_FOREVER), 0);
                check(strcmp(answer.text, "answered") == 0);
                check_equal(word_recv(answers, &answer, LEAT_FOREVER), LEAT_DISCONNECTED);
                leave_child(0);
        }
        rx = accept_hello(server, &first);
        cr_assert_eq(word_send(first.reply, &(word){ "answered" }, LEAT_FOREVER), 0);
        hello_receiver_close(&rx);
        cr_assert_eq(wait_for_exit(child), 0);
        hello_server_close(&server);
}

Test(servers, fork_a_sender_sent_to_the_parent_who_replies_through_it) {
        fork_a_sender_sent_to_the_parent(false);
        fork_a_sender_sent_to_the_parent(true);
}

/* The child joins the first, opens a second, and sends its name by the first; the parent joins that one. */
static void a_chain_of_two_servers(bool for_many) {
        hello_server_end server = open_server(for_many);
        hello_sender tx = { 0 };
        hello_receiver rx;
        hello first;
        pid_t child = fork();

        if (child == 0) {
                hello_server_end second = { 0 };
                hello got;

                watchdog(30);
                check_equal(for_many ? hello_listen(&second) : hello_server(&second), 0);
                check_equal(hello_connect(hello_server_name(server), &tx, LEAT_FOREVER), 0);
                check_equal(
                        hello_send(tx, &(hello){ .next_server = hello_server_name(second) }, LEAT_FOREVER),
                        0);
                check_equal(hello_accept(second, &rx, &got, LEAT_FOREVER), 0);
                check(strcmp(got.text, "to the second") == 0);
                hello_server_close(&second);
                leave_child(0);
        }
        rx = accept_hello(server, &first);
        cr_assert_eq(hello_connect(first.next_server, &tx, leat_after_ms(30000)), 0);
        cr_assert_eq(hello_send(tx, &(hello){ .text = "to the second" }, LEAT_FOREVER), 0);
        cr_assert_eq(wait_for_exit(child), 0);
        hello_sender_close(&tx);
        hello_receiver_close(&rx);
        hello_server_close(&server);
}

Test(servers, a_chain_of_two_servers) {
        a_chain_of_two_servers(false);
        a_chain_of_two_servers(true);
}
