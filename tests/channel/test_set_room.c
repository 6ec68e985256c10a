/* A set with a sender sleeps while a message has no room, whatever it is that is full: the ring, or the
 * socket by which handles go. */
#include <criterion/criterion.h>
#include <unistd.h>

#include <leat/leat.h>

#include "support.h"

LEAT_MESSAGE(parcel, (u32, id), (descriptor, file));

#define PAUSE_MS   50
#define MOST_HINTS 1000

static int before;
static leat_set set;
static parcel_sender tx;
static parcel_receiver rx;

static void start(void) {
        before = count_descriptors();
        cr_assert_eq(leat_set_create(&set), 0);
        cr_assert_eq(parcel_channel(&tx, &rx), 0);
        cr_assert_eq(parcel_set_add_sender(set, tx, 7), 0);
}

static void finish(void) {
        leat_set_close(&set);
        parcel_sender_close(&tx);
        parcel_receiver_close(&rx);
        cr_assert_eq(settle_descriptors(before), before, "a descriptor leaked");
}

TestSuite(set_room, .init = start, .fini = finish);

static int try(bool with_file) {
        return parcel_send(tx, &(parcel){ .id = 1, .file = leat_descriptor_lend(with_file ? 0 : -1) },
                           LEAT_NOW);
}

static void fill(bool with_files) {
        int n = 0, r;

        while ((r = try(with_files)) == 0)
                n++;
        cr_assert_eq(r, LEAT_FULL);
        cr_assert_gt(n, 0);
}

static void take_all(void) {
        parcel got;

        while (parcel_recv(rx, &got, LEAT_NOW) == 0)
                ;
        parcel_release(rx);
}

/* What was fetched before may be told once more. */
static void expect_sleep(void) {
        leat_deadline deadline;
        uint64_t key;
        int r;

        for (int i = 0; i < 3 && (r = leat_set_wait(set, &key, LEAT_NOW)) == 0; i++)
                ;
        cr_assert_eq(r, LEAT_EMPTY);
        deadline = leat_after_ms(PAUSE_MS);
        cr_assert_eq(leat_set_wait(set, &key, deadline), LEAT_TIMEOUT);
        cr_assert_geq(leat_after_ns(0), deadline);
}

/* That it may have room is a hint, of which there are not many in vain. */
static void expect_room(bool for_files) {
        leat_deadline deadline = leat_after_ms(20000);
        uint64_t key = 0;
        int n_hints = 0;

        do {
                cr_assert_eq(leat_set_wait(set, &key, deadline), 0);
                cr_assert_eq(key, 7);
                cr_assert_lt(++n_hints, MOST_HINTS);
        } while (try(for_files) == LEAT_FULL);
}

Test(set_room, is_waited_for_in_the_ring_and_in_the_socket_in_turn) {
        for (int round = 0; round < 6; round++) {
                bool with_files = round % 2 == 0;

                fill(with_files);
                expect_sleep();
                take_all();
                expect_room(with_files);
                take_all();
        }
}

Test(set_room, an_armed_set_becomes_readable_with_it) {
        int descriptor;

        fill(true);
        expect_sleep();
        cr_assert_eq(leat_set_arm(set, &descriptor), 0);
        take_all();
        expect_room(true);
        take_all();
}

/* The other process takes them while this one sleeps. */
Test(set_room, wakes_who_sleeps) {
        for (int round = 0; round < 4; round++) {
                bool with_files = round % 2 == 0;
                pid_t child;

                fill(with_files);
                child = fork();
                cr_assert_geq(child, 0);
                if (child == 0) {
                        sleep_ms(PAUSE_MS);
                        take_all();
                        leave_child(0);
                }
                expect_room(with_files);
                cr_assert_eq(wait_for_exit(child), 0);
                parcel_receiver_close(&rx);
                cr_assert_eq(leat_set_remove(set, 7), 0);
                parcel_sender_close(&tx);
                cr_assert_eq(parcel_channel(&tx, &rx), 0);
                cr_assert_eq(parcel_set_add_sender(set, tx, 7), 0);
        }
}

Test(set_room, the_end_is_told_to_who_waits_for_it_in_the_socket) {
        uint64_t key = 0;

        fill(true);
        expect_sleep();
        parcel_receiver_close(&rx);
        cr_assert_eq(leat_set_wait(set, &key, leat_after_ms(20000)), 0);
        cr_assert_eq(key, 7);
        cr_assert_eq(try(true), LEAT_DISCONNECTED);
}
