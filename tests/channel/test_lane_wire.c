/* What both ends of a lane agree on, byte by byte: the packets about it, the answer, and the bell. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lane.h"

#include "stranger.h"
#include "support.h"

static const struct lane_identity identity = { { 0xa0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14,
                                                 0xaf } };

static int before;
static int ours, theirs;

/* For each packet that is taken here another bell comes, while this lasts. */
static int encores;

ssize_t recvmsg(int fd, struct msghdr *message, int flags) {
        ssize_t size = syscall(SYS_recvmsg, fd, message, flags);

        if (encores > 0 && fd == ours && size > 0) {
                encores--;
                (void) lane_ring_bell(theirs);
        }
        return size;
}

static void start(void) {
        int pair[2];

        before = count_descriptors();
        cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
        ours = pair[0];
        theirs = pair[1];
}

static void close_ours(void) {
        (void) close(ours);
        ours = -1;
}

static void close_theirs(void) {
        (void) close(theirs);
        theirs = -1;
}

static void finish(void) {
        if (ours >= 0)
                close_ours();
        if (theirs >= 0)
                close_theirs();
        cr_assert_eq(settle_descriptors(before), before, "a descriptor leaked");
}

TestSuite(lane_wire, .init = start, .fini = finish);

/* The next packet on our end, with its descriptors closed; -1 when there is none. */
static ssize_t take(uint8_t *bytes, size_t capacity, size_t *ret_fds) {
        struct packet packet = { .data = bytes, .capacity = capacity };
        int r = packet_receive(ours, &packet, PACKET_MAX_DESCRIPTORS, LEAT_NOW);

        if (r != 0)
                return -1;
        cr_assert_not(packet.too_long);
        for (size_t i = 0; i < packet.n_fds; i++)
                (void) close(packet.fds[i]);
        *ret_fds = packet.n_fds;
        return (ssize_t) packet.size;
}

static void expect_packet(const uint8_t *expected, size_t expected_size, size_t expected_fds) {
        uint8_t bytes[PACKET_START_SIZE];
        size_t n_fds;

        cr_assert_eq(take(bytes, sizeof(bytes), &n_fds), (ssize_t) expected_size);
        cr_assert_eq(n_fds, expected_fds);
        for (size_t i = 0; i < expected_size; i++)
                cr_assert_eq(bytes[i], expected[i], "byte %zu is %#x", i, bytes[i]);
        cr_assert_eq(packet_promised_descriptors(bytes, expected_size), expected_fds);
}

Test(lane_wire, an_offer_stands_byte_by_byte_as_it_is_written_down) {
        static const uint8_t expected[] = { 1,    4,    0,    0,    0x44, 0x33, 0x22, 0x11, 0, 0, 0,  0,
                                            0,    0,    0,    0,    32,   0,    0,    0,    0, 0, 0,  0,
                                            0xa0, 1,    2,    3,    4,    5,    6,    7,    8, 9, 10, 11,
                                            12,   13,   14,   0xaf, 0,    0,    0x10, 0,    0, 0, 0,  0,
                                            0x08, 0x07, 0x06, 0x05, 0x04, 0x03, 0x02, 0x01 };
        const struct lane_offer offer = { .identity = identity,
                                          .size = 1 << 20,
                                          .limit = UINT64_C(0x0102030405060708) };
        struct lane_offer read;

        cr_assert_eq(lane_send_offer(theirs, 0x11223344, &offer, ours, theirs, LEAT_NOW), 0);
        expect_packet(expected, sizeof(expected), LANE_OFFER_DESCRIPTORS);
        cr_assert_eq(lane_read_offer(expected + PACKET_HEADER_SIZE, 32, &read), 0);
        cr_assert_eq(memcmp(&read, &offer, sizeof(read)), 0);
}

Test(lane_wire, a_marker_stands_byte_by_byte_as_it_is_written_down) {
        static const uint8_t expected[] = { 1, 5, 0,  0, 0x44, 0x33, 0x22, 0x11, 0,  0,  0,    0,   0, 0,
                                            0, 0, 16, 0, 0,    0,    0,    0,    0,  0,  0xa0, 1,   2, 3,
                                            4, 5, 6,  7, 8,    9,    10,   11,   12, 13, 14,   0xaf };
        struct lane_identity read;

        cr_assert_eq(lane_send_marker(theirs, 0x11223344, &identity, LEAT_NOW), 0);
        expect_packet(expected, sizeof(expected), 0);
        cr_assert_eq(lane_read_marker(expected + PACKET_HEADER_SIZE, 16, &read), 0);
        cr_assert_eq(memcmp(&read, &identity, sizeof(read)), 0);
}

Test(lane_wire, a_barrier_stands_byte_by_byte_as_it_is_written_down) {
        static const uint8_t expected[] = {
                1,  6, 0,  0,  0x44, 0x33, 0x22, 0x11, 0,    0,    0,    0,    0,    0,    0,    0,
                24, 0, 0,  0,  0,    0,    0,    0,    0xa0, 1,    2,    3,    4,    5,    6,    7,
                8,  9, 10, 11, 12,   13,   14,   0xaf, 0x08, 0x07, 0x06, 0x05, 0x04, 0x03, 0x02, 0x81
        };
        const struct lane_barrier barrier = { .identity = identity,
                                              .position = UINT64_C(0x8102030405060708) };
        struct lane_barrier read;

        cr_assert_eq(lane_send_barrier(theirs, 0x11223344, &barrier, LEAT_NOW), 0);
        expect_packet(expected, sizeof(expected), 0);
        cr_assert_eq(lane_read_barrier(expected + PACKET_HEADER_SIZE, 24, &read), 0);
        cr_assert_eq(memcmp(&read, &barrier, sizeof(read)), 0);
}

Test(lane_wire, a_body_of_any_other_size_is_malformed_and_read_nowhere) {
        static const uint8_t body[PACKET_START_SIZE] = { 0 };
        struct lane_offer offer = { .size = 1 };
        struct lane_barrier barrier = { .position = 2 };
        struct lane_identity marker = identity;

        for (size_t size = 0; size <= sizeof(body); size++) {
                if (size != 32)
                        cr_assert_eq(lane_read_offer(body, size, &offer), LEAT_MALFORMED, "%zu", size);
                if (size != 16)
                        cr_assert_eq(lane_read_marker(body, size, &marker), LEAT_MALFORMED, "%zu", size);
                if (size != 24)
                        cr_assert_eq(lane_read_barrier(body, size, &barrier), LEAT_MALFORMED, "%zu", size);
        }
        cr_assert_eq(offer.size, 1);
        cr_assert_eq(barrier.position, 2);
        cr_assert_eq(memcmp(&marker, &identity, sizeof(marker)), 0);
}

Test(lane_wire, all_packets_about_lanes_fit_the_room_that_is_kept_for_them) {
        cr_assert_leq(PACKET_HEADER_SIZE + sizeof(struct lane_offer), PACKET_START_SIZE);
        cr_assert_leq(PACKET_HEADER_SIZE + sizeof(struct lane_barrier), PACKET_START_SIZE);
}

Test(lane_wire, sending_never_waits_and_sees_the_end) {
        const struct lane_barrier barrier = { .identity = identity };
        int r;

        do
                r = lane_send_barrier(theirs, 1, &barrier, LEAT_NOW);
        while (r == 0);
        cr_assert_eq(r, LEAT_FULL);
        cr_assert_eq(lane_send_marker(theirs, 1, &identity, LEAT_NOW), LEAT_FULL);
        close_ours();
        cr_assert_eq(lane_send_marker(theirs, 1, &identity, LEAT_NOW), LEAT_DISCONNECTED);
}

/* ---- the answer ---- */

static void answer(const char *bytes, size_t size) {
        cr_assert_eq(send(theirs, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL), (ssize_t) size);
}

Test(lane_wire, an_answer_is_waited_for_by_nobody) {
        cr_assert_eq(lane_take_answer(ours), LEAT_EMPTY);
        answer("A", 1);
        cr_assert_eq(lane_take_answer(ours), 0);
        cr_assert_eq(lane_take_answer(ours), LEAT_EMPTY, "it is taken");
        answer("R", 1);
        cr_assert_eq(lane_take_answer(ours), LEAT_REFUSED);
}

Test(lane_wire, what_is_no_answer_refuses) {
        static const char packet[PACKET_HEADER_SIZE] = "A";

        for (int byte = 0; byte < 256; byte++) {
                const char said = (char) byte;

                answer(&said, 1);
                cr_assert_eq(lane_take_answer(ours), byte == 'A' ? 0 : LEAT_REFUSED, "%d", byte);
        }
        answer(packet, sizeof(packet));
        cr_assert_eq(lane_take_answer(ours), LEAT_REFUSED);
}

Test(lane_wire, an_empty_answer_refuses) {
        answer("", 0);
        cr_assert_eq(lane_take_answer(ours), LEAT_REFUSED);
}

Test(lane_wire, the_end_refuses_but_not_an_answer_before_it) {
        answer("A", 1);
        close_theirs();
        cr_assert_eq(lane_take_answer(ours), 0);
        cr_assert_eq(lane_take_answer(ours), LEAT_REFUSED);
}

Test(lane_wire, a_reset_before_an_answer_refuses) {
        cr_assert_eq(send(ours, "B", 1, MSG_NOSIGNAL), 1);
        close_theirs(); /* With something unread. */
        cr_assert_eq(lane_take_answer(ours), LEAT_REFUSED);
}

Test(lane_wire, descriptors_beside_an_answer_or_a_bell_are_closed) {
        int fds[100], open_now = count_descriptors();

        for (size_t i = 0; i < 100; i++)
                fds[i] = theirs;
        cr_assert_eq(send_raw(theirs, "A", 1, NULL, 0, fds, 100), 1);
        cr_assert_eq(lane_take_answer(ours), 0);
        cr_assert_eq(settle_descriptors(open_now), open_now);
        for (int i = 0; i < 3; i++)
                cr_assert_eq(send_raw(theirs, "B", 1, NULL, 0, fds, 100), 1);
        lane_drain_bells(ours);
        cr_assert_eq(settle_descriptors(open_now), open_now);
}

/* ---- bells ---- */

static size_t count_packets(void) {
        uint8_t bytes[PACKET_START_SIZE];
        size_t n = 0, n_fds;

        while (take(bytes, sizeof(bytes), &n_fds) > 0)
                n++;
        return n;
}

Test(lane_wire, a_bell_is_a_packet_of_one_byte) {
        uint8_t bytes[PACKET_START_SIZE];
        size_t n_fds;

        cr_assert_eq(lane_ring_bell(theirs), 0);
        cr_assert_eq(lane_ring_bell(theirs), 0);
        cr_assert_eq(take(bytes, sizeof(bytes), &n_fds), 1);
        cr_assert_eq(n_fds, 0);
        cr_assert_eq(count_packets(), 1);
}

Test(lane_wire, a_socket_full_of_bells_is_a_rung_bell_and_drained_it_is_empty) {
        size_t n;

        for (int i = 0; i < 2000; i++)
                cr_assert_eq(lane_ring_bell(theirs), 0);
        lane_drain_bells(ours);
        cr_assert_eq(count_packets(), 0);
        for (int i = 0; i < 2000; i++)
                cr_assert_eq(lane_ring_bell(theirs), 0);
        n = count_packets();
        cr_assert_gt(n, 2 * 64, "the reader drains after 64");
        cr_assert_lt(n, 2000);
}

Test(lane_wire, who_rings_on_and_on_while_bells_are_taken_is_nobody_to_wait_for) {
        cr_assert_eq(lane_ring_bell(theirs), 0);
        encores = 400;
        cr_assert_eq(lane_drain_bells(ours), 0);
        cr_assert_eq(count_packets(), 0);
        cr_assert_eq(lane_ring_bell(theirs), 0);
        encores = 1000000;
        cr_assert_eq(lane_drain_bells(ours), LEAT_DISCONNECTED);
        cr_assert_gt(encores, 990000);
        encores = 0;
        cr_assert_eq(lane_drain_bells(ours), 0);
}

Test(lane_wire, a_bell_at_the_end_is_a_disconnection) {
        close_ours();
        cr_assert_eq(lane_ring_bell(theirs), LEAT_DISCONNECTED);
        cr_assert_eq(lane_ring_bell(theirs), LEAT_DISCONNECTED);
}

Test(lane_wire, a_bell_after_a_reset_is_a_disconnection) {
        cr_assert_eq(send(theirs, "B", 1, MSG_NOSIGNAL), 1);
        close_ours(); /* With something unread. */
        cr_assert_eq(lane_ring_bell(theirs), LEAT_DISCONNECTED);
}

/* As who was killed with bells unread leaves it: the system says ECONNRESET once, and then all is there that
 * was sent. */
Test(lane_wire, what_was_sent_before_a_reset_is_drained_up_to_the_packet) {
        static const uint8_t packet[PACKET_HEADER_SIZE] = { 1, 1 };
        uint8_t bytes[PACKET_START_SIZE];
        size_t n_fds;

        for (int i = 0; i < 5; i++)
                cr_assert_eq(lane_ring_bell(theirs), 0);
        cr_assert_eq(send_raw(theirs, packet, sizeof(packet), NULL, 0, NULL, 0), (ssize_t) sizeof(packet));
        cr_assert_eq(send(ours, "B", 1, MSG_NOSIGNAL), 1);
        close_theirs(); /* With something unread. */
        cr_assert_eq(lane_drain_bells(ours), LEAT_MORE);
        cr_assert_eq(take(bytes, sizeof(bytes), &n_fds), PACKET_HEADER_SIZE);
        cr_assert_eq(lane_drain_bells(ours), LEAT_DISCONNECTED);
}

Test(lane_wire, draining_leaves_a_packet_and_all_behind_it) {
        static const uint8_t packet[PACKET_HEADER_SIZE] = { 1, 1 };
        uint8_t bytes[PACKET_START_SIZE];
        size_t n_fds;

        for (int i = 0; i < 5; i++)
                cr_assert_eq(lane_ring_bell(theirs), 0);
        cr_assert_eq(send_raw(theirs, packet, sizeof(packet), NULL, 0, &ours, 1), (ssize_t) sizeof(packet));
        for (int i = 0; i < 3; i++)
                cr_assert_eq(lane_ring_bell(theirs), 0);
        lane_drain_bells(ours);
        lane_drain_bells(ours);
        cr_assert_eq(take(bytes, sizeof(bytes), &n_fds), (ssize_t) sizeof(packet));
        cr_assert_eq(n_fds, 1);
        lane_drain_bells(ours);
        cr_assert_eq(count_packets(), 0);
}

Test(lane_wire, draining_neither_waits_nor_minds_the_end) {
        lane_drain_bells(ours);
        cr_assert_eq(lane_ring_bell(theirs), 0);
        close_theirs();
        lane_drain_bells(ours);
        lane_drain_bells(ours);
        lane_drain_bells(-1);
}
