/* One packet: its header says what comes, byte by byte, and nothing else is let through. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "packet.h"

#include "stranger.h"
#include "support.h"

static const struct packet_header whole = { .kind = PACKET_MESSAGE,
                                            .encoding = 2,
                                            .n_handles = 0x0203,
                                            .tag = 0x11223344,
                                            .table_size = 5,
                                            .body_size = 7 };

Test(packet, the_header_stands_byte_by_byte_as_it_is_written_down) {
        static const uint8_t expected[PACKET_HEADER_SIZE] = { 1, 1, 2, 0, 0x44, 0x33, 0x22, 0x11, 0x03, 0x02, 0, 0,
                                                              5, 0, 0, 0, 7,    0,    0,    0,    0,    0,    0, 0 };
        uint8_t bytes[PACKET_HEADER_SIZE];
        struct packet_header read;

        packet_write_header(&whole, bytes);
        cr_assert_eq(memcmp(bytes, expected, sizeof(bytes)), 0);
        cr_assert_eq(packet_read_header(bytes, PACKET_HEADER_SIZE + 12, &read), 0);
        cr_assert_eq(read.kind, whole.kind);
        cr_assert_eq(read.encoding, whole.encoding);
        cr_assert_eq(read.n_handles, whole.n_handles);
        cr_assert_eq(read.tag, whole.tag);
        cr_assert_eq(read.table_size, whole.table_size);
        cr_assert_eq(read.body_size, whole.body_size);
}

static int read_with(size_t at, uint8_t byte, size_t size) {
        uint8_t bytes[PACKET_HEADER_SIZE];
        struct packet_header read;

        packet_write_header(&whole, bytes);
        if (at < sizeof(bytes))
                bytes[at] = byte;
        return packet_read_header(bytes, size, &read);
}

Test(packet, another_version_is_told_and_another_kind_or_size_is_malformed) {
        const size_t size = PACKET_HEADER_SIZE + 12;

        cr_assert_eq(read_with(SIZE_MAX, 0, size), 0);
        for (unsigned byte = 0; byte < 256; byte++) {
                cr_assert_eq(read_with(0, (uint8_t) byte, size), byte == 1 ? 0 : byte == 0 ? LEAT_MALFORMED : LEAT_VERSION_MISMATCH,
                             "version %u", byte);
                cr_assert_eq(read_with(1, (uint8_t) byte, size), byte >= 1 && byte <= PACKET_BARRIER ? 0 : LEAT_MALFORMED,
                             "kind %u", byte);
                cr_assert_eq(read_with(3, (uint8_t) byte, size), byte == 0 ? 0 : LEAT_MALFORMED);
                cr_assert_eq(read_with(10, (uint8_t) byte, size), byte == 0 ? 0 : LEAT_MALFORMED);
                cr_assert_eq(read_with(11, (uint8_t) byte, size), byte == 0 ? 0 : LEAT_MALFORMED);
        }
        for (size_t short_by = 1; short_by <= size; short_by++)
                cr_assert_eq(read_with(SIZE_MAX, 0, size - short_by), LEAT_MALFORMED);
        cr_assert_eq(read_with(SIZE_MAX, 0, size + 1), LEAT_MALFORMED);
        for (size_t any = 0; any <= 2 * size; any++)
                cr_assert_eq(read_with(0, 2, any), any < PACKET_HEADER_SIZE ? LEAT_MALFORMED : LEAT_VERSION_MISMATCH,
                             "another version of %zu bytes", any);
        for (size_t at = 12; at < PACKET_HEADER_SIZE; at++)
                cr_assert_eq(read_with(at, 0xff, size), LEAT_MALFORMED, "sizes that lie at %zu", at);
}

Test(packet, the_sizes_of_a_sealed_one_are_checked_against_its_memory_and_not_here) {
        uint8_t bytes[PACKET_HEADER_SIZE];
        struct packet_header header = { .kind = PACKET_SEALED, .table_size = UINT32_MAX, .body_size = UINT64_MAX }, read;

        packet_write_header(&header, bytes);
        cr_assert_eq(packet_read_header(bytes, PACKET_HEADER_SIZE, &read), 0);
        cr_assert_eq(packet_read_header(bytes, PACKET_HEADER_SIZE + 999, &read), 0);
        cr_assert_eq(read.body_size, UINT64_MAX);
}

Test(packet, the_number_of_descriptors_is_the_handles_and_the_memory) {
        uint8_t bytes[PACKET_HEADER_SIZE];
        struct packet_header header = { .kind = PACKET_MESSAGE, .n_handles = 7 };

        packet_write_header(&header, bytes);
        cr_assert_eq(packet_promised_descriptors(bytes, sizeof(bytes)), 7);
        cr_assert_eq(packet_promised_descriptors(bytes, sizeof(bytes) - 1), 0);
        header.kind = PACKET_SEALED;
        packet_write_header(&header, bytes);
        cr_assert_eq(packet_promised_descriptors(bytes, sizeof(bytes)), 8);
        header.n_handles = UINT16_MAX;
        packet_write_header(&header, bytes);
        cr_assert_eq(packet_promised_descriptors(bytes, sizeof(bytes)), 0);
}

static int pair[2];
static int before;

static void start(void) {
        int on = 1;

        before = count_descriptors();
        cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
        cr_assert_eq(setsockopt(pair[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)), 0);
}

static void finish(void) {
        close(pair[0]);
        close(pair[1]);
        cr_assert_eq(count_descriptors(), before, "a descriptor leaked");
}

TestSuite(packet_socket, .init = start, .fini = finish);

Test(packet_socket, an_empty_packet_is_told_from_the_end) {
        uint8_t room[8];
        struct packet packet = { .data = room, .capacity = sizeof(room) };

        cr_assert_eq(packet_receive(pair[1], &packet, 0, LEAT_NOW), LEAT_EMPTY);
        cr_assert_eq(send(pair[0], "", 0, 0), 0);
        cr_assert_eq(packet_receive(pair[1], &packet, 0, LEAT_FOREVER), 0);
        cr_assert_eq(packet.size, 0);
        shutdown(pair[0], SHUT_WR);
        cr_assert_eq(packet_receive(pair[1], &packet, 0, LEAT_FOREVER), LEAT_DISCONNECTED);
}

Test(packet_socket, a_packet_longer_than_the_room_says_so) {
        uint8_t room[8];
        struct packet packet = { .data = room, .capacity = sizeof(room) };

        cr_assert_eq(send(pair[0], "123456789", 9, 0), 9);
        cr_assert_eq(packet_receive(pair[1], &packet, 0, LEAT_NOW), 0);
        cr_assert(packet.too_long);
}

Test(packet_socket, descriptors_beyond_what_was_asked_for_are_closed_and_said_to_be_lost) {
        int fds[253], file = open("/dev/null", O_RDONLY | O_CLOEXEC), n;
        uint8_t room[8];
        struct packet packet = { .data = room, .capacity = sizeof(room) };

        for (int i = 0; i < 253; i++)
                fds[i] = file;
        n = count_descriptors();
        for (size_t most = 0; most <= 253; most += 23) {
                cr_assert_eq(send_raw(pair[0], "x", 1, "", 0, fds, 253), 1);
                cr_assert_eq(packet_receive(pair[1], &packet, most, LEAT_NOW), 0);
                cr_assert_leq(packet.n_fds, most);
                cr_assert_eq(packet.fds_are_lost, packet.n_fds < 253);
                cr_assert_eq(settle_descriptors(n + (int) packet.n_fds), n + (int) packet.n_fds);
                for (size_t i = 0; i < packet.n_fds; i++) {
                        cr_assert_eq(fcntl(packet.fds[i], F_GETFD), FD_CLOEXEC);
                        close(packet.fds[i]);
                }
        }
        close(file);
}

Test(packet_socket, other_control_messages_are_stepped_over) {
        int on = 1, file = open("/dev/null", O_RDONLY | O_CLOEXEC);
        uint8_t room[8];
        struct packet packet = { .data = room, .capacity = sizeof(room) };

#ifndef SO_PASSPIDFD
#define SO_PASSPIDFD 76
#endif
        (void) setsockopt(pair[1], SOL_SOCKET, SO_PASSPIDFD, &on, sizeof(on)); /* Unknown before 6.5. */
        (void) setsockopt(pair[1], SOL_SOCKET, SO_TIMESTAMP, &on, sizeof(on));
        cr_assert_eq(send_raw(pair[0], "x", 1, "", 0, &file, 1), 1);
        cr_assert_eq(packet_receive(pair[1], &packet, 253, LEAT_NOW), 0);
        cr_assert_eq(packet.n_fds, 1);
        close(packet.fds[0]);
        close(file);
}

Test(packet_socket, peeking_leaves_the_packet_where_it_is) {
        uint8_t room[8], start_of[3];
        struct packet packet = { .data = room, .capacity = sizeof(room) };
        bool waited = false;
        size_t size;

        cr_assert_eq(packet_peek(pair[1], start_of, sizeof(start_of), &size, LEAT_NOW, &waited), LEAT_EMPTY);
        cr_assert_not(waited);
        cr_assert_eq(packet_peek(pair[1], start_of, sizeof(start_of), &size, leat_after_ms(2), &waited), LEAT_TIMEOUT);
        cr_assert(waited);
        cr_assert_eq(send(pair[0], "12345", 5, 0), 5);
        for (int i = 0; i < 2; i++) {
                cr_assert_eq(packet_peek(pair[1], start_of, sizeof(start_of), &size, LEAT_FOREVER, &waited), 0);
                cr_assert_eq(size, 3);
                cr_assert_eq(memcmp(start_of, "123", 3), 0);
        }
        cr_assert_eq(packet_receive(pair[1], &packet, 0, LEAT_NOW), 0);
        cr_assert_eq(packet.size, 5);
}

Test(packet_socket, one_that_was_never_connected_is_disconnected) {
        int alone = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
        uint8_t room[8] = { 0 };
        struct packet packet = { .data = room, .capacity = sizeof(room) };
        struct iovec part = { .iov_base = room, .iov_len = 1 };

        cr_assert_eq(packet_receive(alone, &packet, 0, LEAT_FOREVER), LEAT_DISCONNECTED);
        cr_assert_eq(packet_send(alone, &part, 1, NULL, 0, LEAT_FOREVER, NULL), LEAT_DISCONNECTED);
        close(alone);
}

Test(packet_socket, a_non_blocking_socket_still_waits_as_long_as_the_deadline_says) {
        uint8_t room[8] = { 0 };
        struct packet packet = { .data = room, .capacity = sizeof(room) };
        struct iovec part = { .iov_base = room, .iov_len = 1 };
        pid_t child;

        /* Another holder has set it. */
        cr_assert_eq(fcntl(pair[1], F_SETFL, O_NONBLOCK), 0);
        cr_assert_eq(fcntl(pair[0], F_SETFL, O_NONBLOCK), 0);
        cr_assert_eq(packet_receive(pair[1], &packet, 0, leat_after_ms(5)), LEAT_TIMEOUT);
        child = fork();
        if (child == 0) {
                watchdog(30);
                sleep_ms(20);
                check_equal(packet_send(pair[0], &part, 1, NULL, 0, LEAT_FOREVER, NULL), 0);
                leave_child(0);
        }
        cr_assert_eq(packet_receive(pair[1], &packet, 0, LEAT_FOREVER), 0);
        cr_assert_eq(wait_for_exit(child), 0);
}
