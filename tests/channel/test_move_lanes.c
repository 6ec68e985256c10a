/* A receiver that is given away takes its lanes along: nothing is lost, nothing comes twice, and its senders
 * notice nothing. */
#include <criterion/criterion.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <leat/leat.h>

#include "lanes.h"
#include "sender.h"

#include "pattern.h"
#include "support.h"

LEAT_MESSAGE(number, (u64, who), (u64, value));
LEAT_MESSAGE(blob, (u64, value), (bytes, data));
LEAT_MESSAGE(parcel, (receiver, number, numbers), (receiver, blob, blobs), (receiver, number, more), (sender, number, back),
             (u64, next));

#define FOREVER leat_after_ms(30000)

static const struct leat_channel_options always = { .lanes = LEAT_LANES_ALWAYS };
static const struct leat_channel_options narrow = { .lanes = LEAT_LANES_ALWAYS, .capacity = 4096 };

static int before;

static parcel_sender carrier_tx;
static parcel_receiver carrier_rx;

static void start(void) {
        before = count_descriptors();
        cr_assert_eq(parcel_channel(&carrier_tx, &carrier_rx), 0);
}

static void finish(void) {
        parcel_sender_close(&carrier_tx);
        parcel_receiver_close(&carrier_rx);
        cr_assert_eq(settle_descriptors(before), before, "a descriptor leaked");
}

TestSuite(move_lanes, .init = start, .fini = finish);

static void move(number_receiver *rx) {
        parcel got;

        cr_assert_eq(parcel_send(carrier_tx, &(parcel){ .numbers = number_receiver_give(rx) }, FOREVER), 0);
        cr_assert_null(rx->object);
        cr_assert_eq(parcel_recv(carrier_rx, &got, FOREVER), 0);
        *rx = number_receiver_take(&got.numbers);
        cr_assert_not_null(rx->object);
}

static void move_blobs(blob_receiver *rx) {
        parcel got;

        cr_assert_eq(parcel_send(carrier_tx, &(parcel){ .blobs = blob_receiver_give(rx) }, FOREVER), 0);
        cr_assert_eq(parcel_recv(carrier_rx, &got, FOREVER), 0);
        *rx = blob_receiver_take(&got.blobs);
}

static size_t count_lanes(number_receiver rx) {
        return rx.object->lanes ? rx.object->lanes->n : 0;
}

static void send_numbers(number_sender tx, uint32_t who, uint64_t from, uint64_t to) {
        for (uint64_t value = from; value < to; value++)
                cr_assert_eq(number_send(tx, &(number){ who, value }, FOREVER), 0);
}

static void expect_numbers(number_receiver rx, uint32_t who, uint64_t from, uint64_t to) {
        number got;

        for (uint64_t value = from; value < to; value++) {
                cr_assert_eq(number_recv(rx, &got, FOREVER), 0);
                cr_assert_eq(got.who, who);
                cr_assert_eq(got.value, value);
        }
}

static void expect_end(number_receiver *rx) {
        number got;

        cr_assert_eq(number_recv(*rx, &got, FOREVER), LEAT_DISCONNECTED);
        number_receiver_close(rx);
}

/* A sender with an open lane, and its first message, 0, has been received. */
static number_sender clone_with_lane(number_sender tx, number_receiver rx, uint32_t who) {
        size_t n_lanes = count_lanes(rx);
        number_sender clone;
        number got;

        cr_assert_eq(number_sender_clone(tx, &clone), 0);
        send_numbers(clone, who, 0, 1);
        expect_numbers(rx, who, 0, 1);
        cr_assert_eq(number_recv(rx, &got, LEAT_NOW), LEAT_EMPTY); /* Takes the offer. */
        cr_assert_eq(count_lanes(rx), n_lanes + 1);
        cr_assert(!lane_reader_is_open(rx.object->lanes->list[n_lanes]));
        return clone;
}

Test(move_lanes, messages_that_wait_in_several_lanes_move_too) {
        number_sender tx[4];
        number_receiver rx;
        uint64_t next[4] = { 0, 1, 1, 1 };
        number got;

        cr_assert_eq(number_channel_with(&always, &tx[0], &rx), 0);
        for (uint32_t who = 1; who < 4; who++)
                tx[who] = clone_with_lane(tx[0], rx, who);
        for (uint32_t who = 0; who < 4; who++)
                send_numbers(tx[who], who, next[who], 100);
        for (int n = 0; n < 397; n++) {
                if (n % 50 == 0)
                        move(&rx);
                cr_assert_eq(number_recv(rx, &got, LEAT_NOW), 0);
                cr_assert_eq(got.value, next[got.who]++);
        }
        cr_assert_eq(count_lanes(rx), 4);
        cr_assert_eq(number_recv(rx, &got, LEAT_NOW), LEAT_EMPTY);
        for (uint32_t who = 0; who < 4; who++)
                number_sender_close(&tx[who]);
        expect_end(&rx);
}

Test(move_lanes, senders_go_on_in_their_lanes_wherever_the_receiver_is) {
        number_sender tx;
        number_receiver rx;

        cr_assert_eq(number_channel_with(&always, &tx, &rx), 0);
        for (uint64_t i = 0; i < 100; i++) {
                send_numbers(tx, 0, 3 * i, 3 * i + 2);
                expect_numbers(rx, 0, 3 * i, 3 * i + 1);
                move(&rx);
                send_numbers(tx, 0, 3 * i + 2, 3 * i + 3);
                expect_numbers(rx, 0, 3 * i + 1, 3 * i + 3);
        }
        cr_assert_not_null(tx.object->lane);
        cr_assert_eq(count_lanes(rx), 1);
        cr_assert_eq(rx.object->lanes->image_type, number_type(), "still copied as it lies there");
        number_sender_close(&tx);
        expect_end(&rx);
}

Test(move_lanes, descriptors_are_as_many_after_a_move_as_before) {
        number_sender tx;
        number_receiver rx;
        int open;

        cr_assert_eq(number_channel_with(&always, &tx, &rx), 0);
        move(&rx);
        open = count_descriptors();
        for (int i = 0; i < 10; i++)
                move(&rx);
        cr_assert_eq(settle_descriptors(open), open);
        number_sender_close(&tx);
        expect_end(&rx);
}

Test(move_lanes, a_receiver_is_passed_on_untouched) {
        parcel_sender second_tx;
        parcel_receiver second_rx;
        number_receiver rx;
        number_sender tx;
        parcel got;

        cr_assert_eq(parcel_channel_with(&always, &second_tx, &second_rx), 0);
        cr_assert_eq(number_channel_with(&always, &tx, &rx), 0);
        send_numbers(tx, 0, 0, 10);
        cr_assert_eq(parcel_send(carrier_tx, &(parcel){ .numbers = number_receiver_give(&rx) }, LEAT_NOW), 0);
        cr_assert_eq(parcel_recv(carrier_rx, &got, LEAT_NOW), 0);
        cr_assert_eq(parcel_send(second_tx, &(parcel){ .numbers = number_receiver_give(&got.numbers) }, LEAT_NOW), 0);
        send_numbers(tx, 0, 10, 20);
        cr_assert_eq(parcel_recv(second_rx, &got, LEAT_NOW), 0);
        expect_numbers(got.numbers, 0, 0, 20);
        number_sender_close(&tx);
        parcel_sender_close(&second_tx);
        parcel_receiver_close(&second_rx);
}

/* ---- in the middle of something ---- */

enum { LARGE = 400000, N_LARGE = 5 };

/* Small ones with value 0 until they go by a lane, then large ones. */
static _Noreturn void send_blobs(blob_sender tx) {
        unsigned char *data = make_pattern(LARGE);

        do /* Its parent's lane is forgotten with the first. */
                check_equal(blob_send(tx, &(blob){ 0, { data, 1 } }, LEAT_FOREVER), 0);
        while (!tx.object->lane);
        for (uint64_t i = 1; i <= N_LARGE; i++)
                check_equal(blob_send(tx, &(blob){ i, { data, LARGE } }, LEAT_FOREVER), 0);
        check_equal(blob_send(tx, &(blob){ 0, { data, 1 } }, LEAT_FOREVER), 0);
        free(data);
        blob_sender_close(&tx);
        leave_child(0);
}

static pid_t start_blobs(size_t message_limit, blob_receiver *ret_rx) {
        const struct leat_channel_options options = { .lanes = LEAT_LANES_ALWAYS, .capacity = 16384, .message_limit = message_limit };
        blob_sender tx;
        pid_t child;

        cr_assert_eq(blob_channel_with(&options, &tx, ret_rx), 0);
        child = fork();
        if (child == 0) {
                watchdog(30);
                blob_receiver_close(ret_rx);
                parcel_sender_close(&carrier_tx);
                parcel_receiver_close(&carrier_rx);
                send_blobs(tx);
        }
        blob_sender_close(&tx);
        return child;
}

static bool gathers(blob_receiver rx) {
        const struct lanes *lanes = rx.object->lanes;

        for (size_t i = 0; i < lanes->n; i++)
                if (lanes->list[i]->stream != LANE_WITHOUT_STREAM)
                        return true;
        return false;
}

static bool sender_waits(blob_receiver rx) {
        const struct lanes *lanes = rx.object->lanes;

        for (size_t i = 0; i < lanes->n; i++)
                if (*ring_word(lanes->list[i]->ring.memory, RING_WRITER_WAITS) == 1)
                        return true;
        return false;
}

static bool is_whole(const blob *got) {
        const unsigned char *data = got->data.data;

        for (size_t i = 0; i < got->data.size; i++)
                if (data[i] != pattern_at(i))
                        return false;
        return got->data.size == (got->value == 0 ? 1 : LARGE);
}

/* The child's: the first lane was its parent's, and nothing ever went by it. */
static bool has_lane_in_use(blob_receiver rx) {
        const struct lanes *lanes = rx.object->lanes;
        struct ring_record record;

        for (size_t i = 0; i < lanes->n; i++)
                if (lane_reader_is_open(lanes->list[i]) && ring_peek(&lanes->list[i]->ring, &record) != RING_EMPTY)
                        return true;
        return false;
}

/* What was received of the large ones. */
struct tally {
        uint64_t n;
        int n_too_large;
};

static int receive(blob_receiver rx, struct tally *tally, leat_deadline deadline) {
        blob got;
        int r = blob_recv(rx, &got, deadline);

        if (r == 0) {
                cr_assert(is_whole(&got));
                if (got.value > 0)
                        cr_assert_eq(got.value, ++tally->n + (uint64_t) tally->n_too_large);
        }
        tally->n_too_large += r == LEAT_TOO_LARGE;
        return r;
}

/* The sender stands still in the middle of a large message, and what it has sent of it has been taken. */
static void receive_half(blob_receiver rx, pid_t sender, struct tally *tally) {
        while (!gathers(rx)) {
                while (!sender_waits(rx)) {
                        if (!has_lane_in_use(rx))
                                cr_assert_neq(receive(rx, tally, LEAT_NOW), LEAT_DISCONNECTED);
                        sched_yield();
                }
                cr_assert_eq(kill(sender, SIGSTOP), 0);
                cr_assert_eq(waitpid(sender, NULL, WUNTRACED), sender);
                while (receive(rx, tally, LEAT_NOW) != LEAT_EMPTY)
                        continue;
                if (!gathers(rx))
                        cr_assert_eq(kill(sender, SIGCONT), 0);
        }
}

static void finish_blobs(blob_receiver *rx, pid_t sender, struct tally *tally) {
        int r;

        while ((r = receive(*rx, tally, FOREVER)) == 0 || r == LEAT_TOO_LARGE)
                continue;
        cr_assert_eq(r, LEAT_DISCONNECTED);
        cr_assert_eq(wait_for_exit(sender), 0);
        blob_receiver_close(rx);
}

Test(move_lanes, half_of_a_message_that_comes_in_pieces_moves_too) {
        struct tally tally = { 0 };
        blob_receiver rx;
        pid_t sender = start_blobs(0, &rx);

        for (uint64_t i = tally.n + 1; i < N_LARGE; i = tally.n + 1) {
                receive_half(rx, sender, &tally);
                move_blobs(&rx);
                cr_assert(gathers(rx));
                move_blobs(&rx);
                cr_assert_eq(kill(sender, SIGCONT), 0);
                while (tally.n < i)
                        cr_assert_eq(receive(rx, &tally, FOREVER), 0);
        }
        finish_blobs(&rx, sender, &tally);
        cr_assert_eq(tally.n, N_LARGE);
}

Test(move_lanes, what_is_dropped_as_it_comes_is_dropped_after_a_move_and_said_once) {
        struct tally tally = { 0 };
        blob_receiver rx;
        pid_t sender = start_blobs(LARGE / 2, &rx);

        receive_half(rx, sender, &tally);
        cr_assert_geq(tally.n_too_large, 1);
        for (int i = 0; i < 3; i++)
                move_blobs(&rx);
        cr_assert(gathers(rx));
        cr_assert_eq(kill(sender, SIGCONT), 0);
        finish_blobs(&rx, sender, &tally);
        cr_assert_eq((int) tally.n + tally.n_too_large, N_LARGE, "the new owner has a limit of its own");
}

Test(move_lanes, a_half_message_that_could_not_be_sent_leaves_nothing_open) {
        struct tally tally = { 0 };
        parcel_sender gone;
        parcel_receiver gone_rx;
        blob_receiver rx;
        pid_t sender;
        int open;

        cr_assert_eq(parcel_channel(&gone, &gone_rx), 0);
        parcel_receiver_close(&gone_rx);
        sender = start_blobs(0, &rx);
        receive_half(rx, sender, &tally);
        open = count_descriptors();
        cr_assert_eq(parcel_send(gone, &(parcel){ .blobs = blob_receiver_give(&rx) }, LEAT_NOW), LEAT_DISCONNECTED);
        cr_assert_eq(settle_descriptors(open), open);
        cr_assert_eq(kill(sender, SIGCONT), 0);
        finish_blobs(&rx, sender, &tally);
        cr_assert_eq(tally.n, N_LARGE);
        parcel_sender_close(&gone);
}

Test(move_lanes, what_was_gathered_counts_as_part_of_the_message_that_brings_it) {
        const struct leat_channel_options options = { .message_limit = 1000 };
        struct tally tally = { 0 };
        parcel_sender small;
        parcel_receiver small_rx;
        blob_receiver rx;
        pid_t sender;
        parcel got;

        cr_assert_eq(parcel_channel_with(&options, &small, &small_rx), 0);
        sender = start_blobs(0, &rx);
        receive_half(rx, sender, &tally);
        cr_assert_eq(parcel_send(small, &(parcel){ .blobs = blob_receiver_give(&rx) }, LEAT_NOW), 0);
        cr_assert_eq(parcel_recv(small_rx, &got, LEAT_NOW), LEAT_TOO_LARGE);
        cr_assert_eq(kill(sender, SIGKILL), 0);
        cr_assert_eq(wait_for_exit(sender), 128 + SIGKILL);
        parcel_sender_close(&small);
        parcel_receiver_close(&small_rx);
}

Test(move_lanes, a_lane_that_is_only_offered_moves_too) {
        number_sender tx, clone;
        number_receiver rx;

        cr_assert_eq(number_channel_with(&always, &tx, &rx), 0);
        clone = clone_with_lane(tx, rx, 1);
        move(&rx);
        cr_assert_eq(count_lanes(rx), 2);
        cr_assert(!lane_reader_is_open(rx.object->lanes->list[1]));
        send_numbers(clone, 1, 1, 5);
        cr_assert_not_null(clone.object->lane);
        move(&rx); /* With the marker in the channel's socket, and something in the ring. */
        expect_numbers(rx, 1, 1, 5);
        send_numbers(clone, 1, 5, 10);
        expect_numbers(rx, 1, 5, 10);
        number_sender_close(&tx);
        number_sender_close(&clone);
        expect_end(&rx);
}

Test(move_lanes, an_offer_that_nobody_has_seen_is_granted_by_the_new_owner) {
        number_sender tx, clone;
        number_receiver rx;

        cr_assert_eq(number_channel_with(&always, &tx, &rx), 0);
        cr_assert_eq(number_sender_clone(tx, &clone), 0);
        send_numbers(clone, 1, 0, 1); /* The offer is behind it. */
        move(&rx);
        rx.object->connection->lanes = LEAT_LANES_ALWAYS; /* Not the environment's. */
        expect_numbers(rx, 1, 0, 1);
        cr_assert_eq(number_recv(rx, &(number){ 0 }, LEAT_NOW), LEAT_EMPTY);
        cr_assert_eq(count_lanes(rx), 2);
        send_numbers(clone, 1, 1, 2);
        cr_assert_not_null(clone.object->lane);
        expect_numbers(rx, 1, 1, 2);
        number_sender_close(&tx);
        number_sender_close(&clone);
        expect_end(&rx);
}

Test(move_lanes, what_was_sent_first_comes_first_when_the_receiver_waits_for_a_lane) {
        enum { IN_LANE = 2000 };
        number_sender tx, clone;
        number_receiver rx;
        uint64_t n = 0;

        cr_assert_eq(number_channel_with(&always, &tx, &rx), 0);
        send_numbers(tx, 0, 0, IN_LANE);
        cr_assert_eq(number_sender_clone(tx, &clone), 0);
        send_numbers(clone, 1, 0, 1); /* Behind a barrier. */
        while (rx.object->lanes->barrier.position == 0) {
                expect_numbers(rx, 0, n, n + 1);
                n++;
                usleep(10); /* So that it looks at its sockets. */
        }
        cr_assert_lt(n, IN_LANE);
        move(&rx);
        cr_assert_gt(rx.object->lanes->barrier.position, 0);
        expect_numbers(rx, 0, n, IN_LANE);
        expect_numbers(rx, 1, 0, 1);
        number_sender_close(&tx);
        number_sender_close(&clone);
        expect_end(&rx);
}

Test(move_lanes, a_receiver_and_a_sender_with_a_lane_go_in_one_message) {
        number_sender tx;
        number_receiver rx;
        parcel got;

        cr_assert_eq(number_channel_with(&always, &tx, &rx), 0);
        send_numbers(tx, 0, 0, 3);
        cr_assert_eq(parcel_send(carrier_tx, &(parcel){ .numbers = number_receiver_give(&rx), .back = number_sender_give(&tx) },
                                 LEAT_NOW), 0);
        cr_assert_eq(parcel_recv(carrier_rx, &got, LEAT_NOW), 0);
        rx = number_receiver_take(&got.numbers);
        send_numbers(got.back, 0, 3, 6);
        expect_numbers(rx, 0, 0, 6);
        tx = number_sender_take(&got.back);
        number_sender_close(&tx);
        expect_end(&rx);
}

/* ---- while the sender goes on ---- */

static _Noreturn void send_until(number_sender tx, number_receiver rx, uint64_t n) {
        watchdog(30);
        number_receiver_close(&rx);
        parcel_sender_close(&carrier_tx);
        parcel_receiver_close(&carrier_rx);
        for (uint64_t i = 0; i < n; i++)
                check_equal(number_send(tx, &(number){ 0, i }, LEAT_FOREVER), 0);
        number_sender_close(&tx);
        leave_child(0);
}

static pid_t start_sender(const struct leat_channel_options *options, uint64_t n, number_receiver *ret_rx) {
        number_sender tx;
        pid_t child;

        cr_assert_eq(number_channel_with(options, &tx, ret_rx), 0);
        child = fork();
        if (child == 0)
                send_until(tx, *ret_rx, n);
        number_sender_close(&tx);
        return child;
}

static void receive_and_move(const struct leat_channel_options *options, uint64_t n, uint64_t step) {
        number_receiver rx;
        pid_t child = start_sender(options, n, &rx);
        number got;

        for (uint64_t i = 0; i < n; i++) {
                cr_assert_eq(number_recv(rx, &got, FOREVER), 0);
                cr_assert_eq(got.value, i);
                if (i % step == step - 1)
                        move(&rx);
        }
        cr_assert_eq(number_recv(rx, &got, FOREVER), LEAT_DISCONNECTED);
        number_receiver_close(&rx);
        cr_assert_eq(wait_for_exit(child), 0);
}

Test(move_lanes, nothing_is_lost_while_the_sender_sends_as_fast_as_it_can) {
        receive_and_move(&always, 300000, 1000);
}

Test(move_lanes, nothing_is_lost_when_it_moves_with_every_message) {
        receive_and_move(&always, 3000, 1);
}

Test(move_lanes, a_sender_that_waits_for_room_finds_it_after_the_move) {
        receive_and_move(&narrow, 20000, 97);
}

static pid_t start_relay(parcel_receiver *in, parcel_sender *out, parcel_sender *their_in, parcel_receiver *their_out) {
        pid_t child = fork();
        parcel got;
        number message;
        int r;

        if (child != 0)
                return child;
        watchdog(30);
        parcel_sender_close(their_in);
        parcel_receiver_close(their_out);
        while ((r = parcel_recv(*in, &got, LEAT_FOREVER)) == 0) {
                number_receiver rx = number_receiver_take(&got.numbers);
                uint64_t next = got.next;

                for (int i = 0; i < 500; i++, next++) {
                        check_equal(number_recv(rx, &message, LEAT_FOREVER), 0);
                        check_equal(message.value, next);
                }
                check_equal(parcel_send(*out, &(parcel){ .numbers = number_receiver_give(&rx), .next = next }, LEAT_FOREVER), 0);
        }
        check_equal(r, LEAT_DISCONNECTED);
        parcel_receiver_close(in);
        parcel_sender_close(out);
        leave_child(0);
}

Test(move_lanes, two_processes_take_turns_at_receiving) {
        enum { TURNS = 100 };
        parcel_sender there_tx, back_tx;
        parcel_receiver there_rx, back_rx;
        number_receiver rx;
        number message;
        uint64_t next = 0;
        pid_t relay, child;
        parcel got;

        cr_assert_eq(parcel_channel_with(&always, &there_tx, &there_rx), 0);
        cr_assert_eq(parcel_channel_with(&always, &back_tx, &back_rx), 0);
        relay = start_relay(&there_rx, &back_tx, &there_tx, &back_rx);
        parcel_receiver_close(&there_rx);
        parcel_sender_close(&back_tx);
        child = start_sender(&always, TURNS * 600, &rx);
        for (int turn = 0; turn < TURNS; turn++) {
                for (int i = 0; i < 100; i++, next++) {
                        cr_assert_eq(number_recv(rx, &message, FOREVER), 0);
                        cr_assert_eq(message.value, next);
                }
                cr_assert_eq(parcel_send(there_tx, &(parcel){ .numbers = number_receiver_give(&rx), .next = next }, FOREVER), 0);
                cr_assert_eq(parcel_recv(back_rx, &got, FOREVER), 0);
                rx = number_receiver_take(&got.numbers);
                next = got.next;
        }
        expect_end(&rx);
        parcel_sender_close(&there_tx);
        parcel_receiver_close(&back_rx);
        cr_assert_eq(wait_for_exit(relay), 0);
        cr_assert_eq(wait_for_exit(child), 0);
}

/* ---- what can go wrong ---- */

static void expect_usable(number_sender tx, number_receiver rx, uint64_t from, uint64_t to, int open) {
        cr_assert_not_null(rx.object);
        cr_assert_eq(settle_descriptors(open), open);
        send_numbers(tx, 0, to, to + 3);
        expect_numbers(rx, 0, from, to + 3);
}

Test(move_lanes, a_receiver_that_could_not_be_sent_is_used_as_before) {
        const struct leat_channel_options small = { .lanes = LEAT_LANES_NEVER, .capacity = 4096 };
        parcel_receiver full_rx;
        parcel_sender full;
        number_receiver rx;
        number_sender tx;
        int open, r;

        cr_assert_eq(number_channel_with(&always, &tx, &rx), 0);
        cr_assert_eq(parcel_channel_with(&small, &full, &full_rx), 0);
        send_numbers(tx, 0, 0, 5);
        expect_numbers(rx, 0, 0, 2);
        while ((r = parcel_send(full, &(parcel){ .next = 1 }, LEAT_NOW)) == 0)
                continue;
        cr_assert_eq(r, LEAT_FULL);
        open = count_descriptors();
        cr_assert_eq(parcel_send(full, &(parcel){ .numbers = number_receiver_give(&rx) }, LEAT_NOW), LEAT_FULL);
        expect_usable(tx, rx, 2, 5, open);
        cr_assert_eq(parcel_send(full, &(parcel){ .numbers = number_receiver_give(&rx) }, leat_after_ms(5)), LEAT_TIMEOUT);
        expect_usable(tx, rx, 8, 8, open);
        parcel_receiver_close(&full_rx);
        open = count_descriptors();
        cr_assert_eq(parcel_send(full, &(parcel){ .numbers = number_receiver_give(&rx) }, LEAT_NOW), LEAT_DISCONNECTED);
        expect_usable(tx, rx, 11, 11, open);
        cr_assert_eq(parcel_send(full, &(parcel){ .numbers = number_receiver_give(&rx), .more = number_receiver_give(&rx) },
                                 LEAT_NOW), -EINVAL);
        expect_usable(tx, rx, 14, 14, open);
        move(&rx);
        expect_usable(tx, rx, 17, 17, count_descriptors());
        parcel_sender_close(&full);
        number_sender_close(&tx);
        expect_end(&rx);
}

static void expect_gone(number_sender *tx) {
        int64_t end = clock_ms() + 30000;
        int r;

        do
                r = number_send(*tx, &(number){ 0 }, LEAT_NOW);
        while ((r == 0 || r == LEAT_FULL) && clock_ms() < end);
        cr_assert_eq(r, LEAT_DISCONNECTED);
        number_sender_close(tx);
}

Test(move_lanes, senders_learn_that_a_receiver_was_lost_with_its_message) {
        const struct leat_channel_options transports[] = { { .lanes = LEAT_LANES_NEVER }, { .lanes = LEAT_LANES_ALWAYS } };
        number_receiver rx;
        number_sender tx;

        for (int i = 0; i < 2; i++) {
                parcel_sender box;
                parcel_receiver box_rx;

                cr_assert_eq(parcel_channel_with(&transports[i], &box, &box_rx), 0);
                cr_assert_eq(number_channel_with(&always, &tx, &rx), 0);
                send_numbers(tx, 0, 0, 10);
                cr_assert_eq(parcel_send(box, &(parcel){ .numbers = number_receiver_give(&rx) }, LEAT_NOW), 0);
                cr_assert_eq(number_send(tx, &(number){ 0 }, LEAT_NOW), 0, "it is on its way");
                parcel_receiver_close(&box_rx);
                expect_gone(&tx);
                parcel_sender_close(&box);
        }
}

Test(move_lanes, senders_learn_at_once_that_nobody_took_their_receiver) {
        number_receiver rx;
        number_sender tx;
        parcel got;

        cr_assert_eq(number_channel_with(&always, &tx, &rx), 0);
        send_numbers(tx, 0, 0, 10);
        cr_assert_eq(parcel_send(carrier_tx, &(parcel){ .numbers = number_receiver_give(&rx) }, LEAT_NOW), 0);
        cr_assert_eq(parcel_send(carrier_tx, &(parcel){ .next = 2 }, LEAT_NOW), 0);
        cr_assert_eq(parcel_recv(carrier_rx, &got, LEAT_NOW), 0);
        cr_assert_eq(number_send(tx, &(number){ 0 }, LEAT_NOW), 0);
        cr_assert_eq(parcel_recv(carrier_rx, &got, LEAT_NOW), 0);
        cr_assert_eq(number_send(tx, &(number){ 0 }, LEAT_NOW), LEAT_DISCONNECTED);
        number_sender_close(&tx);
}

Test(move_lanes, what_a_sender_had_sent_is_read_after_its_end_wherever_that_fell) {
        number_receiver rx;
        number_sender tx;

        cr_assert_eq(number_channel_with(&always, &tx, &rx), 0);
        send_numbers(tx, 0, 0, 10);
        number_sender_close(&tx);
        move(&rx);
        expect_numbers(rx, 0, 0, 5);
        move(&rx);
        expect_numbers(rx, 0, 5, 10);
        move(&rx);
        expect_end(&rx);
        cr_assert_eq(number_channel_with(&always, &tx, &rx), 0);
        send_numbers(tx, 0, 0, 10);
        move(&rx);
        number_sender_close(&tx);
        expect_numbers(rx, 0, 0, 10);
        expect_end(&rx);
}

Test(move_lanes, a_killed_sender_is_noticed_by_the_new_owner) {
        for (int moves_first = 0; moves_first < 2; moves_first++) {
                number_receiver rx;
                number_sender tx;
                uint64_t n = 0;
                pid_t child;
                number got;
                int r;

                cr_assert_eq(number_channel_with(&narrow, &tx, &rx), 0);
                child = fork();
                if (child == 0)
                        send_until(tx, rx, UINT64_MAX);
                number_sender_close(&tx);
                expect_numbers(rx, 0, n, n + 1000);
                n += 1000;
                if (moves_first)
                        move(&rx);
                kill(child, SIGKILL);
                cr_assert_eq(wait_for_exit(child), 128 + SIGKILL);
                if (!moves_first)
                        move(&rx);
                while ((r = number_recv(rx, &got, FOREVER)) == 0)
                        cr_assert_eq(got.value, n++);
                cr_assert_eq(r, LEAT_DISCONNECTED);
                number_receiver_close(&rx);
        }
}

Test(move_lanes, a_receiver_in_a_set_is_busy_and_comes_out_of_it_whole) {
        number_receiver rx;
        number_sender tx;
        leat_set set;
        uint64_t key;

        cr_assert_eq(number_channel_with(&always, &tx, &rx), 0);
        cr_assert_eq(leat_set_create(&set), 0);
        cr_assert_eq(number_set_add(set, rx, 5), 0);
        send_numbers(tx, 0, 0, 4);
        cr_assert_eq(leat_set_wait(set, &key, FOREVER), 0);
        expect_numbers(rx, 0, 0, 2);
        cr_assert_eq(parcel_send(carrier_tx, &(parcel){ .numbers = number_receiver_give(&rx) }, LEAT_NOW), -EBUSY);
        cr_assert_eq(leat_set_remove(set, 5), 0);
        move(&rx);
        cr_assert_eq(number_set_add(set, rx, 6), 0);
        cr_assert_eq(leat_set_wait(set, &key, FOREVER), 0);
        cr_assert_eq(key, 6);
        expect_numbers(rx, 0, 2, 4);
        send_numbers(tx, 0, 4, 5);
        cr_assert_eq(leat_set_wait(set, &key, FOREVER), 0);
        expect_numbers(rx, 0, 4, 5);
        number_sender_close(&tx);
        expect_end(&rx);
        leat_set_close(&set);
}

Test(move_lanes, more_lanes_than_descriptors_fit_a_message_are_too_large_and_stay) {
        enum { LANES = LEAT_MAX_HANDLES / 2 };
        const struct leat_channel_options options = { .lanes = LEAT_LANES_ALWAYS, .capacity = 4096, .lane_limit = 2 * LANES };
        number_sender tx[LANES];
        number_receiver rx;

        cr_assert_eq(number_channel_with(&options, &tx[0], &rx), 0);
        for (uint32_t who = 1; who < LANES; who++)
                tx[who] = clone_with_lane(tx[0], rx, who);
        cr_assert_eq(parcel_send(carrier_tx, &(parcel){ .numbers = number_receiver_give(&rx) }, LEAT_NOW), LEAT_TOO_LARGE);
        send_numbers(tx[LANES - 1], LANES - 1, 1, 2);
        expect_numbers(rx, LANES - 1, 1, 2);
        number_sender_close(&tx[LANES - 1]);
        cr_assert_eq(number_recv(rx, &(number){ 0 }, LEAT_NOW), LEAT_EMPTY);
        cr_assert_eq(count_lanes(rx), LANES - 1);
        move(&rx);
        for (uint32_t who = 0; who < LANES - 1; who++) {
                send_numbers(tx[who], who, 1, 2);
                expect_numbers(rx, who, 1, 2);
                number_sender_close(&tx[who]);
        }
        expect_end(&rx);
}
