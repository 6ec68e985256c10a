/* When memory runs out, at whichever allocation, a call says so, leaves nothing behind, and touches nothing.
 * Allocations fail here by standing before the C library's; not under sanitizers, which stand there
 * themselves. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <leat/leat.h>

#include "in_child.h"
#include "support.h"

LEAT_MESSAGE(number, (u64, value));
LEAT_MESSAGE(parcel, (string, words), (array, string, more), (sender, number, done), (receiver, number, numbers),
             (shared_memory, frame), (bytes, data), (optional, u32, last));

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)

int main(void) {
        return 0;
}

#else

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);
void __libc_free(void *memory);

static long until_failure = -1; /* So many succeed; -1: all. */
static _Atomic long balance;    /* Allocated and not freed. */

static bool fails(void) {
        if (until_failure < 0)
                return false;
        if (until_failure > 0) {
                until_failure--;
                return false;
        }
        errno = ENOMEM;
        return true;
}

void *malloc(size_t size) {
        void *memory = fails() ? NULL : __libc_malloc(size);

        balance += memory != NULL;
        return memory;
}

void *calloc(size_t count, size_t size) {
        void *memory = fails() ? NULL : __libc_calloc(count, size);

        balance += memory != NULL;
        return memory;
}

void *realloc(void *old, size_t size) {
        void *memory = fails() ? NULL : __libc_realloc(old, size);

        balance += memory != NULL && old == NULL;
        return memory;
}

void *reallocarray(void *old, size_t count, size_t size) {
        return realloc(old, count * size);
}

void free(void *memory) {
        balance -= memory != NULL;
        __libc_free(memory);
}

static char data[70000];

/* One of everything; each step may fail, and then what the steps before made is closed. Returns the first
 * failure. */
static int live(size_t data_size) {
        parcel_sender tx = { 0 };
        parcel_receiver rx = { 0 };
        number_sender done = { 0 }, clone = { 0 }, feed = { 0 };
        number_receiver answers = { 0 }, numbers = { 0 };
        leat_shared_memory frame = { 0 };
        leat_set set = { 0 };
        leat_encoded encoded = { 0 };
        const char *words[] = { "a", "b" };
        parcel message, got, kept = { 0 };
        int r, fd;

        r = parcel_channel(&tx, &rx);
        if (r == 0)
                r = number_channel(&done, &answers);
        if (r == 0)
                r = number_channel(&feed, &numbers);
        if (r == 0)
                r = number_sender_clone(done, &clone);
        if (r == 0)
                r = leat_shared_memory_copy("x", 1, &frame);
        if (r == 0)
                r = leat_set_create(&set);
        if (r == 0)
                r = parcel_set_add(set, rx, 1);
        if (r == 0)
                r = parcel_encode(&(parcel){ .words = "w" }, &encoded);
        if (r == 0)
                r = parcel_send_encoded(tx, encoded, LEAT_NOW);
        if (r == 0)
                r = parcel_recv(rx, &got, LEAT_NOW);
        if (r == 0)
                r = parcel_arm(rx, &fd);
        if (r == 0) {
                message = (parcel){ .words = "words",
                                    .more = { words, 2 },
                                    .done = number_sender_give(&done),
                                    .numbers = number_receiver_give(&numbers),
                                    .frame = leat_shared_memory_give(&frame),
                                    .data = { data, data_size } };
                r = parcel_send(tx, &message, LEAT_NOW);
                check((r == 0) == !number_sender_is_set(done));
                check((r == 0) == !number_receiver_is_set(numbers));
                check((r == 0) == !frame.object);
        }
        memset(&got, 0x5a, sizeof(got));
        if (r == 0) {
                r = parcel_recv(rx, &got, LEAT_NOW);
                if (r != 0) /* Lost with all that was in it. Nothing was written. */
                        for (size_t i = 0; i < sizeof(got); i++)
                                check_equal(((unsigned char *) &got)[i], 0x5a);
        }
        if (r == 0) {
                numbers = number_receiver_take(&got.numbers);
                r = parcel_copy(&got, &kept);
                check(r == 0 || !kept.words);
        }
        parcel_free(&kept);
        leat_encoded_close(&encoded);
        leat_shared_memory_close(&frame);
        number_sender_close(&feed);
        number_sender_close(&done);
        number_sender_close(&clone);
        number_receiver_close(&answers);
        number_receiver_close(&numbers);
        parcel_sender_close(&tx);
        parcel_receiver_close(&rx);
        leat_set_close(&set);
        return r;
}

/* As above, undecoded: what could not be forwarded is whole still. */
static int pass_on(size_t data_size) {
        parcel_sender tx = { 0 }, tx2 = { 0 };
        parcel_receiver rx = { 0 }, rx2 = { 0 };
        number_sender done = { 0 };
        number_receiver answers = { 0 };
        leat_undecoded undecoded = { 0 };
        const char *words[] = { "a", "b" };
        parcel got;
        int r = parcel_channel(&tx, &rx);

        if (r == 0)
                r = parcel_channel(&tx2, &rx2);
        if (r == 0)
                r = number_channel(&done, &answers);
        if (r == 0)
                r = parcel_send(tx,
                                &(parcel){ .words = "words",
                                           .more = { words, 2 },
                                           .done = number_sender_give(&done),
                                           .numbers = number_receiver_give(&answers),
                                           .data = { data, data_size } },
                                LEAT_NOW);
        if (r == 0)
                r = parcel_recv_undecoded(rx, &undecoded, LEAT_NOW);
        if (r == 0)
                r = parcel_decode(undecoded, &got);
        if (r == 0)
                check_equal(got.data.size, data_size);
        if (r == 0) {
                r = parcel_forward(tx2, &undecoded, LEAT_NOW);
                check((r == 0) == !undecoded.object);
                if (r != 0) {
                        until_failure = -1;
                        check_equal(parcel_decode(undecoded, &got), 0);
                        check(number_sender_is_set(got.done) && number_receiver_is_set(got.numbers));
                }
        }
        if (r == 0)
                r = parcel_recv(rx2, &got, LEAT_NOW);
        leat_undecoded_close(&undecoded);
        number_sender_close(&done);
        number_receiver_close(&answers);
        parcel_sender_close(&tx);
        parcel_receiver_close(&rx);
        parcel_sender_close(&tx2);
        parcel_receiver_close(&rx2);
        return r;
}

static int pass_on_small(void) {
        return pass_on(100);
}

static int pass_on_large(void) {
        return pass_on(sizeof(data));
}

static int serve(void) {
        number_server_end server = { 0 };
        number_receiver rx = { 0 };
        number_sender tx = { 0 };
        number got;
        int r = number_server(&server);

        if (r == 0)
                r = number_connect(number_server_name(server), &tx, LEAT_NOW);
        if (r == 0)
                r = number_send(tx, &(number){ 1 }, LEAT_NOW);
        if (r == 0)
                r = number_accept(server, &rx, &got, LEAT_NOW);
        number_sender_close(&tx);
        number_receiver_close(&rx);
        number_server_close(&server);
        return r;
}

/* Lets the first allocation fail, then the second, until all succeed. */
static void exhaust(const char *name, int (*scenario)(void)) {
        int n = 0, n_failed = 0, r;

        check_equal(scenario(), 0); /* Types' plans stay. */
        do {
                int descriptors = count_descriptors();
                long before = balance;

                until_failure = n++;
                r = scenario();
                until_failure = -1;
                n_failed += r != 0;
                if (r != 0 && r != -ENOMEM && r != LEAT_EMPTY)
                        fprintf(stderr, "%s: allocation %d: %d\n", name, n - 1, r);
                check(r == 0 || r == -ENOMEM || r == LEAT_EMPTY);
                for (int i = 0; balance != before && i < 10000; i++)
                        sleep_ms(1); /* The reaper may be late. */
                if (balance != before)
                        fprintf(stderr, "%s: allocation %d leaks %ld\n", name, n - 1, balance - before);
                check_equal(balance, before);
                check_equal(count_descriptors(), descriptors);
        } while (n < 200 && !(r == 0 && n > 100));
        check(n_failed > 5); /* It did fail, and often. */
}

static int live_small(void) {
        return live(100);
}

static int live_large(void) {
        return live(sizeof(data));
}

/* A type's first use, which fails at each allocation in turn and then works. */
LEAT_MESSAGE(fresh, (u32, a), (string, b), (optional, number, c));

static void a_types_first_use(void) {
        fresh_sender tx;
        fresh_receiver rx;
        int n = 0, r;

        do {
                long before = balance;

                until_failure = n++;
                r = fresh_channel(&tx, &rx);
                until_failure = -1;
                check(r == 0 || r == -ENOMEM);
                if (r < 0 && n < 3)
                        check_equal(balance, before);
        } while (r != 0);
        check_equal(strcmp(fresh_schema(), "message fresh {u32 a; string b; optional number c}\nmessage number {u64 value}\n"), 0);
        fresh_sender_close(&tx);
        fresh_receiver_close(&rx);
}

int main(void) {
        watchdog(60);
        a_types_first_use();
        exhaust("small", live_small);
        exhaust("large", live_large);
        exhaust("small, passed on", pass_on_small);
        exhaust("large, passed on", pass_on_large);
        exhaust("server", serve);
        return 0;
}

#endif
