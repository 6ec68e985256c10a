/* Many threads, each with a clone of one sender, and one receiver: order for each sender, no message inside
 * another, and nothing that ThreadSanitizer would complain of. Receivers and senders move between threads,
 * inside messages too. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <leat/leat.h>

#include "in_child.h"
#include "support.h"

LEAT_MESSAGE(blob, (u32, who), (u32, sequence), (bytes, data));
LEAT_MESSAGE(number, (u64, value));
LEAT_MESSAGE(errand, (u32, id), (sender, number, reply), (receiver, number, numbers));

enum { MANY = 10, EACH = UNDER_TSAN ? 20 : 60 };

struct writer {
        pthread_t thread;
        blob_sender tx;
        uint32_t who;
        size_t size;
};

static void *write_blobs(void *data) {
        struct writer *writer = data;
        unsigned char *bytes = malloc(writer->size);

        check(bytes != NULL);
        for (uint32_t i = 0; i < EACH; i++) {
                memset(bytes, (int) (writer->who * 16 + i % 16), writer->size);
                check_equal(blob_send(writer->tx, &(blob){ writer->who, i, { bytes, writer->size } }, LEAT_FOREVER), 0);
        }
        free(bytes);
        blob_sender_close(&writer->tx);
        return NULL;
}

static void read_blobs(blob_receiver rx, size_t size) {
        uint32_t next[MANY] = { 0 };
        blob got;
        int r;

        while ((r = blob_recv(rx, &got, LEAT_FOREVER)) == 0) {
                const unsigned char *bytes = got.data.data;

                check(got.who < MANY);
                check_equal(got.sequence, next[got.who]++);
                check_equal(got.data.size, size);
                for (size_t i = 0; i < size; i += UNDER_TSAN ? 61 : 1)
                        if (bytes[i] != (unsigned char) (got.who * 16 + got.sequence % 16))
                                check_failed(__FILE__, __LINE__, "one message stands in another");
        }
        check_equal(r, LEAT_DISCONNECTED);
        for (int i = 0; i < MANY; i++)
                check_equal(next[i], EACH);
}

/* Each thread's messages are of one size. */
static void many_threads_clone_one_sender(size_t size) {
        struct writer writers[MANY];
        blob_sender tx;
        blob_receiver rx;

        check_equal(blob_channel(&tx, &rx), 0);
        for (uint32_t i = 0; i < MANY; i++) {
                writers[i] = (struct writer){ .who = i, .size = size };
                check_equal(blob_sender_clone(tx, &writers[i].tx), 0);
                check_equal(pthread_create(&writers[i].thread, NULL, write_blobs, &writers[i]), 0);
        }
        blob_sender_close(&tx);
        read_blobs(rx, size);
        for (int i = 0; i < MANY; i++)
                check_equal(pthread_join(writers[i].thread, NULL), 0);
        blob_receiver_close(&rx);
}

/* The last clone goes in one thread while others go in others. */
static void *close_clone(void *sender) {
        number_sender_close(sender);
        return NULL;
}

static void clones_are_closed_at_once(void) {
        for (int round = 0; round < 100; round++) {
                number_sender tx[4];
                number_receiver rx;
                pthread_t threads[4];
                number got;

                check_equal(number_channel(&tx[0], &rx), 0);
                for (int i = 1; i < 4; i++)
                        check_equal(number_sender_clone(tx[0], &tx[i]), 0);
                for (int i = 0; i < 4; i++)
                        check_equal(pthread_create(&threads[i], NULL, close_clone, &tx[i]), 0);
                check_equal(number_recv(rx, &got, LEAT_FOREVER), LEAT_DISCONNECTED);
                for (int i = 0; i < 4; i++)
                        check_equal(pthread_join(threads[i], NULL), 0);
                number_receiver_close(&rx);
        }
}

/* A worker gets a receiver in a message, reads it empty, and answers by the sender in the same message. */
static void *run_errands(void *receiver) {
        errand_receiver *errands = receiver;
        errand got;

        while (errand_recv(*errands, &got, LEAT_FOREVER) == 0) {
                number one;
                uint64_t sum = 0;

                while (number_recv(got.numbers, &one, LEAT_FOREVER) == 0)
                        sum += one.value;
                check_equal(number_send(got.reply, &(number){ sum }, LEAT_FOREVER), 0);
        }
        errand_receiver_close(errands);
        return NULL;
}

static void receivers_move_between_threads(void) {
        enum { WORKERS = 4 };
        errand_sender to[WORKERS];
        errand_receiver errands[WORKERS];
        pthread_t threads[WORKERS];
        number_sender reply;
        number_receiver answers;
        number answer;

        check_equal(number_channel(&reply, &answers), 0);
        for (int i = 0; i < WORKERS; i++) {
                check_equal(errand_channel(&to[i], &errands[i]), 0);
                check_equal(pthread_create(&threads[i], NULL, run_errands, &errands[i]), 0);
        }
        for (uint32_t i = 0; i < 100; i++) {
                number_sender feed;
                number_receiver numbers;

                check_equal(number_channel(&feed, &numbers), 0);
                check_equal(number_send(feed, &(number){ 1 }, LEAT_NOW), 0);
                check_equal(errand_send(to[i % WORKERS], &(errand){ i, reply, number_receiver_give(&numbers) }, LEAT_FOREVER), 0);
                check_equal(number_send(feed, &(number){ 2 }, LEAT_NOW), 0);
                number_sender_close(&feed);
        }
        for (int i = 0; i < WORKERS; i++)
                errand_sender_close(&to[i]);
        for (int i = 0; i < 100; i++) {
                check_equal(number_recv(answers, &answer, LEAT_FOREVER), 0);
                check_equal(answer.value, 3);
        }
        for (int i = 0; i < WORKERS; i++)
                check_equal(pthread_join(threads[i], NULL), 0);
        number_sender_close(&reply);
        number_receiver_close(&answers);
}

/* Encoded once, sent by many at once; large, so that its memory is made by the first. */
struct crier {
        pthread_t thread;
        blob_sender tx;
        leat_encoded encoded;
};

static void *cry(void *data) {
        struct crier *crier = data;

        check_equal(blob_send_encoded(crier->tx, crier->encoded, LEAT_FOREVER), 0);
        leat_encoded_close(&crier->encoded);
        blob_sender_close(&crier->tx);
        return NULL;
}

static void one_encoding_is_sent_by_many_threads(void) {
        static unsigned char data[200000];
        struct crier criers[MANY];
        blob_receiver rx[MANY];
        leat_encoded encoded;
        blob got;

        check_equal(blob_encode(&(blob){ 1, 2, { data, sizeof(data) } }, &encoded), 0);
        for (int i = 0; i < MANY; i++) {
                check_equal(blob_channel(&criers[i].tx, &rx[i]), 0);
                criers[i].encoded = leat_encoded_share(encoded);
                check_equal(pthread_create(&criers[i].thread, NULL, cry, &criers[i]), 0);
        }
        leat_encoded_close(&encoded);
        for (int i = 0; i < MANY; i++) {
                check_equal(blob_recv(rx[i], &got, LEAT_FOREVER), 0);
                check_equal(got.data.size, sizeof(data));
                check_equal(pthread_join(criers[i].thread, NULL), 0);
                blob_receiver_close(&rx[i]);
        }
}

/* The first use of a type, in many threads at once. */
LEAT_MESSAGE(fresh, (u32, a), (string, b), (optional, u64, c));

static void *use_first(void *unused) {
        fresh_sender tx;
        fresh_receiver rx;
        fresh got;

        (void) unused;
        check_equal(fresh_channel(&tx, &rx), 0);
        check_equal(fresh_send(tx, &(fresh){ 1, "b", LEAT_SOME(2) }, LEAT_NOW), 0);
        check_equal(fresh_recv(rx, &got, LEAT_NOW), 0);
        check_equal(got.c.value, 2);
        fresh_sender_close(&tx);
        fresh_receiver_close(&rx);
        return NULL;
}

static void a_type_is_used_first_by_many_threads_at_once(void) {
        pthread_t threads[MANY];

        for (int i = 0; i < MANY; i++)
                check_equal(pthread_create(&threads[i], NULL, use_first, NULL), 0);
        for (int i = 0; i < MANY; i++)
                check_equal(pthread_join(threads[i], NULL), 0);
}

/* A thread that is told to end while it waits ends after the call, and nothing is lost. */
static void *wait_to_be_cancelled(void *receiver) {
        number got;

        check_equal(number_recv(*(number_receiver *) receiver, &got, LEAT_FOREVER), 0);
        check_equal(got.value, 9);
        pthread_testcancel();
        check_failed(__FILE__, __LINE__, "it was not cancelled");
}

static void no_thread_is_cancelled_inside_a_call(void) {
        number_sender tx;
        number_receiver rx;
        pthread_t thread;
        void *result;

        check_equal(number_channel(&tx, &rx), 0);
        check_equal(pthread_create(&thread, NULL, wait_to_be_cancelled, &rx), 0);
        sleep_ms(20);
        check_equal(pthread_cancel(thread), 0);
        sleep_ms(5);
        check_equal(number_send(tx, &(number){ 9 }, LEAT_NOW), 0);
        check_equal(pthread_join(thread, &result), 0);
        check(result == PTHREAD_CANCELED);
        number_sender_close(&tx);
        number_receiver_close(&rx);
}

int main(void) {
        int before;

        watchdog(120);
        a_type_is_used_first_by_many_threads_at_once();
        before = count_descriptors();
        many_threads_clone_one_sender(16);
        many_threads_clone_one_sender(70000);
        many_threads_clone_one_sender(1 << 20);
        clones_are_closed_at_once();
        receivers_move_between_threads();
        one_encoding_is_sent_by_many_threads();
        no_thread_is_cancelled_inside_a_call();
        check_equal(settle_descriptors(before), before);
        return 0;
}
