/* Endpoints across fork: a child goes on with what it inherited, and neither process corrupts the other.
 * "Gone" means gone in every process. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <leat/leat.h>

#include "in_child.h"
#include "support.h"
#include "transport.h"

LEAT_MESSAGE(number, (u64, value));
LEAT_MESSAGE(blob, (u32, who), (u32, sequence), (bytes, data));
LEAT_MESSAGE(parcel, (receiver, number, numbers), (descriptor, file));

static int before;

static void start(void) {
        before = count_descriptors();
}

static void finish(void) {
        cr_assert_eq(settle_descriptors(before), before, "a descriptor leaked");
}

TestSuite(fork_endpoints, .init = start, .fini = finish);

Test(fork_endpoints, parent_and_children_send_on_one_sender_and_nothing_is_torn) {
        enum { CHILDREN = 3, EACH = 60 };
        static unsigned char data[200000];
        uint32_t next[CHILDREN + 1] = { 0 };
        pid_t children[CHILDREN];
        blob_sender tx;
        blob_receiver rx;
        blob got;
        int n = 0, r;

        cr_assert_eq(blob_channel(&tx, &rx), 0);
        for (uint32_t who = 0; who < CHILDREN; who++) {
                children[who] = fork();
                if (children[who] != 0)
                        continue;
                watchdog(30);
                memset(data, (int) who, sizeof(data));
                blob_receiver_close(&rx);
                for (uint32_t i = 0; i < EACH; i++)
                        check_equal(blob_send(tx, &(blob){ who, i, { data, i % 2 ? 200000 : 300 } }, LEAT_FOREVER), 0);
                leave_child(0);
        }
        blob_sender_close(&tx);
        while ((r = blob_recv(rx, &got, leat_after_ms(30000))) == 0) {
                cr_assert_lt(got.who, CHILDREN);
                cr_assert_eq(got.sequence, next[got.who]++);
                cr_assert_eq(got.data.size, got.sequence % 2 ? 200000 : 300);
                for (size_t i = 0; i < got.data.size; i += 101)
                        cr_assert_eq(((const unsigned char *) got.data.data)[i], got.who);
                n++;
        }
        cr_assert_eq(r, LEAT_DISCONNECTED);
        cr_assert_eq(n, CHILDREN * EACH);
        for (int i = 0; i < CHILDREN; i++)
                cr_assert_eq(wait_for_exit(children[i]), 0);
        blob_receiver_close(&rx);
}

Test(fork_endpoints, a_channel_ends_when_the_last_process_lets_go) {
        number_sender tx;
        number_receiver rx;
        number got;
        int gate[2];
        pid_t child;
        char byte;

        cr_assert_eq(pipe2(gate, O_CLOEXEC), 0);
        cr_assert_eq(number_channel(&tx, &rx), 0);
        child = fork();
        if (child == 0) {
                watchdog(30);
                close(gate[1]);
                check_equal(read(gate[0], &byte, 1), 0);
                check_equal(number_send(tx, &(number){ 5 }, LEAT_NOW), 0);
                number_sender_close(&tx);
                number_receiver_close(&rx);
                leave_child(0);
        }
        number_sender_close(&tx);
        cr_assert_eq(number_recv(rx, &got, leat_after_ms(10)), LEAT_TIMEOUT, "the child has it still");
        close(gate[0]);
        close(gate[1]);
        cr_assert_eq(number_recv(rx, &got, leat_after_ms(30000)), 0);
        cr_assert_eq(number_recv(rx, &got, leat_after_ms(30000)), LEAT_DISCONNECTED);
        cr_assert_eq(wait_for_exit(child), 0);
        number_receiver_close(&rx);
}

Test(fork_endpoints, a_child_that_closes_its_copies_takes_nothing_from_its_parent) {
        number_sender tx, feed;
        number_receiver rx, numbers;
        parcel_sender parcels_tx;
        parcel_receiver parcels;
        parcel got;
        number got_number;
        char byte;
        int pipe_fds[2];
        pid_t child;

        cr_assert_eq(pipe2(pipe_fds, O_CLOEXEC), 0);
        cr_assert_eq(number_channel(&tx, &rx), 0);
        cr_assert_eq(number_channel(&feed, &numbers), 0);
        cr_assert_eq(parcel_channel(&parcels_tx, &parcels), 0);
        cr_assert_eq(number_send(tx, &(number){ 1 }, LEAT_NOW), 0);
        cr_assert_eq(parcel_send(parcels_tx, &(parcel){ number_receiver_give(&numbers),
                                                        leat_descriptor_lend(pipe_fds[0]) }, LEAT_NOW), 0);
        cr_assert_eq(parcel_recv(parcels, &got, LEAT_NOW), 0);
        child = fork();
        if (child == 0) {
                number_sender_close(&tx);
                number_receiver_close(&rx);
                parcel_sender_close(&parcels_tx);
                parcel_receiver_close(&parcels); /* With the borrowed handles in it. */
                leave_child(0);
        }
        cr_assert_eq(wait_for_exit(child), 0);
        cr_assert_eq(number_recv(rx, &got_number, LEAT_NOW), 0);
        cr_assert_eq(number_send(tx, &(number){ 2 }, LEAT_NOW), 0);
        cr_assert_eq(number_send(feed, &(number){ 3 }, LEAT_NOW), 0);
        cr_assert_eq(number_recv(got.numbers, &got_number, LEAT_NOW), 0);
        cr_assert_eq(write(pipe_fds[1], "x", 1), 1);
        cr_assert_eq(read(leat_descriptor_number(got.file), &byte, 1), 1);
        number_sender_close(&tx);
        number_sender_close(&feed);
        number_receiver_close(&rx);
        parcel_sender_close(&parcels_tx);
        parcel_receiver_close(&parcels);
        close(pipe_fds[0]);
        close(pipe_fds[1]);
}

Test(fork_endpoints, a_receiver_is_armed_anew_in_a_child_and_stays_armed_in_its_parent) {
        /* With lanes only one can go on: see test_fork_lanes.c. */
        struct leat_channel_options options = on_its_socket();
        struct pollfd poll_fd = { .events = POLLIN };
        number_sender tx;
        number_receiver rx;
        number got;
        pid_t child;

        cr_assert_eq(number_channel_with(&options, &tx, &rx), 0);
        cr_assert_eq(number_arm(rx, &poll_fd.fd), 0);
        child = fork();
        if (child == 0) {
                watchdog(30);
                check_equal(number_arm(rx, &poll_fd.fd), 0);
                check_equal(number_send(tx, &(number){ 1 }, LEAT_NOW), 0);
                check_equal(poll(&poll_fd, 1, 30000), 1);
                check_equal(number_recv(rx, &got, LEAT_NOW), 0);
                number_receiver_close(&rx);
                leave_child(0);
        }
        cr_assert_eq(wait_for_exit(child), 0);
        cr_assert_eq(poll(&poll_fd, 1, 0), 0);
        cr_assert_eq(number_send(tx, &(number){ 2 }, LEAT_NOW), 0);
        cr_assert_eq(poll(&poll_fd, 1, 0), 1);
        number_sender_close(&tx);
        number_receiver_close(&rx);
}

Test(fork_endpoints, each_message_goes_to_one_of_two_processes_that_read) {
        number_sender tx, back_tx;
        number_receiver rx, back_rx;
        bool seen[200] = { false };
        pid_t children[2];
        number got;

        cr_assert_eq(number_channel(&tx, &rx), 0);
        cr_assert_eq(number_channel(&back_tx, &back_rx), 0);
        for (int i = 0; i < 2; i++) {
                children[i] = fork();
                if (children[i] == 0) {
                        watchdog(30);
                        number_sender_close(&tx);
                        while (number_recv(rx, &got, LEAT_FOREVER) == 0)
                                check_equal(number_send(back_tx, &got, LEAT_FOREVER), 0);
                        leave_child(0);
                }
        }
        number_sender_close(&back_tx);
        number_receiver_close(&rx);
        for (uint64_t i = 0; i < 200; i++) {
                cr_assert_eq(number_send(tx, &(number){ i }, LEAT_FOREVER), 0);
                cr_assert_eq(number_recv(back_rx, &got, leat_after_ms(30000)), 0);
                cr_assert_not(seen[got.value]);
                seen[got.value] = true;
        }
        number_sender_close(&tx);
        cr_assert_eq(number_recv(back_rx, &got, leat_after_ms(30000)), LEAT_DISCONNECTED);
        for (int i = 0; i < 2; i++)
                cr_assert_eq(wait_for_exit(children[i]), 0);
        number_receiver_close(&back_rx);
}
