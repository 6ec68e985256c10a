/* When and how a sender gets a lane; the receiver is the other end of its socket, played by hand. */
#include <criterion/criterion.h>
#include <errno.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <leat/leat.h>

#include "promotion.h"
#include "ring_memory.h"

#include "in_child.h"
#include "stranger.h"
#include "support.h"

LEAT_MESSAGE(number, (u64, value));

#define RING_LIMIT ((size_t) 50000)
#define ROW        64

static int before;
static struct connection *connection;
static struct promotion promotion;
static int receiver;

static void start(void) {
        const struct plan *plan;
        int pair[2];

        before = count_descriptors();
        cr_assert_eq(plan_get(number_type(), &plan), 0);
        cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
        cr_assert_eq(connection_create(pair[0], &plan->fingerprint, &connection), 0);
        connection->lanes = LEAT_LANES_AUTOMATIC;
        connection->ring_limit = RING_LIMIT;
        receiver = pair[1];
}

static void finish(void) {
        promotion_end(&promotion);
        connection = connection_unref(connection);
        if (receiver >= 0)
                (void) close(receiver);
        cr_assert_eq(settle_descriptors(before), before, "a descriptor leaked");
}

TestSuite(promotion, .init = start, .fini = finish);

struct offered {
        struct lane_offer offer;
        int memory;
        int socket;
};

static int receive(struct packet *packet, uint8_t *room, struct packet_header *header) {
        int r;

        *packet = (struct packet){ .data = room, .capacity = PACKET_START_SIZE };
        r = packet_receive(receiver, packet, PACKET_MAX_DESCRIPTORS, LEAT_NOW);
        if (r == 0)
                cr_assert_eq(packet_read_header(room, packet->size, header), 0);
        return r;
}

static void expect_nothing(void) {
        uint8_t room[PACKET_START_SIZE];
        struct packet_header header;
        struct packet packet;

        cr_assert_eq(receive(&packet, room, &header), LEAT_EMPTY);
}

static struct offered take_offer(void) {
        uint8_t room[PACKET_START_SIZE];
        struct packet_header header;
        struct offered offered;
        struct packet packet;

        cr_assert_eq(receive(&packet, room, &header), 0);
        cr_assert_eq(header.kind, PACKET_OFFER);
        cr_assert_eq(header.tag, fingerprint_tag(&connection->fingerprint));
        cr_assert_eq(packet.n_fds, LANE_OFFER_DESCRIPTORS);
        cr_assert_eq(
                lane_read_offer(room + PACKET_HEADER_SIZE, packet.size - PACKET_HEADER_SIZE, &offered.offer),
                0);
        offered.memory = packet.fds[0];
        offered.socket = packet.fds[1];
        return offered;
}

static void answer(const struct offered *offered, char said) {
        cr_assert_eq(send(offered->socket, &said, 1, MSG_NOSIGNAL), 1);
}

static void close_offered(struct offered *offered) {
        (void) close(offered->memory);
        (void) close(offered->socket);
}

static struct lane_writer *step(void) {
        return promotion_step(&promotion, connection);
}

static void count_sent(size_t n, const struct transmission *transmission) {
        for (size_t i = 0; i < n; i++)
                promotion_count(&promotion, connection, transmission);
}

static void count_large(size_t n, size_t size) {
        count_sent(n, &(struct transmission){ .body_size = size, .sealed_fd = -1 });
}

static void count(size_t n) {
        count_large(n, 0);
}

/* As if messages had been sent; several rows, should this process not get the CPU for long. */
static void be_busy(void) {
        while (promotion.state == PROMOTION_COUNTING)
                count(1);
        cr_assert_eq(promotion.state, PROMOTION_OFFERED);
}

static struct offered be_offered(void) {
        be_busy();
        return take_offer();
}

Test(promotion, a_sender_with_nothing_sent_has_nothing) {
        cr_assert_null(step());
        cr_assert_eq(promotion.state, PROMOTION_COUNTING);
        expect_nothing();
}

Test(promotion, a_row_of_messages_makes_an_offer_and_one_less_does_not) {
        struct offered offered;

        count(ROW - 1);
        expect_nothing();
        cr_assert_null(step());
        offered = be_offered();
        cr_assert_eq(offered.offer.limit, RING_LIMIT);
        cr_assert_eq(offered.offer.size, 65536);
        cr_assert_eq(ring_memory_check(offered.memory, 65536), 0);
        count(10 * ROW);
        expect_nothing();
        close_offered(&offered);
}

Test(promotion, one_that_sends_now_and_then_gets_none) {
        for (int row = 0; row < 3; row++) {
                count(1);
                sleep_ms(40);
                count(ROW - 1);
                expect_nothing();
                cr_assert_eq(promotion.state, PROMOTION_COUNTING);
        }
        be_busy();
}

Test(promotion, large_messages_count_for_many_but_a_few_prove_nothing) {
        struct offered offered;

        count_large(7, 1 << 20);
        expect_nothing();
        sleep_ms(20); /* Long for 8 messages, and not for 8 MiB. */
        count_large(1, 1 << 20);
        cr_assert_eq(promotion.state, PROMOTION_OFFERED);
        offered = take_offer();
        close_offered(&offered);
}

Test(promotion, messages_with_handles_count_for_nothing_unless_lanes_are_wanted) {
        static struct handles handles;
        const struct transmission with_handle = { .handles = &handles, .sealed_fd = -1 };
        struct offered offered;

        while (promotion.state == PROMOTION_COUNTING)
                count_sent(1, &with_handle); /* There are none in it yet: a message as any. */
        offered = take_offer();
        close_offered(&offered);
        promotion_end(&promotion);

        handles.count = 1;
        count_sent(10 * ROW, &with_handle);
        cr_assert_eq(promotion.state, PROMOTION_COUNTING);
        expect_nothing();

        connection->lanes = LEAT_LANES_ALWAYS;
        count_sent(1, &with_handle);
        offered = take_offer();
        close_offered(&offered);
}

Test(promotion, always_is_after_the_first_message) {
        struct offered offered;

        connection->lanes = LEAT_LANES_ALWAYS;
        cr_assert_null(step());
        expect_nothing();
        count(1);
        offered = take_offer();
        close_offered(&offered);
}

Test(promotion, never_is_never) {
        connection->lanes = LEAT_LANES_NEVER;
        count(1000);
        cr_assert_null(step());
        cr_assert_eq(promotion.state, PROMOTION_REFUSED);
        expect_nothing();
}

Test(promotion, an_ordered_channel_never_has_lanes) {
        connection->lanes = LEAT_LANES_ALWAYS;
        connection->ordered = true;
        count(1000);
        cr_assert_null(step());
        expect_nothing();
}

Test(promotion, nobody_waits_for_the_answer_and_the_marker_is_behind_all_that_went_before) {
        struct offered offered = be_offered();
        uint8_t room[PACKET_START_SIZE];
        struct lane_identity identity;
        struct packet_header header;
        struct lane_writer *lane;
        struct packet packet;

        for (int i = 0; i < 5; i++)
                cr_assert_null(step());
        cr_assert_eq(send(connection->fd, "before", 6, 0), 6);
        answer(&offered, LANE_ACCEPTED);
        lane = step();
        cr_assert_not_null(lane);
        cr_assert_eq(promotion.state, PROMOTION_DONE);
        cr_assert_null(promotion.lane, "it is the caller's");
        cr_assert_null(step());

        cr_assert_eq(recv(receiver, room, sizeof(room), 0), 6);
        cr_assert_eq(receive(&packet, room, &header), 0);
        cr_assert_eq(header.kind, PACKET_MARKER);
        cr_assert_eq(header.tag, fingerprint_tag(&connection->fingerprint));
        cr_assert_eq(lane_read_marker(room + PACKET_HEADER_SIZE, packet.size - PACKET_HEADER_SIZE, &identity),
                     0);
        cr_assert_eq(memcmp(&identity, &offered.offer.identity, sizeof(identity)), 0);
        expect_nothing();
        count(10 * ROW);
        expect_nothing();
        lane_writer_free(lane);
        close_offered(&offered);
}

static size_t fill_socket(void) {
        size_t n = 0;

        while (send(connection->fd, "filling", 7, MSG_DONTWAIT) == 7)
                n++;
        return n;
}

static void empty_socket(void) {
        uint8_t byte;

        while (recv(receiver, &byte, 1, MSG_DONTWAIT) > 0)
                ;
}

Test(promotion, while_the_marker_has_no_room_it_stays_on_the_socket) {
        struct offered offered = be_offered();
        struct lane_writer *lane;

        (void) fill_socket();
        answer(&offered, LANE_ACCEPTED);
        for (int i = 0; i < 5; i++)
                cr_assert_null(step());
        empty_socket();
        lane = step();
        cr_assert_not_null(lane);
        lane_writer_free(lane);
        close_offered(&offered);
}

static void expect_refusal(void) {
        cr_assert_null(step());
        cr_assert_eq(promotion.state, PROMOTION_REFUSED);
        cr_assert_null(promotion.lane);
        count(10000);
        cr_assert_null(step());
        expect_nothing();
}

Test(promotion, a_refusal_is_for_good) {
        struct offered offered = be_offered();

        answer(&offered, LANE_REFUSED);
        expect_refusal();
        close_offered(&offered);
}

/* Made as large as large messages would have it, which may be more than the receiver grants. */
Test(promotion, a_sender_of_large_messages_is_content_with_a_common_lane) {
        struct offered offered;

        connection->ring_limit = 0;
        count_large(8, 1 << 20);
        offered = take_offer();
        cr_assert_eq(offered.offer.limit, LANE_LIMIT_FOR_LARGE);
        answer(&offered, LANE_REFUSED);
        close_offered(&offered);
        cr_assert_null(step());
        count_large(8, 1 << 20);
        offered = take_offer();
        cr_assert_eq(offered.offer.limit, LANE_DEFAULT_LIMIT);
        answer(&offered, LANE_REFUSED);
        close_offered(&offered);
        expect_refusal();
}

Test(promotion, the_end_of_the_lanes_socket_is_a_refusal) {
        struct offered offered = be_offered();

        close_offered(&offered);
        expect_refusal();
}

Test(promotion, what_is_no_answer_is_a_refusal) {
        struct offered offered = be_offered();

        answer(&offered, 'x');
        answer(&offered, LANE_ACCEPTED);
        expect_refusal();
        close_offered(&offered);
}

Test(promotion, an_offer_never_waits_and_is_made_after_longer_and_longer_rows) {
        struct offered offered;

        connection->lanes = LEAT_LANES_ALWAYS;
        (void) fill_socket();
        for (uint32_t misses = 1; misses <= 14; misses++) {
                count(promotion.misses < 10 ? (size_t) 1 << promotion.misses : 1024);
                cr_assert_eq(promotion.state, PROMOTION_COUNTING);
                cr_assert_eq(promotion.misses, misses < 10 ? misses : 10, "%u", misses);
                cr_assert_eq(promotion.sent, 0);
                cr_assert_null(promotion.lane);
        }
        empty_socket();
        count(1023);
        expect_nothing();
        count(1);
        offered = take_offer();
        close_offered(&offered);
}

Test(promotion, without_descriptors_it_is_tried_again) {
        const struct rlimit none = { .rlim_cur = 0, .rlim_max = 4096 },
                            enough = { .rlim_cur = 4096, .rlim_max = 4096 };
        struct offered offered;
        int open_now = count_descriptors();

        connection->lanes = LEAT_LANES_ALWAYS;
        for (rlim_t more = 0; more < 4; more++) {
                struct rlimit some = { .rlim_cur = (rlim_t) open_now + more, .rlim_max = 4096 };

                cr_assert_eq(setrlimit(RLIMIT_NOFILE, more == 0 ? &none : &some), 0);
                count((size_t) 1 << promotion.misses);
                cr_assert_eq(setrlimit(RLIMIT_NOFILE, &enough), 0);
                if (promotion.state == PROMOTION_OFFERED)
                        break;
                cr_assert_eq(promotion.state, PROMOTION_COUNTING);
                cr_assert_eq(count_descriptors(), open_now, "with %d more", (int) more);
        }
        if (promotion.state == PROMOTION_COUNTING)
                count((size_t) 1 << promotion.misses);
        offered = take_offer();
        close_offered(&offered);
}

Test(promotion, a_lost_receiver_is_no_reason_to_complain) {
        (void) close(receiver);
        receiver = -1;
        connection->lanes = LEAT_LANES_ALWAYS;
        count(1);
        cr_assert_null(step());
        cr_assert_null(promotion.lane);
}

Test(promotion, a_clone_finds_out_for_itself_but_not_what_is_known) {
        struct offered offered = be_offered();
        struct promotion clone = promotion_clone(&promotion);

        cr_assert_eq(clone.state, PROMOTION_COUNTING);
        cr_assert_null(clone.lane);
        cr_assert_eq(clone.sent, 0);
        answer(&offered, LANE_REFUSED);
        cr_assert_null(step());
        clone = promotion_clone(&promotion);
        cr_assert_eq(clone.state, PROMOTION_REFUSED);
        close_offered(&offered);
}

Test(promotion, given_up_it_takes_its_offer_back) {
        struct offered offered = be_offered();
        char byte;

        promotion_end(&promotion);
        cr_assert_eq(recv(offered.socket, &byte, 1, MSG_DONTWAIT), 0, "the receiver sees the end");
        cr_assert_null(step());
        close_offered(&offered);
}

/* ---- fork ---- */

static void begin_anew(void) {
        check(step() == NULL);
        check_equal(promotion.state, PROMOTION_COUNTING);
        check(promotion.lane == NULL);
        connection->lanes = LEAT_LANES_ALWAYS;
        count(1);
        check_equal(promotion.state, PROMOTION_OFFERED);
}

Test(promotion, a_forked_child_leaves_its_parents_offer_alone_and_makes_its_own) {
        struct offered offered = be_offered(), of_child;
        struct lane_writer *lane;

        answer(&offered, LANE_ACCEPTED);
        run_in_child(begin_anew);
        of_child = take_offer();
        cr_assert_neq(memcmp(&of_child.offer.identity, &offered.offer.identity, sizeof(struct lane_identity)),
                      0);
        lane = step();
        cr_assert_not_null(lane, "the answer was the parent's");
        lane_writer_free(lane);
        close_offered(&of_child);
        close_offered(&offered);
}

Test(promotion, a_forked_child_that_does_nothing_keeps_no_lane_alive) {
        struct offered offered = be_offered();
        char byte;
        pid_t child = fork();

        cr_assert_geq(child, 0);
        if (child == 0) {
                watchdog(WATCHDOG_SECONDS);
                leave_child(recv(offered.socket, &byte, 1, MSG_PEEK) == 0 ? 0 : 1);
        }
        promotion_end(
                &promotion); /* The child's copy of the socket was closed as it was forked, or it never sees
                              * the end. */
        cr_assert_eq(wait_for_exit(child), 0);
        close_offered(&offered);
}
