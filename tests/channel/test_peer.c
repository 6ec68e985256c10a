/* Who is at the other end of a channel that a server accepted: what the system says, and where it says
 * nothing. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <leat/leat.h>

#include "in_child.h"
#include "servers_folder.h"
#include "support.h"

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

LEAT_MESSAGE(number, (u64, value));
LEAT_MESSAGE(parcel, (receiver, number, numbers));

static number_server_end server;

static void start(void) {
        enter_folder();
        cr_assert_eq(number_listen(&server), 0);
}

static void finish(void) {
        number_server_close(&server);
        leave_folder();
}

TestSuite(peer, .init = start, .fini = finish);

static bool system_gives_pidfds(void) {
        int pair[2], pidfd;
        socklen_t size = sizeof(pidfd);
        bool gives;

        check(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
        gives = getsockopt(pair[0], SOL_SOCKET, SO_PEERPIDFD, &pidfd, &size) == 0;
        if (gives)
                close(pidfd);
        close(pair[0]);
        close(pair[1]);
        return gives;
}

/* A client that joins, sends, and waits to be killed. */
static pid_t start_client(void) {
        pid_t child = fork();

        if (child == 0) {
                number_sender tx = { 0 };

                watchdog(60);
                check_equal(number_connect(number_server_name(server), &tx, LEAT_FOREVER), 0);
                check_equal(number_send(tx, &(number){ 1 }, LEAT_FOREVER), 0);
                for (;;)
                        pause();
        }
        return child;
}

static number_receiver accept_client(void) {
        number_receiver rx = { 0 };
        number first;

        check_equal(number_accept(server, &rx, &first, leat_after_ms(30000)), 0);
        return rx;
}

Test(peer, is_the_process_that_connected) {
        pid_t child = start_client();
        number_receiver rx = accept_client();
        struct leat_peer peer;

        cr_assert_eq(number_peer(rx, &peer), 0);
        cr_assert_eq(peer.pid, child);
        cr_assert(peer.uid == geteuid() && peer.gid == getegid());
        cr_assert_eq(peer.pidfd >= 0, system_gives_pidfds());
        kill(child, SIGKILL);
        if (peer.pidfd >= 0) {
                struct pollfd poll_fd = { .fd = peer.pidfd, .events = POLLIN };
                siginfo_t info = { 0 };

                cr_assert(fcntl(peer.pidfd, F_GETFD) & FD_CLOEXEC);
                cr_assert_eq(poll(&poll_fd, 1, 30000), 1, "its end");
                cr_assert_eq(waitid(P_PIDFD, (id_t) peer.pidfd, &info, WEXITED | WNOWAIT), 0);
                cr_assert_eq(info.si_pid, child);
                close(peer.pidfd);
        }
        cr_assert_eq(wait_for_exit(child), 128 + SIGKILL);
        number_receiver_close(&rx);
}

Test(peer, is_known_when_it_is_gone) {
        pid_t child = start_client();
        number_receiver rx = accept_client();
        struct leat_peer peer;

        kill(child, SIGKILL);
        cr_assert_eq(wait_for_exit(child), 128 + SIGKILL);
        cr_assert_eq(number_peer(rx, &peer), 0);
        cr_assert_eq(peer.pid, child);
        if (peer.pidfd >= 0) /* From some version on the system gives one even then. */
                close(peer.pidfd);
        number_receiver_close(&rx);
}

Test(peer, each_call_gives_a_descriptor_of_its_own) {
        number_sender tx = { 0 };
        number_receiver rx;
        struct leat_peer a, b;

        cr_assert_eq(number_connect(number_server_name(server), &tx, LEAT_NOW), 0);
        cr_assert_eq(number_send(tx, &(number){ 1 }, LEAT_NOW), 0);
        rx = accept_client();
        cr_assert(number_peer(rx, &a) == 0 && number_peer(rx, &b) == 0);
        cr_assert_eq(a.pid, getpid());
        cr_assert(a.pidfd < 0 || a.pidfd != b.pidfd);
        if (a.pidfd >= 0) {
                close(a.pidfd);
                close(b.pidfd);
        }
        number_sender_close(&tx);
        number_receiver_close(&rx);
}

/* By descriptors and not by numbers: the child that uses the sender has another pid. */
Test(peer, is_who_connected_and_not_who_sends) {
        number_sender tx = { 0 };
        number_receiver rx;
        struct leat_peer peer;
        number got;
        pid_t child;

        cr_assert_eq(number_connect(number_server_name(server), &tx, LEAT_NOW), 0);
        child = fork();
        if (child == 0) {
                watchdog(30);
                check_equal(number_send(tx, &(number){ 1 }, LEAT_NOW), 0);
                leave_child(0);
        }
        cr_assert_eq(wait_for_exit(child), 0);
        cr_assert_eq(number_accept(server, &rx, &got, leat_after_ms(30000)), 0);
        cr_assert_eq(number_peer(rx, &peer), 0);
        cr_assert_eq(peer.pid, getpid());
        if (peer.pidfd >= 0)
                close(peer.pidfd);
        number_sender_close(&tx);
        number_receiver_close(&rx);
}

Test(peer, of_a_receiver_that_no_server_accepted_is_not_known) {
        struct leat_peer peer = { .pid = 77 };
        number_sender tx = { 0 }, joined = { 0 };
        number_receiver rx, accepted;
        parcel_sender out;
        parcel_receiver in;
        parcel got;

        cr_assert_eq(number_peer((number_receiver){ 0 }, &peer), -EBADF);
        cr_assert_eq(number_channel(&tx, &rx), 0);
        cr_assert_eq(number_peer(rx, &peer), -ENODATA);

        cr_assert_eq(number_connect(number_server_name(server), &joined, LEAT_NOW), 0);
        cr_assert_eq(number_send(joined, &(number){ 1 }, LEAT_NOW), 0);
        accepted = accept_client();
        cr_assert_eq(parcel_channel(&out, &in), 0);
        cr_assert_eq(parcel_send(out, &(parcel){ number_receiver_give(&accepted) }, LEAT_NOW), 0);
        cr_assert_eq(parcel_recv(in, &got, LEAT_NOW), 0);
        cr_assert_eq(number_peer(got.numbers, &peer), -ENODATA, "it came in a message");
        cr_assert_eq(peer.pid, 77);

        parcel_sender_close(&out);
        parcel_receiver_close(&in);
        number_sender_close(&joined);
        number_sender_close(&tx);
        number_receiver_close(&rx);
}

static void without_a_free_descriptor_it_says_so(void) {
        struct leat_peer peer = { .pid = 77 };
        struct rlimit limit;
        number_sender tx = { 0 };
        number_receiver rx;

        check_equal(number_connect(number_server_name(server), &tx, LEAT_NOW), 0);
        check_equal(number_send(tx, &(number){ 1 }, LEAT_NOW), 0);
        rx = accept_client();
        check_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
        limit.rlim_cur = 0;
        check_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
        check_equal(number_peer(rx, &peer), -EMFILE);
        check_equal(peer.pid, 77);
        number_sender_close(&tx);
        number_receiver_close(&rx);
}

Test(peer, without_a_free_descriptor_it_says_so) {
        if (system_gives_pidfds())
                run_in_child(without_a_free_descriptor_it_says_so);
}

/* Makes of this system one that does not know SO_PEERPIDFD: it says ENOPROTOOPT, as Linux before 6.5 does. */
static void forbid_pidfds(void) {
        struct sock_filter code[] = {
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getsockopt, 0, 3),
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SO_PEERPIDFD, 0, 1),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOPROTOOPT),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        };
        struct sock_fprog program = { .len = sizeof(code) / sizeof(code[0]), .filter = code };

        check(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
        check(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
        check(!system_gives_pidfds());
}

static void an_older_system_gives_all_but_the_pidfd(void) {
        number_sender tx = { 0 };
        number_receiver rx;
        struct leat_peer peer;

        forbid_pidfds();
        check_equal(number_connect(number_server_name(server), &tx, LEAT_NOW), 0);
        check_equal(number_send(tx, &(number){ 1 }, LEAT_NOW), 0);
        rx = accept_client();
        check_equal(number_peer(rx, &peer), 0);
        check_equal(peer.pid, getpid());
        check_equal(peer.uid, geteuid());
        check_equal(peer.gid, getegid());
        check_equal(peer.pidfd, -1);
        number_sender_close(&tx);
        number_receiver_close(&rx);
}

Test(peer, an_older_system_gives_all_but_the_pidfd) {
        run_in_child(an_older_system_gives_all_but_the_pidfd);
}
