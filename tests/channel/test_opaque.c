/* Ends of channels whose type is put aside, and found again only where it is the right one. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <leat/leat.h>

#include "lanes.h"
#include "pattern.h"
#include "stranger.h"
#include "support.h"
#include "transport.h"
#include "type_tables.h"

LEAT_MESSAGE(number, (u64, value));
LEAT_MESSAGE(text, (u32, id), (string, words));
LEAT_MESSAGE(blob, (u32, id), (bytes, data));
LEAT_MESSAGE(crate, (u32, id), (sender, leat_opaque, to), (receiver, leat_opaque, from), (array, sender, leat_opaque, all),
             (optional, receiver, leat_opaque, perhaps));
LEAT_MESSAGE(typed_crate, (u32, id), (sender, number, to));

/* The same types, grown, in files of their own as it were. */
LEAT_MESSAGE(new_text, (u32, id), (string, words), (optional, string, note));
LEAT_MESSAGE(other_new_text, (u32, id), (string, words), (optional, u32, count));
LEAT_MESSAGE(new_number, (u64, value), (optional, u64, more));
LEAT_MESSAGE(two_numbers, (u64, value), (u64, more));

NAMED(newer_text, new_text, "text");
NAMED(other_newer_text, other_new_text, "text");
NAMED(newer_number, new_number, "number");
NAMED(another_number, two_numbers, "number");

#define FOREVER leat_after_ms(30000)
#define MIB     ((size_t) 1 << 20)

static const struct leat_channel_options with_lanes = { .lanes = LEAT_LANES_ALWAYS };

static int before;

static crate_sender carrier_tx;
static crate_receiver carrier_rx;
static number_sender tx;
static number_receiver rx;

static void start(void) {
        before = count_descriptors();
        cr_assert_eq(crate_channel(&carrier_tx, &carrier_rx), 0);
        cr_assert_eq(number_channel(&tx, &rx), 0);
}

static void finish(void) {
        crate_sender_close(&carrier_tx);
        crate_receiver_close(&carrier_rx);
        number_sender_close(&tx);
        number_receiver_close(&rx);
        cr_assert_eq(settle_descriptors(before), before, "a descriptor leaked");
}

TestSuite(opaque, .init = start, .fini = finish);

static void send_number(number_sender sender, uint64_t value) {
        cr_assert_eq(number_send(sender, &(number){ value }, FOREVER), 0);
}

static void expect_number(number_receiver receiver, uint64_t value) {
        number got;

        cr_assert_eq(number_recv(receiver, &got, FOREVER), 0);
        cr_assert_eq(got.value, value);
}

static void expect_opaque_number(leat_opaque_receiver receiver, uint64_t value) {
        leat_undecoded message = { 0 };
        number got;

        cr_assert_eq(leat_opaque_recv(receiver, &message, FOREVER), 0);
        cr_assert_eq(number_decode(message, &got), 0);
        cr_assert_eq(got.value, value);
        leat_undecoded_close(&message);
}

static void expect_end(number_receiver *receiver) {
        number got;

        cr_assert_eq(number_recv(*receiver, &got, FOREVER), LEAT_DISCONNECTED);
        number_receiver_close(receiver);
}

static crate receive_crate(void) {
        crate got;

        cr_assert_eq(crate_recv(carrier_rx, &got, FOREVER), 0);
        return got;
}

/* ---- there and back ---- */

Test(opaque, an_end_becomes_opaque_and_its_type_again) {
        leat_opaque_receiver some_rx;
        leat_opaque_sender some_tx;

        send_number(tx, 1);
        some_tx = number_sender_to_opaque(&tx);
        some_rx = number_receiver_to_opaque(&rx);
        cr_assert_not(number_sender_is_set(tx));
        cr_assert_not(number_receiver_is_set(rx));
        cr_assert(leat_opaque_sender_is_set(some_tx));
        cr_assert(leat_opaque_receiver_is_set(some_rx));
        cr_assert_eq(number_sender_from_opaque(&some_tx, &tx), 0);
        cr_assert_eq(number_receiver_from_opaque(&some_rx, &rx), 0);
        cr_assert_not(leat_opaque_sender_is_set(some_tx));
        cr_assert_not(leat_opaque_receiver_is_set(some_rx));
        expect_number(rx, 1);
        send_number(tx, 2);
        expect_number(rx, 2);
}

Test(opaque, nothing_becomes_nothing) {
        leat_opaque_sender nothing = { 0 };
        leat_opaque_receiver nobody = { 0 };
        leat_undecoded message = { 0 };
        number_sender no_tx = { 0 };
        number_receiver no_rx = { 0 };

        cr_assert_not(leat_opaque_sender_is_set(number_sender_to_opaque(&no_tx)));
        cr_assert_not(leat_opaque_receiver_is_set(number_receiver_to_opaque(&no_rx)));
        cr_assert_eq(number_sender_from_opaque(&nothing, &no_tx), -EBADF);
        cr_assert_eq(number_receiver_from_opaque(&nobody, &no_rx), -EBADF);
        cr_assert_eq(leat_opaque_recv(nobody, &message, LEAT_NOW), -EBADF);
        cr_assert_eq(leat_opaque_send(nothing, &message, LEAT_NOW), -EBADF);
        leat_opaque_sender_close(&nothing);
        leat_opaque_receiver_close(&nobody);
}

Test(opaque, it_is_no_type_of_messages) {
        struct leat_sender *sender = NULL;
        struct leat_receiver *receiver = NULL;

        cr_assert_eq(leat_channel_open(leat_opaque_type(), NULL, &sender, &receiver), -EINVAL);
        cr_assert_null(leat_type_schema(leat_opaque_type()));
        cr_assert_not(leat_type_compatible(leat_opaque_type(), leat_opaque_type()));
        cr_assert_eq(leat_sender_send(tx.object, leat_opaque_type(), &sender, LEAT_NOW), -EINVAL);
        cr_assert(strstr(crate_schema(), "{u32 id; sender leat_opaque to; receiver leat_opaque from; array sender leat_opaque all; "
                                         "optional receiver leat_opaque perhaps}"));
        cr_assert_not(leat_type_compatible(crate_type(), typed_crate_type()));
}

static void refuse(leat_opaque_sender *some_tx, leat_opaque_receiver *some_rx, const struct leat_type *type) {
        struct leat_sender *cast_tx = NULL;
        struct leat_receiver *cast_rx = NULL;

        cr_assert_eq(leat_sender_cast(&some_tx->object, type, &cast_tx), LEAT_TYPE_MISMATCH);
        cr_assert_eq(leat_receiver_cast(&some_rx->object, type, &cast_rx), LEAT_TYPE_MISMATCH);
        cr_assert_null(cast_tx);
        cr_assert_null(cast_rx);
        cr_assert(leat_opaque_sender_is_set(*some_tx));
        cr_assert(leat_opaque_receiver_is_set(*some_rx));
}

Test(opaque, another_type_is_a_mismatch_and_the_opaque_end_stays) {
        leat_opaque_receiver some_rx = number_receiver_to_opaque(&rx);
        leat_opaque_sender some_tx = number_sender_to_opaque(&tx);
        struct leat_schemas schemas = { NULL, NULL };
        text_receiver texts = { 0 };
        text_sender words = { 0 };

        cr_assert_eq(text_sender_from_opaque(&some_tx, &words), LEAT_TYPE_MISMATCH);
        cr_assert_eq(leat_opaque_schemas(some_rx, &schemas), -ENODATA);
        cr_assert_eq(text_receiver_from_opaque(&some_rx, &texts), LEAT_TYPE_MISMATCH);
        cr_assert_eq(leat_opaque_schemas(some_rx, &schemas), 0);
        cr_assert_str_eq(schemas.ours, text_schema());
        cr_assert_str_eq(schemas.theirs, number_schema());
        cr_assert_not(text_sender_is_set(words));
        cr_assert_not(text_receiver_is_set(texts));
        refuse(&some_tx, &some_rx, another_number()); /* Of the same name. */
        refuse(&some_tx, &some_rx, leat_raw_type());
        cr_assert_eq(leat_sender_cast(&some_tx.object, NULL, &words.object), -EINVAL);
        cr_assert_eq(number_sender_from_opaque(&some_tx, &tx), 0);
        cr_assert_eq(number_receiver_from_opaque(&some_rx, &rx), 0);
        send_number(tx, 1);
        expect_number(rx, 1);
}

Test(opaque, it_becomes_what_its_type_has_grown_to_and_what_it_was) {
        new_number got = { 0 };
        leat_opaque_receiver some_rx = number_receiver_to_opaque(&rx);
        leat_opaque_sender some_tx = number_sender_to_opaque(&tx);
        struct leat_receiver *newer_rx;
        struct leat_sender *newer_tx;

        cr_assert_eq(leat_receiver_cast(&some_rx.object, newer_number(), &newer_rx), 0);
        cr_assert_eq(leat_sender_cast(&some_tx.object, newer_number(), &newer_tx), 0);
        cr_assert_eq(leat_sender_send(newer_tx, newer_number(), &(new_number){ 5, LEAT_SOME(6) }, FOREVER), 0);
        cr_assert_eq(leat_receiver_recv(newer_rx, newer_number(), &got, FOREVER), 0);
        cr_assert(got.value == 5 && got.more.present && got.more.value == 6);
        some_rx.object = newer_rx;
        some_tx.object = newer_tx;
        cr_assert_eq(number_sender_from_opaque(&some_tx, &tx), 0);
        send_number(tx, 7);
        cr_assert_eq(leat_receiver_recv(some_rx.object, newer_number(), &got, FOREVER), 0);
        cr_assert(got.value == 7 && !got.more.present);
        cr_assert_eq(number_receiver_from_opaque(&some_rx, &rx), 0);
        send_number(tx, 8);
        expect_number(rx, 8);
}

Test(opaque, of_a_grown_type_another_growth_is_a_mismatch) {
        leat_opaque_receiver some_rx = { 0 };
        leat_opaque_sender some_tx = { 0 };
        text_receiver texts;
        text_sender words;
        text got;

        cr_assert_eq(leat_channel_open(newer_text(), NULL, &some_tx.object, &some_rx.object), 0);
        refuse(&some_tx, &some_rx, other_newer_text());
        cr_assert_eq(text_receiver_from_opaque(&some_rx, &texts), 0);
        cr_assert_eq(text_sender_from_opaque(&some_tx, &words), 0);
        cr_assert_eq(text_send(words, &(text){ 1, "a" }, FOREVER), 0);
        cr_assert_eq(text_recv(texts, &got, FOREVER), 0);
        cr_assert_str_eq(got.words, "a");
        text_sender_close(&words);
        text_receiver_close(&texts);
}

Test(opaque, the_engine_checks_what_it_is_received_as) {
        leat_opaque_receiver some = number_receiver_to_opaque(&rx);
        number got;

        cr_assert_eq(crate_send(carrier_tx, &(crate){ .from = leat_opaque_receiver_give(&some) }, FOREVER), 0);
        some = receive_crate().from;
        send_number(tx, 3);
        cr_assert_eq(leat_receiver_recv(some.object, text_type(), &(text){ 0 }, LEAT_NOW), -EINVAL);
        cr_assert_eq(leat_receiver_recv(some.object, number_type(), &got, FOREVER), 0);
        cr_assert_eq(got.value, 3);
}

/* ---- in messages ---- */

Test(opaque, an_opaque_sender_inside_a_message_works_afterwards) {
        leat_opaque_sender some = number_sender_to_opaque(&tx);
        text_sender wrong;
        crate got;

        cr_assert_eq(crate_send(carrier_tx, &(crate){ .to = leat_opaque_sender_give(&some) }, FOREVER), 0);
        cr_assert_not(leat_opaque_sender_is_set(some));
        got = receive_crate();
        cr_assert_eq(text_sender_from_opaque(&got.to, &wrong), LEAT_TYPE_MISMATCH);
        cr_assert_eq(number_sender_from_opaque(&got.to, &tx), 0);
        cr_assert_not(leat_opaque_sender_is_set(got.to));
        crate_release(carrier_rx); /* It was taken. */
        send_number(tx, 4);
        expect_number(rx, 4);
        number_sender_close(&tx);
        expect_end(&rx);
}

Test(opaque, an_opaque_receiver_inside_a_message_works_afterwards_with_what_waited_in_it) {
        leat_opaque_receiver some = number_receiver_to_opaque(&rx);
        crate got;

        send_number(tx, 1);
        send_number(tx, 2);
        for (int i = 0; i < 2; i++) { /* Twice on its way. */
                cr_assert_eq(crate_send(carrier_tx, &(crate){ .from = leat_opaque_receiver_give(&some) }, FOREVER), 0);
                got = receive_crate();
                some = leat_opaque_receiver_take(&got.from);
        }
        expect_opaque_number(some, 1);
        cr_assert_eq(number_receiver_from_opaque(&some, &rx), 0);
        expect_number(rx, 2);
        send_number(tx, 3);
        expect_number(rx, 3);
        number_sender_close(&tx);
        expect_end(&rx);
}

Test(opaque, opaque_ends_of_bytes_inside_a_message_work_afterwards) {
        leat_raw_receiver bytes_rx;
        leat_raw_sender bytes_tx;
        leat_opaque_receiver some_rx;
        leat_opaque_sender some_tx;
        leat_raw view;
        crate got;

        cr_assert_eq(leat_raw_channel(&bytes_tx, &bytes_rx), 0);
        cr_assert_eq(leat_raw_send(bytes_tx, &(leat_raw){ "abc", 3 }, FOREVER), 0);
        some_tx = leat_raw_sender_to_opaque(&bytes_tx);
        some_rx = leat_raw_receiver_to_opaque(&bytes_rx);
        cr_assert_eq(crate_send(carrier_tx,
                                &(crate){ .to = leat_opaque_sender_give(&some_tx), .from = leat_opaque_receiver_give(&some_rx) },
                                FOREVER),
                     0);
        got = receive_crate();
        cr_assert_eq(number_sender_from_opaque(&got.to, &(number_sender){ 0 }), LEAT_TYPE_MISMATCH);
        cr_assert_eq(leat_raw_sender_from_opaque(&got.to, &bytes_tx), 0);
        cr_assert_eq(leat_raw_receiver_from_opaque(&got.from, &bytes_rx), 0);
        cr_assert_eq(leat_raw_send(bytes_tx, &(leat_raw){ "de", 2 }, FOREVER), 0);
        cr_assert_eq(leat_raw_recv(bytes_rx, &view, FOREVER), 0);
        cr_assert(view.size == 3 && memcmp(view.data, "abc", 3) == 0);
        cr_assert_eq(leat_borrow(bytes_rx, &view, FOREVER), 0);
        cr_assert(view.size == 2 && memcmp(view.data, "de", 2) == 0);
        leat_raw_sender_close(&bytes_tx);
        leat_raw_receiver_close(&bytes_rx);
}

Test(opaque, ends_of_many_types_in_one_message) {
        leat_opaque_sender all[3];
        leat_opaque_receiver perhaps;
        text_receiver texts;
        text_sender words;
        text got_text;
        crate got;

        cr_assert_eq(text_channel(&words, &texts), 0);
        all[0] = text_sender_to_opaque(&words);
        all[1] = number_sender_to_opaque(&tx);
        all[2] = all[0]; /* The same once more. */
        perhaps = number_receiver_to_opaque(&rx);
        cr_assert_eq(crate_send(carrier_tx,
                                &(crate){ .all = { all, 3 }, .perhaps = LEAT_SOME(leat_opaque_receiver_give(&perhaps)) },
                                FOREVER),
                     0);
        leat_opaque_sender_close(&all[0]); /* They were lent. */
        leat_opaque_sender_close(&all[1]);
        got = receive_crate();
        cr_assert_eq(got.all.count, 3);
        cr_assert(got.perhaps.present);
        cr_assert_not(leat_opaque_sender_is_set(got.to));
        for (size_t i = 0; i < 3; i += 2) {
                cr_assert_eq(number_sender_from_opaque(&got.all.items[i], &tx), LEAT_TYPE_MISMATCH);
                cr_assert_eq(text_sender_from_opaque(&got.all.items[i], &words), 0);
                cr_assert_eq(text_send(words, &(text){ 1, "w" }, FOREVER), 0);
                cr_assert_eq(text_recv(texts, &got_text, FOREVER), 0);
                text_sender_close(&words);
        }
        cr_assert_eq(text_recv(texts, &got_text, FOREVER), LEAT_DISCONNECTED);
        cr_assert_eq(number_sender_from_opaque(&got.all.items[1], &tx), 0);
        cr_assert_eq(number_receiver_from_opaque(&got.perhaps.value, &rx), 0);
        send_number(tx, 6);
        expect_number(rx, 6);
        text_receiver_close(&texts);
}

Test(opaque, what_nobody_takes_is_closed_with_its_message) {
        leat_opaque_sender some = number_sender_to_opaque(&tx);
        text_sender wrong;
        crate got;

        cr_assert_eq(crate_send(carrier_tx, &(crate){ .to = leat_opaque_sender_give(&some) }, FOREVER), 0);
        got = receive_crate();
        cr_assert_eq(text_sender_from_opaque(&got.to, &wrong), LEAT_TYPE_MISMATCH);
        crate_release(carrier_rx);
        expect_end(&rx);
}

Test(opaque, clones_and_copies_are_ends_of_their_own) {
        leat_opaque_sender some = number_sender_to_opaque(&tx), clone = { 0 };
        crate copy;

        cr_assert_eq(leat_opaque_sender_clone(some, &clone), 0);
        cr_assert_eq(crate_copy(&(crate){ .to = some }, &copy), 0);
        leat_opaque_sender_close(&some);
        cr_assert_eq(number_sender_from_opaque(&clone, &tx), 0);
        send_number(tx, 1);
        number_sender_close(&tx);
        expect_number(rx, 1);
        cr_assert_eq(number_sender_from_opaque(&copy.to, &tx), 0);
        send_number(tx, 2);
        crate_free(&copy);
        expect_number(rx, 2);
        number_sender_close(&tx);
        expect_end(&rx);
}

/* ---- undecoded messages through opaque ends ---- */

Test(opaque, messages_go_by_opaque_ends_whole) {
        static const size_t sizes[] = { 0, 5, 70000, 600000, 3 * MIB, 17 * MIB };
        unsigned char *data = make_pattern(17 * MIB);
        leat_opaque_receiver some_rx;
        leat_opaque_sender some_tx;
        leat_undecoded message = { 0 };
        blob_receiver in, out;
        blob_sender first, second;
        blob got;

        cr_assert_eq(blob_channel_with(&(struct leat_channel_options){ .capacity = 8 * MIB }, &first, &in), 0);
        cr_assert_eq(blob_channel_with(&(struct leat_channel_options){ .capacity = 8 * MIB }, &second, &out), 0);
        some_rx = blob_receiver_to_opaque(&in);
        some_tx = blob_sender_to_opaque(&second);
        for (uint32_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
                cr_assert_eq(blob_send(first, &(blob){ i, { data, sizes[i] } }, FOREVER), 0);
                cr_assert_eq(leat_opaque_recv(some_rx, &message, FOREVER), 0);
                cr_assert_eq(leat_opaque_send(some_tx, &message, FOREVER), 0);
                cr_assert_null(message.object);
                cr_assert_eq(blob_recv(out, &got, FOREVER), 0);
                cr_assert_eq(got.id, i);
                cr_assert_eq(got.data.size, sizes[i]);
                cr_assert_eq(memcmp(got.data.data, data, sizes[i]), 0);
        }
        cr_assert_eq(leat_opaque_recv(some_rx, &message, LEAT_NOW), LEAT_EMPTY);
        blob_sender_close(&first);
        cr_assert_eq(leat_opaque_recv(some_rx, &message, FOREVER), LEAT_DISCONNECTED);
        leat_opaque_sender_close(&some_tx);
        leat_opaque_receiver_close(&some_rx);
        blob_receiver_close(&out);
        free(data);
}

Test(opaque, a_message_of_another_type_does_not_go_by_it_and_is_kept) {
        leat_opaque_sender some = number_sender_to_opaque(&tx);
        leat_undecoded message = { 0 };
        text_receiver texts;
        text_sender words;
        text got;

        cr_assert_eq(text_channel(&words, &texts), 0);
        cr_assert_eq(text_send(words, &(text){ 1, "w" }, FOREVER), 0);
        cr_assert_eq(text_recv_undecoded(texts, &message, FOREVER), 0);
        cr_assert_eq(leat_opaque_send(some, &message, FOREVER), LEAT_TYPE_MISMATCH);
        cr_assert_eq(text_decode(message, &got), 0);
        cr_assert_str_eq(got.words, "w");
        leat_undecoded_close(&message);
        leat_opaque_sender_close(&some);
        text_sender_close(&words);
        text_receiver_close(&texts);
}

Test(opaque, a_packet_of_another_type_is_a_mismatch_before_anybody_knows_the_right_one) {
        struct forgery forgery = forge(text_type(), PACKET_MESSAGE, ENCODING_MESSAGEPACK, "\xc0", 1);
        leat_opaque_receiver some = number_receiver_to_opaque(&rx);
        leat_undecoded message = { 0 };
        crate got;

        cr_assert_eq(crate_send(carrier_tx, &(crate){ .from = leat_opaque_receiver_give(&some) }, FOREVER), 0);
        got = receive_crate();
        cr_assert_gt(send_forgery(tx.object->connection->fd, &forgery), 0);
        cr_assert_eq(leat_opaque_recv(got.from, &message, FOREVER), LEAT_TYPE_MISMATCH);
        send_number(tx, 2);
        expect_opaque_number(got.from, 2);
}

/* ---- sets ---- */

enum { NUMBERS = 1, TEXTS, ROOM };

Test(opaque, ends_of_any_type_in_a_set) {
        leat_opaque_receiver some[2];
        leat_opaque_sender room;
        leat_undecoded message = { 0 };
        int numbers = 0, texts = 0, ends = 0, rooms = 0;
        text_receiver words_rx;
        text_sender words_tx;
        number got_number;
        text got_text;
        uint64_t key;
        leat_set set;

        cr_assert_eq(text_channel(&words_tx, &words_rx), 0);
        some[0] = number_receiver_to_opaque(&rx);
        some[1] = text_receiver_to_opaque(&words_rx);
        cr_assert_eq(leat_set_create(&set), 0);
        cr_assert_eq(leat_opaque_set_add(set, some[0], NUMBERS), 0);
        cr_assert_eq(leat_opaque_set_add(set, some[1], TEXTS), 0);
        cr_assert_eq(leat_set_wait(set, &key, LEAT_NOW), LEAT_EMPTY);
        for (uint32_t i = 0; i < 100; i++) {
                send_number(tx, i);
                cr_assert_eq(text_send(words_tx, &(text){ i, "w" }, FOREVER), 0);
        }
        number_sender_close(&tx);
        text_sender_close(&words_tx);
        while (ends < 2) {
                int r;

                cr_assert_eq(leat_set_wait(set, &key, FOREVER), 0);
                r = leat_opaque_recv(some[key - NUMBERS], &message, LEAT_NOW);
                if (r == LEAT_EMPTY)
                        continue;
                ends += r == LEAT_DISCONNECTED;
                if (r != 0)
                        continue;
                r = number_decode(message, &got_number);
                cr_assert_eq(r, key == NUMBERS ? 0 : LEAT_TYPE_MISMATCH);
                if (r == 0)
                        cr_assert_eq(got_number.value, (uint64_t) numbers++);
                else
                        cr_assert(text_decode(message, &got_text) == 0 && got_text.id == (uint32_t) texts++);
                leat_undecoded_close(&message);
        }
        cr_assert(numbers == 100 && texts == 100);
        leat_opaque_receiver_close(&some[0]);
        leat_opaque_receiver_close(&some[1]);

        cr_assert_eq(number_channel(&tx, &rx), 0);
        room = number_sender_to_opaque(&tx);
        cr_assert_eq(leat_opaque_set_add_sender(set, room, ROOM), 0);
        cr_assert_eq(leat_set_wait(set, &key, FOREVER), 0);
        rooms += key == ROOM;
        cr_assert_eq(rooms, 1);
        cr_assert_eq(leat_set_remove(set, ROOM), 0);
        leat_opaque_sender_close(&room);
        leat_set_close(&set);
}

Test(opaque, a_member_of_a_set_stays_in_it_whatever_it_is_called) {
        leat_opaque_receiver some;
        uint64_t key;
        leat_set set;

        cr_assert_eq(leat_set_create(&set), 0);
        cr_assert_eq(number_set_add(set, rx, 5), 0);
        some = number_receiver_to_opaque(&rx);
        send_number(tx, 1);
        cr_assert_eq(leat_set_wait(set, &key, FOREVER), 0);
        cr_assert_eq(key, 5);
        expect_opaque_number(some, 1);
        cr_assert_eq(number_receiver_from_opaque(&some, &rx), 0);
        send_number(tx, 2);
        cr_assert_eq(leat_set_wait(set, &key, FOREVER), 0);
        expect_number(rx, 2);
        number_sender_close(&tx);
        cr_assert_eq(leat_set_wait(set, &key, FOREVER), 0);
        expect_end(&rx);
        leat_set_close(&set);
}

/* ---- lanes ---- */

static size_t count_lanes(const struct leat_receiver *receiver) {
        return receiver->lanes ? receiver->lanes->n : 0;
}

Test(opaque, lanes_survive) {
        leat_undecoded message = { 0 };
        leat_opaque_receiver some_rx;
        leat_opaque_sender some_tx;
        number_receiver numbers;
        number_sender sender;
        crate got;

        cr_assert_eq(number_channel_with(&with_lanes, &sender, &numbers), 0);
        cr_assert_not_null(sender.object->lane);
        send_number(sender, 1);
        send_number(sender, 2);
        some_tx = number_sender_to_opaque(&sender);
        some_rx = number_receiver_to_opaque(&numbers);
        cr_assert_eq(leat_opaque_recv(some_rx, &message, FOREVER), 0);
        cr_assert_eq(leat_opaque_send(some_tx, &message, FOREVER), 0); /* Behind the 2. */
        cr_assert_not_null(some_tx.object->lane);
        cr_assert_eq(count_lanes(some_rx.object), 1);
        cr_assert_eq(crate_send(carrier_tx, &(crate){ .from = leat_opaque_receiver_give(&some_rx) }, FOREVER), 0);
        got = receive_crate();
        cr_assert_eq(count_lanes(got.from.object), 1);
        expect_opaque_number(got.from, 2);
        cr_assert_eq(number_receiver_from_opaque(&got.from, &numbers), 0);
        cr_assert_eq(number_sender_from_opaque(&some_tx, &sender), 0);
        cr_assert_not_null(sender.object->lane);
        expect_number(numbers, 1);
        for (uint64_t i = 0; i < 1000; i++) {
                send_number(sender, i);
                expect_number(numbers, i);
        }
        cr_assert_eq(count_lanes(numbers.object), 1);
        number_sender_close(&sender);
        expect_end(&numbers);
}

Test(opaque, lanes_come_to_a_receiver_that_nobody_knows) {
        leat_opaque_receiver some = number_receiver_to_opaque(&rx);
        crate got;

        if (lanes_never())
                cr_skip_test("there are none");
        cr_assert_eq(crate_send(carrier_tx, &(crate){ .from = leat_opaque_receiver_give(&some) }, FOREVER), 0);
        got = receive_crate();
        some = leat_opaque_receiver_take(&got.from);
        for (uint64_t i = 0; i < 5000; i++) {
                send_number(tx, i);
                expect_opaque_number(some, i);
        }
        cr_assert_eq(count_lanes(some.object), 1);
        cr_assert_eq(number_receiver_from_opaque(&some, &rx), 0);
        for (uint64_t i = 0; i < 1000; i++) {
                send_number(tx, i);
                expect_number(rx, i);
        }
        cr_assert_not_null(tx.object->lane);
}
