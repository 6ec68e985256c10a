/* The reaper: a descriptor whose close hangs stops nobody but the reaper's own thread, all are closed in the
 * end, and the bound is told. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "descriptor.h"
#include "reaper.h"

#include "hanging_close.h"
#include "in_child.h"

/* The largest number of handles in one message that the system allows. */
#define ONE_MESSAGE 253

static void closes_what_it_is_given(void) {
        int n = count_descriptors();

        for (int i = 0; i < 100; i++)
                check(reaper_close(some_file()) == 0);
        check_equal(settle_descriptors(n), n);
}

static void over_the_bound_it_says_so_and_still_closes_all(void) {
        int n = count_descriptors();

        (void) hang();
        for (int i = 0; i < REAPER_BOUND; i++)
                check(reaper_close(some_file()) == 0);
        atomic_store(&all_from, 3);
        for (int i = 0; i < 3; i++)
                check(reaper_close(some_file()) == -ENOBUFS);
        for (int i = 3; i < ONE_MESSAGE; i++)
                reaper_close_at_leisure(some_file());
        check(count_descriptors() == n + 1 + REAPER_BOUND + ONE_MESSAGE);

        let_go();
        check_equal(settle_descriptors(n), n);
        check(!atomic_load(&signals_were_open));

        /* And it is as good as new. */
        check(reaper_close(some_file()) == 0);
        check_equal(settle_descriptors(n), n);
}

/* One who sends what cannot be closed costs nobody else anything. */
static void over_the_bound_what_can_be_closed_is_closed(void) {
        int n = count_descriptors();

        (void) hang();
        for (int i = 0; i < REAPER_BOUND; i++)
                reaper_close_at_leisure(some_file());
        for (int i = 0; i < 1000; i++)
                check(reaper_close(some_file()) == 0);
        check_equal(count_descriptors(), n + 1 + REAPER_BOUND);
        let_go();
        check_equal(settle_descriptors(n), n);
}

/* Whoever waits for the end of a channel hears of it, though the thread hangs. */
static void what_is_to_be_seen_closed_is_closed_beside(void) {
        int n = count_descriptors();

        (void) hang();
        for (int i = 0; i < 10; i++)
                reaper_close_seen(some_file()); /* The first of them waits in vain. */
        check_equal(settle_descriptors(n + 2), n + 2);
        let_go();
        check_equal(settle_descriptors(n), n);
}

/* As many threads as there may be, and then none any more: still nothing is lost. */
static void more_hang_than_there_may_be(void) {
        int n = count_descriptors();

        (void) hang();
        atomic_store(&all_from, 3);
        for (int i = 0; i < 100; i++)
                reaper_close_seen(some_file());
        check_equal(count_descriptors(), n + 101);
        let_go();
        check_equal(settle_descriptors(n), n);
        check(reaper_close(some_file()) == 0);
        check_equal(settle_descriptors(n), n);
}

static int parents_count;

/* The child's copies of what the parent's thread will not close here. */
static void a_child_closes_its_own_copies(void) {
        int n = count_descriptors();

        check(n == parents_count);
        atomic_store(&hanging, -1);
        (void) reaper_close(some_file());
        /* All but the one that the parent's thread has in its hand. */
        check_equal(settle_descriptors(n - 10), n - 10);
        check(reaper_close(some_file()) == 0);
        check_equal(settle_descriptors(n - 10), n - 10);
}

static void a_fork_while_it_hangs_leaves_both_working(void) {
        int n = count_descriptors();

        (void) hang();
        for (int i = 0; i < 10; i++)
                check(reaper_close(some_file()) == 0);
        parents_count = count_descriptors();
        check(parents_count == n + 11);
        run_in_child(a_child_closes_its_own_copies);
        check(count_descriptors() == parents_count);
        let_go();
        check_equal(settle_descriptors(n), n);
}

static void *give_many(void *unused) {
        (void) unused;
        for (int i = 0; i < 300; i++)
                (void) reaper_close(some_file());
        return NULL;
}

static void many_threads_may_give(void) {
        int n = count_descriptors();
        pthread_t threads[4];

        for (int i = 0; i < 4; i++)
                check(pthread_create(&threads[i], NULL, give_many, NULL) == 0);
        for (int i = 0; i < 4; i++)
                check(pthread_join(threads[i], NULL) == 0);
        check_equal(settle_descriptors(n), n);
}

/* A connected TCP socket with unsent bytes, whose close would wait for a minute. */
static int lingering_socket(int *ret_peer) {
        const struct linger minute = { .l_onoff = 1, .l_linger = 60 };
        struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t length = sizeof(address);
        int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        static char bytes[65536];

        check(bind(listener, (struct sockaddr *) &address, length) == 0 && listen(listener, 1) == 0);
        check(getsockname(listener, (struct sockaddr *) &address, &length) == 0);
        check(connect(fd, (struct sockaddr *) &address, length) == 0);
        *ret_peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        check(*ret_peer >= 0);
        while (send(fd, bytes, sizeof(bytes), MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
                ;
        check(setsockopt(fd, SOL_SOCKET, SO_LINGER, &minute, sizeof(minute)) == 0);
        check(close(listener) == 0);
        return fd;
}

static void a_strangers_socket_does_not_linger(void) {
        int n = count_descriptors(), peer, fd = lingering_socket(&peer);

        check(descriptor_dispose(fd) == 0);
        check_equal(settle_descriptors(n + 1), n + 1);
        check(close(peer) == 0);
}

static void a_strangers_unknown_descriptor_is_not_closed_by_the_caller(void) {
        int n = count_descriptors(), fd = some_file();

        atomic_store(&hanging, fd);
        check(descriptor_dispose(fd) == 0); /* Would hang here. */
        while (sem_wait(&entered) < 0)
                ;
        /* Memory and channel sockets do not have to queue behind it. */
        check(descriptor_dispose(memfd_create("test", MFD_CLOEXEC)) == 0);
        check(descriptor_dispose(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0)) == 0);
        check(count_descriptors() == n + 1);
        let_go();
        check_equal(settle_descriptors(n), n);
}

/* Address space for nothing more: pthread_create cannot have a stack. */
static void without_a_thread_the_caller_closes(void) {
        const struct rlimit none = { .rlim_cur = 1, .rlim_max = 1 };
        int n = count_descriptors(), fd = some_file();

        check(setrlimit(RLIMIT_AS, &none) == 0);
        check(reaper_close(fd) == 0);
        check(fcntl(fd, F_GETFD) < 0);
        fd = some_file();
        check(reaper_close(fd) == 0);
        check(fcntl(fd, F_GETFD) < 0);
        check(count_descriptors() == n);
}

int main(void) {
        int n;

        watchdog(WATCHDOG_SECONDS);
        check(sem_init(&entered, 0, 0) == 0);
        n = count_descriptors();

        /* Sanitizers need address space of their own. */
        if (!UNDER_TSAN && !UNDER_ASAN && !is_left_out("without_a_thread_the_caller_closes"))
                run_in_child(without_a_thread_the_caller_closes);
        closes_what_it_is_given();
        over_the_bound_it_says_so_and_still_closes_all();
        over_the_bound_what_can_be_closed_is_closed();
        what_is_to_be_seen_closed_is_closed_beside();
        more_hang_than_there_may_be();
        if (!UNDER_TSAN) /* It starts no threads in the child of a process that had some. */
                a_fork_while_it_hangs_leaves_both_working();
        many_threads_may_give();
        a_strangers_socket_does_not_linger();
        a_strangers_unknown_descriptor_is_not_closed_by_the_caller();

        check(count_descriptors() == n);
        return 0;
}
