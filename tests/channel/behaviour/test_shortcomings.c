/* Where ipc-channel falls short, and Leat must not. Most of it is tested where it belongs:
 *
 *     a send that blocks without a way out, to oneself too     endpoints, sizes, behaviour/sizes
 *     too many handles; no descriptors; too many in flight     sizes, exhaustion
 *     what one receive allocates                               cost
 *     a descriptor for every received sender                   held
 *     signals, deadlines, a second client                      endpoints, connect, server, listen
 *     malformed input of every kind, memory that can change    stranger, lane_stranger, codec, shared_memory
 *     who is at the other end                                  peer
 *     types that are not checked                               handles, server, mismatch
 *
 * Here is what needs several of these at once. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <leat/leat.h>

#include "lanes.h"

#include "pattern.h"
#include "servers_folder.h"
#include "support.h"
#include "transport.h"

LEAT_MESSAGE(number, (u64, value));
LEAT_MESSAGE(blob, (u64, value), (bytes, data));
LEAT_ENUM(color, red, green);
LEAT_MESSAGE(parcel, (array, sender, number, ends), (receiver, number, in), (descriptor, file),
             (shared_memory, frame), (any, rest), (color, paint));
LEAT_MESSAGE(pair, (u64, a), (u64, b));
LEAT_MESSAGE(vector, (array, u64, all));
LEAT_MESSAGE(ask_vector, (sender, vector, to));

TestSuite(shortcomings, .init = enter_folder, .fini = leave_folder);

/* ---- a sender that stalls in the middle of a message ---- */

enum { SMALL_ONES = 5, LARGE = 12 << 20 };

static blob_sender tx;
static blob_receiver rx;

/* A child with a lane of its own, where there are lanes, that has begun to send a large message. */
static pid_t start_sender(number_receiver go) {
        pid_t child = fork();
        unsigned char *data;
        number got;

        cr_assert_geq(child, 0);
        if (child > 0)
                return child;
        watchdog(30);
        blob_receiver_close(&rx);
        data = make_pattern(LARGE);
        for (uint64_t i = 0; i < SMALL_ONES; i++) {
                check_equal(blob_send(tx, &(blob){ .value = i }, LEAT_FOREVER), 0);
                check_equal(number_recv(go, &got, LEAT_FOREVER), 0);
        }
        check_equal(blob_send(tx, &(blob){ SMALL_ONES, { data, LARGE } }, LEAT_FOREVER), 0);
        leave_child(0);
}

static bool some_of_it_is_here(void) {
        const struct lanes *lanes = rx.object->lanes;

        for (size_t i = 0; lanes && i < lanes->n; i++)
                if (lanes->list[i]->stream == LANE_GATHERS)
                        return true;
        return false;
}

/* Stops the child when it is in the middle of it. In a socket there is no middle: there the message is
 * nowhere, then whole. */
static void stop_within_the_message(pid_t child) {
        int64_t end = clock_ms() + 25000;
        int status;
        blob got;

        do {
                cr_assert_lt(clock_ms(), end);
                kill(child, SIGCONT);
                sleep_ms(2);
                kill(child, SIGSTOP);
                cr_assert_eq(waitpid(child, &status, WUNTRACED), child);
                cr_assert(WIFSTOPPED(status));
                cr_assert_eq(blob_recv(rx, &got, LEAT_NOW), LEAT_EMPTY);
        } while (!some_of_it_is_here());
}

static void expect_the_others_to_go_on(void) {
        int64_t begun = clock_ms();
        number_sender other_tx;
        number_receiver other_rx;
        number got_number;
        uint64_t key;
        leat_set set;
        blob got;

        for (int i = 0; i < 100; i++)
                cr_assert_eq(blob_recv(rx, &got, LEAT_NOW), LEAT_EMPTY);
        cr_assert_eq(blob_recv(rx, &got, leat_after_ms(5)), LEAT_TIMEOUT);
        cr_assert_geq(clock_ms() - begun, 5);
        cr_assert_eq(leat_set_create(&set), 0);
        cr_assert_eq(number_channel(&other_tx, &other_rx), 0);
        cr_assert_eq(blob_set_add(set, rx, 1), 0);
        cr_assert_eq(number_set_add(set, other_rx, 2), 0);
        for (uint64_t i = 0; i < 100; i++) {
                cr_assert_eq(number_send(other_tx, &(number){ i }, LEAT_NOW), 0);
                do
                        cr_assert_eq(leat_set_wait(set, &key, leat_after_ms(30000)), 0);
                while (key == 1 && blob_recv(rx, &got, LEAT_NOW) == LEAT_EMPTY);
                cr_assert_eq(key, 2);
                cr_assert_eq(number_recv(other_rx, &got_number, LEAT_NOW), 0);
                cr_assert_eq(got_number.value, i);
        }
        leat_set_close(&set);
        number_sender_close(&other_tx);
        number_receiver_close(&other_rx);
}

Test(shortcomings, a_sender_that_stalls_within_a_message_blocks_neither_a_try_nor_a_set) {
        unsigned char *data = make_pattern(LARGE);
        number_sender go;
        number_receiver go_rx;
        pid_t child;
        blob got;

        cr_assert_eq(blob_channel(&tx, &rx), 0);
        cr_assert_eq(number_channel(&go, &go_rx), 0);
        child = start_sender(go_rx);
        number_receiver_close(&go_rx);
        blob_sender_close(&tx);
        for (uint64_t i = 0; i < SMALL_ONES; i++) {
                cr_assert_eq(blob_recv(rx, &got, leat_after_ms(30000)), 0);
                cr_assert_eq(got.value, i);
                if (i + 1 < SMALL_ONES || lanes_from_the_start())
                        cr_assert_eq(number_send(go, &(number){ 1 }, LEAT_NOW), 0);
        }
        if (lanes_from_the_start())
                stop_within_the_message(child);
        expect_the_others_to_go_on();
        if (lanes_from_the_start())
                kill(child, SIGCONT);
        else
                cr_assert_eq(number_send(go, &(number){ 1 }, LEAT_NOW), 0);
        cr_assert_eq(blob_recv(rx, &got, leat_after_ms(30000)), 0);
        cr_assert_eq(got.value, SMALL_ONES);
        cr_assert_eq(got.data.size, LARGE);
        cr_assert_eq(memcmp(got.data.data, data, LARGE), 0);
        cr_assert_eq(blob_recv(rx, &got, leat_after_ms(30000)), LEAT_DISCONNECTED);
        cr_assert_eq(wait_for_exit(child), 0);
        blob_receiver_close(&rx);
        number_sender_close(&go);
        free(data);
}

/* ---- a sender that floods ---- */

enum { TURNS = 20000, ONE_IN = 500, MOST_TURNS = 10, MOST_GROWTH = 4 << 20 };

static long memory_in_use(void) {
        FILE *file = fopen("/proc/self/statm", "re");
        long pages;

        cr_assert_not_null(file);
        cr_assert_eq(fscanf(file, "%*d %ld", &pages), 1);
        fclose(file);
        return pages * sysconf(_SC_PAGESIZE);
}

static pid_t start_flood(void) {
        static const char data[64];
        pid_t child = fork();
        int r;

        cr_assert_geq(child, 0);
        if (child > 0)
                return child;
        watchdog(30);
        blob_receiver_close(&rx);
        while ((r = blob_send(tx, &(blob){ 1, { data, sizeof(data) } }, LEAT_FOREVER)) == 0)
                ;
        check_equal(r, LEAT_DISCONNECTED);
        leave_child(0);
}

/* Receives whatever comes, and how many turns it takes until a message of the quiet one does. */
static int turns_until_heard(leat_set set, number_receiver quiet) {
        uint64_t key;
        number heard;
        blob got;

        for (int turn = 1;; turn++) {
                cr_assert_eq(leat_set_wait(set, &key, leat_after_ms(30000)), 0);
                if (key == 1)
                        (void) blob_recv(rx, &got, LEAT_NOW);
                else if (number_recv(quiet, &heard, LEAT_NOW) == 0)
                        return turn;
        }
}

Test(shortcomings, a_sender_that_floods_delays_nobody_in_a_set_and_takes_no_memory) {
        number_sender quiet_tx;
        number_receiver quiet_rx;
        long in_use = 0;
        pid_t child;
        leat_set set;
        blob got;

        cr_assert_eq(blob_channel(&tx, &rx), 0);
        cr_assert_eq(number_channel(&quiet_tx, &quiet_rx), 0);
        cr_assert_eq(leat_set_create(&set), 0);
        cr_assert_eq(blob_set_add(set, rx, 1), 0);
        cr_assert_eq(number_set_add(set, quiet_rx, 2), 0);
        child = start_flood();
        blob_sender_close(&tx);
        for (int turn = 0; turn < TURNS; turn++) {
                int r = blob_recv(rx, &got, turn % ONE_IN ? LEAT_NOW : leat_after_ms(30000));

                cr_assert(r == 0 || r == LEAT_EMPTY);
                if (turn % ONE_IN == 0) {
                        cr_assert_eq(number_send(quiet_tx, &(number){ 1 }, LEAT_NOW), 0);
                        cr_assert_leq(turns_until_heard(set, quiet_rx), MOST_TURNS);
                }
                if (turn == TURNS / 2) /* By now all has come that comes once: a lane, rooms. */
                        in_use = memory_in_use();
        }
        sleep_ms(20); /* Unread, too. */
        (void) blob_recv(rx, &got, LEAT_NOW);
        cr_assert_lt(memory_in_use(), in_use + MOST_GROWTH);
        leat_set_close(&set);
        blob_receiver_close(&rx);
        cr_assert_eq(wait_for_exit(child), 0);
        number_sender_close(&quiet_tx);
        number_receiver_close(&quiet_rx);
}

/* ---- a message that cannot be sent ---- */

static void expect_plain_parcel(parcel_receiver from) {
        parcel got;

        cr_assert_eq(parcel_recv(from, &got, leat_after_ms(30000)), 0);
        cr_assert_eq(got.ends.count, 0);
        cr_assert_not(number_receiver_is_set(got.in));
        cr_assert_eq(leat_descriptor_number(got.file), -1);
        cr_assert_null(got.frame.object);
        cr_assert_eq(got.paint, color_green);
}

/* Its handles are collected before it turns out that it cannot be encoded. */
Test(shortcomings, handles_of_a_message_that_was_not_sent_do_not_travel_with_the_next) {
        int file = open("/dev/null", O_RDONLY | O_CLOEXEC), open_then;
        number_sender out, given;
        number_receiver in, out_rx;
        number_sender ends[3];
        parcel_sender parcel_tx, clone, other_tx;
        parcel_receiver parcel_rx, other_rx;
        leat_shared_memory frame;
        number got;
        parcel spoiled[2], plain = { .paint = color_green };

        cr_assert_eq(number_channel(&out, &out_rx), 0);
        cr_assert_eq(number_channel(&given, &in), 0);
        cr_assert_eq(leat_shared_memory_copy("x", 1, &frame), 0);
        cr_assert_eq(parcel_channel(&parcel_tx, &parcel_rx), 0);
        cr_assert_eq(parcel_sender_clone(parcel_tx, &clone), 0);
        cr_assert_eq(parcel_channel(&other_tx, &other_rx), 0);
        open_then = count_descriptors();
        ends[0] = ends[1] = out;
        ends[2] = number_sender_give(&given);
        for (int i = 0; i < 2; i++)
                spoiled[i] = (parcel){ .ends = { ends, 3 },
                                       .in = number_receiver_give(&in),
                                       .file = leat_descriptor_give(&file),
                                       .frame = leat_shared_memory_give(&frame) };
        spoiled[0].rest = (leat_any){ "\x91", 1 }; /* An array of one, and the one is not there. */
        spoiled[1].paint = (color) 7;
        for (int i = 0; i < 2; i++) {
                cr_assert_eq(parcel_send(parcel_tx, &spoiled[i], LEAT_NOW), -EINVAL);
                cr_assert(number_sender_is_set(given) && number_receiver_is_set(in) && frame.object &&
                                  file >= 0,
                          "kept");
                cr_assert_eq(parcel_send(parcel_tx, &plain, LEAT_NOW), 0);
                expect_plain_parcel(parcel_rx);
                cr_assert_eq(parcel_send(clone, &plain, LEAT_NOW), 0);
                expect_plain_parcel(parcel_rx);
                cr_assert_eq(parcel_send(other_tx, &plain, LEAT_NOW), 0);
                expect_plain_parcel(other_rx);
        }
        if (!lanes_from_the_start()) /* There a clone gets a lane by sending. */
                cr_assert_eq(settle_descriptors(open_then), open_then);
        number_sender_close(&out);
        cr_assert_eq(number_recv(out_rx, &got, LEAT_NOW), LEAT_DISCONNECTED, "no copy of it is anywhere");
        number_sender_close(&given);
        cr_assert_eq(number_recv(in, &got, LEAT_NOW), LEAT_DISCONNECTED);
        number_receiver_close(&in);
        number_receiver_close(&out_rx);
        leat_shared_memory_close(&frame);
        close(file);
        parcel_sender_close(&parcel_tx);
        parcel_sender_close(&clone);
        parcel_receiver_close(&parcel_rx);
        parcel_sender_close(&other_tx);
        parcel_receiver_close(&other_rx);
}

/* ---- types ---- */

/* By the engine, in a message, and by a server. */
Test(shortcomings, two_integers_are_not_read_as_a_vector) {
        vector_server_end server = { 0 };
        vector_receiver vectors = { 0 };
        ask_vector_receiver asked;
        ask_vector_sender asks;
        pair_sender pair_tx, joined;
        pair_receiver pair_rx;
        vector_sender disguised = { 0 };
        ask_vector got_asked;
        vector got;

        cr_assert_eq(pair_channel(&pair_tx, &pair_rx), 0);
        cr_assert_eq(pair_send(pair_tx, &(pair){ 1, 2 }, LEAT_NOW), 0);
        cr_assert_eq(leat_receiver_recv(pair_rx.object, vector_type(), &got, LEAT_NOW), -EINVAL);

        cr_assert_eq(ask_vector_channel(&asks, &asked), 0);
        disguised.object = pair_tx.object; /* What no compiler lets through by itself. */
        cr_assert_eq(ask_vector_send(asks, &(ask_vector){ disguised }, LEAT_NOW), 0);
        cr_assert_eq(ask_vector_recv(asked, &got_asked, LEAT_NOW), LEAT_TYPE_MISMATCH);

        cr_assert_eq(vector_server(&server), 0);
        cr_assert_eq(pair_connect(vector_server_name(server), &joined, LEAT_FOREVER), 0);
        cr_assert_eq(pair_send(joined, &(pair){ 1, 2 }, LEAT_NOW), 0);
        cr_assert_eq(vector_accept(server, &vectors, &got, leat_after_ms(30000)), LEAT_TYPE_MISMATCH);
        pair_sender_close(&joined);
        vector_server_close(&server);
        ask_vector_sender_close(&asks);
        ask_vector_receiver_close(&asked);
        pair_sender_close(&pair_tx);
        pair_receiver_close(&pair_rx);
}
