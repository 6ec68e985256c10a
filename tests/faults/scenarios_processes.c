/* How processes come together: servers, programs that are started, and children that go on. */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "world.h"

LEAT_REQUEST(parcel, answers, number);

#define SERVER_FAILURES \
        SHORTAGES, -ENOSPC, -EACCES, -EIO, -EBUSY, -EROFS, -EEXIST, -EADDRINUSE, -ENOLCK, -EPERM, -EAGAIN

/* ---- servers ---- */

/* Until somebody was let in. What a client has to say again it says again. */
static void serve(int clients) {
        number got;
        int r;

        for (int i = 0; i < clients; i++) {
                bool is_again = false;

                for (;;) {
                        if (!number_sender_is_set(world.numbers_tx[i]))
                                need(number_connect(number_server_name(world.server), &world.numbers_tx[i],
                                                    patience()),
                                     SHORTAGES, -EACCES, LEAT_REFUSED, LEAT_TIMEOUT);
                        r = number_send(world.numbers_tx[i], &(number){ ++last_number }, patience());
                        if (r == LEAT_DISCONNECTED) { /* It was turned away, for want of something. */
                                check(fault_hits() > 0 && !is_again);
                                is_again = true;
                                number_sender_close(&world.numbers_tx[i]);
                                continue;
                        }
                        if (r != 0) {
                                may_fail("number_send", r, 0, SEND_FAILURES);
                                continue;
                        }
                        for (int tried = 0;
                             (r = number_accept(world.server, &world.numbers_rx[i], &got,
                                                tried ? leat_after_ms(50) : leat_after_ms(1000))) != 0 &&
                             !(r == LEAT_TIMEOUT && fault_hits() > 0 && !is_again);
                             tried++)
                                may_fail("number_accept", r, tried, SHORTAGES, -ENOSPC, LEAT_MALFORMED);
                        if (r == 0)
                                break;
                        is_again = true;
                        fault_lift();
                        number_sender_close(&world.numbers_tx[i]);
                }
                check_equal(got.value, last_number);
        }
}

static void use_clients(int clients) {
        number message, got;

        for (int i = 0; i < clients; i++)
                for (int k = 0; k < 2; k++)
                        pass_number(world.numbers_tx[i], world.numbers_rx[i], &message, &got);
}

static void server(void) {
        need(number_server(&world.server), SERVER_FAILURES);
        serve(1);
        number_server_close(&world.server);
        use_clients(1);
}

static void listening(void) {
        struct leat_peer peer;

        need(number_listen(&world.server), SERVER_FAILURES);
        serve(2);
        need(number_peer(world.numbers_rx[0], &peer), SHORTAGES);
        check_equal(peer.pid, getpid());
        if (peer.pidfd >= 0)
                world.files[0] = peer.pidfd;
        number_server_close(&world.server);
        use_clients(2);
}

static void leave_dead_socket(const char *path) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

        (void) snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
        check_equal(bind(fd, (const struct sockaddr *) &address, sizeof(address)), 0);
        close(fd);
}

static void known_path(void) {
        char path[100];

        (void) snprintf(path, sizeof(path), "/tmp/leat-faults-%d", getpid());
        fault_pass_over(); /* The test's own. */
        leave_dead_socket(path);
        fault_go_on();
        need(number_listen_with(&(struct leat_server_options){ .path = path }, &world.server),
             SERVER_FAILURES, -ENOENT, LEAT_REFUSED);
        serve(2);
        use_clients(2);
        number_server_close(&world.server);
        /* It may have been kept from removing them. */
        (void) unlink(path);
        (void) snprintf(path, sizeof(path), "/tmp/leat-faults-%d.lock", getpid());
        (void) unlink(path);
}

/* ---- requests ---- */

static void ask(void) {
        number_receiver *answers = &world.numbers_rx[0];
        parcel question;
        number answer;
        int r;

        need(parcel_channel(&world.parcels_tx[0], &world.parcels_rx[0]), SHORTAGES);
        for (int i = 0; i < 2; i++)
                for (;;) {
                        for (int tried = 0;; tried++) {
                                r = parcel_ask_start(world.parcels_tx[0], &(parcel){ .value = ++last_number },
                                                     answers, patience());
                                if (r == 0)
                                        break;
                                may_fail("parcel_ask_start", r, tried, SEND_FAILURES);
                        }
                        if (receive_parcel(world.parcels_rx[0], &question)) {
                                need(number_send(question.answers, &(number){ last_number }, patience()),
                                     SEND_FAILURES);
                                parcel_release(world.parcels_rx[0]);
                        }
                        r = parcel_ask_wait(answers, &answer, patience());
                        if (r == 0) {
                                check_equal(answer.value, last_number);
                                number_receiver_close(answers);
                                break;
                        }
                        /* The question or the answer was lost. */
                        check(fault_hits() > 0 && r != LEAT_TIMEOUT && r != LEAT_EMPTY && r != -EINTR);
                        check(!number_receiver_is_set(*answers));
                }
}

/* ---- programs ---- */

/* The program that is started is this one, see faults.c: it answers what it gets, until the end. */
static void spawn(void) {
        char program[] = "/proc/self/exe", role[] = "--echo", *arguments[] = { program, role, NULL };
        struct leat_process process;
        number_sender answers;
        number message, got;
        int r;

        need(number_channel(&world.numbers_tx[0], &world.numbers_rx[0]), SHORTAGES);
        need(number_channel(&world.numbers_tx[1], &world.numbers_rx[1]), SHORTAGES);
        need(parcel_channel(&world.parcels_tx[0], &world.parcels_rx[0]), SHORTAGES);
        for (int tried = 0; (r = parcel_spawn_receiver(arguments, &world.parcels_rx[0], &process)) != 0;
             tried++) {
                check(parcel_receiver_is_set(world.parcels_rx[0]));
                may_fail("parcel_spawn_receiver", r, tried, SHORTAGES, -EAGAIN, -ENOENT, -EACCES, LEAT_FULL,
                         LEAT_REFUSED, LEAT_DISCONNECTED);
        }
        check(!parcel_receiver_is_set(world.parcels_rx[0]));
        if (process.pidfd >= 0)
                world.files[0] = process.pidfd;
        answers = world.numbers_tx[1];
        for (int tried = 0;; tried++) {
                r = parcel_send(world.parcels_tx[0],
                                &(parcel){ .value = 1,
                                           .answers = answers,
                                           .numbers = number_receiver_give(&world.numbers_rx[0]) },
                                patience());
                if (r == 0)
                        break;
                may_fail("parcel_send", r, tried, SEND_FAILURES);
        }
        for (int i = 0; i < 3; i++) {
                send_number(world.numbers_tx[0], &message);
                for (int tried = 0; (r = number_recv(world.numbers_rx[1], &got,
                                                     tried ? leat_after_ms(500) : patience())) != 0 &&
                                    !(r == LEAT_TIMEOUT && tried > 0);
                     tried++)
                        may_fail("number_recv", r, tried, RECEIVE_FAILURES);
                if (r == 0)
                        check_equal(got.value, message.value);
        }
        number_sender_close(&world.numbers_tx[0]);
        parcel_sender_close(&world.parcels_tx[0]);
        check_equal(wait_for_exit(process.pid), 0);
}

/* ---- children ---- */

/* A child goes on with what it inherited: it sends by its copy of a sender, and receives by its copy of a receiver. */
static void fork_child(void) {
        number message, got;
        pid_t child;

        for (int i = 0; i < 2; i++)
                need(number_channel(&world.numbers_tx[i], &world.numbers_rx[i]), SHORTAGES);
        for (int i = 0; i < 3; i++)
                for (int k = 0; k < 2; k++)
                        pass_number(world.numbers_tx[k], world.numbers_rx[k], &message, &got);
        child = fork();
        check(child >= 0);
        if (child == 0) {
                last_number += 1000;
                for (int i = 0; i < 3; i++)
                        send_number(world.numbers_tx[0], &message);
                number_sender_close(&world.numbers_tx[1]);
                for (int i = 0, r; i < 3; i++) {
                        r = number_recv(world.numbers_rx[1], &got, patience());
                        if (r != 0)
                                may_fail("number_recv", r, 0, RECEIVE_FAILURES);
                }
                _exit(0);
        }
        for (int i = 0; i < 3; i++)
                send_number(world.numbers_tx[1], &message);
        check_equal(wait_for_exit(child), 0);
        for (int i = 0, n = 0; n < 3; i++) {
                int r = number_recv(world.numbers_rx[0], &got, i ? LEAT_NOW : patience());

                if (r == 0)
                        n++;
                else if (r == LEAT_EMPTY)
                        break;
                else
                        may_fail("number_recv", r, 0, RECEIVE_FAILURES);
        }
        check(got.value > 1000 || fault_hits() > 0);
        pass_number(world.numbers_tx[0], world.numbers_rx[0], &message, &got);
        number_receiver_close(&world.numbers_rx[1]);
        number_sender_close(&world.numbers_tx[1]);
}

const struct scenario scenarios_of_processes[] = {
        { "server", server }, { "listening", listening }, { "known_path", known_path },
        { "ask", ask },       { "spawn", spawn },         { "fork_child", fork_child },
        { NULL, NULL },
};
