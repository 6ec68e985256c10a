/* Messages that are received without being decoded: read later or passed on, they keep all that they brought,
 * whatever happens to the channel that they came by. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <leat/leat.h>

#include "pattern.h"
#include "stranger.h"
#include "support.h"
#include "transport.h"
#include "type_tables.h"

LEAT_MESSAGE(number, (u64, value));
LEAT_MESSAGE(text, (u32, id), (string, words), (array, number, numbers));
LEAT_MESSAGE(parcel, (u32, id), (string, label), (bytes, data), (sender, number, back), (receiver, number, more),
             (descriptor, file), (shared_memory, frame), (array, sender, number, all));
LEAT_DECLARE(bundle);
LEAT_DEFINE_MESSAGE(bundle, (u32, id), (sender, bundle, next));

#define FOREVER leat_after_ms(30000)
#define MIB     ((size_t) 1 << 20)

#include "one_channel.h" /* Of these parcels. */

TestSuite(undecoded, .init = start, .fini = finish);

static leat_undecoded take(void) {
        leat_undecoded undecoded = { 0 };

        cr_assert_eq(parcel_recv_undecoded(rx, &undecoded, FOREVER), 0);
        cr_assert_not_null(undecoded.object);
        return undecoded;
}

static void expect_number(number_receiver receiver, uint64_t value) {
        number got;

        cr_assert_eq(number_recv(receiver, &got, FOREVER), 0);
        cr_assert_eq(got.value, value);
}

static void expect_end(number_receiver *receiver) {
        number got;

        cr_assert_eq(number_recv(*receiver, &got, FOREVER), LEAT_DISCONNECTED);
        number_receiver_close(receiver);
}

/* ---- what a message full of handles brings, and its other sides ---- */

struct full {
        number_receiver answers; /* Of the senders in it. */
        number_sender numbers;   /* To the receiver in it, with 1 to 3 in it already. */
        int pipe_end;            /* At its end when nobody has the message's descriptor. */
        parcel message;
        number_sender back;
        number_receiver more;
        int file;
        leat_shared_memory frame;
        number_sender all[3];
};

static void make_full(struct full *full, uint32_t id, const unsigned char *data, size_t size) {
        int ends[2];

        memset(full, 0, sizeof(*full));
        cr_assert_eq(number_channel(&full->back, &full->answers), 0);
        cr_assert_eq(number_channel(&full->numbers, &full->more), 0);
        cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
        full->pipe_end = ends[0];
        full->file = ends[1];
        cr_assert_eq(leat_shared_memory_fill(7, 5000, &full->frame), 0);
        for (uint64_t i = 1; i <= 3; i++)
                cr_assert_eq(number_send(full->numbers, &(number){ i }, FOREVER), 0);
        full->message = (parcel){ .id = id,
                                  .label = "fragile",
                                  .data = { data, size },
                                  .back = number_sender_give(&full->back),
                                  .more = number_receiver_give(&full->more),
                                  .file = leat_descriptor_give(&full->file),
                                  .frame = leat_shared_memory_give(&full->frame),
                                  .all = { full->all, 3 } };
        for (size_t i = 0; i < 3; i++)
                full->all[i] = full->back; /* Lent, three times the same. */
}

static void send_full(struct full *full, uint32_t id, const unsigned char *data, size_t size) {
        make_full(full, id, data, size);
        cr_assert_eq(parcel_send(tx, &full->message, FOREVER), 0);
        cr_assert_not(number_sender_is_set(full->back));
}

/* All of it is there and works. */
static void expect_full(const struct full *full, const parcel *got, uint32_t id, const unsigned char *data,
                        size_t size) {
        const void *frame;

        cr_assert_eq(got->id, id);
        cr_assert_str_eq(got->label, "fragile");
        cr_assert_eq(got->data.size, size);
        cr_assert(size == 0 || memcmp(got->data.data, data, size) == 0);
        cr_assert_eq(number_send(got->back, &(number){ 4 }, FOREVER), 0);
        expect_number(full->answers, 4);
        cr_assert_eq(got->all.count, 3);
        for (uint64_t i = 0; i < 3; i++) {
                cr_assert_eq(number_send(got->all.items[i], &(number){ 10 + i }, FOREVER), 0);
                expect_number(full->answers, 10 + i);
        }
        for (uint64_t i = 1; i <= 3; i++)
                expect_number(got->more, i);
        cr_assert_eq(number_send(full->numbers, &(number){ 5 }, FOREVER), 0);
        expect_number(got->more, 5);
        cr_assert_eq(write(leat_descriptor_number(got->file), "x", 1), 1);
        cr_assert_eq(read(full->pipe_end, &(char){ 0 }, 1), 1);
        cr_assert_eq(leat_shared_memory_size(got->frame), 5000);
        cr_assert_eq(leat_shared_memory_data(got->frame, &frame), 0);
        cr_assert_eq(*(const unsigned char *) frame, 7);
}

/* Nobody has any of it any more. */
static void expect_closed(struct full *full) {
        leat_deadline deadline = FOREVER;
        int r = 0;

        expect_end(&full->answers);
        while (r == 0 && leat_after_ns(0) < deadline) {
                r = number_send(full->numbers, &(number){ 9 }, LEAT_NOW);
                r = r == LEAT_FULL ? 0 : r;
        }
        cr_assert_eq(r, LEAT_DISCONNECTED);
        number_sender_close(&full->numbers);
        cr_assert_eq(read(full->pipe_end, &(char){ 0 }, 1), 0); /* Perhaps by a thread that closes, in a
                                                                 * moment. */
        close(full->pipe_end);
}

/* ---- kept ---- */

Test(undecoded, decoded_later_it_keeps_its_strings_and_handles) {
        leat_undecoded undecoded;
        struct full full;
        parcel got;

        send_full(&full, 1, (const unsigned char *) "abc", 3);
        undecoded = take();
        cr_assert_gt(leat_undecoded_size(undecoded), 3 + strlen("fragile"));
        parcel_sender_close(&tx);
        cr_assert_eq(parcel_recv(rx, &got, FOREVER), LEAT_DISCONNECTED);
        parcel_receiver_close(&rx);
        cr_assert_eq(parcel_decode(undecoded, &got), 0);
        expect_full(&full, &got, 1, (const unsigned char *) "abc", 3);
        leat_undecoded_close(&undecoded);
        cr_assert_null(undecoded.object);
        leat_undecoded_close(&undecoded);
        expect_closed(&full);
}

Test(undecoded, it_does_not_expire_with_the_next_receive) {
        leat_undecoded kept[20];
        char label[32];
        parcel got;

        for (uint32_t i = 0; i < 40; i++) {
                (void) snprintf(label, sizeof(label), "number %u", i);
                cr_assert_eq(parcel_send(tx, &(parcel){ .id = i, .label = label }, FOREVER), 0);
        }
        for (uint32_t i = 0; i < 20; i++) {
                kept[i] = take();
                cr_assert_eq(parcel_recv(rx, &got, FOREVER), 0);
                (void) snprintf(label, sizeof(label), "number %u", 2 * i + 1);
                cr_assert_str_eq(got.label, label);
                parcel_release(rx);
        }
        for (uint32_t i = 20; i-- > 0;) {
                (void) snprintf(label, sizeof(label), "number %u", 2 * i);
                cr_assert_eq(parcel_decode(kept[i], &got), 0);
                cr_assert_eq(got.id, 2 * i);
                cr_assert_str_eq(got.label, label);
                leat_undecoded_close(&kept[i]);
        }
}

Test(undecoded, the_message_before_it_expires_as_by_any_receive) {
        number_sender back;
        number_receiver answers;
        leat_undecoded undecoded;
        parcel got;

        cr_assert_eq(number_channel(&back, &answers), 0);
        cr_assert_eq(parcel_send(tx, &(parcel){ .back = number_sender_give(&back) }, FOREVER), 0);
        cr_assert_eq(parcel_recv(rx, &got, FOREVER), 0);
        cr_assert_eq(parcel_send(tx, &(parcel){ .id = 2 }, FOREVER), 0);
        undecoded = take();
        expect_end(&answers);
        leat_undecoded_close(&undecoded);
}

Test(undecoded, never_decoded_its_handles_are_closed_and_their_peers_notice) {
        leat_undecoded undecoded;
        struct full full;

        send_full(&full, 1, NULL, 0);
        undecoded = take();
        leat_undecoded_close(&undecoded);
        expect_closed(&full);
}

Test(undecoded, empty_timeout_and_disconnected_leave_what_the_caller_has) {
        leat_undecoded undecoded = { 0 };

        cr_assert_eq(parcel_recv_undecoded(rx, &undecoded, LEAT_NOW), LEAT_EMPTY);
        cr_assert_eq(parcel_recv_undecoded(rx, &undecoded, leat_after_ms(2)), LEAT_TIMEOUT);
        cr_assert_eq(parcel_send(tx, &(parcel){ .id = 1 }, FOREVER), 0);
        parcel_sender_close(&tx);
        undecoded = take();
        leat_undecoded_close(&undecoded);
        cr_assert_eq(parcel_recv_undecoded(rx, &undecoded, FOREVER), LEAT_DISCONNECTED);
        cr_assert_null(undecoded.object);
        cr_assert_eq(parcel_recv_undecoded((parcel_receiver){ 0 }, &undecoded, LEAT_NOW), -EBADF);
        cr_assert_eq(parcel_decode(undecoded, &(parcel){ 0 }), -EBADF);
        cr_assert_eq(leat_undecoded_size(undecoded), 0);
}

Test(undecoded, in_a_set) {
        leat_undecoded undecoded;
        uint64_t key;
        leat_set set;

        cr_assert_eq(leat_set_create(&set), 0);
        cr_assert_eq(parcel_set_add(set, rx, 3), 0);
        cr_assert_eq(leat_set_wait(set, &key, LEAT_NOW), LEAT_EMPTY);
        cr_assert_eq(parcel_send(tx, &(parcel){ .id = 1 }, FOREVER), 0);
        cr_assert_eq(leat_set_wait(set, &key, FOREVER), 0);
        undecoded = take();
        parcel_sender_close(&tx);
        cr_assert_eq(leat_set_wait(set, &key, FOREVER), 0);
        cr_assert_eq(parcel_recv_undecoded(rx, &(leat_undecoded){ 0 }, LEAT_NOW), LEAT_DISCONNECTED);
        cr_assert_eq(leat_set_remove(set, 3), -ENOENT);
        leat_set_close(&set);
        leat_undecoded_close(&undecoded);
}

/* ---- decoded ---- */

Test(undecoded, decoded_again_as_often_as_wanted) {
        leat_undecoded undecoded;
        struct full full;
        parcel got, again;
        number_sender taken;

        send_full(&full, 1, (const unsigned char *) "abc", 3);
        undecoded = take();
        cr_assert_eq(parcel_decode(undecoded, &got), 0);
        cr_assert_str_eq(got.label, "fragile");
        taken = number_sender_take(&got.back);
        cr_assert_eq(leat_descriptor_number(got.file), leat_descriptor_number(got.file));
        cr_assert_eq(parcel_decode(undecoded, &again), 0);
        cr_assert_str_eq(again.label, "fragile");
        cr_assert_not(number_sender_is_set(again.back), "it was taken");
        again.back = taken;
        expect_full(&full, &again, 1, (const unsigned char *) "abc", 3);
        leat_undecoded_close(&undecoded);
        cr_assert_eq(number_send(taken, &(number){ 8 }, FOREVER), 0);
        expect_number(full.answers, 8);
        number_sender_close(&taken);
        expect_closed(&full);
}

Test(undecoded, what_was_taken_out_of_it_outlives_it) {
        leat_undecoded undecoded;
        leat_shared_memory frame;
        number_receiver more;
        struct full full;
        parcel got;
        int file;

        send_full(&full, 1, NULL, 0);
        undecoded = take();
        cr_assert_eq(parcel_decode(undecoded, &got), 0);
        more = number_receiver_take(&got.more);
        file = leat_descriptor_take(&got.file);
        frame = leat_shared_memory_take(&got.frame);
        leat_undecoded_close(&undecoded);
        expect_number(more, 1);
        cr_assert_eq(write(file, "x", 1), 1);
        cr_assert_eq(leat_shared_memory_size(frame), 5000);
        number_receiver_close(&more);
        leat_shared_memory_close(&frame);
        close(file);
        cr_assert_eq(read(full.pipe_end, &(char){ 0 }, 1), 1);
        expect_closed(&full);
}

/* The same type, grown, and others. */
LEAT_MESSAGE(new_text, (u32, id), (string, words), (array, number, numbers), (optional, string, note));
LEAT_MESSAGE(other_text, (u32, id), (string, words), (array, number, counts));
LEAT_MESSAGE(old_tick, (u64, a));
LEAT_MESSAGE(new_tick, (u64, a), (optional, sender, number, back));

NAMED(newer_text, new_text, "text");
NAMED(different_text, other_text, "text");
NAMED(newer_tick, new_tick, "old_tick");

Test(undecoded, decoded_as_another_type) {
        number numbers[] = { { 5 }, { 6 } };
        leat_undecoded undecoded = { 0 };
        text_receiver texts;
        text_sender sender;
        new_text got_new;
        other_text untouched = { .id = 77 };
        text got;

        cr_assert_eq(text_channel(&sender, &texts), 0);
        cr_assert_eq(text_send(sender, &(text){ .id = 3, .words = "w", .numbers = { numbers, 2 } }, FOREVER), 0);
        cr_assert_eq(text_recv_undecoded(texts, &undecoded, FOREVER), 0);
        cr_assert_eq(leat_undecoded_decode(undecoded, different_text(), &untouched), LEAT_TYPE_MISMATCH);
        cr_assert_eq(parcel_decode(undecoded, &(parcel){ 0 }), LEAT_TYPE_MISMATCH);
        cr_assert_eq(untouched.id, 77);
        cr_assert_eq(leat_undecoded_decode(undecoded, NULL, &untouched), -EINVAL);
        cr_assert_eq(leat_undecoded_decode(undecoded, newer_text(), &got_new), 0);
        cr_assert_str_eq(got_new.words, "w");
        cr_assert_not(got_new.note.present);
        cr_assert_eq(text_decode(undecoded, &got), 0);
        cr_assert_eq(got.numbers.count, 2);
        cr_assert_eq(got.numbers.items[1].value, 6);
        leat_undecoded_close(&undecoded);

        /* And what a newer writer said, as the older type and as the newer one. */
        got_new = (new_text){ .id = 4, .words = "v", .note = LEAT_SOME("n") };
        cr_assert_eq(leat_sender_send(sender.object, newer_text(), &got_new, FOREVER), 0);
        cr_assert_eq(text_recv_undecoded(texts, &undecoded, FOREVER), 0);
        cr_assert_eq(text_decode(undecoded, &got), 0);
        cr_assert_str_eq(got.words, "v");
        cr_assert_eq(leat_undecoded_decode(undecoded, newer_text(), &got_new), 0);
        cr_assert_str_eq(got_new.note.value, "n");
        leat_undecoded_close(&undecoded);
        text_sender_close(&sender);
        text_receiver_close(&texts);
}

Test(undecoded, a_plain_message_of_an_older_writer_is_decoded_as_the_newer_type_and_forwarded) {
        leat_undecoded undecoded = { 0 };
        old_tick_sender sender;
        old_tick_receiver ticks;
        struct leat_sender *newer_tx;
        struct leat_receiver *newer_rx;
        new_tick got;

        cr_assert_eq(old_tick_channel(&sender, &ticks), 0);
        cr_assert_eq(leat_channel_open(newer_tick(), NULL, &newer_tx, &newer_rx), 0);
        cr_assert_eq(old_tick_send(sender, &(old_tick){ 12 }, FOREVER), 0);
        cr_assert_eq(old_tick_recv_undecoded(ticks, &undecoded, FOREVER), 0);
        cr_assert_eq(leat_undecoded_decode(undecoded, newer_tick(), &got), 0);
        cr_assert_eq(got.a, 12);
        cr_assert_eq(leat_sender_forward(newer_tx, &undecoded, FOREVER), 0);
        got.a = 0;
        cr_assert_eq(leat_receiver_recv(newer_rx, newer_tick(), &got, FOREVER), 0);
        cr_assert_eq(got.a, 12);
        cr_assert_not(got.back.present);
        old_tick_sender_close(&sender);
        old_tick_receiver_close(&ticks);
        leat_sender_close(&newer_tx);
        leat_receiver_close(&newer_rx);
}

LEAT_MESSAGE(ask, (sender, text, to));
LEAT_MESSAGE(other_ask, (sender, other_text, to));

/* An `ask` whose `text` is another one than ours: one level deep the names are the same. */
static const struct leat_type *different_ask(void) {
        static struct leat_field fields[1];
        static struct leat_type room;
        static void *plan;

        if (!room.plan) {
                room = *other_ask_type();
                memcpy(fields, room.fields, sizeof(fields));
                fields[0].type = different_text;
                room.fields = fields;
                room.name = "ask";
                room.plan = &plan;
        }
        return &room;
}

Test(undecoded, a_channel_of_another_type_in_it_is_a_mismatch_and_the_right_type_still_reads_it) {
        leat_undecoded undecoded = { 0 };
        other_ask untouched = { 0 };
        text_receiver texts;
        text_sender words;
        ask_receiver asks;
        ask_sender sender;
        text got_text;
        ask got;

        cr_assert_eq(ask_channel(&sender, &asks), 0);
        cr_assert_eq(text_channel(&words, &texts), 0);
        cr_assert_eq(ask_send(sender, &(ask){ .to = text_sender_give(&words) }, FOREVER), 0);
        cr_assert_eq(ask_recv_undecoded(asks, &undecoded, FOREVER), 0);
        cr_assert_eq(leat_undecoded_decode(undecoded, different_ask(), &untouched), LEAT_TYPE_MISMATCH);
        cr_assert_not(other_text_sender_is_set(untouched.to));
        cr_assert_eq(ask_decode(undecoded, &got), 0);
        cr_assert_eq(text_send(got.to, &(text){ .words = "hi" }, FOREVER), 0);
        cr_assert_eq(text_recv(texts, &got_text, FOREVER), 0);
        cr_assert_str_eq(got_text.words, "hi");
        leat_undecoded_close(&undecoded);
        text_receiver_close(&texts);
        ask_sender_close(&sender);
        ask_receiver_close(&asks);
}

Test(undecoded, decoding_stays_within_the_limit_of_the_receiver_that_took_it) {
        struct leat_channel_options options = { .message_limit = 20000 };
        leat_undecoded undecoded = { 0 };
        static number numbers[4000];
        text_receiver texts;
        text_sender sender;
        text untouched = { .id = 77 };

        cr_assert_eq(text_channel_with(&options, &sender, &texts), 0);
        cr_assert_eq(text_send(sender, &(text){ .numbers = { numbers, 4000 } }, FOREVER), 0);
        cr_assert_eq(text_send(sender, &(text){ .numbers = { numbers, 400 } }, FOREVER), 0);
        cr_assert_eq(text_recv_undecoded(texts, &undecoded, FOREVER), 0);
        cr_assert_eq(text_decode(undecoded, &untouched), LEAT_TOO_LARGE);
        cr_assert_eq(untouched.id, 77);
        leat_undecoded_close(&undecoded);
        cr_assert_eq(text_recv_undecoded(texts, &undecoded, FOREVER), 0);
        cr_assert_eq(text_decode(undecoded, &untouched), 0);
        leat_undecoded_close(&undecoded);
        text_sender_close(&sender);
        text_receiver_close(&texts);
}

/* ---- malformed ---- */

static void send_body(const char *body, size_t size) {
        struct forgery forgery = forge(parcel_type(), PACKET_MESSAGE, ENCODING_MESSAGEPACK, body, size);

        cr_assert_gt(send_forgery(tx.object->connection->fd, &forgery), 0);
}

/* It shows when it is decoded, as whatever and as often as it is; and when it is forwarded, where it is
 * received. */
static void expect_malformed(int line) {
        leat_undecoded undecoded = take();
        parcel untouched = { .id = 77 }, got;

        cr_assert_eq(parcel_decode(undecoded, &untouched), LEAT_MALFORMED, "line %d", line);
        cr_assert_eq(parcel_decode(undecoded, &untouched), LEAT_MALFORMED, "line %d", line);
        cr_assert_eq(untouched.id, 77, "line %d", line);
        cr_assert_eq(parcel_forward(tx, &undecoded, FOREVER), 0, "line %d", line);
        cr_assert_eq(parcel_recv(rx, &got, FOREVER), LEAT_MALFORMED, "line %d", line);
}

Test(undecoded, malformed_bodies_show_when_they_are_decoded) {
        send_body("", 0);
        expect_malformed(__LINE__);
        send_body("\xc1", 1); /* No MessagePack. */
        expect_malformed(__LINE__);
        send_body("\x98\x01", 2); /* Ends too soon. */
        expect_malformed(__LINE__);
        send_body("\x98\x01\xa3"
                  "a\0b\xc4\0\xc0\xc0\xc0\xc0\x90",
                  13); /* A NUL in a string. */
        expect_malformed(__LINE__);
        send_body("\x98\x01\xa1"
                  "a\xc4\0\x00\xc0\xc0\xc0\x90",
                  11); /* A handle that did not come. */
        expect_malformed(__LINE__);
        cr_assert_eq(parcel_send(tx, &(parcel){ .id = 5 }, FOREVER), 0);
        cr_assert_eq(parcel_recv(rx, &(parcel){ 0 }, FOREVER), 0);
}

Test(undecoded, packets_that_cannot_be_are_refused_at_once) {
        struct forgery forgery = forge(parcel_type(), PACKET_MESSAGE, 9, "a", 1);
        leat_undecoded undecoded = { 0 };

        cr_assert_gt(send_forgery(tx.object->connection->fd, &forgery), 0);
        cr_assert_eq(parcel_recv_undecoded(rx, &undecoded, FOREVER), LEAT_MALFORMED);
        forgery = forge(text_type(), PACKET_MESSAGE, ENCODING_MESSAGEPACK, "\xc0", 1);
        cr_assert_gt(send_forgery(tx.object->connection->fd, &forgery), 0);
        cr_assert_eq(parcel_recv_undecoded(rx, &undecoded, FOREVER), LEAT_TYPE_MISMATCH);
        cr_assert_null(undecoded.object);
}

/* ---- forwarded ---- */

static parcel_sender tx2;
static parcel_receiver rx2;

static void start_two(void) {
        start();
        cr_assert_eq(parcel_channel(&tx2, &rx2), 0);
}

static void finish_two(void) {
        parcel_sender_close(&tx2);
        parcel_receiver_close(&rx2);
        finish();
}

TestSuite(forward, .init = start_two, .fini = finish_two);

/* It comes by the second channel as it went into the first, and nothing of it stays open. */
static void expect_forwarded(struct full *full, const unsigned char *data, size_t size) {
        parcel got;

        cr_assert_eq(parcel_recv(rx2, &got, FOREVER), 0);
        expect_full(full, &got, 3, data, size);
        parcel_release(rx2);
        expect_closed(full);
}

static void forward_full(size_t size) {
        unsigned char *data = make_pattern(size);
        leat_undecoded undecoded;
        struct full full;

        send_full(&full, 3, data, size);
        undecoded = take();
        cr_assert_eq(parcel_forward(tx2, &undecoded, FOREVER), 0);
        cr_assert_null(undecoded.object);
        expect_forwarded(&full, data, size);
        free(data);
}

Test(forward, small_with_handles) {
        forward_full(0);
        forward_full(10);
}

Test(forward, of_many_packets_with_handles) {
        forward_full(3 * MIB);
}

Test(forward, over_16_mib_with_handles) {
        forward_full(17 * MIB);
}

static void *run_forwarder(void *unused) {
        leat_undecoded undecoded = { 0 };
        int r;

        (void) unused;
        while ((r = parcel_recv_undecoded(rx, &undecoded, FOREVER)) == 0)
                check_equal(parcel_forward(tx2, &undecoded, FOREVER), 0);
        check_equal(r, LEAT_DISCONNECTED);
        return NULL;
}

static void *run_sender(void *data) {
        static const size_t sizes[] = { 0, 1, 70000, 500000, 524288, MIB, 3 * MIB, 16 * MIB, 17 * MIB, 5, 20 * MIB, 300 };

        for (uint32_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
                check_equal(parcel_send(tx, &(parcel){ .id = i, .data = { data, sizes[i] } }, FOREVER), 0);
        parcel_sender_close(&tx);
        return NULL;
}

Test(forward, all_sizes_through_a_thread_in_their_order) {
        unsigned char *data = make_pattern(20 * MIB);
        static const size_t sizes[] = { 0, 1, 70000, 500000, 524288, MIB, 3 * MIB, 16 * MIB, 17 * MIB, 5, 20 * MIB, 300 };
        pthread_t forwarder, sender;
        parcel got;

        watchdog(90);
        cr_assert_eq(pthread_create(&forwarder, NULL, run_forwarder, NULL), 0);
        cr_assert_eq(pthread_create(&sender, NULL, run_sender, data), 0);
        for (uint32_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
                cr_assert_eq(parcel_recv(rx2, &got, FOREVER), 0);
                cr_assert_eq(got.id, i);
                cr_assert_eq(got.data.size, sizes[i]);
                cr_assert_eq(memcmp(got.data.data, data, sizes[i]), 0);
        }
        cr_assert_eq(pthread_join(forwarder, NULL), 0);
        cr_assert_eq(pthread_join(sender, NULL), 0);
        free(data);
}

Test(forward, after_it_was_decoded_it_is_what_came) {
        leat_undecoded undecoded;
        struct full full;
        parcel got;

        send_full(&full, 3, (const unsigned char *) "xyz", 3);
        undecoded = take();
        cr_assert_eq(parcel_decode(undecoded, &got), 0);
        cr_assert_eq(number_send(got.back, &(number){ 1 }, FOREVER), 0);
        expect_number(full.answers, 1);
        cr_assert_eq(parcel_forward(tx2, &undecoded, FOREVER), 0);
        cr_assert_eq(parcel_recv(rx2, &got, FOREVER), 0);
        expect_full(&full, &got, 3, (const unsigned char *) "xyz", 3);
        parcel_release(rx2);
        expect_closed(&full);
}

Test(forward, a_receiver_in_it_that_was_read_from_goes_on_where_it_was) {
        leat_undecoded undecoded;
        struct full full;
        parcel got;

        send_full(&full, 3, NULL, 0);
        undecoded = take();
        cr_assert_eq(parcel_decode(undecoded, &got), 0);
        expect_number(got.more, 1);
        for (uint64_t i = 4; i < 200; i++)
                cr_assert_eq(number_send(full.numbers, &(number){ i }, FOREVER), 0);
        expect_number(got.more, 2);
        cr_assert_eq(parcel_forward(tx2, &undecoded, FOREVER), 0);
        cr_assert_eq(parcel_recv(rx2, &got, FOREVER), 0);
        for (uint64_t i = 3; i < 200; i++)
                expect_number(got.more, i);
        parcel_release(rx2);
        expect_closed(&full);
}

Test(forward, by_a_sender_that_is_in_it) {
        leat_undecoded undecoded = { 0 };
        bundle_receiver first, second;
        bundle_sender sender, next;
        bundle got;

        cr_assert_eq(bundle_channel(&sender, &first), 0);
        cr_assert_eq(bundle_channel(&next, &second), 0);
        cr_assert_eq(bundle_send(sender, &(bundle){ 8, bundle_sender_give(&next) }, FOREVER), 0);
        cr_assert_eq(bundle_recv_undecoded(first, &undecoded, FOREVER), 0);
        cr_assert_eq(bundle_decode(undecoded, &got), 0);
        cr_assert_eq(bundle_forward(got.next, &undecoded, FOREVER), 0);
        cr_assert_eq(bundle_recv(second, &got, FOREVER), 0);
        cr_assert_eq(got.id, 8);
        cr_assert_eq(bundle_send(got.next, &(bundle){ .id = 9 }, FOREVER), 0);
        cr_assert_eq(bundle_recv(second, &got, FOREVER), 0);
        cr_assert_eq(got.id, 9);
        cr_assert_eq(bundle_recv(second, &got, FOREVER), LEAT_DISCONNECTED);
        bundle_receiver_close(&second);
        bundle_sender_close(&sender);
        bundle_receiver_close(&first);
}

static void fill(void) {
        int r;

        while ((r = parcel_send(tx2, &(parcel){ 0 }, LEAT_NOW)) == 0)
                ;
        cr_assert_eq(r, LEAT_FULL);
        /* One with a handle takes less of a lane, if there is one: its body goes by the lane's socket. */
        while ((r = parcel_send(tx2, &(parcel){ .file = leat_descriptor_lend(0) }, LEAT_NOW)) == 0)
                ;
        cr_assert_eq(r, LEAT_FULL);
}

static void empty(void) {
        int r;

        while ((r = parcel_recv(rx2, &(parcel){ 0 }, LEAT_NOW)) == 0)
                ;
        cr_assert_eq(r, LEAT_EMPTY);
}

static void fail_and_go(size_t size) {
        unsigned char *data = make_pattern(size);
        leat_undecoded undecoded;
        struct full full;

        fill();
        send_full(&full, 3, data, size);
        undecoded = take();
        cr_assert_eq(parcel_forward(tx2, &undecoded, LEAT_NOW), LEAT_FULL);
        cr_assert_eq(parcel_forward(tx2, &undecoded, leat_after_ms(2)), LEAT_TIMEOUT);
        cr_assert_not_null(undecoded.object);
        empty();
        cr_assert_eq(parcel_forward(tx2, &undecoded, LEAT_NOW), 0);
        cr_assert_null(undecoded.object);
        expect_forwarded(&full, data, size);
        free(data);
}

Test(forward, into_a_full_channel_it_is_kept_whole) {
        fail_and_go(10);
        fail_and_go(2 * MIB);
}

Test(forward, what_is_large_is_put_into_memory_once_however_often_there_is_no_room) {
        unsigned char *data = make_pattern(17 * MIB);
        leat_undecoded undecoded;
        int descriptors;
        parcel got;

        fill();
        cr_assert_eq(parcel_send(tx, &(parcel){ .data = { data, 17 * MIB } }, FOREVER), 0);
        undecoded = take();
        descriptors = count_descriptors();
        for (int i = 0; i < 20; i++) {
                cr_assert_eq(parcel_forward(tx2, &undecoded, LEAT_NOW), LEAT_FULL);
                cr_assert_eq(count_descriptors(), descriptors + 1, "it is kept");
        }
        empty();
        cr_assert_eq(parcel_forward(tx2, &undecoded, LEAT_NOW), 0);
        cr_assert_eq(parcel_recv(rx2, &got, FOREVER), 0);
        cr_assert_eq(got.data.size, 17 * MIB);
        cr_assert_eq(memcmp(got.data.data, data, 17 * MIB), 0);
        free(data);
}

Test(forward, to_nobody_it_is_kept_whole) {
        leat_undecoded undecoded;
        struct full full;
        parcel got;

        send_full(&full, 3, (const unsigned char *) "xyz", 3);
        undecoded = take();
        parcel_receiver_close(&rx2);
        cr_assert_eq(parcel_forward(tx2, &undecoded, FOREVER), LEAT_DISCONNECTED);
        cr_assert_eq(parcel_decode(undecoded, &got), 0);
        expect_full(&full, &got, 3, (const unsigned char *) "xyz", 3);
        leat_undecoded_close(&undecoded);
        expect_closed(&full);
}

Test(forward, into_a_channel_of_another_type_it_is_kept_whole) {
        leat_undecoded undecoded = { 0 };
        text_receiver texts;
        text_sender sender;
        struct full full;
        parcel got;

        cr_assert_eq(text_channel(&sender, &texts), 0);
        send_full(&full, 3, NULL, 0);
        undecoded = take();
        cr_assert_eq(text_forward(sender, &undecoded, FOREVER), LEAT_TYPE_MISMATCH);
        cr_assert_eq(text_recv(texts, &(text){ 0 }, LEAT_NOW), LEAT_EMPTY);
        cr_assert_eq(parcel_decode(undecoded, &got), 0);
        expect_full(&full, &got, 3, NULL, 0);
        leat_undecoded_close(&undecoded);
        cr_assert_eq(text_forward(sender, &undecoded, FOREVER), -EBADF);
        cr_assert_eq(text_forward((text_sender){ 0 }, &undecoded, FOREVER), -EBADF);
        expect_closed(&full);
        text_sender_close(&sender);
        text_receiver_close(&texts);
}

Test(forward, not_without_a_handle_that_was_taken) {
        leat_undecoded undecoded;
        number_receiver more;
        struct full full;
        parcel got;

        send_full(&full, 3, NULL, 0);
        undecoded = take();
        cr_assert_eq(parcel_decode(undecoded, &got), 0);
        more = number_receiver_take(&got.more);
        cr_assert_eq(parcel_forward(tx2, &undecoded, FOREVER), -EINVAL);
        cr_assert_eq(parcel_recv(rx2, &got, LEAT_NOW), LEAT_EMPTY);
        number_receiver_close(&more);
        leat_undecoded_close(&undecoded);
        expect_closed(&full);
}

Test(forward, not_with_a_receiver_that_is_in_a_set) {
        leat_undecoded undecoded;
        struct full full;
        leat_set set;
        parcel got;

        cr_assert_eq(leat_set_create(&set), 0);
        send_full(&full, 3, NULL, 0);
        undecoded = take();
        cr_assert_eq(parcel_decode(undecoded, &got), 0);
        cr_assert_eq(number_set_add(set, got.more, 1), 0);
        cr_assert_eq(parcel_forward(tx2, &undecoded, FOREVER), -EBUSY);
        cr_assert_eq(leat_set_remove(set, 1), 0);
        cr_assert_eq(parcel_forward(tx2, &undecoded, FOREVER), 0);
        cr_assert_eq(parcel_recv(rx2, &got, FOREVER), 0);
        expect_full(&full, &got, 3, NULL, 0);
        leat_set_close(&set);
        parcel_release(rx2);
        expect_closed(&full);
}

/* ---- raw bytes ---- */

static void forward_raw(leat_raw_sender sender, leat_raw_receiver receiver, const unsigned char *data, size_t size) {
        leat_undecoded undecoded = { 0 };
        leat_raw got;

        cr_assert_eq(leat_raw_send(sender, &(leat_raw){ data, size }, FOREVER), 0);
        cr_assert_eq(leat_raw_recv_undecoded(receiver, &undecoded, FOREVER), 0);
        cr_assert_eq(leat_undecoded_size(undecoded), size);
        cr_assert_eq(leat_raw_forward(sender, &undecoded, FOREVER), 0);
        cr_assert_eq(leat_raw_recv_undecoded(receiver, &undecoded, FOREVER), 0);
        cr_assert_eq(leat_raw_decode(undecoded, &got), 0);
        cr_assert_eq(got.size, size);
        cr_assert_not_null(got.data);
        cr_assert(size == 0 || memcmp(got.data, data, size) == 0);
        cr_assert_eq(parcel_decode(undecoded, &(parcel){ 0 }), LEAT_TYPE_MISMATCH);
        leat_undecoded_close(&undecoded);
}

Test(forward, raw_bytes_of_any_size) {
        unsigned char *data = make_pattern(MIB);
        leat_raw_receiver receiver;
        leat_raw_sender sender;

        cr_assert_eq(leat_raw_channel(&sender, &receiver), 0);
        forward_raw(sender, receiver, data, 0);
        forward_raw(sender, receiver, data, 1);
        for (int i = 0; i < 100; i++) /* More than a lane holds. */
                forward_raw(sender, receiver, data, 40000);
        forward_raw(sender, receiver, data, 700000);
        leat_raw_sender_close(&sender);
        leat_raw_receiver_close(&receiver);
        free(data);
}

Test(forward, not_while_there_is_a_loan) {
        leat_undecoded undecoded = { 0 };
        leat_raw_receiver receiver;
        leat_raw_sender sender;
        void *room;

        cr_assert_eq(leat_raw_channel(&sender, &receiver), 0);
        cr_assert_eq(leat_raw_send(sender, &(leat_raw){ "abc", 3 }, FOREVER), 0);
        cr_assert_eq(leat_raw_recv_undecoded(receiver, &undecoded, FOREVER), 0);
        cr_assert_eq(leat_loan(sender, 100, &room, FOREVER), 0);
        cr_assert_eq(leat_raw_forward(sender, &undecoded, FOREVER), -EBUSY);
        leat_loan_cancel(sender);
        cr_assert_eq(leat_raw_forward(sender, &undecoded, FOREVER), 0);
        leat_raw_sender_close(&sender);
        leat_raw_receiver_close(&receiver);
}
