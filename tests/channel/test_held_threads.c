/* Threads that send each other senders and close them at the same time: who receives one while another thread
 * closes the last that was held of its channel has one that works. */
#include <pthread.h>

#include <leat/leat.h>

#include "support.h"

LEAT_MESSAGE(number, (u64, value));
LEAT_MESSAGE(parcel, (u64, value), (sender, number, back));

#define PAIRS  3
#define ROUNDS 300

struct pair {
        parcel_sender tx;
        parcel_receiver rx;
        pthread_t asks;
        pthread_t answers;
};

/* Every other one is closed after it was sent, while it arrives; the others are held until the answer is
 * there. */
static void *ask(void *context) {
        struct pair *pair = context;
        number_sender back;
        number_receiver answers;
        number answer;

        for (uint64_t i = 0; i < ROUNDS; i++) {
                check_equal(number_channel(&back, &answers), 0);
                check_equal(parcel_send(pair->tx, &(parcel){ .value = i, .back = back }, LEAT_FOREVER), 0);
                if (i % 2 == 0)
                        number_sender_close(&back);
                check_equal(number_recv(answers, &answer, LEAT_FOREVER), 0);
                check_equal(answer.value, i);
                number_sender_close(&back);
                check_equal(number_recv(answers, &answer, LEAT_FOREVER), LEAT_DISCONNECTED);
                number_receiver_close(&answers);
        }
        parcel_sender_close(&pair->tx);
        return NULL;
}

static void *answer(void *context) {
        struct pair *pair = context;
        parcel got;
        int r;

        while ((r = parcel_recv(pair->rx, &got, LEAT_FOREVER)) == 0) {
                check_equal(number_send(got.back, &(number){ got.value }, LEAT_FOREVER), 0);
                parcel_release(pair->rx);
        }
        check_equal(r, LEAT_DISCONNECTED);
        parcel_receiver_close(&pair->rx);
        return NULL;
}

int main(void) {
        static struct pair pairs[PAIRS];
        int before = count_descriptors();

        watchdog(60);
        for (size_t i = 0; i < PAIRS; i++) {
                check_equal(parcel_channel(&pairs[i].tx, &pairs[i].rx), 0);
                check_equal(pthread_create(&pairs[i].asks, NULL, ask, &pairs[i]), 0);
                check_equal(pthread_create(&pairs[i].answers, NULL, answer, &pairs[i]), 0);
        }
        for (size_t i = 0; i < PAIRS; i++) {
                check_equal(pthread_join(pairs[i].asks, NULL), 0);
                check_equal(pthread_join(pairs[i].answers, NULL), 0);
        }
        check_equal(settle_descriptors(before), before);
        return 0;
}
