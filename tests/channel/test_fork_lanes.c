/* A receiver with lanes across fork: one of the processes goes on where both were, the others are told so,
 * and the senders notice nothing of it. */
#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <leat/leat.h>

#include "lanes.h"

#include "support.h"

LEAT_MESSAGE(number, (u64, value));
LEAT_MESSAGE(blob, (u64, value), (bytes, data));
LEAT_MESSAGE(parcel, (receiver, number, numbers));

#define FOREVER leat_after_ms(30000)

static const struct leat_channel_options always = { .lanes = LEAT_LANES_ALWAYS, .capacity = 65536 };

static int before;

static void start(void) {
        before = count_descriptors();
}

static void finish(void) {
        cr_assert_eq(settle_descriptors(before), before, "a descriptor leaked");
}

TestSuite(fork_lanes, .init = start, .fini = finish);

/* One that sends numbers from 0 on, in a lane once it has received something there. */
static pid_t start_sender(uint64_t n, number_receiver *ret_rx) {
        number_sender tx;
        pid_t child;

        cr_assert_eq(number_channel_with(&always, &tx, ret_rx), 0);
        child = fork();
        if (child == 0) {
                watchdog(30);
                number_receiver_close(ret_rx);
                for (uint64_t i = 0; i < n; i++)
                        check_equal(number_send(tx, &(number){ i }, LEAT_FOREVER), 0);
                number_sender_close(&tx);
                leave_child(0);
        }
        number_sender_close(&tx);
        return child;
}

static void expect_numbers(number_receiver rx, uint64_t from, uint64_t to) {
        number got;

        for (uint64_t value = from; value < to; value++) {
                check_equal(number_recv(rx, &got, FOREVER), 0);
                check_equal(got.value, value);
        }
}

static void expect_end(number_receiver *rx) {
        number got;

        check_equal(number_recv(*rx, &got, FOREVER), LEAT_DISCONNECTED);
        number_receiver_close(rx);
}

static void expect_busy(number_receiver *rx) {
        parcel_receiver box_rx;
        parcel_sender box;
        number got;
        int fd;

        for (int i = 0; i < 3; i++) {
                check_equal(number_recv(*rx, &got, LEAT_NOW), -EBUSY);
                check_equal(number_recv(*rx, &got, FOREVER), -EBUSY);
                check_equal(number_arm(*rx, &fd), LEAT_MORE);
        }
        check_equal(parcel_channel(&box, &box_rx), 0);
        check_equal(parcel_send(box, &(parcel){ number_receiver_give(rx) }, LEAT_NOW), -EBUSY);
        check(rx->object != NULL);
        parcel_sender_close(&box);
        parcel_receiver_close(&box_rx);
        number_receiver_close(rx);
}

/* A child that waits until the gate is closed. */
static pid_t fork_behind(int gate[2]) {
        pid_t child;
        char byte;

        check_equal(pipe(gate), 0);
        child = fork();
        check(child >= 0);
        if (child > 0) {
                close(gate[0]);
                return child;
        }
        watchdog(30);
        close(gate[1]);
        check_equal(read(gate[0], &byte, 1), 0);
        close(gate[0]);
        return 0;
}

Test(fork_lanes, the_parent_goes_on_and_its_child_is_told) {
        number_receiver rx;
        pid_t sender = start_sender(100000, &rx), child;
        int gate[2];

        expect_numbers(rx, 0, 1000);
        child = fork_behind(gate);
        if (child == 0) {
                expect_busy(&rx);
                leave_child(0);
        }
        expect_numbers(rx, 1000, 2000);
        close(gate[1]);
        expect_numbers(rx, 2000, 100000);
        cr_assert_eq(wait_for_exit(child), 0);
        expect_end(&rx);
        cr_assert_eq(wait_for_exit(sender), 0);
}

Test(fork_lanes, a_child_goes_on_and_its_parent_is_told) {
        number_receiver rx;
        pid_t sender = start_sender(100000, &rx), child;

        expect_numbers(rx, 0, 1000);
        child = fork();
        if (child == 0) {
                watchdog(30);
                expect_numbers(rx, 1000, 100000);
                expect_end(&rx);
                leave_child(0);
        }
        cr_assert_eq(wait_for_exit(child), 0);
        cr_assert_eq(wait_for_exit(sender), 0);
        expect_busy(&rx);
}

Test(fork_lanes, who_closes_its_copy_takes_nothing_from_the_other) {
        number_receiver rx;
        pid_t sender = start_sender(100000, &rx), child;
        int gate[2];

        expect_numbers(rx, 0, 1000);
        child = fork();
        if (child == 0) {
                number_receiver_close(&rx);
                leave_child(0);
        }
        cr_assert_eq(wait_for_exit(child), 0);
        expect_numbers(rx, 1000, 2000);
        child = fork_behind(gate);
        if (child == 0) {
                expect_numbers(rx, 2000, 100000);
                expect_end(&rx);
                leave_child(0);
        }
        number_receiver_close(&rx);
        close(gate[1]);
        cr_assert_eq(wait_for_exit(child), 0);
        cr_assert_eq(wait_for_exit(sender), 0);
}

Test(fork_lanes, a_loser_that_closes_or_is_killed_takes_nothing_either) {
        number_receiver rx;
        pid_t sender = start_sender(50000, &rx), losers[2];
        int gates[2][2];

        expect_numbers(rx, 0, 10);
        for (int i = 0; i < 2; i++) {
                losers[i] = fork_behind(gates[i]);
                if (losers[i] != 0)
                        continue;
                expect_busy(&rx);
                leave_child(0);
        }
        expect_numbers(rx, 10, 20);
        close(gates[0][1]);
        kill(losers[1], SIGKILL);
        expect_numbers(rx, 20, 50000);
        cr_assert_eq(wait_for_exit(losers[0]), 0);
        (void) wait_for_exit(losers[1]);
        close(gates[1][1]);
        expect_end(&rx);
        cr_assert_eq(wait_for_exit(sender), 0);
}

Test(fork_lanes, a_receiver_that_is_given_away_after_a_fork_is_nobody_elses) {
        number_receiver rx, taken;
        pid_t sender = start_sender(50000, &rx), child;
        parcel_receiver box_rx;
        parcel_sender box;
        int gate[2];
        parcel got;

        cr_assert_eq(parcel_channel(&box, &box_rx), 0);
        expect_numbers(rx, 0, 10);
        child = fork_behind(gate);
        if (child == 0) {
                expect_busy(&rx);
                leave_child(0);
        }
        cr_assert_eq(parcel_send(box, &(parcel){ number_receiver_give(&rx) }, LEAT_NOW), 0);
        cr_assert_eq(parcel_recv(box_rx, &got, LEAT_NOW), 0);
        taken = number_receiver_take(&got.numbers);
        expect_numbers(taken, 10, 1000);
        close(gate[1]);
        expect_numbers(taken, 1000, 50000);
        cr_assert_eq(wait_for_exit(child), 0);
        expect_end(&taken);
        cr_assert_eq(wait_for_exit(sender), 0);
        parcel_sender_close(&box);
        parcel_receiver_close(&box_rx);
}

Test(fork_lanes, a_child_gives_back_what_it_went_on_with) {
        number_receiver rx;
        pid_t sender = start_sender(50000, &rx), child;
        parcel_receiver box_rx;
        parcel_sender box;
        parcel got;

        cr_assert_eq(parcel_channel(&box, &box_rx), 0);
        expect_numbers(rx, 0, 10);
        child = fork();
        if (child == 0) {
                watchdog(30);
                parcel_receiver_close(&box_rx);
                expect_numbers(rx, 10, 1000);
                check_equal(parcel_send(box, &(parcel){ number_receiver_give(&rx) }, LEAT_FOREVER), 0);
                parcel_sender_close(&box);
                leave_child(0);
        }
        cr_assert_eq(parcel_recv(box_rx, &got, FOREVER), 0);
        expect_busy(&rx);
        rx = number_receiver_take(&got.numbers);
        expect_numbers(rx, 1000, 50000);
        expect_end(&rx);
        cr_assert_eq(wait_for_exit(child), 0);
        cr_assert_eq(wait_for_exit(sender), 0);
        parcel_sender_close(&box);
        parcel_receiver_close(&box_rx);
}

enum { SIZE = 300000, N_BLOBS = 40, GENERATIONS = 5 };

static pid_t start_blobs(blob_receiver *ret_rx) {
        const struct leat_channel_options options = { .lanes = LEAT_LANES_ALWAYS, .capacity = 16384 };
        unsigned char *data;
        blob_sender tx;
        pid_t child;

        cr_assert_eq(blob_channel_with(&options, &tx, ret_rx), 0);
        child = fork();
        if (child == 0) {
                watchdog(30);
                blob_receiver_close(ret_rx);
                data = malloc(SIZE);
                check(data != NULL);
                for (uint64_t i = 0; i < N_BLOBS; i++) {
                        memset(data, (int) i, SIZE);
                        check_equal(blob_send(tx, &(blob){ i, { data, SIZE } }, LEAT_FOREVER), 0);
                }
                free(data);
                blob_sender_close(&tx);
                leave_child(0);
        }
        blob_sender_close(&tx);
        return child;
}

/* Receives some, then forks, perhaps in the middle of a message, and leaves the rest to its child. */
static void receive_and_fork(blob_receiver *rx, uint64_t next, int generation) {
        uint64_t end = N_BLOBS / GENERATIONS * (uint64_t) (generation + 1);
        pid_t child;
        blob got;
        int r;

        for (int looks = 0; next < end || looks < 50; looks++) {
                r = blob_recv(*rx, &got, next < end ? FOREVER : LEAT_NOW);
                if (r == LEAT_EMPTY || r == LEAT_DISCONNECTED)
                        continue;
                check_equal(r, 0);
                check_equal(got.value, next);
                check_equal(got.data.size, SIZE);
                for (size_t i = 0; i < SIZE; i += 1000)
                        check_equal(((const unsigned char *) got.data.data)[i], next);
                next++;
        }
        if (generation == GENERATIONS - 1) {
                check_equal(next, N_BLOBS);
                check_equal(blob_recv(*rx, &got, FOREVER), LEAT_DISCONNECTED);
        } else {
                child = fork();
                if (child == 0) {
                        watchdog(30);
                        receive_and_fork(rx, next, generation + 1);
                        leave_child(0);
                }
                check_equal(wait_for_exit(child), 0);
                check_equal(blob_recv(*rx, &got, FOREVER), -EBUSY);
        }
        blob_receiver_close(rx);
}

Test(fork_lanes, a_receiver_goes_from_child_to_child_in_the_middle_of_messages) {
        blob_receiver rx;
        pid_t sender = start_blobs(&rx);

        receive_and_fork(&rx, 0, 0);
        cr_assert_eq(wait_for_exit(sender), 0);
}

Test(fork_lanes, a_child_that_waits_is_woken_by_a_sender_of_before) {
        number_sender tx;
        number_receiver rx;
        number got;
        pid_t child;

        cr_assert_eq(number_channel_with(&always, &tx, &rx), 0);
        cr_assert_eq(number_send(tx, &(number){ 0 }, LEAT_NOW), 0);
        expect_numbers(rx, 0, 1);
        cr_assert_eq(number_recv(rx, &got, leat_after_ms(20)), LEAT_TIMEOUT); /* Armed. */
        child = fork();
        if (child == 0) {
                watchdog(30);
                expect_numbers(rx, 1, 3);
                number_receiver_close(&rx);
                leave_child(0);
        }
        sleep_ms(20);
        cr_assert_eq(number_send(tx, &(number){ 1 }, LEAT_NOW), 0);
        sleep_ms(20);
        cr_assert_eq(number_send(tx, &(number){ 2 }, LEAT_NOW), 0);
        cr_assert_eq(wait_for_exit(child), 0);
        cr_assert_eq(number_recv(rx, &got, LEAT_NOW), -EBUSY);
        number_receiver_close(&rx);
        number_sender_close(&tx);
}

Test(fork_lanes, a_sender_learns_that_all_copies_are_closed) {
        number_sender tx;
        number_receiver rx;
        pid_t child;
        int gate[2], r;

        cr_assert_eq(number_channel_with(&always, &tx, &rx), 0);
        child = fork_behind(gate);
        if (child == 0)
                leave_child(0); /* With its copy. */
        number_receiver_close(&rx);
        cr_assert_eq(number_send(tx, &(number){ 0 }, LEAT_NOW), 0, "the child has it still");
        close(gate[1]);
        cr_assert_eq(wait_for_exit(child), 0);
        do
                r = number_send(tx, &(number){ 0 }, FOREVER);
        while (r == 0);
        cr_assert_eq(r, LEAT_DISCONNECTED);
        number_sender_close(&tx);
}
