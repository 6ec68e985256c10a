/* A peer that writes nonsense into its lane: it costs the lane, or one message. Those who send honestly
 * beside it are not disturbed, and nothing is left of it. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "lane_stranger.h"

TestSuite(lane_stranger, .init = start, .fini = finish);
TestSuite(lane_stranger_in_set, .init = start_in_set, .fini = finish); /* Which then watches the lanes. */

static void speaks_by_hand(void) {
        struct stranger stranger = open_lane();

        put_seven(&stranger);
        expect_seven(__LINE__);
        put_first(&stranger, sizeof(seven), seven, 2);
        expect_empty(__LINE__);
        still_works(__LINE__);
        put(&stranger, LANE_PIECE, 0, seven + 2, sizeof(seven) - 2);
        expect_seven(__LINE__);
        put_first(&stranger, sizeof(seven), seven, 2);
        put(&stranger, LANE_ABORT, 0, NULL, 0);
        expect_empty(__LINE__);
        close_lane(&stranger);
        nothing_is_left(__LINE__);
}

Test(lane_stranger, can_speak_the_protocol_by_hand) {
        speaks_by_hand();
}

Test(lane_stranger_in_set, can_speak_the_protocol_by_hand) {
        speaks_by_hand();
}

/* ---- nonsense in the ring ---- */

static void nonsense_kinds(void) {
        static const uint8_t kinds[] = { LANE_PIECE, LANE_ABORT, LANE_ABORT + 1, 100, 255 };

        for (size_t i = 0; i < sizeof(kinds); i++) {
                struct stranger stranger = open_lane();

                put(&stranger, kinds[i], 1, "abc", i == 1 ? 0 : 3);
                expect_end(&stranger, __LINE__);
        }
        for (size_t i = 0; i < sizeof(kinds); i++) {
                struct stranger stranger = open_lane();

                put_seven(&stranger);
                put_first(&stranger, 100, "abc", 3);
                put(&stranger, kinds[i] == LANE_PIECE ? LANE_MESSAGE : kinds[i], 1, "abc", 3);
                expect_seven(__LINE__);
                expect_end(&stranger, __LINE__);
        }
}

Test(lane_stranger, records_of_a_kind_that_has_no_place_there_end_their_lane) {
        nonsense_kinds();
}

Test(lane_stranger_in_set, records_of_a_kind_that_has_no_place_there_end_their_lane) {
        nonsense_kinds();
}

static void nonsense_headers(void) {
        static const uint64_t wrong[] = { 1,
                                          UINT64_C(1) << 40,
                                          UINT64_C(1) << 63 | UINT64_C(1) << 32,
                                          UINT64_C(1) << 32 | UINT32_MAX,
                                          UINT64_C(1) << 32 | RING,
                                          UINT64_MAX };

        for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
                struct stranger stranger = open_lane();
                struct ring_writer *ring = &stranger.lane->ring;

                put_seven(&stranger);
                atomic_store(ring_header(ring->data, RING, ring->head), wrong[i]);
                (void) lane_ring_bell(stranger.lane->socket);
                expect_seven(__LINE__);
                expect_end(&stranger, __LINE__);
        }
}

Test(lane_stranger, headers_that_cannot_be_end_their_lane) {
        nonsense_headers();
}

Test(lane_stranger_in_set, headers_that_cannot_be_end_their_lane) {
        nonsense_headers();
}

Test(lane_stranger, totals_that_lie_end_their_lane) {
        static const uint64_t wrong[] = { 0, 2, LANE_STREAM_MAX + 1, UINT64_C(1) << 63, UINT64_MAX };

        for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
                struct stranger stranger = open_lane();

                put_first(&stranger, wrong[i], "abc", 3);
                expect_end(&stranger, __LINE__);
        }
}

static void expect_outcome(int outcome, int line) {
        parcel got = { .id = 1234 };
        int r = receive(&got);

        cr_assert_eq(r, outcome, "line %d: %d is not %d", line, r, outcome);
        cr_assert_eq(got.id, 1234, "line %d: touched", line);
}

/* The ring made sense, the message did not. */
Test(lane_stranger, a_body_that_is_no_message_costs_that_message) {
        struct stranger stranger = open_lane();

        for (unsigned encoding = 0; encoding < 256; encoding++) {
                put(&stranger, LANE_MESSAGE, encoding, "\xc1\xc1\xc1", 3);
                expect_outcome(LEAT_MALFORMED, __LINE__);
                put_first(&stranger, 3, "\xc1\xc1\xc1", 3);
                expect_outcome(LEAT_MALFORMED, __LINE__);
        }
        put(&stranger, LANE_MESSAGE, ENCODING_MESSAGEPACK, "\x93\x07\xc4\x00\x00",
            5); /* Handle 0, of none. */
        expect_outcome(LEAT_MALFORMED, __LINE__);
        put_first(&stranger, LANE_STREAM_MAX, "abc", 3);
        expect_outcome(LEAT_TOO_LARGE, __LINE__);
        put(&stranger, LANE_ABORT, 0, NULL, 0);
        put_seven(&stranger);
        expect_seven(__LINE__);
        close_lane(&stranger);
        nothing_is_left(__LINE__);
}

/* ---- packets on the lane's socket ---- */

static void put_packet(struct stranger *stranger) {
        put(stranger, LANE_PACKET, 0, NULL, 0);
}

Test(lane_stranger, a_record_of_a_packet_that_is_not_there_ends_the_lane) {
        struct stranger stranger = open_lane();

        put_packet(&stranger);
        expect_end(&stranger, __LINE__);

        stranger = open_lane();
        for (int i = 0; i < 200; i++)
                cr_assert_eq(lane_ring_bell(stranger.lane->socket), 0);
        put_packet(&stranger);
        expect_end(&stranger, __LINE__);

        stranger = open_lane();
        cr_assert_eq(send(stranger.lane->socket, "", 0, MSG_DONTWAIT), 0);
        put_packet(&stranger);
        expect_end(&stranger, __LINE__);

        stranger = open_lane();
        put(&stranger, LANE_PACKET, 0, "x", 1);
        expect_end(&stranger, __LINE__);
}

static void send_by_lane(struct stranger *stranger, const struct packet_header *header, const void *rest,
                         size_t rest_size, const int *fds, size_t n_fds) {
        uint8_t start_of[PACKET_HEADER_SIZE];

        packet_write_header(header, start_of);
        cr_assert_gt(
                send_raw(stranger->lane->socket, start_of, sizeof(start_of), rest, rest_size, fds, n_fds), 0,
                "%s", strerror(errno));
        put_packet(stranger);
}

Test(lane_stranger, a_packet_that_makes_no_sense_costs_itself) {
        struct stranger stranger = open_lane();
        struct packet_header header = { .kind = PACKET_MESSAGE,
                                        .encoding = ENCODING_MESSAGEPACK,
                                        .tag = tag,
                                        .body_size = sizeof(seven) };
        const struct packet_header good = header;
        int fds[PACKET_MAX_DESCRIPTORS];

        for (size_t i = 0; i < PACKET_MAX_DESCRIPTORS; i++)
                fds[i] = raw;
        for (int kind = 0; kind < 256; kind++) {
                header.kind = (enum packet_kind) kind;
                if (kind == PACKET_MESSAGE)
                        continue;
                send_by_lane(&stranger, &header, seven, sizeof(seven), fds, 2);
                expect_outcome(LEAT_MALFORMED, __LINE__);
        }
        header = good;
        header.tag++;
        send_by_lane(&stranger, &header, seven, sizeof(seven), NULL, 0);
        expect_outcome(LEAT_TYPE_MISMATCH, __LINE__);
        header = good;
        header.body_size = 4;
        send_by_lane(&stranger, &header, seven, sizeof(seven), NULL, 0);
        expect_outcome(LEAT_MALFORMED, __LINE__);
        header = good;
        header.n_handles = 1;
        send_by_lane(&stranger, &header, seven, sizeof(seven), NULL, 0);
        expect_outcome(LEAT_MALFORMED, __LINE__);
        send_by_lane(&stranger, &good, seven, sizeof(seven), fds, PACKET_MAX_DESCRIPTORS);
        expect_outcome(LEAT_MALFORMED, __LINE__);
        header = good;
        header.kind = PACKET_SEALED;
        send_by_lane(&stranger, &header, NULL, 0, fds, 1); /* A socket is no memory. */
        expect_outcome(LEAT_MALFORMED, __LINE__);
        send_by_lane(&stranger, &good, seven, sizeof(seven), NULL, 0);
        expect_seven(__LINE__);
        close_lane(&stranger);
        nothing_is_left(__LINE__);
}

Test(lane_stranger, a_packet_that_is_too_long_costs_itself) {
        const size_t size = PACKET_MAX_SIZE + 1000;
        struct packet_header header = {
                .kind = PACKET_MESSAGE, .encoding = ENCODING_MESSAGEPACK, .tag = tag, .body_size = size
        };
        struct stranger stranger = open_lane();
        uint8_t *rest = calloc(1, size);

        cr_assert_not_null(rest);
        send_by_lane(&stranger, &header, rest, size, &raw, 1);
        expect_outcome(LEAT_MALFORMED, __LINE__);
        free(rest);
        close_lane(&stranger);
        nothing_is_left(__LINE__);
}

Test(lane_stranger, bells_with_descriptors_and_packets_without_records_leave_nothing) {
        struct stranger stranger = open_lane();
        uint8_t packet[PACKET_HEADER_SIZE] = { 1, 1 };
        int fds[100];

        for (size_t i = 0; i < 100; i++)
                fds[i] = raw;
        for (int i = 0; i < 50; i++) {
                (void) send_raw(stranger.lane->socket, "B", 1, NULL, 0, fds, 100);
                still_works(__LINE__);
        }
        for (int i = 0; i < 50; i++) {
                (void) send_raw(stranger.lane->socket, packet, sizeof(packet), NULL, 0, fds, 100);
                still_works(__LINE__);
        }
        close_lane(&stranger);
        nothing_is_left(__LINE__);
}

/* ---- its memory ---- */

Test(lane_stranger, its_memory_may_be_punched_out) {
        struct stranger stranger = make_stranger();
        int memory = fcntl(stranger.parts.memory, F_DUPFD_CLOEXEC, 0);

        offer(&stranger);
        close_parts(&stranger);
        mark(&stranger);
        put_seven(&stranger);
        expect_seven(__LINE__);
        put_seven(&stranger);
        cr_assert_eq(fallocate(memory, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, RING_WORDS_SIZE + RING),
                     0);
        expect_empty(__LINE__);
        still_works(__LINE__);
        (void) close(memory);
        close_lane(&stranger);
        nothing_is_left(__LINE__);
}

Test(lane_stranger, its_words_may_say_anything) {
        struct stranger stranger = open_lane();

        for (int value = 0; value < 256; value += 5) {
                memset(stranger.lane->ring.memory, value, RING_WORDS_SIZE);
                append(&stranger, LANE_MESSAGE, ENCODING_MESSAGEPACK, seven, sizeof(seven));
                ring_publish(&stranger.lane->ring);
                (void) lane_ring_bell(stranger.lane->socket);
                expect_seven(__LINE__);
                still_works(__LINE__);
                memset(stranger.lane->ring.memory, 0, RING_WORDS_SIZE);
                expect_empty(__LINE__);
        }
        close_lane(&stranger);
        nothing_is_left(__LINE__);
}

static void scribble_everywhere(void) {
        unsigned seed = 12345;

        for (int round = 0; round < 300; round++) {
                struct stranger stranger = open_lane();
                uint8_t *memory = stranger.lane->ring.memory;

                for (int n = 0; n < 50; n++) {
                        parcel got;
                        int r;

                        for (size_t i = 0; i < 64; i++)
                                memory[(size_t) rand_r(&seed) % (RING_WORDS_SIZE + 512)] =
                                        (uint8_t) rand_r(&seed);
                        for (size_t i = 0; i < 8; i++)
                                atomic_store(ring_header(stranger.lane->ring.data, RING,
                                                         (uint64_t) rand_r(&seed) % 512 & ~7U),
                                             (uint64_t) (rand_r(&seed) % 6) << 32 |
                                                     (uint64_t) (rand_r(&seed) % 64));
                        (void) lane_ring_bell(stranger.lane->socket);
                        r = receive(&got);
                        cr_assert(r == 0 || r == LEAT_EMPTY || r == LEAT_MALFORMED || r == LEAT_TOO_LARGE,
                                  "%d", r);
                        if (r == LEAT_EMPTY && n_lanes() == N_HONEST)
                                break;
                }
                /* What it has left there may be any number of messages, good and bad. */
                close_lane(&stranger);
                while (n_lanes() > N_HONEST)
                        cr_assert_geq(receive(&(parcel){ 0 }), 0);
                nothing_is_left(__LINE__);
        }
}

Test(lane_stranger, random_bytes_in_its_memory_harm_nobody) {
        scribble_everywhere();
}

Test(lane_stranger_in_set, random_bytes_in_its_memory_harm_nobody) {
        scribble_everywhere();
}

/* ---- ends ---- */

Test(lane_stranger, half_a_message_of_one_that_is_gone_never_comes) {
        struct stranger stranger = open_lane();

        put_first(&stranger, 1000, "abc", 3);
        close_lane(&stranger);
        nothing_is_left(__LINE__);
}

/* Its pieces were within the limit when they began to come. */
Test(lane_stranger, is_bounded_in_the_middle_of_a_message) {
        const struct leat_receiver_limits tight = { .message_limit = 1000 },
                                          wide = { .message_limit = 300000 };
        static uint8_t piece[2000];
        struct stranger stranger = open_lane();
        parcel got = { .id = 1234 };

        for (int i = 0; i < 2; i++) {
                put_first(&stranger, 4 * sizeof(piece), piece, sizeof(piece));
                put(&stranger, LANE_PIECE, 0, piece, sizeof(piece));
                expect_empty(__LINE__);
                cr_assert_eq(parcel_receiver_limit(rx, &tight), 0);
                put(&stranger, LANE_PIECE, 0, piece, sizeof(piece));
                if (i == 1) /* All of it is there when it is noticed. */
                        put(&stranger, LANE_PIECE, 0, piece, sizeof(piece));
                cr_assert_eq(receive(&got), LEAT_TOO_LARGE);
                cr_assert_eq(got.id, 1234);
                if (i == 0)
                        put(&stranger, LANE_PIECE, 0, piece, sizeof(piece));
                still_works(__LINE__);
                cr_assert_eq(parcel_receiver_limit(rx, &wide), 0);
                put_seven(&stranger);
                expect_seven(__LINE__);
        }
        close_lane(&stranger);
        nothing_is_left(__LINE__);
}
