/* Deadlines of connecting and accepting: whatever the other side does or leaves undone. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include <leat/leat.h>

#include "newcomer.h"
#include "servers_folder.h"
#include "support.h"

LEAT_MESSAGE(number, (u64, value));

enum { MOST = 200 };

static int n_before_the_door, door[MOST];
static char *name;
static number_server_end server;

static void start(void) {
        enter_folder();
        cr_assert_eq(number_server(&server), 0);
        name = strdup(number_server_name(server));
}

static void finish(void) {
        while (n_before_the_door > 0)
                close(door[--n_before_the_door]);
        number_server_close(&server);
        free(name);
        leave_folder();
}

TestSuite(connect, .init = start, .fini = finish);

/* Until nobody else finds a place. */
static void fill_the_door(void) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };

        strcpy(address.sun_path, name);
        for (;;) {
                int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

                cr_assert_lt(n_before_the_door, MOST);
                if (connect(fd, (struct sockaddr *) &address, sizeof(address)) < 0) {
                        cr_assert_eq(errno, EAGAIN);
                        close(fd);
                        return;
                }
                door[n_before_the_door++] = fd;
        }
}

Test(connect, to_a_full_door_ends_at_the_deadline_and_not_before) {
        number_sender tx = { 0 };

        fill_the_door();
        cr_assert_eq(number_connect(name, &tx, LEAT_NOW), LEAT_TIMEOUT);
        for (int ms = 0; ms < 60; ms = ms * 2 + 1) {
                leat_deadline deadline = leat_after_ms(ms);

                cr_assert_eq(number_connect(name, &tx, deadline), LEAT_TIMEOUT);
                cr_assert_geq(leat_after_ns(0), deadline);
        }
        cr_assert_not(number_sender_is_set(tx));
}

/* The system counts SO_SNDTIMEO in ticks of 1 to 10 ms; a hundred tries take less than a hundred of them. */
Test(connect, a_try_does_not_wait) {
        number_sender tx = { 0 };
        int64_t start_ms;
        int tries = 0;

        fill_the_door();
        for (int round = 0; round < 50 && tries < 100;
             round++) { /* Unless the machine is too busy to tell. */
                start_ms = clock_ms();
                for (tries = 0; tries < 100 && clock_ms() - start_ms < 90; tries++)
                        cr_assert_eq(number_connect(name, &tx, LEAT_NOW), LEAT_TIMEOUT);
        }
        cr_assert_eq(tries, 100);
}

static void *join_and_send(void *unused) {
        number_sender tx = { 0 };

        (void) unused;
        check_equal(number_connect(name, &tx, leat_after_ms(30000)), 0);
        check_equal(number_send(tx, &(number){ 7 }, LEAT_NOW), 0);
        number_sender_close(&tx);
        return NULL;
}

Test(connect, to_a_full_door_goes_on_when_there_is_room) {
        pthread_t thread;
        number_receiver rx;
        number got;

        fill_the_door();
        pthread_create(&thread, NULL, join_and_send, NULL);
        sleep_ms(20);
        cr_assert_eq(number_accept(server, &rx, &got, leat_after_ms(30000)), 0);
        cr_assert_eq(got.value, 7);
        pthread_join(thread, NULL);
        number_receiver_close(&rx);
}

static void *join_in_vain(void *unused) {
        number_sender tx = { 0 };

        (void) unused;
        check_equal(number_connect(name, &tx, LEAT_FOREVER), LEAT_REFUSED);
        return NULL;
}

Test(connect, to_a_full_door_is_refused_when_the_server_goes) {
        pthread_t threads[3];

        fill_the_door();
        for (int i = 0; i < 3; i++)
                pthread_create(&threads[i], NULL, join_in_vain, NULL);
        sleep_ms(20);
        number_server_close(&server);
        for (int i = 0; i < 3; i++)
                pthread_join(threads[i], NULL);
}

static struct timeval send_timeout(int fd) {
        struct timeval timeout;
        socklen_t size = sizeof(timeout);

        cr_assert_eq(getsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, &size), 0);
        return timeout;
}

/* What bounded the connecting must not bound the sending, nor may the socket be non-blocking, which all its
 * holders share. */
Test(connect, leaves_the_socket_as_any_sender_has_it) {
        leat_deadline deadlines[] = { LEAT_NOW, leat_after_ms(30000), LEAT_FOREVER };

        for (int i = 0; i < 3; i++) {
                number_sender tx = { 0 };
                struct timeval timeout;
                int fd;

                cr_assert_eq(number_connect(name, &tx, deadlines[i]), 0);
                fd = tx.object->connection->fd;
                timeout = send_timeout(fd);
                cr_assert(timeout.tv_sec == 1 && timeout.tv_usec == 0, "deadline %d", i);
                cr_assert_eq(fcntl(fd, F_GETFL) & O_NONBLOCK, 0, "deadline %d", i);
                cr_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC, "deadline %d", i);
                number_sender_close(&tx);
        }
}

static atomic_int signals;

static void count_signal(int unused) {
        (void) unused;
        atomic_fetch_add(&signals, 1);
}

Test(connect, signals_neither_end_it_early_nor_keep_it) {
        struct itimerval every = { .it_interval.tv_usec = 500, .it_value.tv_usec = 500 }, never = { 0 };
        struct sigaction action = { .sa_handler = count_signal }; /* Without SA_RESTART. */
        number_receiver rx = { 0 };
        number_sender tx = { 0 };
        number got;

        fill_the_door();
        sigaction(SIGALRM, &action, NULL);
        setitimer(ITIMER_REAL, &every, NULL);
        for (int ms = 5; ms < 100; ms *= 3) {
                leat_deadline deadline = leat_after_ms(ms);

                cr_assert_eq(number_connect(name, &tx, deadline), LEAT_TIMEOUT);
                cr_assert_geq(leat_after_ns(0), deadline);
        }
        for (int ms = 5; ms < 100; ms *= 3) {
                leat_deadline deadline = leat_after_ms(ms);

                cr_assert_eq(number_accept(server, &rx, &got, deadline), LEAT_TIMEOUT);
                cr_assert_geq(leat_after_ns(0), deadline);
        }
        setitimer(ITIMER_REAL, &never, NULL);
        cr_assert_gt(atomic_load(&signals), 0);
}

Test(connect, accepting_ends_at_the_deadline_whoever_is_silent) {
        number_receiver rx = { 0 };
        number got;
        int fds[3];

        for (int i = 0; i < 3; i++)
                fds[i] = newcomer(name);
        greet(fds[1], number_type());
        greet(fds[2], number_type());
        cr_assert_eq(number_accept(server, &rx, &got, LEAT_NOW), LEAT_EMPTY);
        for (int ms = 0; ms < 60; ms = ms * 2 + 1) {
                leat_deadline deadline = leat_after_ms(ms);

                cr_assert_eq(number_accept(server, &rx, &got, deadline), LEAT_TIMEOUT);
                cr_assert_geq(leat_after_ns(0), deadline);
        }
        for (int i = 0; i < 3; i++)
                close(fds[i]);
}

/* A server that stands still (SIGSTOP) lets clients come to its door, and no further. */
Test(connect, to_a_server_that_stands_still_does_not_hold_the_client) {
        number_sender tx[3];
        int ready[2];
        char byte;
        pid_t child;

        cr_assert_eq(pipe(ready), 0);
        child = fork();
        if (child == 0) {
                number_receiver rx;
                number got;

                watchdog(60);
                check_equal(write(ready[1], "", 1), 1);
                check_equal(number_accept(server, &rx, &got, LEAT_FOREVER), 0);
                check_equal(got.value, 1);
                leave_child(0);
        }
        cr_assert_eq(read(ready[0], &byte, 1), 1);
        kill(child, SIGSTOP);
        for (int i = 0; i < 3; i++)
                cr_assert_eq(number_connect(name, &tx[i], leat_after_ms(30000)), 0);
        cr_assert_eq(number_send(tx[0], &(number){ 1 }, LEAT_NOW), 0);
        kill(child, SIGCONT);
        cr_assert_eq(wait_for_exit(child), 0);
        for (int i = 0; i < 3; i++)
                number_sender_close(&tx[i]);
        close(ready[0]);
        close(ready[1]);
}
