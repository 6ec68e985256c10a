/* Clients that do a server for many no good: silent, half done, of another type, floods, and those that are
 * gone before they are seen. */
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <leat/leat.h>

#include "lane_writer.h"

#include "in_child.h"
#include "newcomer.h"
#include "servers_folder.h"
#include "support.h"

LEAT_MESSAGE(request, (u64, client), (bytes, data), (descriptor, file));
LEAT_MESSAGE(other, (string, words));

static request_server_end server;

static void start(void) {
        enter_folder();
        cr_assert_eq(request_listen(&server), 0);
}

static void finish(void) {
        request_server_close(&server);
        leave_folder();
}

TestSuite(listen_strangers, .init = start, .fini = finish);

/* An honest client is served, whoever else is there. */
static void serves(uint64_t client) {
        request_sender tx = { 0 };
        request_receiver rx;
        request got;
        int r;

        cr_assert_eq(request_connect(request_server_name(server), &tx, leat_after_ms(30000)), 0);
        cr_assert_eq(request_send(tx, &(request){ .client = client }, LEAT_NOW), 0);
        r = request_accept(server, &rx, &got, leat_after_ms(30000));
        cr_assert_eq(r, 0, "%d: %s", r, leat_strerror(r));
        cr_assert_eq(got.client, client);
        request_receiver_close(&rx);
        request_sender_close(&tx);
}

static int accept_now(void) {
        request_receiver rx = { 0 };
        request got;
        int r = request_accept(server, &rx, &got, LEAT_NOW);

        cr_assert_neq(r, 0, "there is nobody to be accepted");
        cr_assert_not(request_receiver_is_set(rx));
        return r;
}

static void reopen(size_t waiting_limit) {
        struct leat_server_options options = { .waiting_limit = waiting_limit };

        request_server_close(&server);
        cr_assert_eq(request_listen_with(&options, &server), 0);
}

Test(listen_strangers, silent_ones_make_room_the_longest_silent_first) {
        int fds[12];

        reopen(4);
        for (int i = 0; i < 12; i++)
                fds[i] = newcomer(request_server_name(server));
        cr_assert_eq(accept_now(), LEAT_EMPTY);
        for (int i = 0; i < 12; i++)
                cr_assert_eq(is_turned_away(fds[i]), i < 8, "number %d", i);
        serves(1);
        for (int i = 0; i < 12; i++)
                close(fds[i]);
}

Test(listen_strangers, who_has_greeted_stays_longer_than_who_has_not) {
        int greeted, silent[3];

        reopen(3);
        greeted = newcomer(request_server_name(server));
        greet(greeted, request_type());
        for (int i = 0; i < 3; i++)
                silent[i] = newcomer(request_server_name(server));
        cr_assert_eq(accept_now(), LEAT_EMPTY);
        cr_assert(!is_turned_away(greeted) && is_turned_away(silent[0]));
        cr_assert(!is_turned_away(silent[1]) && !is_turned_away(silent[2]));
        for (int i = 0; i < 3; i++)
                close(silent[i]);
        close(greeted);
        serves(1);
}

Test(listen_strangers, those_who_greeted_and_went_hold_no_places_any_more) {
        int gone[3], greeted, silent[4];

        reopen(4);
        for (int i = 0; i < 3; i++) {
                gone[i] = newcomer(request_server_name(server));
                greet(gone[i], request_type());
        }
        cr_assert_eq(accept_now(), LEAT_EMPTY);
        for (int i = 0; i < 3; i++)
                close(gone[i]);
        cr_assert_eq(accept_now(), LEAT_EMPTY);
        greeted = newcomer(request_server_name(server));
        greet(greeted, request_type());
        for (int i = 0; i < 4; i++)
                silent[i] = newcomer(request_server_name(server));
        cr_assert_eq(accept_now(), LEAT_EMPTY);
        cr_assert(!is_turned_away(greeted) && is_turned_away(silent[0]));
        for (int i = 0; i < 4; i++)
                close(silent[i]);
        close(greeted);
        serves(1);
}

Test(listen_strangers, those_who_have_greeted_and_keep_silent_leave_the_others_time_to_greet) {
        int greeted[8], fresh[3];

        reopen(6);
        for (int i = 0; i < 8; i++) {
                greeted[i] = newcomer(request_server_name(server));
                greet(greeted[i], request_type());
        }
        cr_assert_eq(accept_now(), LEAT_EMPTY);
        for (int i = 0; i < 3; i++) {
                fresh[i] = newcomer(request_server_name(server));
                cr_assert_eq(accept_now(), LEAT_EMPTY);
        }
        for (int i = 0; i < 3; i++)
                cr_assert(!is_turned_away(fresh[i]), "number %d", i);
        for (int i = 0; i < 8; i++)
                cr_assert_eq(is_turned_away(greeted[i]), i < 5, "number %d", i);
        for (int i = 0; i < 3; i++)
                close(fresh[i]);
        for (int i = 0; i < 8; i++)
                close(greeted[i]);
        serves(1);
}

Test(listen_strangers, who_has_something_to_say_is_heard_before_making_room) {
        request_sender tx[20];
        request got;

        reopen(1);
        for (uint64_t i = 0; i < 20; i++) {
                cr_assert_eq(request_connect(request_server_name(server), &tx[i], LEAT_NOW), 0);
                cr_assert_eq(request_send(tx[i], &(request){ .client = i }, LEAT_NOW), 0);
        }
        for (uint64_t i = 0; i < 20; i++) {
                request_receiver rx;

                cr_assert_eq(request_accept(server, &rx, &got, LEAT_NOW), 0);
                cr_assert_eq(got.client, i);
                request_receiver_close(&rx);
                request_sender_close(&tx[i]);
        }
}

Test(listen_strangers, a_thousand_silent_ones_keep_nobody_out) {
        static int fds[1000];

        for (int i = 0; i < 1000; i++)
                fds[i] = newcomer(request_server_name(server));
        for (uint64_t i = 0; i < 10; i++)
                serves(i);
        for (int i = 0; i < 1000; i++)
                close(fds[i]);
}

/* One after the other, each at another stage, while honest ones come and go. */
Test(listen_strangers, half_done_ones_keep_nobody_out) {
        int fds[60], null = dup(0);

        for (int i = 0; i < 60; i++) {
                struct forgery half =
                        forge(request_type(), PACKET_MESSAGE, ENCODING_MESSAGEPACK, "\x93\x07", 2);

                fds[i] = newcomer(request_server_name(server));
                if (i % 3 > 0)
                        greet(fds[i], request_type());
                if (i % 3 > 1) { /* Promises a descriptor, and brings another number of them. */
                        half.start[8] = 2;
                        half.fds = &null;
                        half.n_fds = 1;
                        cr_assert_geq(send_forgery(fds[i], &half), 0);
                }
                if (i % 5 == 0)
                        serves((uint64_t) i);
        }
        serves(1);
        for (int i = 0; i < 60; i++) {
                cr_assert_eq(is_turned_away(fds[i]), i % 3 > 1, "number %d", i);
                close(fds[i]);
        }
        close(null);
}

Test(listen_strangers, one_of_another_type_is_turned_away_and_said_to_be) {
        other_sender wrong[3];
        request_receiver rx;
        request got;

        for (int i = 0; i < 3; i++) {
                cr_assert_eq(other_connect(request_server_name(server), &wrong[i], LEAT_NOW), 0);
                cr_assert_eq(other_send(wrong[i], &(other){ "x" }, LEAT_NOW), 0);
        }
        for (int i = 0; i < 3; i++)
                cr_assert_eq(request_accept(server, &rx, &got, leat_after_ms(30000)), LEAT_TYPE_MISMATCH);
        cr_assert_eq(accept_now(), LEAT_EMPTY);
        for (int i = 0; i < 3; i++) {
                cr_assert_eq(other_send(wrong[i], &(other){ "x" }, LEAT_NOW), LEAT_DISCONNECTED);
                other_sender_close(&wrong[i]);
        }
        serves(1);
}

Test(listen_strangers, those_that_vanish_before_they_are_let_in_leave_nothing) {
        for (int i = 0; i < 100; i++) {
                int fd = newcomer(request_server_name(server));

                if (i % 2)
                        greet(fd, request_type());
                if (i % 5 == 0)
                        (void) shutdown(fd, SHUT_WR);
                close(fd);
        }
        cr_assert_eq(accept_now(), LEAT_EMPTY);
        serves(1);
}

Test(listen_strangers, those_that_vanish_after_they_were_let_in_leave_nothing) {
        int fds[50], n;

        for (int i = 0; i < 50; i++)
                fds[i] = newcomer(request_server_name(server));
        cr_assert_eq(accept_now(), LEAT_EMPTY);
        n = count_descriptors();
        for (int i = 0; i < 50; i++)
                close(fds[i]);
        cr_assert_eq(accept_now(), LEAT_EMPTY);
        cr_assert_eq(count_descriptors(), n - 100);
        serves(1);
}

/* A process that is killed with what it had said still unread. */
Test(listen_strangers, a_client_that_was_killed_is_accepted_with_what_it_had_said) {
        request_sender tx = { 0 };
        request_receiver rx;
        request got;
        int ready[2];
        pid_t child;
        char byte;

        cr_assert_eq(pipe(ready), 0);
        child = fork();
        if (child == 0) {
                watchdog(30);
                check_equal(request_connect(request_server_name(server), &tx, LEAT_FOREVER), 0);
                check_equal(request_send(tx, &(request){ .client = 5 }, LEAT_FOREVER), 0);
                check_equal(write(ready[1], "", 1), 1);
                for (;;)
                        pause();
        }
        cr_assert_eq(read(ready[0], &byte, 1), 1);
        kill(child, SIGKILL);
        cr_assert_eq(wait_for_exit(child), 128 + SIGKILL);
        cr_assert_eq(request_accept(server, &rx, &got, LEAT_NOW), 0);
        cr_assert_eq(got.client, 5);
        cr_assert_eq(request_recv(rx, &got, leat_after_ms(30000)), LEAT_DISCONNECTED);
        request_receiver_close(&rx);
        close(ready[0]);
        close(ready[1]);
}

/* ---- floods ---- */

static _Noreturn void flood_with_connections(const char *name) {
        for (;;) {
                struct sockaddr_un address = { .sun_family = AF_UNIX };
                int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

                strcpy(address.sun_path, name);
                /* Who stands before the door is the system's business; this is about who comes in. */
                if (connect(fd, (struct sockaddr *) &address, sizeof(address)) < 0 && errno == EAGAIN)
                        sleep_ms(1);
                close(fd);
        }
}

/* The flood is no thread: under AddressSanitizer that might leave a lock of malloc's to a child that is
 * forked. */
Test(listen_strangers, a_flood_of_connections_keeps_nobody_out) {
        const char *name = request_server_name(server);
        pid_t flood = fork();

        watchdog(120); /* Twenty children are searched for leaks beside a flood. */
        if (flood == 0)
                flood_with_connections(name);
        for (uint64_t i = 0; i < 20; i++) {
                pid_t child = fork();
                request_sender tx = { 0 };
                request_receiver rx;
                request got;

                if (child == 0) {
                        watchdog(30);
                        check_equal(request_connect(name, &tx, LEAT_FOREVER), 0);
                        check_equal(request_send(tx, &(request){ .client = i }, LEAT_FOREVER), 0);
                        leave_child(0);
                }
                cr_assert_eq(request_accept(server, &rx, &got, leat_after_ms(30000)), 0);
                cr_assert_eq(got.client, i);
                cr_assert_eq(wait_for_exit(child), 0);
                request_receiver_close(&rx);
        }
        for (int i = 1; i < 20; i++) {
                leat_deadline deadline = leat_after_ms(i);
                request_receiver rx;
                request got;

                cr_assert_eq(request_accept(server, &rx, &got, deadline), LEAT_TIMEOUT);
                cr_assert_geq(leat_after_ns(0), deadline);
        }
        kill(flood, SIGKILL);
        cr_assert_eq(wait_for_exit(flood), 128 + SIGKILL);
}

/* Fills its channel before anybody has accepted it. */
Test(listen_strangers, a_flood_of_messages_waits_in_its_own_channel) {
        static char data[1000];
        request_sender tx = { 0 };
        request_receiver rx;
        request got;
        size_t n = 0;
        int r;

        cr_assert_eq(request_connect(request_server_name(server), &tx, LEAT_NOW), 0);
        while ((r = request_send(tx, &(request){ .client = n, .data = { data, sizeof(data) } }, LEAT_NOW)) ==
               0)
                cr_assert_lt(++n, 100000);
        cr_assert_eq(r, LEAT_FULL);
        cr_assert_eq(request_accept(server, &rx, &got, LEAT_NOW), 0);
        cr_assert_eq(got.client, 0);
        serves(12345);
        for (size_t i = 1; i < n; i++) {
                cr_assert_eq(request_recv(rx, &got, LEAT_NOW), 0, "message %zu of %zu", i, n);
                cr_assert_eq(got.client, i);
        }
        request_sender_close(&tx);
        cr_assert_eq(request_recv(rx, &got, leat_after_ms(30000)), LEAT_DISCONNECTED);
        request_receiver_close(&rx);
}

/* Nothing is mapped for who is not accepted. */
Test(listen_strangers, lanes_are_granted_to_nobody_who_was_not_accepted) {
        enum { OFFERS = 10 };
        struct lane_writer *lanes[OFFERS];
        int fd = newcomer(request_server_name(server)), n;
        uint32_t tag;
        struct forgery any = forge(request_type(), PACKET_MESSAGE, 0, "", 0);

        memcpy(&tag, any.start + 4, sizeof(tag)); /* Little-endian, as is the machine. */
        greet(fd, request_type());
        cr_assert_eq(accept_now(), LEAT_EMPTY);
        n = count_descriptors();
        for (int i = 0; i < OFFERS; i++) {
                struct lane_parts parts;

                cr_assert_eq(lane_writer_create(65536, &lanes[i], &parts), 0);
                cr_assert_eq(lane_send_offer(fd, tag, &parts.offer, parts.memory, parts.socket, LEAT_NOW), 0);
                close(parts.memory);
                close(parts.socket);
        }
        cr_assert_eq(accept_now(), LEAT_EMPTY);
        for (int i = 0; i < OFFERS; i++)
                lane_writer_free(lanes[i]);
        n = count_descriptors() - n;
        cr_assert_leq(n, 1, "of each lane 2 are held, and 1 for all together: %d", n);
        cr_assert_not(is_turned_away(fd), "asking is no offence");
        serves(1);
        close(fd);
}

/* And whoever was, has them as anybody. */
Test(listen_strangers, lanes_are_granted_to_who_was_accepted) {
        request_sender tx = { 0 };
        request_receiver rx;
        request got;

        cr_assert_eq(request_connect(request_server_name(server), &tx, LEAT_NOW), 0);
        tx.object->connection->lanes = LEAT_LANES_ALWAYS;
        cr_assert_eq(request_send(tx, &(request){ .client = 0 }, LEAT_NOW), 0);
        cr_assert_eq(request_accept(server, &rx, &got, LEAT_NOW), 0);
        rx.object->connection->lanes = LEAT_LANES_ALWAYS;
        for (uint64_t i = 1; i < 100; i++) {
                cr_assert_eq(request_send(tx, &(request){ .client = i }, LEAT_NOW), 0);
                cr_assert_eq(request_recv(rx, &got, LEAT_NOW), 0);
                cr_assert_eq(got.client, i);
        }
        cr_assert_not_null(tx.object->lane);
        request_sender_close(&tx);
        request_receiver_close(&rx);
}

/* ---- what cannot be closed at once ---- */

/* A connection that will not close before a minute is over: its other end has no room and reads nothing. */
static int lingering_socket(int *ret_peer) {
        struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        struct linger linger = { .l_onoff = 1, .l_linger = 60 };
        socklen_t size = sizeof(address);
        static char filler[1 << 16];
        int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        cr_assert_eq(bind(listener, (struct sockaddr *) &address, size), 0);
        cr_assert_eq(listen(listener, 1), 0);
        cr_assert_eq(getsockname(listener, (struct sockaddr *) &address, &size), 0);
        cr_assert_eq(connect(s, (struct sockaddr *) &address, size), 0);
        *ret_peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        cr_assert_geq(*ret_peer, 0);
        cr_assert_eq(setsockopt(s, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
        while (send(s, filler, sizeof(filler), MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
                ;
        close(listener);
        return s;
}

/* The first cannot be closed; each of the others would be waited for a tenth of a second, in vain: 40 s. */
Test(listen_strangers, who_brings_what_lingers_holds_up_nobody) {
        enum { CLIENTS = 400 };
        static int fds[CLIENTS];
        struct forgery bad = forge(request_type(), PACKET_MESSAGE, ENCODING_MESSAGEPACK, "\xc1", 1);
        int peer, s = lingering_socket(&peer);

        for (int i = 0; i < CLIENTS; i++) {
                struct forgery second = bad;

                fds[i] = newcomer(request_server_name(server));
                cr_assert_geq(send_forgery(fds[i], &bad), 0); /* Instead of a greeting: it is turned away. */
                if (i == 0) {
                        second.fds = &s;
                        second.n_fds = 1;
                }
                cr_assert_geq(send_forgery(fds[i], &second), 0);
        }
        close(s); /* The one on its way is all that is left of it. */
        watchdog(30);
        cr_assert_eq(accept_now(), LEAT_EMPTY);
        serves(1);
        close(peer);
        for (int i = 0; i < CLIENTS; i++)
                close(fds[i]);
}
