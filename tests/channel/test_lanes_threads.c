/* Lanes between threads at full speed: many writers, one reader, every kind of message and of waiting. For
 * ThreadSanitizer too. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <leat/leat.h>

#include "in_child.h"
#include "sender.h"
#include "pattern.h"
#include "support.h"

LEAT_MESSAGE(number, (u32, who), (u32, sequence));
LEAT_MESSAGE(parcel, (u32, who), (u32, sequence), (bytes, data), (descriptor, file));
LEAT_MESSAGE(errand, (sender, number, reply), (u32, sequence));

#define LARGE ((size_t) 400000)

enum {
        WRITERS = 6,
        NUMBERS = UNDER_TSAN ? 5000 : 100000,
        PARCELS = UNDER_TSAN ? 300 : 2000,
        ROUNDS = UNDER_TSAN ? 500 : 5000,
        TOTAL_MS = 25000
};

static const struct leat_channel_options small = { .lanes = LEAT_LANES_ALWAYS, .capacity = 4096 };
static const struct leat_channel_options medium = { .lanes = LEAT_LANES_ALWAYS, .capacity = 65536 };

static leat_deadline soon(void) {
        return leat_after_ms(TOTAL_MS);
}

struct writer {
        pthread_t thread;
        uint32_t who;
        number_sender numbers;
        parcel_sender parcels;
};

static void *write_numbers(void *data) {
        struct writer *writer = data;

        for (uint32_t i = 0; i < NUMBERS; i++) {
                number message = { writer->who, i };
                int r = writer->who % 2 ? number_send(writer->numbers, &message, LEAT_NOW) : LEAT_FULL;

                if (r == LEAT_FULL)
                        r = number_send(writer->numbers, &message, soon());
                check_equal(r, 0);
        }
        number_sender_close(&writer->numbers);
        return NULL;
}

/* The first writer has the lane that was made with the channel, the others are promoted. */
static void start_number_writers(struct writer *writers, number_sender *tx) {
        for (uint32_t i = 0; i < WRITERS; i++) {
                writers[i] = (struct writer){ .who = i };
                check_equal(number_sender_clone(*tx, &writers[i].numbers), 0);
        }
        number_sender_close(&writers[0].numbers);
        writers[0].numbers = *tx;
        *tx = (number_sender){ 0 };
        for (uint32_t i = 0; i < WRITERS; i++)
                check_equal(pthread_create(&writers[i].thread, NULL, write_numbers, &writers[i]), 0);
}

static void join(struct writer *writers) {
        for (uint32_t i = 0; i < WRITERS; i++)
                check_equal(pthread_join(writers[i].thread, NULL), 0);
}

static int receive_in_set(leat_set set, number_receiver rx, number *ret_got) {
        uint64_t key;
        int r;

        do {
                check_equal(leat_set_wait(set, &key, soon()), 0);
                r = number_recv(rx, ret_got, LEAT_NOW);
        } while (r == LEAT_EMPTY);
        return r;
}

static void numbers_of_many_writers_come_in_their_order(const struct leat_channel_options *options,
                                                        bool in_set) {
        struct writer writers[WRITERS];
        uint32_t next[WRITERS] = { 0 };
        leat_set set = { 0 };
        number_sender tx;
        number_receiver rx;
        number got;
        int r;

        check_equal(number_channel_with(options, &tx, &rx), 0);
        if (in_set) {
                check_equal(leat_set_create(&set), 0);
                check_equal(number_set_add(set, rx, 1), 0);
        }
        start_number_writers(writers, &tx);
        for (;;) {
                r = in_set ? receive_in_set(set, rx, &got) : number_recv(rx, &got, soon());
                if (r != 0)
                        break;
                check(got.who < WRITERS);
                check_equal(got.sequence, next[got.who]++);
        }
        check_equal(r, LEAT_DISCONNECTED);
        for (int i = 0; i < WRITERS; i++)
                check_equal(next[i], NUMBERS);
        join(writers);
        number_receiver_close(&rx);
        leat_set_close(&set);
}

static unsigned char *bytes;

static size_t size_of(uint32_t who, uint32_t sequence) {
        if (sequence % 50 == 7)
                return LARGE + sequence;
        return sequence % 3 == 0 ? (who + sequence) * 37 % 20000 : sequence % 100;
}

static void *write_parcels(void *data) {
        struct writer *writer = data;

        for (uint32_t i = 0; i < PARCELS; i++) {
                parcel message = { .who = writer->who,
                                   .sequence = i,
                                   .data = { bytes + i % 256, size_of(writer->who, i) } };

                if (i % 10 == 3)
                        message.file = leat_descriptor_lend(0);
                check_equal(parcel_send(writer->parcels, &message, soon()), 0);
        }
        parcel_sender_close(&writer->parcels);
        return NULL;
}

static void parcels_of_many_writers_come_whole_and_in_their_order(void) {
        struct writer writers[WRITERS];
        uint32_t next[WRITERS] = { 0 };
        parcel_sender tx;
        parcel_receiver rx;
        parcel got;
        int r;

        check_equal(parcel_channel_with(&medium, &tx, &rx), 0);
        for (uint32_t i = 0; i < WRITERS; i++) {
                writers[i] = (struct writer){ .who = i };
                check_equal(parcel_sender_clone(tx, &writers[i].parcels), 0);
                check_equal(pthread_create(&writers[i].thread, NULL, write_parcels, &writers[i]), 0);
        }
        parcel_sender_close(&tx);
        while ((r = parcel_recv(rx, &got, soon())) == 0) {
                check(got.who < WRITERS);
                check_equal(got.sequence, next[got.who]++);
                check_equal(got.data.size, size_of(got.who, got.sequence));
                check_equal(memcmp(got.data.data, bytes + got.sequence % 256, got.data.size), 0);
                check_equal(leat_descriptor_number(got.file) >= 0, got.sequence % 10 == 3);
        }
        check_equal(r, LEAT_DISCONNECTED);
        for (int i = 0; i < WRITERS; i++)
                check_equal(next[i], PARCELS);
        join(writers);
        parcel_receiver_close(&rx);
}

/* ---- there and back ---- */

static errand_receiver errands;

static void *answer(void *data) {
        number_sender reply = { 0 };
        errand got;
        int r;

        (void) data;
        while ((r = errand_recv(errands, &got, soon())) == 0) {
                if (number_sender_is_set(got.reply)) {
                        number_sender_close(&reply);
                        reply = number_sender_take(&got.reply);
                        reply.object->connection->lanes = LEAT_LANES_ALWAYS;
                }
                check_equal(number_send(reply, &(number){ 0, got.sequence }, soon()), 0);
                if (got.sequence % 100 == 0)
                        sleep_ms(1); /* Long enough for the other side to sleep. */
        }
        check_equal(r, LEAT_DISCONNECTED);
        number_sender_close(&reply);
        return NULL;
}

/* One asks and waits: each side sleeps and is woken, again and again. A new way back every now and then. */
static void questions_and_answers_take_turns(void) {
        number_receiver replies = { 0 };
        errand_sender tx;
        pthread_t thread;

        check_equal(errand_channel_with(&small, &tx, &errands), 0);
        check_equal(pthread_create(&thread, NULL, answer, NULL), 0);
        for (uint32_t i = 0; i < ROUNDS; i++) {
                errand question = { .sequence = i };
                number_sender reply = { 0 };
                number got;

                if (i % 250 == 0) {
                        number_receiver_close(&replies);
                        check_equal(number_channel_with(&small, &reply, &replies), 0);
                        question.reply = number_sender_give(&reply);
                }
                check_equal(errand_send(tx, &question, soon()), 0);
                check_equal(number_recv(replies, &got, soon()), 0);
                check_equal(got.sequence, i);
        }
        errand_sender_close(&tx);
        check_equal(pthread_join(thread, NULL), 0);
        errand_receiver_close(&errands);
        number_receiver_close(&replies);
}

/* ---- closing while others send ---- */

static void *send_until_the_end(void *data) {
        struct writer *writer = data;
        int r;

        do
                r = number_send(writer->numbers, &(number){ 0, 0 }, soon());
        while (r == 0);
        check_equal(r, LEAT_DISCONNECTED);
        number_sender_close(&writer->numbers);
        return NULL;
}

static void a_receiver_may_close_at_any_time(void) {
        for (int round = 0; round < (UNDER_TSAN ? 10 : 50); round++) {
                struct writer writers[WRITERS];
                number_sender tx;
                number_receiver rx;
                number got;

                check_equal(number_channel_with(&small, &tx, &rx), 0);
                for (uint32_t i = 0; i < WRITERS; i++) {
                        check_equal(number_sender_clone(tx, &writers[i].numbers), 0);
                        check_equal(pthread_create(&writers[i].thread, NULL, send_until_the_end, &writers[i]),
                                    0);
                }
                number_sender_close(&tx);
                for (int i = 0; i < round * 200; i++)
                        check_equal(number_recv(rx, &got, soon()), 0);
                number_receiver_close(&rx);
                join(writers);
        }
}

int main(void) {
        int before;

        watchdog(150);
        bytes = make_pattern(2 * LARGE);
        before = count_descriptors();
        numbers_of_many_writers_come_in_their_order(&small, false);
        numbers_of_many_writers_come_in_their_order(&medium, false);
        numbers_of_many_writers_come_in_their_order(&small, true);
        parcels_of_many_writers_come_whole_and_in_their_order();
        questions_and_answers_take_turns();
        a_receiver_may_close_at_any_time();
        check_equal(settle_descriptors(before), before);
        free(bytes);
        return 0;
}
