/* A sender of a channel that is held already costs no descriptor when it comes (again), and is an end of its own all the same. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <leat/leat.h>

#include "in_child.h"
#include "sender.h"
#include "stranger.h"
#include "support.h"
#include "transport.h"

LEAT_MESSAGE(number, (u64, value));
LEAT_MESSAGE(text, (string, words));
LEAT_MESSAGE(parcel, (u32, id), (sender, number, end), (array, sender, number, all), (sender, text, other));

#include "one_channel.h" /* Of these parcels. */

TestSuite(held, .init = start, .fini = finish);

static number_sender pass(number_sender end) {
        parcel got;

        check_equal(parcel_send(tx, &(parcel){ .end = end }, LEAT_NOW), 0);
        check_equal(parcel_recv(rx, &got, LEAT_NOW), 0);
        return number_sender_take(&got.end);
}

static void send_one(number_sender end, uint64_t value) {
        check_equal(number_send(end, &(number){ value }, LEAT_NOW), 0);
}

static void expect_one(number_receiver end, uint64_t value) {
        number got;

        check_equal(number_recv(end, &got, LEAT_NOW), 0);
        check_equal(got.value, value);
}

static void expect_end(number_receiver end) {
        check_equal(number_recv(end, &(number){ 0 }, LEAT_NOW), LEAT_DISCONNECTED);
}

#define MANY 1000

Test(held, a_sender_that_comes_back_a_thousand_times_costs_no_descriptor) {
        static number_sender kept[MANY];
        number_sender end;
        number_receiver numbers;
        int with_channel;

        cr_assert_eq(number_channel(&end, &numbers), 0);
        with_channel = count_descriptors();
        for (size_t i = 0; i < MANY; i++) {
                kept[i] = pass(end);
                cr_assert_eq(kept[i].object->connection, end.object->connection);
        }
        cr_assert_eq(count_descriptors(), with_channel);
        number_sender_close(&end);
        for (size_t i = 0; i < MANY; i++) {
                if (i % 100 == 0) {
                        send_one(kept[i], i);
                        expect_one(numbers, i);
                }
                number_sender_close(&kept[i]);
        }
        expect_end(numbers);
        number_receiver_close(&numbers);
}

Test(held, what_comes_of_a_channel_that_nobody_here_holds_costs_one_and_the_same_again_none) {
        number_sender end, first, second;
        number_receiver numbers;
        number_sender all[3];
        parcel got;
        int without;

        cr_assert_eq(number_channel(&end, &numbers), 0);
        cr_assert_eq(parcel_send(tx, &(parcel){ .end = end }, LEAT_NOW), 0);
        all[0] = all[1] = all[2] = end;
        cr_assert_eq(parcel_send(tx, &(parcel){ .all = { all, 3 } }, LEAT_NOW), 0);
        number_sender_close(&end);
        without = count_descriptors();
        cr_assert_eq(parcel_recv(rx, &got, LEAT_NOW), 0);
        first = number_sender_take(&got.end);
        cr_assert_eq(count_descriptors(), without + 1);
        cr_assert_eq(parcel_recv(rx, &got, LEAT_NOW), 0);
        cr_assert_eq(got.all.count, 3);
        cr_assert_eq(count_descriptors(), without + 1);
        second = number_sender_take(&got.all.items[1]);
        send_one(first, 1);
        expect_one(numbers, 1);
        number_sender_close(&first);
        parcel_release(rx);
        send_one(second, 2);
        expect_one(numbers, 2);
        number_sender_close(&second);
        expect_end(numbers);
        number_receiver_close(&numbers);
}

/* What is sent before it is lent is received before what is sent by who got it, lane or no lane. */
Test(held, what_came_begins_behind_what_had_been_sent_and_has_no_lane_of_the_other_one) {
        const struct leat_channel_options options = { .lanes = LEAT_LANES_ALWAYS };
        number_sender end, came;
        number_receiver numbers;

        cr_assert_eq(number_channel_with(&options, &end, &numbers), 0);
        for (uint64_t i = 0; i < 1000; i++) {
                send_one(end, 2 * i);
                came = pass(end);
                cr_assert_null(came.object->lane);
                send_one(came, 2 * i + 1);
                number_sender_close(&came);
                for (uint64_t j = 0; j < 2; j++)
                        expect_one(numbers, 2 * i + j);
        }
        number_sender_close(&end);
        expect_end(numbers);
        number_receiver_close(&numbers);
}

Test(held, each_end_is_closed_on_its_own) {
        number_sender end, came;
        number_receiver numbers;

        cr_assert_eq(number_channel(&end, &numbers), 0);
        came = pass(end);
        number_sender_close(&came);
        send_one(end, 1);
        expect_one(numbers, 1);
        came = pass(end);
        number_sender_close(&end);
        send_one(came, 2);
        expect_one(numbers, 2);
        cr_assert_eq(number_recv(numbers, &(number){ 0 }, LEAT_NOW), LEAT_EMPTY);
        number_sender_close(&came);
        expect_end(numbers);
        number_receiver_close(&numbers);
        /* The number is free again: what is opened under it is another channel. */
        cr_assert_eq(number_channel(&end, &numbers), 0);
        came = pass(end);
        cr_assert_eq(came.object->connection, end.object->connection);
        send_one(came, 3);
        expect_one(numbers, 3);
        number_sender_close(&came);
        number_sender_close(&end);
        number_receiver_close(&numbers);
}

#define CHANNELS 300

Test(held, among_many_channels_each_is_found) {
        static number_sender ends[CHANNELS];
        static number_receiver numbers[CHANNELS];
        const struct leat_channel_options options = { .lanes = LEAT_LANES_NEVER };

        for (size_t i = 0; i < CHANNELS; i++)
                cr_assert_eq(number_channel_with(&options, &ends[i], &numbers[i]), 0);
        for (size_t round = 0; round < 2; round++)
                for (size_t i = 0; i < CHANNELS; i++) {
                        number_sender came = pass(ends[i]);

                        cr_assert_eq(came.object->connection, ends[i].object->connection);
                        send_one(came, i);
                        number_sender_close(&came);
                        expect_one(numbers[i], i);
                }
        for (size_t i = 0; i < CHANNELS; i += 2)
                number_sender_close(&ends[i]);
        for (size_t i = 1; i < CHANNELS; i += 2) {
                number_sender came = pass(ends[i]);

                cr_assert_eq(came.object->connection, ends[i].object->connection);
                number_sender_close(&came);
        }
        for (size_t i = 0; i < CHANNELS; i++) {
                number_sender_close(&ends[i]);
                number_receiver_close(&numbers[i]);
        }
}

/* ---- lies ---- */

/* A message with that socket as a sender, of numbers or of texts; what receiving it says. */
static int receive(int fd, const struct fingerprint *fingerprint, uint8_t flags, bool is_text,
                   parcel *ret_parcel) {
        static const uint8_t with_number[] = { 0x94, 7, 0, 0x90, 0xc0 },
                             with_text[] = { 0x94, 7, 0xc0, 0x90, 0 };
        uint8_t joined[1024];
        struct forgery forgery = forge(parcel_type(), PACKET_MESSAGE, ENCODING_MESSAGEPACK, joined, 0);
        const struct plan *plan;
        size_t size = 0;

        joined[size++] = HANDLE_SENDER;
        joined[size++] = flags;
        size += fingerprint_write(fingerprint, joined + size);
        memcpy(joined + size, is_text ? with_text : with_number, sizeof(with_text));
        check_equal(plan_get(parcel_type(), &plan), 0);
        packet_write_header(&(struct packet_header){ .kind = PACKET_MESSAGE,
                                                     .encoding = ENCODING_MESSAGEPACK,
                                                     .tag = plan->tag,
                                                     .n_handles = 1,
                                                     .table_size = (uint32_t) size,
                                                     .body_size = sizeof(with_text) },
                            forgery.start);
        forgery.rest_size = size + sizeof(with_text);
        forgery.fds = &fd;
        forgery.n_fds = 1;
        check(send_forgery(tx.object->connection->fd, &forgery) >= 0);
        return parcel_recv(rx, ret_parcel, LEAT_NOW);
}

static struct fingerprint fingerprint_of(const struct leat_type *type) {
        const struct plan *plan;

        check_equal(plan_get(type, &plan), 0);
        return plan->fingerprint;
}

static int receive_as_number(int fd, parcel *ret_parcel) {
        struct fingerprint fingerprint = fingerprint_of(number_type());

        return receive(fd, &fingerprint, 0, false, ret_parcel);
}

static int receive_as_text(int fd, parcel *ret_parcel) {
        struct fingerprint fingerprint = fingerprint_of(text_type());

        return receive(fd, &fingerprint, 0, true, ret_parcel);
}

Test(held, a_socket_that_is_held_comes_as_another_type) {
        number_sender end;
        number_receiver numbers;
        struct leat_schemas named;
        parcel got;
        int with_channel, fd;

        cr_assert_eq(number_channel(&end, &numbers), 0);
        with_channel = count_descriptors();
        fd = end.object->connection->fd;
        for (int i = 0; i < 100; i++) {
                cr_assert_eq(receive_as_text(fd, &got), LEAT_TYPE_MISMATCH);
                cr_assert_eq(parcel_schemas(rx, &named), 0);
                cr_assert_str_eq(named.ours, number_schema());
                cr_assert_str_eq(named.theirs, text_schema());
                cr_assert_eq(receive_as_number(fd, &got), 0);
                cr_assert_eq(got.end.object->connection, end.object->connection);
        }
        parcel_release(rx);
        cr_assert_eq(settle_descriptors(with_channel), with_channel);
        send_one(end, 1);
        expect_one(numbers, 1);
        number_sender_close(&end);
        expect_end(numbers);
        number_receiver_close(&numbers);
}

/* Between the last reference and leaving the table another thread may look; here one is kept there. */
Test(held, a_connection_that_is_being_closed_is_held_no_more) {
        number_sender end;
        number_receiver numbers;
        parcel got;
        int fd, *references;

        cr_assert_eq(number_channel(&end, &numbers), 0);
        fd = end.object->connection->fd;
        references = &end.object->connection->references;
        cr_assert_eq(receive_as_number(fd, &got), 0);
        parcel_release(rx);
        cr_assert_eq(*references, 1);
        *references = 0;
        cr_assert_eq(receive_as_text(fd, &got), 0, "nobody can say any more that it was another");
        cr_assert(text_sender_is_set(got.other));
        parcel_release(rx);
        cr_assert_eq(receive_as_number(fd, &got), 0);
        cr_assert_neq(got.end.object->connection, end.object->connection);
        parcel_release(rx);
        *references = 1;
        number_sender_close(&end);
        expect_end(numbers);
        number_receiver_close(&numbers);
}

/* Nothing is proved then, and nothing is mixed up: it is as it came. */
Test(held, a_socket_that_is_held_comes_as_a_newer_type_or_as_ordered) {
        struct fingerprint fingerprint = fingerprint_of(number_type()), newer = fingerprint;
        number_sender end, came;
        number_receiver numbers;
        parcel got;
        int fd;

        cr_assert_eq(number_channel(&end, &numbers), 0);
        fd = end.object->connection->fd;
        fingerprint_append(&newer, "more", 4);
        cr_assert_eq(receive(fd, &newer, 0, false, &got), 0);
        cr_assert_neq(got.end.object->connection, end.object->connection);
        cr_assert_eq(got.end.object->connection->fingerprint.n_tails, 1);
        came = number_sender_take(&got.end);
        cr_assert_eq(receive(fd, &newer, 0, false, &got), 0);
        cr_assert_eq(got.end.object->connection, came.object->connection);
        cr_assert_eq(receive(fd, &fingerprint, HANDLE_ORDERED, false, &got), 0);
        cr_assert_neq(got.end.object->connection, end.object->connection);
        cr_assert(got.end.object->connection->ordered);
        cr_assert_not(end.object->connection->ordered);
        cr_assert_eq(receive_as_number(fd, &got), 0);
        cr_assert_eq(got.end.object->connection, end.object->connection);
        number_sender_close(&came);
        parcel_release(rx);
        number_sender_close(&end);
        expect_end(numbers);
        number_receiver_close(&numbers);
}

Test(held, what_is_no_held_senders_socket_is_a_sender_of_its_own) {
        number_sender end;
        number_receiver numbers;
        parcel got;
        int pair[2];

        cr_assert_eq(number_channel(&end, &numbers), 0);
        /* The receiving end of a channel whose sender is held, and a lane's socket: other ones. */
        cr_assert_eq(receive_as_text(numbers.object->connection->fd, &got), 0);
        cr_assert_eq(receive_as_number(numbers.object->connection->fd, &got), 0);
        cr_assert_neq(got.end.object->connection, end.object->connection);
        if (end.object->lane) {
                cr_assert_eq(receive_as_number(end.object->lane->socket, &got), 0);
                cr_assert_neq(got.end.object->connection, end.object->connection);
        }
        /* A stranger's, of which nothing is held once its message is over: as one type, then as another. */
        cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
        for (int i = 0; i < 10; i++) {
                cr_assert_eq(receive_as_text(pair[0], &got), 0);
                cr_assert_eq(receive_as_number(pair[0], &got), 0);
        }
        parcel_release(rx);
        close(pair[0]);
        close(pair[1]);
        number_sender_close(&end);
        number_receiver_close(&numbers);
}

/* ---- processes and threads ---- */

static void a_child_finds_them_too(void) {
        number_sender end, came;
        number_receiver numbers;
        pid_t child;

        check_equal(number_channel(&end, &numbers), 0);
        came = pass(end); /* The table is there. */
        check(came.object->connection == end.object->connection);
        check_equal(parcel_send(tx, &(parcel){ .end = end }, LEAT_NOW), 0);
        child = fork();
        check(child >= 0);
        if (child == 0) {
                parcel got;

                watchdog(WATCHDOG_SECONDS);
                check_equal(parcel_recv(rx, &got, LEAT_FOREVER), 0);
                check(got.end.object->connection == end.object->connection);
                number_sender_close(&end);
                number_sender_close(&came);
                send_one(got.end, 7);
                parcel_release(rx);
                leave_child(0);
        }
        check_equal(wait_for_exit(child), 0);
        number_sender_close(&end);
        send_one(came, 8);
        while (number_recv(numbers, &(number){ 0 }, LEAT_NOW) == 0)
                ;
        number_sender_close(&came);
        expect_end(numbers);
        number_receiver_close(&numbers);
}

Test(held, a_forked_child_finds_what_it_inherited) {
        run_in_child(a_child_finds_them_too);
}

static void a_child_sends_back_what_its_parent_never_sent(void) {
        number_sender end;
        number_receiver numbers;
        parcel got;
        pid_t child;

        check_equal(number_channel(&end, &numbers), 0);
        child = fork();
        check(child >= 0);
        if (child == 0) {
                watchdog(WATCHDOG_SECONDS);
                check_equal(parcel_send(tx, &(parcel){ .end = end }, LEAT_FOREVER), 0);
                leave_child(0);
        }
        check_equal(wait_for_exit(child), 0);
        check_equal(parcel_recv(rx, &got, LEAT_FOREVER), 0);
        check(got.end.object->connection == end.object->connection);
        number_sender_close(&end);
        number_receiver_close(&numbers);
}

Test(held, what_a_child_sends_back_is_found_though_it_was_never_sent) {
        run_in_child(a_child_sends_back_what_its_parent_never_sent);
}
