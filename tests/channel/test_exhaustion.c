/* At the limit of descriptors a message is lost, once, and said to be; then nothing more is. Every check runs in a child, whose
 * limit it is. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <leat/leat.h>

#include "in_child.h"
#include "support.h"
#include "transport.h"

LEAT_MESSAGE(number, (u64, value));
LEAT_MESSAGE(parcel, (u32, id), (array, descriptor, files), (bytes, data));

/* Uses descriptors up until only so many can be opened; returns the last one, all of them are above `first`. */
static int leave_room_for(int free_ones) {
        struct rlimit limit = { .rlim_cur = 64, .rlim_max = 64 };
        int fd, last = -1;

        check_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
        while ((fd = fcntl(0, F_DUPFD_CLOEXEC, 3)) >= 0)
                last = fd;
        check_equal(errno, EMFILE);
        for (int i = 0; i < free_ones; i++)
                close(last - i);
        return last - free_ones;
}

static leat_descriptor files[10];

static parcel a_parcel(uint32_t id, size_t n_files) {
        for (size_t i = 0; i < 10; i++)
                files[i] = leat_descriptor_lend(0);
        return (parcel){ .id = id, .files = { files, n_files } };
}

static void one_is_lost_and_the_next_ones_wait(void) {
        parcel_sender tx;
        parcel_receiver rx;
        parcel got, message;
        int last;

        check_equal(parcel_channel(&tx, &rx), 0);
        for (uint32_t i = 0; i < 4; i++) {
                message = a_parcel(i, 5);
                check_equal(parcel_send(tx, &message, LEAT_NOW), 0);
        }
        last = leave_room_for(2);
        check_equal(parcel_lost(rx), 0);
        for (int i = 0; i < 5; i++) {
                check_equal(parcel_recv(rx, &got, i % 2 ? leat_after_ms(30000) : LEAT_NOW), LEAT_NO_DESCRIPTORS);
                check_equal(parcel_lost(rx), 1);
        }
        for (int i = 0; i < 4; i++)
                close(last - i);
        for (uint32_t i = 1; i < 4; i++) {
                int r;

                /* Those of the message before are closed by another thread: it may take a moment. */
                while ((r = parcel_recv(rx, &got, LEAT_FOREVER)) == LEAT_NO_DESCRIPTORS)
                        sleep_ms(1);
                check_equal(r, 0);
                check_equal(got.id, i);
                check_equal(got.files.count, 5);
        }
        check_equal(parcel_recv(rx, &got, LEAT_NOW), LEAT_EMPTY);
        check_equal(parcel_lost(rx), 1);
        parcel_sender_close(&tx);
        check_equal(parcel_recv(rx, &got, LEAT_NOW), LEAT_DISCONNECTED);
        parcel_receiver_close(&rx);
}

Test(exhaustion, one_message_is_lost_and_the_next_ones_wait_until_there_is_room) {
        run_in_child(one_is_lost_and_the_next_ones_wait);
}

static void messages_without_handles_pass(void) {
        parcel_sender tx;
        parcel_receiver rx;
        parcel got, message = a_parcel(1, 3);

        check_equal(parcel_channel(&tx, &rx), 0);
        check_equal(parcel_send(tx, &message, LEAT_NOW), 0);
        (void) leave_room_for(0);
        check_equal(parcel_recv(rx, &got, LEAT_NOW), LEAT_NO_DESCRIPTORS);
        check_equal(parcel_recv(rx, &got, LEAT_NOW), LEAT_EMPTY);
        check_equal(parcel_recv(rx, &got, leat_after_ms(5)), LEAT_TIMEOUT);
        check_equal(parcel_send(tx, &(parcel){ .id = 2 }, LEAT_NOW), 0);
        check_equal(parcel_recv(rx, &got, LEAT_NOW), 0);
        check_equal(got.id, 2);
        parcel_sender_close(&tx);
        check_equal(parcel_recv(rx, &got, LEAT_NOW), LEAT_DISCONNECTED);
        parcel_receiver_close(&rx);
}

Test(exhaustion, messages_without_handles_pass_meanwhile) {
        run_in_child(messages_without_handles_pass);
}

static void large_messages_wait_too(void) {
        static char data[100000];
        struct leat_channel_options options = on_its_socket();
        parcel_sender tx;
        parcel_receiver rx;
        parcel got;
        int last;

        check_equal(parcel_channel_with(&options, &tx, &rx), 0);
        check_equal(parcel_send(tx, &(parcel){ .id = 1, .data = { data, sizeof(data) } }, LEAT_NOW), 0);
        check_equal(parcel_send(tx, &(parcel){ .id = 2, .data = { data, sizeof(data) } }, LEAT_NOW), 0);
        last = leave_room_for(0);
        check_equal(parcel_send(tx, &(parcel){ .id = 3, .data = { data, sizeof(data) } }, LEAT_NOW), -EMFILE);
        check_equal(parcel_recv(rx, &got, LEAT_NOW), LEAT_NO_DESCRIPTORS);
        check_equal(parcel_recv(rx, &got, LEAT_NOW), LEAT_NO_DESCRIPTORS);
        close(last);
        check_equal(parcel_recv(rx, &got, LEAT_NOW), 0);
        check_equal(got.id, 2);
        check_equal(got.data.size, sizeof(data));
        parcel_sender_close(&tx);
        parcel_receiver_close(&rx);
}

Test(exhaustion, of_large_messages_one_is_lost_too) {
        run_in_child(large_messages_wait_too);
}

static void large_messages_in_a_lane_pass(void) {
        static char data[100000];
        struct leat_channel_options options = { .lanes = LEAT_LANES_ALWAYS };
        parcel_sender tx;
        parcel_receiver rx;
        parcel got;

        check_equal(parcel_channel_with(&options, &tx, &rx), 0);
        (void) leave_room_for(0);
        for (uint32_t i = 1; i < 20; i++) {
                check_equal(parcel_send(tx, &(parcel){ .id = i, .data = { data, sizeof(data) } }, LEAT_NOW),
                            0);
                check_equal(parcel_recv(rx, &got, LEAT_NOW), 0);
                check_equal(got.id, i);
                check_equal(got.data.size, sizeof(data));
        }
        check_equal(parcel_recv(rx, &got, LEAT_NOW), LEAT_EMPTY);
        check_equal(parcel_lost(rx), 0);
        parcel_sender_close(&tx);
        parcel_receiver_close(&rx);
}

Test(exhaustion, large_messages_in_a_lane_need_no_descriptor) {
        run_in_child(large_messages_in_a_lane_pass);
}

static void nothing_is_made_and_nothing_is_touched(void) {
        number_sender tx = { 0 };
        number_receiver rx = { 0 };
        number_server_end server = { 0 };
        leat_set set = { 0 };
        leat_shared_memory memory = { 0 };
        int fd = 77, last = leave_room_for(1);

        check_equal(number_channel(&tx, &rx), -EMFILE);
        check(!number_sender_is_set(tx) && !number_receiver_is_set(rx));
        close(last);
        check_equal(number_channel(&tx, &rx), 0);
        check_equal(leat_set_create(&set), -EMFILE);
        check_equal(leat_shared_memory_copy("x", 1, &memory), -EMFILE);
        check_equal(number_arm(rx, &fd), -EMFILE);
        check_equal(number_server(&server), -EMFILE);
        check(fd == 77 && !set.object && !memory.object && !server.object);
        number_sender_close(&tx);
        number_receiver_close(&rx);
}

Test(exhaustion, nothing_is_made_and_nothing_is_touched) {
        run_in_child(nothing_is_made_and_nothing_is_touched);
}

static void giving_keeps_all_when_no_memory_can_be_made(void) {
        static char data[100000];
        parcel_sender tx;
        parcel_receiver rx;
        int given = dup(0), last;
        leat_descriptor file = leat_descriptor_give(&given);

        check_equal(parcel_channel(&tx, &rx), 0);
        last = leave_room_for(0);
        check_equal(parcel_send(tx, &(parcel){ .files = { &file, 1 }, .data = { data, sizeof(data) } }, LEAT_NOW), -EMFILE);
        check(given >= 0 && fcntl(given, F_GETFD) >= 0);
        close(last);
        check_equal(parcel_send(tx, &(parcel){ .files = { &file, 1 }, .data = { data, sizeof(data) } }, LEAT_NOW), 0);
        check_equal(given, -1);
        parcel_sender_close(&tx);
        parcel_receiver_close(&rx);
}

Test(exhaustion, what_is_given_is_kept_when_the_body_cannot_be_made) {
        run_in_child(giving_keeps_all_when_no_memory_can_be_made);
}

/* Linux counts what a user has in flight against RLIMIT_NOFILE, except for CAP_SYS_RESOURCE and CAP_SYS_ADMIN. */
static void too_many_in_flight_is_full(void) {
        rlim_t most = lanes_from_the_start() ? 64 : 32; /* Their lanes alone are 16. */
        struct rlimit limit = { .rlim_cur = most, .rlim_max = most };
        parcel_sender tx[4];
        parcel_receiver rx[4];
        parcel got, message = a_parcel(1, 10);
        int full = 0, r = 0;

        for (int i = 0; i < 4; i++)
                check_equal(parcel_channel(&tx[i], &rx[i]), 0);
        if (geteuid() == 0) {
                check_equal(setgid(65534), 0);
                check_equal(setuid(65534), 0); /* Drops the capabilities. */
        }
        check_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
        for (int i = 0; i < 20 && r == 0; i++)
                r = parcel_send(tx[i % 4], &message, LEAT_NOW);
        check_equal(r, LEAT_FULL);
        check_equal(parcel_send(tx[0], &message, leat_after_ms(5)), LEAT_TIMEOUT);
        for (int i = 0; i < 4; i++)
                while (parcel_recv(rx[i], &got, LEAT_NOW) == 0)
                        full++;
        check(full > 0);
        for (int i = 0; i < 4; i++)
                parcel_receiver_close(&rx[i]);
        for (int i = 0; i < 4; i++)
                parcel_sender_close(&tx[i]);
}

Test(exhaustion, too_many_descriptors_in_flight_count_as_a_full_channel) {
        run_in_child(too_many_in_flight_is_full);
}
