/* Undecoded messages go from thread to thread: one receives them, another decodes them or sends them on, by
 * opaque ends too. ThreadSanitizer has nothing to say. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <leat/leat.h>

#include "in_child.h"
#include "support.h"

LEAT_MESSAGE(number, (u64, value));
LEAT_MESSAGE(parcel, (u32, id), (string, label), (bytes, data), (sender, number, back));

/* So few answers that they find room while nobody reads them yet, each sender's offer of a lane included. */
enum { COUNT = UNDER_TSAN ? 300 : 2000, ANSWERED = 64, LARGE = 600000 };

static unsigned char data[LARGE];

static size_t size_of(uint32_t id) {
        return id % 100 == 99 ? LARGE : id % 10 * 100;
}

/* Each with a sender of its own, by which it is answered. */
static void *send_all(void *ends) {
        parcel_sender *tx = ends;
        number_receiver answers;
        number_sender back;
        number got;

        check_equal(number_channel(&back, &answers), 0);
        for (uint32_t i = 0; i < COUNT; i++) {
                parcel next = { .id = i, .label = "fragile", .data = { data, size_of(i) } };

                if (i % ANSWERED == 0)
                        next.back = back;
                check_equal(parcel_send(*tx, &next, LEAT_FOREVER), 0);
        }
        parcel_sender_close(tx);
        number_sender_close(&back);
        for (uint64_t i = 0; i < COUNT; i += ANSWERED) {
                check_equal(number_recv(answers, &got, LEAT_FOREVER), 0);
                check_equal(got.value, i);
        }
        check_equal(number_recv(answers, &got, LEAT_FOREVER), LEAT_DISCONNECTED);
        number_receiver_close(&answers);
        return NULL;
}

struct way {
        leat_opaque_receiver from;
        leat_opaque_sender to;
};

static void *pass_on(void *ends) {
        struct way *way = ends;
        leat_undecoded message = { 0 };
        int r;

        while ((r = leat_opaque_recv(way->from, &message, LEAT_FOREVER)) == 0)
                check_equal(leat_opaque_send(way->to, &message, LEAT_FOREVER), 0);
        check_equal(r, LEAT_DISCONNECTED);
        leat_opaque_receiver_close(&way->from);
        leat_opaque_sender_close(&way->to);
        return NULL;
}

/* From the thread that receives to the one that decodes: one place, and whether something is in it. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static leat_undecoded place;

static void put(leat_undecoded message) {
        pthread_mutex_lock(&lock);
        while (place.object)
                pthread_cond_wait(&changed, &lock);
        place = message;
        pthread_cond_broadcast(&changed);
        pthread_mutex_unlock(&lock);
}

static leat_undecoded get(void) {
        leat_undecoded message;

        pthread_mutex_lock(&lock);
        while (!place.object)
                pthread_cond_wait(&changed, &lock);
        message = place;
        place = (leat_undecoded){ 0 };
        pthread_cond_broadcast(&changed);
        pthread_mutex_unlock(&lock);
        return message;
}

static void *decode_all(void *unused) {
        parcel got;

        (void) unused;
        for (uint32_t i = 0; i < COUNT; i++) {
                leat_undecoded message = get();

                check_equal(parcel_decode(message, &got), 0);
                check_equal(got.id, i);
                check(strcmp(got.label, "fragile") == 0);
                check_equal(got.data.size, size_of(i));
                check(memcmp(got.data.data, data, got.data.size) == 0);
                check_equal(number_sender_is_set(got.back), i % ANSWERED == 0);
                if (i % ANSWERED == 0)
                        check_equal(number_send(got.back, &(number){ i }, LEAT_FOREVER), 0);
                leat_undecoded_close(&message);
        }
        return NULL;
}

int main(void) {
        int before;
        pthread_t sender, relay, decoder;
        parcel_sender tx, tx2;
        parcel_receiver rx, rx2;
        leat_undecoded message = { 0 };
        struct way way;
        int r;

        watchdog(120);
        before = count_descriptors();
        for (size_t i = 0; i < LARGE; i++)
                data[i] = (unsigned char) (i * 31 >> 3);
        check_equal(parcel_channel(&tx, &rx), 0);
        check_equal(parcel_channel(&tx2, &rx2), 0);
        way = (struct way){ parcel_receiver_to_opaque(&rx), parcel_sender_to_opaque(&tx2) };
        check_equal(pthread_create(&sender, NULL, send_all, &tx), 0);
        check_equal(pthread_create(&relay, NULL, pass_on, &way), 0);
        check_equal(pthread_create(&decoder, NULL, decode_all, NULL), 0);
        while ((r = parcel_recv_undecoded(rx2, &message, LEAT_FOREVER)) == 0)
                put(message);
        check_equal(r, LEAT_DISCONNECTED);
        parcel_receiver_close(&rx2);
        check_equal(pthread_join(sender, NULL), 0);
        check_equal(pthread_join(relay, NULL), 0);
        check_equal(pthread_join(decoder, NULL), 0);
        check_equal(settle_descriptors(before), before);
        return 0;
}
