/* At the limit of descriptors a message is lost, once, and said to be; then nothing more is. Every check runs
 * in a child, whose limit it is. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <leat/leat.h>

#include "in_child.h"
#include "in_flight.h"
#include "support.h"
#include "transport.h"

LEAT_MESSAGE(number, (u64, value));
LEAT_MESSAGE(parcel, (u32, id), (array, descriptor, files), (bytes, data));

/* Uses descriptors up until only so many can be opened; returns the last one, all of them are above
 * `first`. */
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
                check_equal(parcel_recv(rx, &got, i % 2 ? leat_after_ms(30000) : LEAT_NOW),
                            LEAT_NO_DESCRIPTORS);
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
        check_equal(
                parcel_send(tx, &(parcel){ .files = { &file, 1 }, .data = { data, sizeof(data) } }, LEAT_NOW),
                -EMFILE);
        check(given >= 0 && fcntl(given, F_GETFD) >= 0);
        close(last);
        /* Others of the same user may have more than this process's limit in flight just now. */
        check_equal(parcel_send(tx, &(parcel){ .files = { &file, 1 }, .data = { data, sizeof(data) } },
                                leat_after_ms(25000)),
                    0);
        check_equal(given, -1);
        parcel_sender_close(&tx);
        parcel_receiver_close(&rx);
}

Test(exhaustion, what_is_given_is_kept_when_the_body_cannot_be_made) {
        run_in_child(giving_keeps_all_when_no_memory_can_be_made);
}

/* ---- what a user has in flight ---- */

enum { CARRIERS = 4, FILES_EACH = 10 };

/* With those that it has in flight already. */
static void be_somebody_with_few_descriptors(rlim_t most) {
        struct rlimit limit;

        in_flight_be_counted();
        most += in_flight_now();
        limit = (struct rlimit){ .rlim_cur = most, .rlim_max = most };
        check_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

struct carriers {
        parcel_sender tx[CARRIERS];
        parcel_receiver rx[CARRIERS];
        uint32_t sent[CARRIERS];
        uint32_t received[CARRIERS];
        int open;
};

static void open_carriers(struct carriers *carriers) {
        *carriers = (struct carriers){ 0 };
        for (int i = 0; i < CARRIERS; i++)
                check_equal(parcel_channel(&carriers->tx[i], &carriers->rx[i]), 0);
        be_somebody_with_few_descriptors(lanes_from_the_start() ? 64 : 32); /* Their lanes alone are 16. */
        carriers->open = count_descriptors();
}

static void close_carriers(struct carriers *carriers) {
        for (int i = 0; i < CARRIERS; i++)
                parcel_receiver_close(&carriers->rx[i]);
        for (int i = 0; i < CARRIERS; i++)
                parcel_sender_close(&carriers->tx[i]);
}

static int send_by(struct carriers *carriers, int i, leat_deadline deadline) {
        parcel message = a_parcel(carriers->sent[i], FILES_EACH);
        int r = parcel_send(carriers->tx[i], &message, deadline);

        carriers->sent[i] += r == 0;
        return r;
}

static int receive_by(struct carriers *carriers, int i) {
        parcel got;
        int r = parcel_recv(carriers->rx[i], &got, LEAT_NOW);

        if (r != 0)
                return r;
        check_equal(got.id, carriers->received[i]++);
        check_equal(got.files.count, FILES_EACH);
        for (size_t k = 0; k < FILES_EACH; k++)
                check(fcntl(leat_descriptor_number(got.files.items[k]), F_GETFD) >= 0);
        parcel_release(carriers->rx[i]);
        check_equal(settle_descriptors(carriers->open),
                    carriers->open); /* Another thread closes them: the next ones need the room. */
        return 0;
}

static void fill(struct carriers *carriers) {
        uint32_t n = 0;
        int r;

        while ((r = send_by(carriers, (int) (n % CARRIERS), LEAT_NOW)) == 0)
                check(++n < 100);
        check_equal(r, LEAT_FULL);
}

/* What other processes of the same user have in flight counts too, and may become less at any moment. */
static void expect_too_many(struct carriers *carriers) {
        for (int i = 0; i < CARRIERS; i++) {
                int64_t start;
                int r;

                do {
                        fill(carriers);
                        start = clock_ms();
                        r = send_by(carriers, i, leat_after_ms(20));
                } while (r == 0);
                check_equal(r, LEAT_TIMEOUT);
                check(clock_ms() >= start + 19);
        }
}

static void receive_all(struct carriers *carriers) {
        int r = 0;

        for (int i = 0; i < CARRIERS; i++) {
                while (carriers->received[i] < carriers->sent[i]) {
                        r = receive_by(carriers, i);
                        check(r == 0 ||
                              r == LEAT_NO_DESCRIPTORS); /* Those before may still be being closed. */
                        if (r != 0)
                                sleep_ms(1);
                        check_equal(parcel_lost(carriers->rx[i]), 0);
                }
                check_equal(receive_by(carriers, i), LEAT_EMPTY);
        }
}

/* Time after time: nothing was lost by having been full, and nothing is kept. */
static void too_many_in_flight_is_full(void) {
        struct carriers carriers;

        open_carriers(&carriers);
        for (int round = 0; round < 5; round++) {
                check_equal(send_by(&carriers, 0, leat_after_ms(25000)), 0);
                expect_too_many(&carriers);
                receive_all(&carriers);
        }
        close_carriers(&carriers);
}

Test(exhaustion, too_many_descriptors_in_flight_count_as_a_full_channel) {
        run_in_child(too_many_in_flight_is_full);
}

static void *make_room_later(void *context) {
        struct carriers *carriers = context;

        sleep_ms(30);
        for (int i = 1; i < CARRIERS; i++)
                while (receive_by(carriers, i) == 0)
                        continue;
        return NULL;
}

/* Nobody tells a sender that descriptors have left another channel. */
static void a_waiting_send_goes_on_when_there_is_room(void) {
        const leat_deadline deadlines[] = { LEAT_FOREVER, leat_after_ms(25000) };
        struct carriers carriers;
        pthread_t thread;

        open_carriers(&carriers);
        for (int i = 0; i < 2; i++) {
                fill(&carriers);
                check_equal(pthread_create(&thread, NULL, make_room_later, &carriers), 0);
                check_equal(send_by(&carriers, 0, deadlines[i]), 0);
                check_equal(pthread_join(thread, NULL), 0);
                receive_all(&carriers);
        }
        close_carriers(&carriers);
}

Test(exhaustion, a_send_that_waits_goes_on_when_fewer_are_in_flight) {
        if (!UNDER_TSAN)
                run_in_child(a_waiting_send_goes_on_when_there_is_room);
}

static void messages_without_handles_go_on(void) {
        static char data[3000];
        struct carriers carriers;
        number_sender numbers_tx;
        number_receiver numbers_rx;
        number number_got;
        parcel got;

        check_equal(number_channel(&numbers_tx, &numbers_rx), 0);
        open_carriers(&carriers);
        fill(&carriers);
        for (uint64_t i = 0; i < 300;
             i++) { /* Busy enough for a lane to be offered, which brings descriptors. */
                check_equal(number_send(numbers_tx, &(number){ i }, LEAT_NOW), 0);
                check_equal(number_recv(numbers_rx, &number_got, LEAT_NOW), 0);
                check_equal(number_got.value, i);
        }
        /* In the very channel that is full of handles, too. */
        check_equal(parcel_send(carriers.tx[1], &(parcel){ .id = 4711, .data = { data, sizeof(data) } },
                                LEAT_NOW),
                    0);
        for (uint32_t i = 0; i < carriers.sent[1]; i++)
                check_equal(receive_by(&carriers, 1), 0);
        check_equal(parcel_recv(carriers.rx[1], &got, LEAT_NOW), 0);
        check_equal(got.id, 4711);
        check_equal(got.data.size, sizeof(data));
        number_sender_close(&numbers_tx);
        number_receiver_close(&numbers_rx);
        close_carriers(&carriers);
}

Test(exhaustion, messages_without_handles_pass_while_too_many_are_in_flight) {
        run_in_child(messages_without_handles_go_on);
}

static void what_is_given_stays(void) {
        struct carriers carriers;
        leat_descriptor file;
        int given;

        open_carriers(&carriers);
        fill(&carriers);
        given = dup(0);
        check(given >= 0);
        file = leat_descriptor_give(&given);
        check_equal(parcel_send(carriers.tx[0], &(parcel){ .files = { &file, 1 } }, LEAT_NOW), LEAT_FULL);
        check(given >= 0 && fcntl(given, F_GETFD) >= 0);
        close(given);
        close_carriers(&carriers);
}

Test(exhaustion, what_is_given_is_kept_while_too_many_are_in_flight) {
        run_in_child(what_is_given_stays);
}
