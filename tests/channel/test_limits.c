/* What a receiver takes can be bounded at any time, wherever it came from, and a server's clients from their
 * first message on: what is over a limit costs its message, and no memory of its size. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>

#include <leat/leat.h>

#include "lanes.h"
#include "newcomer.h"
#include "pattern.h"
#include "receiver.h"
#include "sealed_memory.h"
#include "sender.h"
#include "stranger.h"
#include "support.h"
#include "transport.h"

LEAT_MESSAGE(number, (u64, value));
LEAT_MESSAGE(parcel, (u32, id), (array, descriptor, files), (bytes, data));
LEAT_MESSAGE(handover, (receiver, parcel, parcels));
LEAT_MESSAGE(album, (array, shared_memory, pages));

#define KIB   ((size_t) 1024)
#define MIB   (KIB * 1024)
#define SMALL (2 * KIB)   /* Goes in a packet, or in a record. */
#define LARGE (300 * KIB) /* In sealed memory, or in pieces. */
#define LIMIT (100 * KIB)

static int before;
static unsigned char *data;

static void start(void) {
        before = count_descriptors();
        data = make_pattern(LARGE);
}

static void finish(void) {
        free(data);
        cr_assert_eq(settle_descriptors(before), before, "a descriptor leaked");
}

TestSuite(limits, .init = start, .fini = finish);

static void send_parcel(parcel_sender tx, uint32_t id, size_t n_files, size_t size) {
        leat_descriptor files[LEAT_MAX_HANDLES];

        for (size_t i = 0; i < n_files; i++)
                files[i] = leat_descriptor_lend(0);
        cr_assert_eq(parcel_send(tx,
                                 &(parcel){ .id = id, .files = { files, n_files }, .data = { data, size } },
                                 LEAT_NOW),
                     0);
}

static void expect_parcel(parcel_receiver rx, uint32_t id, size_t n_files, size_t size) {
        parcel got;

        cr_assert_eq(parcel_recv(rx, &got, leat_after_ms(30000)), 0);
        cr_assert_eq(got.id, id);
        cr_assert_eq(got.files.count, n_files);
        cr_assert_eq(got.data.size, size);
        cr_assert_eq(memcmp(got.data.data, data, size), 0);
}

static void expect_too_large(parcel_receiver rx) {
        parcel got = { .id = 1234 };

        cr_assert_eq(parcel_recv(rx, &got, leat_after_ms(30000)), LEAT_TOO_LARGE);
        cr_assert_eq(got.id, 1234);
}

static void limit(parcel_receiver rx, struct leat_receiver_limits limits) {
        cr_assert_eq(parcel_receiver_limit(rx, &limits), 0);
}

/* Small ones, large ones and those with three handles get through as these limits say. */
static void expect_limits(parcel_sender tx, parcel_receiver rx, bool takes_large, bool takes_three) {
        for (uint32_t i = 0; i < 3; i++) {
                send_parcel(tx, i, 2, SMALL);
                expect_parcel(rx, i, 2, SMALL);
                send_parcel(tx, i, 0, LARGE);
                if (takes_large)
                        expect_parcel(rx, i, 0, LARGE);
                else
                        expect_too_large(rx);
                send_parcel(tx, i, 3, SMALL);
                if (takes_three)
                        expect_parcel(rx, i, 3, SMALL);
                else
                        expect_too_large(rx);
        }
}

Test(limits, are_set_changed_and_raised_again_and_zero_leaves_one_as_it_is) {
        parcel_sender tx;
        parcel_receiver rx;

        cr_assert_eq(parcel_channel(&tx, &rx), 0);
        expect_limits(tx, rx, true, true);
        limit(rx, (struct leat_receiver_limits){ .message_limit = LIMIT });
        expect_limits(tx, rx, false, true);
        limit(rx, (struct leat_receiver_limits){ .handle_limit = 2 });
        expect_limits(tx, rx, false, false);
        limit(rx, (struct leat_receiver_limits){ .message_limit = SIZE_MAX });
        expect_limits(tx, rx, true, false);
        limit(rx, (struct leat_receiver_limits){ .handle_limit = SIZE_MAX });
        expect_limits(tx, rx, true, true);
        limit(rx, (struct leat_receiver_limits){ .lane_limit = 3, .lane_memory = 5 });
        cr_assert_eq(rx.object->message_limit, (size_t) 1 << 30);
        cr_assert_eq(rx.object->handle_limit, LEAT_MAX_HANDLES);
        cr_assert_eq(rx.object->lane_limit, 3);
        cr_assert_eq(rx.object->lane_memory, 5);
        parcel_sender_close(&tx);
        parcel_receiver_close(&rx);
}

Test(limits, hold_for_what_waits_already_and_what_was_received_before_lives_on) {
        parcel_sender tx;
        parcel_receiver rx;
        leat_undecoded early;
        parcel got;

        cr_assert_eq(parcel_channel(&tx, &rx), 0);
        for (uint32_t i = 1; i <= 3; i++)
                send_parcel(tx, i, 1, i < 3 ? LARGE : SMALL);
        cr_assert_eq(parcel_recv_undecoded(rx, &early, leat_after_ms(30000)), 0);
        limit(rx, (struct leat_receiver_limits){ .message_limit = LIMIT });
        expect_too_large(rx);
        expect_parcel(rx, 3, 1, SMALL);
        cr_assert_eq(parcel_decode(early, &got), 0);
        cr_assert_eq(got.id, 1);
        cr_assert_eq(got.data.size, LARGE);
        leat_undecoded_close(&early);
        parcel_sender_close(&tx);
        parcel_receiver_close(&rx);
}

Test(limits, hold_for_all_the_memory_of_a_message_together) {
        const struct leat_channel_options options = { .message_limit = 3 * SMALL - 1 };
        leat_shared_memory pages[3];
        album_sender tx;
        album_receiver rx;
        album got;

        for (int i = 0; i < 3; i++)
                cr_assert_eq(leat_shared_memory_copy(data, SMALL, &pages[i]), 0);
        cr_assert_eq(album_channel_with(&options, &tx, &rx), 0);
        for (size_t n = 1; n <= 3; n++) {
                cr_assert_eq(album_send(tx, &(album){ .pages = { pages, n } }, LEAT_NOW), 0);
                cr_assert_eq(album_recv(rx, &got, leat_after_ms(30000)), n < 3 ? 0 : LEAT_TOO_LARGE);
        }
        for (int i = 0; i < 3; i++)
                leat_shared_memory_close(&pages[i]);
        album_sender_close(&tx);
        album_receiver_close(&rx);
}

/* In a lane such a message is copied out without a look at anything. */
Test(limits, hold_for_messages_whose_memory_is_what_travels) {
        struct leat_receiver_limits limits = { .message_limit = 7 };
        number_sender tx;
        number_receiver rx;
        number got;

        cr_assert_eq(number_channel(&tx, &rx), 0);
        for (uint64_t i = 0; i < 30; i++) {
                bool fits = i % 2 == 0;

                limits.message_limit = fits ? 8 : 7;
                cr_assert_eq(number_receiver_limit(rx, &limits), 0);
                cr_assert_eq(number_send(tx, &(number){ i }, LEAT_NOW), 0);
                cr_assert_eq(number_recv(rx, &got, LEAT_NOW), fits ? 0 : LEAT_TOO_LARGE);
                cr_assert_eq(got.value, fits ? i : i - 1);
        }
        number_sender_close(&tx);
        number_receiver_close(&rx);
}

Test(limits, are_the_defaults_for_a_receiver_that_came_in_a_message_until_they_are_set) {
        const struct leat_channel_options tight = { .message_limit = LIMIT, .handle_limit = 2 };
        handover_sender ship;
        handover_receiver harbour;
        parcel_sender tx;
        parcel_receiver rx;
        handover got;

        cr_assert_eq(handover_channel(&ship, &harbour), 0);
        cr_assert_eq(parcel_channel_with(&tight, &tx, &rx), 0);
        expect_limits(tx, rx, false, false);
        cr_assert_eq(handover_send(ship, &(handover){ .parcels = parcel_receiver_give(&rx) }, LEAT_NOW), 0);
        cr_assert_eq(handover_recv(harbour, &got, leat_after_ms(30000)), 0);
        expect_limits(tx, got.parcels, true, true);
        limit(got.parcels, (struct leat_receiver_limits){ .message_limit = LIMIT, .handle_limit = 2 });
        expect_limits(tx, got.parcels, false, false);
        rx = parcel_receiver_take(&got.parcels);
        handover_receiver_close(&harbour);
        expect_limits(tx, rx, false, false);
        parcel_receiver_close(&rx);
        parcel_sender_close(&tx);
        handover_sender_close(&ship);
}

Test(limits, can_be_set_while_nobody_knows_of_what_type_a_receiver_is_and_in_a_set) {
        const struct leat_receiver_limits limits = { .message_limit = LIMIT, .handle_limit = 2 };
        leat_opaque_receiver unknown;
        uint64_t key = 0;
        parcel_sender tx;
        parcel_receiver rx;
        leat_set set;

        cr_assert_eq(parcel_channel(&tx, &rx), 0);
        unknown = parcel_receiver_to_opaque(&rx);
        cr_assert_eq(leat_opaque_receiver_limit(unknown, &limits), 0);
        send_parcel(tx, 1, 0, LARGE);
        cr_assert_eq(leat_opaque_recv(unknown, &(leat_undecoded){ 0 }, leat_after_ms(30000)), LEAT_TOO_LARGE);
        cr_assert_eq(parcel_receiver_from_opaque(&unknown, &rx), 0);
        expect_limits(tx, rx, false, false);
        cr_assert_eq(leat_set_create(&set), 0);
        cr_assert_eq(parcel_set_add(set, rx, 5), 0);
        send_parcel(tx, 2, 0, LARGE);
        send_parcel(tx, 3, 0, LARGE);
        cr_assert_eq(leat_set_wait(set, &key, leat_after_ms(30000)), 0);
        expect_too_large(rx);
        limit(rx, (struct leat_receiver_limits){ .message_limit = MIB });
        cr_assert_eq(leat_set_wait(set, &key, leat_after_ms(30000)), 0);
        expect_parcel(rx, 3, 0, LARGE);
        leat_set_close(&set);
        parcel_sender_close(&tx);
        parcel_receiver_close(&rx);
}

Test(limits, of_nothing_and_from_nowhere_are_refused) {
        parcel_sender tx;
        parcel_receiver rx, none = { 0 };

        cr_assert_eq(parcel_receiver_limit(none, &(struct leat_receiver_limits){ 0 }), -EBADF);
        cr_assert_eq(parcel_channel(&tx, &rx), 0);
        cr_assert_eq(parcel_receiver_limit(rx, NULL), -EINVAL);
        expect_limits(tx, rx, true, true);
        parcel_sender_close(&tx);
        parcel_receiver_close(&rx);
}

/* ---- servers ---- */

static size_t n_lanes(parcel_receiver rx) {
        return rx.object->lanes ? rx.object->lanes->n : 0;
}

/* As often as would make a sender busy, if it may have a lane. */
static void be_busy(parcel_sender tx, parcel_receiver rx) {
        for (uint32_t i = 0; i < 1000; i++) {
                send_parcel(tx, i, 0, 0);
                expect_parcel(rx, i, 0, 0);
        }
}

static void meet(parcel_server_end server, parcel_sender *ret_tx, parcel_receiver *ret_rx) {
        parcel first;

        cr_assert_eq(parcel_connect(parcel_server_name(server), ret_tx, leat_after_ms(30000)), 0);
        send_parcel(*ret_tx, 1, 1, SMALL);
        cr_assert_eq(parcel_accept(server, ret_rx, &first, leat_after_ms(30000)), 0);
        cr_assert_eq(first.data.size, SMALL);
        cr_assert_eq(first.files.count, 1);
}

Test(limits, of_a_receiver_that_was_accepted_are_set_as_those_of_any_other) {
        parcel_server_end server;
        parcel_receiver rx;
        parcel_sender tx;

        cr_assert_eq(parcel_listen(&server), 0);
        meet(server, &tx, &rx);
        expect_limits(tx, rx, true, true);
        limit(rx, (struct leat_receiver_limits){ .message_limit = LIMIT, .handle_limit = 2 });
        expect_limits(tx, rx, false, false);
        parcel_sender_close(&tx);
        parcel_receiver_close(&rx);
        parcel_server_close(&server);
}

Test(limits, of_a_servers_clients_hold_until_others_are_set) {
        const struct leat_server_options options = {
                .limits = { .message_limit = LIMIT, .handle_limit = 2, .lane_memory = 1, .lane_limit = 9 }
        };
        parcel_server_end servers[2];

        cr_assert_eq(parcel_server_with(&options, &servers[0]), 0);
        cr_assert_eq(parcel_listen_with(&options, &servers[1]), 0);
        for (int i = 0; i < 2; i++) {
                parcel_sender tx;
                parcel_receiver rx;

                meet(servers[i], &tx, &rx);
                cr_assert_eq(rx.object->lane_limit, 9);
                expect_limits(tx, rx, false, false);
                be_busy(tx, rx);
                cr_assert_eq(n_lanes(rx), 0, "none has a memory of a byte");
                limit(rx, (struct leat_receiver_limits){ .message_limit = MIB, .handle_limit = 3 });
                expect_limits(tx, rx, true, true);
                parcel_sender_close(&tx);
                parcel_receiver_close(&rx);
                parcel_server_close(&servers[i]);
        }
}

Test(limits, of_lanes_hold_for_those_that_are_asked_for_afterwards) {
        const struct leat_channel_options with_lane = { .lanes = LEAT_LANES_ALWAYS };
        parcel_sender tx, another;
        parcel_receiver rx;

        cr_assert_eq(parcel_channel_with(&with_lane, &tx, &rx), 0);
        cr_assert_eq(n_lanes(rx), 1);
        cr_assert_eq(parcel_sender_clone(tx, &another), 0);
        limit(rx, (struct leat_receiver_limits){ .lane_limit = 1 });
        be_busy(another, rx);
        be_busy(tx, rx);
        cr_assert_eq(n_lanes(rx), 1);
        parcel_sender_close(&another);
        limit(rx, (struct leat_receiver_limits){ .lane_limit = 2, .lane_memory = 1 });
        cr_assert_eq(parcel_sender_clone(tx, &another), 0);
        be_busy(another, rx);
        cr_assert_eq(n_lanes(rx), 1);
        parcel_sender_close(&another);
        limit(rx, (struct leat_receiver_limits){ .lane_memory = 256 * MIB });
        cr_assert_eq(parcel_sender_clone(tx, &another), 0);
        be_busy(another, rx);
        cr_assert_eq(n_lanes(rx), 2);
        parcel_sender_close(&another);
        parcel_sender_close(&tx);
        parcel_receiver_close(&rx);
}

/* ---- strangers ---- */

#define HUGE_BODY (64 * MIB)

/* A message that is good in every respect but its size: it would be taken whole. */
static void send_huge(int fd) {
        static const uint8_t head[] = { 0x93, 1, 0x90, 0xc6 };
        struct forgery huge = forge(parcel_type(), PACKET_SEALED, ENCODING_MESSAGEPACK, NULL, HUGE_BODY);
        unsigned char *body = calloc(1, HUGE_BODY);
        size_t n_bytes = HUGE_BODY - sizeof(head) - 4;
        int memory;

        cr_assert_not_null(body);
        memcpy(body, head, sizeof(head));
        for (int i = 0; i < 4; i++)
                body[sizeof(head) + (size_t) i] = (uint8_t) (n_bytes >> (24 - 8 * i));
        cr_assert_eq(memory_create_sealed(&(struct iovec){ body, HUGE_BODY }, 1, &memory), 0);
        free(body);
        huge.rest_size = 0;
        huge.fds = &memory;
        huge.n_fds = 1;
        cr_assert_geq(send_forgery(fd, &huge), 0);
        cr_assert_eq(close(memory), 0);
}

static size_t memory_of(const struct leat_receiver *receiver) {
        return receiver->rooms[0].capacity + receiver->rooms[1].capacity + receiver->sealed.capacity;
}

Test(limits, a_strangers_message_over_them_costs_an_accepted_receiver_no_memory) {
        uint8_t greeted[] = { 0x93, 1, 0x90, 0xc4, 0 };
        parcel_server_end server;
        parcel_receiver rx;
        struct forgery first;
        parcel got;
        int fd;

        cr_assert_eq(parcel_listen(&server), 0);
        fd = newcomer(parcel_server_name(server));
        greet(fd, parcel_type());
        first = forge(parcel_type(), PACKET_MESSAGE, ENCODING_MESSAGEPACK, greeted, sizeof(greeted));
        cr_assert_geq(send_forgery(fd, &first), 0);
        cr_assert_eq(parcel_accept(server, &rx, &got, leat_after_ms(30000)), 0);
        limit(rx, (struct leat_receiver_limits){ .message_limit = MIB });
        for (int i = 0; i < 3; i++) {
                send_huge(fd);
                cr_assert_geq(send_forgery(fd, &first), 0);
                expect_too_large(rx);
                cr_assert_leq(memory_of(rx.object), 2 * MIB);
                expect_parcel(rx, 1, 0, 0);
        }
        limit(rx, (struct leat_receiver_limits){ .message_limit = SIZE_MAX });
        send_huge(fd);
        cr_assert_eq(parcel_recv(rx, &got, leat_after_ms(30000)), 0, "but for its size it is good");
        cr_assert_geq(memory_of(rx.object), HUGE_BODY);
        cr_assert_eq(close(fd), 0);
        parcel_receiver_close(&rx);
        parcel_server_close(&server);
}

Test(limits, a_stranger_whose_first_message_is_over_them_is_turned_away_and_the_next_client_is_taken) {
        const struct leat_server_options options = { .limits = { .message_limit = LIMIT,
                                                                 .handle_limit = 2 } };
        parcel_server_end server;
        parcel_receiver rx;
        parcel_sender tx;
        parcel first;
        int fd;

        cr_assert_eq(parcel_server_with(&options, &server), 0);
        fd = newcomer(parcel_server_name(server));
        greet(fd, parcel_type());
        send_huge(fd);
        cr_assert_eq(parcel_connect(parcel_server_name(server), &tx, leat_after_ms(30000)), 0);
        send_parcel(tx, 1, 3, SMALL);
        cr_assert_eq(parcel_accept(server, &rx, &first, LEAT_NOW), LEAT_EMPTY);
        cr_assert(is_turned_away(fd));
        cr_assert_not(parcel_sender_is_connected(tx));
        parcel_sender_close(&tx);
        cr_assert_eq(close(fd), 0);
        meet(server, &tx, &rx);
        expect_limits(tx, rx, false, false);
        parcel_sender_close(&tx);
        parcel_receiver_close(&rx);
        parcel_server_close(&server);
}
