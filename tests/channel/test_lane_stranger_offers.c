/* A peer that lies in its offers, markers and barriers. Those who send honestly beside
 * it are not disturbed, and nothing is left of it. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "lane_stranger.h"

#define POOLED (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

TestSuite(lane_stranger_offers, .init = start, .fini = finish);
TestSuite(lane_stranger_offers_in_set, .init = start_in_set,
          .fini = finish); /* Which then watches the lanes. */

/* ---- offers ---- */

static void expect_refusal(struct stranger *stranger, int line) {
        expect_empty(line);
        cr_assert_eq(n_lanes(), N_HONEST, "line %d", line);
        cr_assert_eq(lane_take_answer(stranger->lane->socket), LEAT_REFUSED, "line %d", line);
        mark(stranger);
        close_parts(stranger);
        close_lane(stranger);
        nothing_is_left(line);
}

static void offer_numbers(uint64_t size, uint64_t limit) {
        struct stranger stranger = make_stranger();

        stranger.parts.offer.size = size;
        stranger.parts.offer.limit = limit;
        offer(&stranger);
        expect_refusal(&stranger, __LINE__);
}

Test(lane_stranger_offers, an_offer_with_numbers_that_cannot_be_is_refused) {
        static const uint64_t wrong_sizes[] = { 0,
                                                1,
                                                RING_MIN_SIZE,
                                                RING / 2,
                                                RING * 2,
                                                RING - 1,
                                                RING + RING_WORDS_SIZE,
                                                RING_MAX_SIZE,
                                                RING_MAX_SIZE * 2,
                                                UINT64_C(1) << 32 | RING,
                                                UINT64_C(1) << 63,
                                                UINT64_MAX };
        static const uint64_t wrong_limits[] = {
                0, 1, RING_MIN_SIZE / 2 - 1, RING + 1, UINT64_C(1) << 32 | RING, UINT64_MAX
        };

        for (size_t i = 0; i < sizeof(wrong_sizes) / sizeof(wrong_sizes[0]); i++)
                offer_numbers(wrong_sizes[i], RING_MIN_SIZE / 2);
        for (size_t i = 0; i < sizeof(wrong_limits) / sizeof(wrong_limits[0]); i++)
                offer_numbers(RING, wrong_limits[i]);
}

static int make_memory(size_t size, unsigned seals, bool filled) {
        int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

        cr_assert_geq(fd, 0);
        cr_assert_eq(ftruncate(fd, (off_t) size), 0);
        if (filled)
                cr_assert_eq(fallocate(fd, 0, 0, (off_t) size), 0);
        cr_assert_eq(fcntl(fd, F_ADD_SEALS, (int) seals), 0);
        return fd;
}

static void offer_instead_of_memory(int fd, int line) {
        struct stranger stranger = make_stranger();

        cr_assert_geq(fd, 0, "line %d", line);
        (void) close(stranger.parts.memory);
        stranger.parts.memory = fd;
        offer(&stranger);
        expect_refusal(&stranger, line);
}

Test(lane_stranger_offers, an_offer_with_memory_that_is_not_such_is_refused) {
        const size_t size = RING_WORDS_SIZE + RING;
        int pair[2];

        offer_instead_of_memory(open("/dev/null", O_RDWR | O_CLOEXEC), __LINE__);
        offer_instead_of_memory(open("/proc/self/exe", O_RDONLY | O_CLOEXEC), __LINE__);
        offer_instead_of_memory(make_memory(size, 0, true), __LINE__);
        offer_instead_of_memory(make_memory(size, F_SEAL_SHRINK, true), __LINE__);
        offer_instead_of_memory(make_memory(size, F_SEAL_SHRINK | F_SEAL_GROW, true), __LINE__);
        offer_instead_of_memory(make_memory(size, POOLED | F_SEAL_WRITE, true), __LINE__);
        offer_instead_of_memory(make_memory(size, POOLED, false), __LINE__);
        offer_instead_of_memory(make_memory(size - 1, POOLED, true), __LINE__);
        offer_instead_of_memory(make_memory(size + 4096, POOLED, true), __LINE__);
        offer_instead_of_memory(make_memory(RING, POOLED, true), __LINE__);
        offer_instead_of_memory(make_memory(0, POOLED, false), __LINE__);
        cr_assert_eq(pipe2(pair, O_CLOEXEC), 0);
        (void) close(pair[1]);
        offer_instead_of_memory(pair[0], __LINE__ - 2);
        cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
        (void) close(pair[1]);
        offer_instead_of_memory(pair[0], __LINE__ - 2);
        nothing_is_left(__LINE__);
}

/* The number that the second of two new descriptors gets. */
static int second_free_number(void) {
        int first = fcntl(raw, F_DUPFD_CLOEXEC, 3), second = fcntl(raw, F_DUPFD_CLOEXEC, 3);

        (void) close(first);
        (void) close(second);
        cr_assert_geq(second, 3);
        return second;
}

static void set_descriptor_limit(rlim_t limit, struct rlimit *ret_before) {
        struct rlimit changed;

        cr_assert_eq(getrlimit(RLIMIT_NOFILE, ret_before), 0);
        changed = (struct rlimit){ .rlim_cur = limit, .rlim_max = ret_before->rlim_max };
        cr_assert_eq(setrlimit(RLIMIT_NOFILE, &changed), 0);
}

Test(lane_stranger_offers, lanes_leave_sixteen_descriptors_for_everything_else) {
        int n = count_descriptors();
        struct stranger stranger = make_stranger();
        rlim_t last = (rlim_t) second_free_number();
        struct rlimit limit;

        offer(&stranger);
        set_descriptor_limit(last + 16, &limit);
        expect_empty(__LINE__);
        cr_assert_eq(n_lanes(), N_HONEST);
        cr_assert_eq(lane_take_answer(stranger.lane->socket), LEAT_REFUSED);
        still_works(__LINE__);
        close_parts(&stranger);
        close_lane(&stranger);
        cr_assert_eq(settle_descriptors(n), n); /* The same numbers are to be free again. */
        stranger = make_stranger();
        offer(&stranger);
        set_descriptor_limit(last + 17, &(struct rlimit){ 0 });
        expect_empty(__LINE__);
        cr_assert_eq(n_lanes(), N_HONEST + 1);
        cr_assert_eq(lane_take_answer(stranger.lane->socket), 0);
        cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
        close_parts(&stranger);
        close_lane(&stranger);
        nothing_is_left(__LINE__);
}

Test(lane_stranger_offers, a_name_that_is_taken_is_refused) {
        struct stranger first = open_lane(), second = make_stranger();

        second.parts.offer.identity = first.parts.offer.identity;
        offer(&second);
        expect_empty(__LINE__);
        cr_assert_eq(n_lanes(), N_HONEST + 1);
        cr_assert_eq(lane_take_answer(second.lane->socket), LEAT_REFUSED);
        put_seven(&first);
        expect_seven(__LINE__);
        close_parts(&second);
        close_lane(&second);
        close_lane(&first);
        nothing_is_left(__LINE__);
}

/* Nor can one guess the name of another one's lane and refuse or end it. */
Test(lane_stranger_offers, an_honest_ones_name_is_of_no_use) {
        struct stranger stranger = make_stranger();

        stranger.parts.offer.identity = tx.object->lane->identity;
        offer(&stranger);
        expect_refusal(&stranger, __LINE__);
}

static void send_offer_with(const int *fds, size_t n_fds, uint16_t n_handles, size_t body_size, int line) {
        const struct packet_header header = {
                .kind = PACKET_OFFER, .tag = tag, .n_handles = n_handles, .body_size = body_size
        };
        uint8_t start_of[PACKET_HEADER_SIZE], body[128] = { 0 };
        parcel got;
        int r;

        packet_write_header(&header, start_of);
        cr_assert_gt(send_raw(raw, start_of, sizeof(start_of), body, body_size, fds, n_fds), 0);
        r = receive(&got);
        cr_assert_eq(r, LEAT_MALFORMED, "line %d: %d", line, r);
        nothing_is_left(line);
}

Test(lane_stranger_offers, an_offer_with_another_number_of_descriptors_or_bytes_is_malformed) {
        const int fds[] = { raw, raw, raw, raw };

        for (size_t n = 0; n <= 4; n++)
                if (n != LANE_OFFER_DESCRIPTORS)
                        send_offer_with(fds, n, 0, 32, __LINE__);
        send_offer_with(fds, 3, 1, 32, __LINE__);
        send_offer_with(fds, 2, 2, 32, __LINE__);
        send_offer_with(fds, 2, UINT16_MAX, 32, __LINE__);
        for (size_t size = 0; size <= 100; size += 5)
                send_offer_with(fds, 2, 0, size, __LINE__);
}

/* A part of the body that calls itself a table, and an encoding of what has none. */
Test(lane_stranger_offers, packets_about_lanes_have_no_table_and_no_encoding) {
        static const size_t body_sizes[] = { 32, 16, 24 };

        for (int i = 0; i < 3; i++)
                for (uint8_t encoding = 0; encoding < 2; encoding++) {
                        const uint32_t table_size = encoding == 0 ? 8 : 0;
                        const struct packet_header header = { .kind = (enum packet_kind)(PACKET_OFFER + i),
                                                              .encoding = encoding,
                                                              .tag = tag,
                                                              .table_size = table_size,
                                                              .body_size = body_sizes[i] - table_size };
                        struct stranger stranger = make_stranger();
                        const int fds[] = { stranger.parts.memory, stranger.parts.socket };
                        uint8_t start_of[PACKET_HEADER_SIZE];
                        parcel got;
                        int r;

                        packet_write_header(&header, start_of);
                        cr_assert_gt(send_raw(raw, start_of, sizeof(start_of), &stranger.parts.offer,
                                              body_sizes[i], fds, i == 0 ? 2 : 0),
                                     0);
                        r = receive(&got);
                        cr_assert_eq(r, LEAT_MALFORMED, "kind %d: %d", PACKET_OFFER + i, r);
                        close_parts(&stranger);
                        close_lane(&stranger);
                }
        nothing_is_left(__LINE__);
}

Test(lane_stranger_offers, an_offer_under_another_types_tag_is_malformed) {
        struct stranger stranger = make_stranger();
        parcel got;

        cr_assert_eq(lane_send_offer(raw, tag + 1, &stranger.parts.offer, stranger.parts.memory,
                                     stranger.parts.socket, LEAT_NOW),
                     0);
        close_parts(&stranger);
        cr_assert_eq(receive(&got), LEAT_MALFORMED);
        cr_assert_eq(lane_take_answer(stranger.lane->socket), LEAT_REFUSED);
        close_lane(&stranger);
        nothing_is_left(__LINE__);
}

static void flood_with_offers(void) {
        struct stranger strangers[100];
        size_t accepted = 0;

        for (size_t i = 0; i < 100; i++) {
                strangers[i] = make_stranger();
                offer(&strangers[i]);
                close_parts(&strangers[i]);
                expect_empty(__LINE__);
                accepted += lane_take_answer(strangers[i].lane->socket) == 0;
        }
        cr_assert_eq(accepted, LANE_LIMIT - N_HONEST);
        cr_assert_eq(n_lanes(), LANE_LIMIT);
        still_works(__LINE__);
        for (size_t i = 0; i < 100; i++)
                close_lane(&strangers[i]);
        nothing_is_left(__LINE__);
}

Test(lane_stranger_offers, so_many_offers_are_accepted_and_no_more) {
        flood_with_offers();
}

Test(lane_stranger_offers_in_set, so_many_offers_are_accepted_and_no_more) {
        flood_with_offers();
}

Test(lane_stranger_offers, so_much_memory_is_mapped_and_no_more) {
        struct stranger first, second;
        size_t half = LANE_MEMORY / 2;

        cr_assert_eq(lane_writer_create(half, &first.lane, &first.parts), 0);
        cr_assert_eq(lane_writer_create(half, &second.lane, &second.parts), 0);
        offer(&first);
        offer(&second);
        expect_empty(__LINE__);
        cr_assert_eq(lane_take_answer(first.lane->socket), 0);
        cr_assert_eq(lane_take_answer(second.lane->socket), LEAT_REFUSED, "the honest one's is counted too");
        cr_assert_eq(n_lanes(), N_HONEST + 1);
        close_parts(&first);
        close_parts(&second);
        close_lane(&first);
        close_lane(&second);
        nothing_is_left(__LINE__);
        cr_assert_eq(rx.object->lanes->mapped, RING);
}

/* ---- markers and barriers ---- */

Test(lane_stranger_offers, what_is_before_its_marker_in_the_socket_is_before_what_is_in_the_lane) {
        struct stranger stranger = make_stranger();
        parcel got;

        offer(&stranger);
        close_parts(&stranger);
        expect_empty(__LINE__);
        put_seven(&stranger);
        for (int i = 0; i < 3; i++)
                cr_assert_eq(parcel_send(tx_on_socket, &(parcel){ .id = BY_SOCKET }, LEAT_NOW), 0);
        mark(&stranger);
        for (int i = 0; i < 3; i++) {
                cr_assert_eq(receive(&got), 0);
                cr_assert_eq(got.id, BY_SOCKET);
        }
        expect_seven(__LINE__);
        close_lane(&stranger);
        nothing_is_left(__LINE__);
}

/* It may have been taken by another process, so what is in the lane may come; or not. */
Test(lane_stranger_offers, a_lane_whose_marker_never_comes_keeps_nobody_waiting) {
        struct stranger stranger = make_stranger();

        offer(&stranger);
        close_parts(&stranger);
        put_seven(&stranger);
        while (receive(&(parcel){ 0 }) == 0)
                ;
        still_works(__LINE__);
        close_lane(&stranger);
        while (receive(&(parcel){ 0 }) == 0)
                ;
        nothing_is_left(__LINE__);
}

Test(lane_stranger_offers, a_lane_that_ends_before_its_marker_leaves_nothing) {
        struct stranger stranger = make_stranger();

        offer(&stranger);
        close_parts(&stranger);
        expect_empty(__LINE__);
        close_lane(&stranger);
        nothing_is_left(__LINE__);
}

Test(lane_stranger_offers, markers_and_barriers_of_nobody_are_nothing) {
        struct lane_barrier barrier = { .identity = { { 9 } }, .position = UINT64_MAX };
        struct stranger stranger;

        for (int i = 0; i < 20; i++) {
                cr_assert_eq(lane_send_marker(raw, tag, &barrier.identity, LEAT_NOW), 0);
                cr_assert_eq(lane_send_barrier(raw, tag, &barrier, LEAT_NOW), 0);
        }
        nothing_is_left(__LINE__);
        stranger = open_lane();
        mark(&stranger);
        mark(&stranger);
        put_seven(&stranger);
        expect_seven(__LINE__);
        still_works(__LINE__);
        close_lane(&stranger);
        nothing_is_left(__LINE__);
}

Test(lane_stranger_offers, a_marker_or_barrier_with_more_than_belongs_to_it_is_malformed) {
        for (int kind = PACKET_MARKER; kind <= PACKET_BARRIER; kind++)
                for (size_t size = 0; size <= 40; size++)
                        for (size_t n_fds = 0; n_fds < 3; n_fds++) {
                                const struct packet_header header = { .kind = (enum packet_kind) kind,
                                                                      .tag = tag,
                                                                      .body_size = size };
                                const int fds[] = { raw, raw };
                                uint8_t start_of[PACKET_HEADER_SIZE], body[40] = { 0 };
                                parcel got;
                                int r;

                                if (size == (kind == PACKET_MARKER ? 16 : 24) && n_fds == 0)
                                        continue;
                                packet_write_header(&header, start_of);
                                cr_assert_gt(
                                        send_raw(raw, start_of, sizeof(start_of), body, size, fds, n_fds), 0);
                                r = receive(&got);
                                cr_assert_eq(r, LEAT_MALFORMED, "kind %d, %zu bytes, %zu descriptors: %d",
                                             kind, size, n_fds, r);
                        }
        nothing_is_left(__LINE__);
}

static void send_barrier(const struct stranger *stranger, uint64_t position) {
        const struct lane_barrier barrier = { .identity = stranger->parts.offer.identity,
                                              .position = position };

        cr_assert_eq(lane_send_barrier(raw, tag, &barrier, LEAT_NOW), 0);
}

static void bar_beyond_what_is_there(void) {
        static const uint64_t positions[] = { 1, 8, 24, RING, UINT64_C(1) << 63, UINT64_MAX };

        for (size_t i = 0; i < sizeof(positions) / sizeof(positions[0]); i++) {
                struct stranger stranger = open_lane();

                send_barrier(&stranger, positions[i]);
                expect_end(&stranger, __LINE__);
        }
}

Test(lane_stranger_offers, a_barrier_beyond_what_is_there_ends_its_lane) {
        bar_beyond_what_is_there();
}

Test(lane_stranger_offers_in_set, a_barrier_beyond_what_is_there_ends_its_lane) {
        bar_beyond_what_is_there();
}

Test(lane_stranger_offers, a_barrier_inside_a_record_is_behind_it) {
        struct stranger stranger = open_lane();

        put_seven(&stranger);
        put_seven(&stranger);
        send_barrier(&stranger, 3);
        expect_seven(__LINE__);
        expect_seven(__LINE__);
        still_works(__LINE__);
        close_lane(&stranger);
        nothing_is_left(__LINE__);
}

/* ---- ends ---- */

static void close_honest(void) {
        parcel_sender_close(&tx);
        parcel_sender_close(&tx_on_socket);
        (void) close(raw);
        raw = -1;
}

static void expect_disconnection(int line) {
        leat_deadline deadline = leat_after_ms(5000);
        parcel got;
        int r;

        do
                r = parcel_recv(rx, &got, deadline);
        while (r == 0);
        cr_assert_eq(r, LEAT_DISCONNECTED, "line %d: %d", line, r);
}

/* It keeps the lane busy meanwhile, so that the lie does not come to light. */
Test(lane_stranger_offers, a_barrier_beyond_what_can_be_there_keeps_nobody_waiting) {
        static const uint64_t positions[] = { RING + 1, UINT64_C(1) << 40, UINT64_MAX };

        for (size_t i = 0; i < sizeof(positions) / sizeof(positions[0]); i++) {
                struct stranger stranger = open_lane();
                bool came = false;

                put_seven(&stranger);
                send_barrier(&stranger, positions[i]);
                cr_assert_eq(parcel_send(tx_on_socket, &(parcel){ .id = BY_SOCKET }, LEAT_NOW), 0);
                for (int n = 0; n < 50000 && !came; n++) {
                        parcel got = { 0 };

                        while (ring_reserve(&stranger.lane->ring, sizeof(seven)))
                                put_seven(&stranger);
                        if (receive(&got) == 0)
                                came = got.id == BY_SOCKET;
                }
                cr_assert(came, "position %llu", (unsigned long long) positions[i]);
                close_lane(&stranger);
                while (receive(&(parcel){ 0 }) == 0)
                        ;
                nothing_is_left(__LINE__);
        }
}

/* Somebody keeps a lane's socket but not the channel's: no sender does. */
Test(lane_stranger_offers, a_lane_alone_does_not_keep_a_channel_alive) {
        struct stranger stranger = open_lane();

        put_seven(&stranger);
        close_honest();
        expect_disconnection(__LINE__);
        close_lane(&stranger);
}

Test(lane_stranger_offers, an_offer_alone_does_not_keep_a_channel_alive) {
        struct stranger stranger = make_stranger();

        offer(&stranger);
        close_parts(&stranger);
        expect_empty(__LINE__);
        close_honest();
        expect_disconnection(__LINE__);
        close_lane(&stranger);
}

/* The lane's socket lies unread in itself. */
Test(lane_stranger_offers, a_lanes_socket_that_holds_its_own_other_end_does_not_keep_a_channel_alive) {
        struct stranger stranger = open_lane();
        uint8_t packet[PACKET_HEADER_SIZE] = { 1, 1 };

        cr_assert_gt(
                send_raw(stranger.lane->socket, packet, sizeof(packet), NULL, 0, &stranger.lane->socket, 1),
                0);
        close_lane(&stranger);
        still_works(__LINE__);
        close_honest();
        expect_disconnection(__LINE__);
}
