/* A receiver that takes few handles: a message with more costs that message and nothing else. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include <leat/leat.h>

#include "in_child.h"
#include "support.h"
#include "transport.h"

LEAT_MESSAGE(number, (u64, value));
LEAT_MESSAGE(parcel, (u32, id), (array, descriptor, files), (bytes, data));
LEAT_MESSAGE(handover, (receiver, number, numbers), (array, descriptor, files));

#define LIMIT 3
#define LARGE ((size_t) 100000)

static int before;

static void start(void) {
        before = count_descriptors();
}

static void finish(void) {
        cr_assert_eq(settle_descriptors(before), before, "a descriptor leaked");
}

TestSuite(handle_limit, .init = start, .fini = finish);

static leat_descriptor files[LEAT_MAX_HANDLES];
static uint8_t data[LARGE];

static parcel a_parcel(uint32_t id, size_t n_files, size_t size) {
        for (size_t i = 0; i < LEAT_MAX_HANDLES; i++)
                files[i] = leat_descriptor_lend(0);
        return (parcel){ .id = id, .files = { files, n_files }, .data = { data, size } };
}

static void send_parcel(parcel_sender tx, uint32_t id, size_t n_files, size_t size) {
        parcel message = a_parcel(id, n_files, size);

        check_equal(parcel_send(tx, &message, LEAT_NOW), 0);
}

static void expect_parcel(parcel_receiver rx, uint32_t id, size_t n_files) {
        parcel got;

        check_equal(parcel_recv(rx, &got, LEAT_NOW), 0);
        check_equal(got.id, id);
        check_equal(got.files.count, n_files);
}

static void open_limited(size_t limit, parcel_sender *ret_tx, parcel_receiver *ret_rx) {
        const struct leat_channel_options options = { .handle_limit = limit };

        check_equal(parcel_channel_with(&options, ret_tx, ret_rx), 0);
}

Test(handle_limit, a_message_with_more_is_dropped_its_handles_are_closed_and_the_next_one_arrives) {
        static const size_t too_many[] = { LIMIT + 1, 2 * LIMIT, LEAT_MAX_HANDLES };
        parcel_sender tx;
        parcel_receiver rx;
        int with_channel;

        open_limited(LIMIT, &tx, &rx);
        with_channel = count_descriptors();
        for (size_t i = 0; i < sizeof(too_many) / sizeof(too_many[0]); i++)
                for (size_t size = 0; size <= LARGE; size += LARGE) {
                        parcel got = { .id = 1234 };

                        send_parcel(tx, 1, too_many[i], size);
                        send_parcel(tx, 2, LIMIT, size);
                        cr_assert_eq(parcel_recv(rx, &got, LEAT_NOW), LEAT_TOO_LARGE);
                        cr_assert_eq(got.id, 1234);
                        cr_assert_eq(settle_descriptors(with_channel), with_channel);
                        expect_parcel(rx, 2, LIMIT);
                        parcel_release(rx);
                }
        cr_assert_eq(parcel_lost(rx), 0);
        parcel_sender_close(&tx);
        cr_assert_eq(parcel_recv(rx, &(parcel){ 0 }, LEAT_NOW), LEAT_DISCONNECTED);
        parcel_receiver_close(&rx);
}

Test(handle_limit, is_240_unless_less_was_asked_for) {
        const size_t asked[] = { 0, LEAT_MAX_HANDLES, LEAT_MAX_HANDLES + 1, SIZE_MAX };

        for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
                parcel_sender tx;
                parcel_receiver rx;

                open_limited(asked[i], &tx, &rx);
                send_parcel(tx, 1, LEAT_MAX_HANDLES, 0);
                expect_parcel(rx, 1, LEAT_MAX_HANDLES);
                parcel_sender_close(&tx);
                parcel_receiver_close(&rx);
        }
}

static void leave_room_for(int free_ones) {
        struct rlimit limit = { .rlim_cur = 64, .rlim_max = 64 };
        int fd, last = -1;

        check_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
        while ((fd = fcntl(0, F_DUPFD_CLOEXEC, 3)) >= 0)
                last = fd;
        for (int i = 0; i < free_ones; i++)
                close(last - i);
}

static void no_shortage_makes_it_wait(void) {
        parcel_sender tx;
        parcel_receiver rx;
        parcel got;

        open_limited(LIMIT, &tx, &rx);
        send_parcel(tx, 1, LIMIT, 0);
        send_parcel(tx, 2, LIMIT + 1, 0);
        send_parcel(tx, 3, LEAT_MAX_HANDLES, LARGE);
        send_parcel(tx, 4, 1, 0);
        leave_room_for(1);
        check_equal(parcel_recv(rx, &got, LEAT_NOW), LEAT_NO_DESCRIPTORS);
        check_equal(parcel_recv(rx, &got, LEAT_NOW), LEAT_TOO_LARGE);
        check_equal(parcel_recv(rx, &got, LEAT_NOW), LEAT_TOO_LARGE);
        while (parcel_recv(rx, &got, LEAT_NOW) == LEAT_NO_DESCRIPTORS)
                sleep_ms(1); /* The reaper closes what came of those before. */
        check_equal(got.id, 4);
        check_equal(parcel_lost(rx), 1);
        parcel_sender_close(&tx);
        parcel_receiver_close(&rx);
}

Test(handle_limit, a_message_with_more_waits_for_no_descriptors) {
        run_in_child(no_shortage_makes_it_wait);
}

Test(handle_limit, a_receiver_counts_with_its_lanes) {
        const struct leat_channel_options options = { .handle_limit = 2 },
                                          with_lane = { .lanes = LEAT_LANES_ALWAYS };
        bool has_lane;
        int r;
        leat_descriptor file = leat_descriptor_lend(0);
        handover_sender tx;
        handover_receiver rx;
        number_sender numbers_tx;
        number_receiver numbers;
        handover got;

        cr_assert_eq(handover_channel_with(&options, &tx, &rx), 0);
        cr_assert_eq(number_channel_with(&with_lane, &numbers_tx, &numbers), 0);
        has_lane = count_descriptors() - before > 2 + descriptors_of_channel();
        cr_assert_eq(
                handover_send(tx,
                              &(handover){ .numbers = number_receiver_give(&numbers), .files = { &file, 1 } },
                              LEAT_NOW),
                0);
        cr_assert_eq(handover_recv(rx, &got, LEAT_NOW), has_lane ? LEAT_TOO_LARGE : 0);
        handover_release(rx);
        do
                r = number_send(numbers_tx, &(number){ 1 }, LEAT_FOREVER);
        while (r == 0);
        cr_assert_eq(r, LEAT_DISCONNECTED);
        number_sender_close(&numbers_tx);
        handover_sender_close(&tx);
        handover_receiver_close(&rx);
}
