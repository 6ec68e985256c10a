#include "flight.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "in_flight.h"
#include "support.h"

/* More descriptors than a scenario has open. */
#define LEAST_LIMIT 256

static bool is_on;
static int ballast[2];
static struct rlimit before;
static timer_t timer;

/* A packet that is received without room for its descriptors takes them with it. */
static void receive_all(int signal) {
        int error = errno;
        char byte;

        (void) signal;
        while (recv(ballast[1], &byte, 1, MSG_DONTWAIT) > 0)
                continue;
        errno = error;
}

static void start_timer(void) {
        struct sigaction action = { .sa_handler = receive_all, .sa_flags = SA_RESTART };
        struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN };
        struct itimerspec after = { .it_value.tv_nsec = FLIGHT_MS * 1000000 };

        check_equal(sigaction(SIGRTMIN, &action, NULL), 0);
        check_equal(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
        check_equal(timer_settime(timer, 0, &after, NULL), 0);
}

/* Somebody else of the same user may have too many in flight already: so it goes on as well. */
static void fill(size_t count) {
        for (size_t left = count, n; left > 0; left -= n) {
                n = left < IN_FLIGHT_PACKET ? left : IN_FLIGHT_PACKET;
                check(in_flight_send(ballast[0], n) || errno == ETOOMANYREFS);
        }
}

void flight_start(long room) {
        struct rlimit limit;

        in_flight_be_counted();
        check_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ballast), 0);
        check_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
        limit = (struct rlimit){ .rlim_cur = LEAST_LIMIT + in_flight_now(), .rlim_max = before.rlim_max };
        check_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
        fill(LEAST_LIMIT + 1 - (size_t) room);
        is_on = true;
        start_timer();
}

/* In a child that was made meanwhile there is no timer. */
void flight_end(void) {
        if (!is_on)
                return;
        (void) timer_delete(timer);
        receive_all(0);
        check_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
        (void) close(ballast[0]);
        (void) close(ballast[1]);
        is_on = false;
}
