/* A peer that offers a lane whose socket is none, or leads back to a receiver: that would hold on to a sender
 * of its own, or two would hold each other's, and nobody would ever hear of an end. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lane_stranger.h"

TestSuite(lane_stranger_sockets, .init = start, .fini = finish);

static void offer_instead_of_socket(int fd, int line) {
        struct stranger stranger = make_stranger();

        cr_assert_geq(fd, 0, "line %d", line);
        (void) close(stranger.parts.socket);
        stranger.parts.socket = fd;
        offer(&stranger);
        expect_empty(line);
        cr_assert_eq(n_lanes(), N_HONEST, "line %d", line);
        close_parts(&stranger);
        close_lane(&stranger);
        nothing_is_left(line);
}

Test(lane_stranger_sockets, an_offer_with_a_socket_that_is_not_such_is_refused) {
        int pair[2];

        offer_instead_of_socket(open("/dev/null", O_RDWR | O_CLOEXEC), __LINE__);
        offer_instead_of_socket(memfd_create("test", MFD_CLOEXEC), __LINE__);
        cr_assert_eq(pipe2(pair, O_CLOEXEC), 0);
        (void) close(pair[0]);
        offer_instead_of_socket(pair[1], __LINE__ - 2);
        cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
        (void) close(pair[1]);
        offer_instead_of_socket(pair[0], __LINE__ - 2);
        cr_assert_eq(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair), 0);
        (void) close(pair[1]);
        offer_instead_of_socket(pair[0], __LINE__ - 2);
        nothing_is_left(__LINE__);
}

static int listening_socket(void) {
        const struct sockaddr_un any = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

        cr_assert_eq(bind(fd, (const struct sockaddr *) &any, sizeof(sa_family_t)), 0);
        cr_assert_eq(listen(fd, 1), 0);
        return fd;
}

Test(lane_stranger_sockets, an_offer_with_a_socket_that_has_no_other_end_is_refused) {
        offer_instead_of_socket(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), __LINE__);
        offer_instead_of_socket(listening_socket(), __LINE__);
}

/* ---- sockets that lead back ---- */

static int duplicate(int fd) {
        int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);

        cr_assert_geq(copy, 0);
        return copy;
}

/* All senders are gone, so the receiver is told, whatever a stranger wanted it to hold. */
static void expect_disconnection(int line) {
        parcel got;
        int r;

        parcel_sender_close(&tx);
        parcel_sender_close(&tx_on_socket);
        (void) close(raw);
        raw = -1;
        do
                r = parcel_recv(rx, &got, leat_after_ms(20000));
        while (r == 0);
        cr_assert_eq(r, LEAT_DISCONNECTED, "line %d: %d", line, r);
}

Test(lane_stranger_sockets, the_channels_own_sending_end_is_no_socket_of_a_lane) {
        offer_instead_of_socket(duplicate(raw), __LINE__);
        offer_instead_of_socket(duplicate(tx.object->connection->fd), __LINE__);
        expect_disconnection(__LINE__);
}

Test(lane_stranger_sockets, nor_is_the_channels_receiving_end) {
        offer_instead_of_socket(duplicate(rx.object->connection->fd), __LINE__);
        expect_disconnection(__LINE__);
}

Test(lane_stranger_sockets, the_other_end_of_a_lane_is_no_socket_of_another) {
        struct stranger stranger = open_lane();
        struct stranger second = make_stranger();

        (void) close(second.parts.socket);
        second.parts.socket = duplicate(stranger.lane->socket);
        offer(&second);
        close_parts(&second);
        close_lane(&second);
        expect_empty(__LINE__);
        cr_assert_eq(n_lanes(), N_HONEST + 1);
        close_lane(&stranger);
        still_works(__LINE__);
        nothing_is_left(__LINE__);
        expect_disconnection(__LINE__);
}

Test(lane_stranger_sockets, both_ends_of_one_pair_are_not_the_sockets_of_two_lanes) {
        struct stranger first = make_stranger(), second = make_stranger();
        leat_deadline deadline = leat_after_ms(20000);
        int pair[2];

        cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
        (void) close(first.parts.socket);
        (void) close(second.parts.socket);
        first.parts.socket = pair[0];
        second.parts.socket = pair[1];
        offer(&first);
        offer(&second);
        close_parts(&first);
        close_parts(&second);
        close_lane(&first);
        close_lane(&second);
        do /* The second end, with the first lane's answer in it, is closed by the reaper. */
                expect_empty(__LINE__);
        while (n_lanes() > N_HONEST && leat_after_ns(0) < deadline);
        still_works(__LINE__);
        nothing_is_left(__LINE__);
}

/* Each would hold the other. */
Test(lane_stranger_sockets, two_receivers_are_not_made_to_hold_each_others_senders) {
        struct stranger first = make_stranger(), second = make_stranger();
        parcel_receiver other_rx;
        parcel_sender other_tx;
        parcel got;
        int r;

        cr_assert_eq(parcel_channel(&other_tx, &other_rx), 0);
        (void) close(first.parts.socket);
        (void) close(second.parts.socket);
        first.parts.socket = duplicate(other_tx.object->connection->fd);
        second.parts.socket = duplicate(raw);
        offer(&first);
        expect_empty(__LINE__);
        cr_assert_eq(lane_send_offer(other_tx.object->connection->fd, tag, &second.parts.offer,
                                     second.parts.memory, second.parts.socket, LEAT_NOW),
                     0);
        do
                r = parcel_recv(other_rx, &got, LEAT_NOW);
        while (r == LEAT_MALFORMED); /* What the first one was answered. */
        cr_assert_eq(r, LEAT_EMPTY);
        close_parts(&first);
        close_parts(&second);
        close_lane(&first);
        close_lane(&second);
        parcel_sender_close(&other_tx);
        expect_disconnection(__LINE__);
        parcel_receiver_close(&rx);
        r = parcel_recv(other_rx, &got, leat_after_ms(20000));
        cr_assert_eq(r, LEAT_DISCONNECTED, "%d", r);
        parcel_receiver_close(&other_rx);
}
