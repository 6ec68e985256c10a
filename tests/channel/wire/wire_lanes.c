/* Lanes between C and Python, both ways. Where a word or a bell were wrong, one side would sleep until the
 * test's time is over. */
#include "wire.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lanes.h"
#include "sender.h"

#define CAPACITY ((size_t) 65536)
#define LARGE    ((size_t) 200000)   /* In pieces; */
#define HUGE     ((size_t) 17 << 20) /* too large for that. */
#define TWICE    ((size_t) 3 << 20)  /* In pieces, of which both sides gather some. */

static const struct leat_channel_options narrow = { .capacity = CAPACITY };

static unsigned char *make_data(size_t size) {
        unsigned char *data = malloc(size);

        check(data != NULL);
        for (size_t i = 0; i < size; i++)
                data[i] = (unsigned char) (i % 251);
        return data;
}

static bool is_data(leat_bytes bytes, size_t size) {
        unsigned char *data = make_data(size);
        bool is = bytes.size == size && memcmp(bytes.data, data, size) == 0;

        free(data);
        return is;
}

/* ---- Python writes ---- */

/* What Python asks for beside its being received in order. False: that was the last one. */
static bool obey(parcel_receiver rx, const parcel *got) {
        if (strcmp(got->label, "pause") == 0) {
                check_equal(rx.object->lanes ? rx.object->lanes->n : 0, lanes_never() ? 0 : 1);
                sleep_ms(200); /* Meanwhile the lane gets full. */
        } else if (strcmp(got->label, "large") == 0)
                check(is_data(got->data, LARGE));
        else if (strcmp(got->label, "huge") == 0)
                check(is_data(got->data, HUGE));
        else if (strcmp(got->label, "file") == 0)
                check_equal(write(leat_descriptor_number(got->file), "!", 1), 1);
        else if (strcmp(got->label, "give") == 0)
                check_equal(parcel_send(got->reply, &(parcel){ .id = got->id + 1, .label = "last" }, SOON),
                            0);
        return strcmp(got->label, "last") != 0;
}

void run_lane_out(void) {
        parcel_sender tx;
        parcel_receiver rx;
        uint64_t next = 0;
        parcel got;

        check_equal(parcel_channel_with(&narrow, &tx, &rx), 0);
        wire_start(&(task){ .parcels_back = parcel_sender_give(&tx) });
        do {
                check_equal(parcel_recv(rx, &got, SOON), 0);
                check_equal(got.id, next);
                next++;
        } while (obey(rx, &got));
        check_equal(parcel_recv(rx, &got, SOON), LEAT_DISCONNECTED);
        parcel_receiver_close(&rx);
}

/* ---- Python reads ---- */

static void send_label(parcel_sender tx, uint64_t *next, const char *label, const void *data, size_t size) {
        check_equal(
                parcel_send(tx, &(parcel){ .id = (*next)++, .label = label, .data = { data, size } }, SOON),
                0);
}

/* Until it has its lane, if it is to have one, and then by that: how soon it comes is the machine's
 * business. */
static void become_busy(parcel_sender tx, uint64_t *next, const char *label) {
        leat_deadline deadline = SOON;
        unsigned n = 0;

        while (n < 300) {
                check(leat_after_ms(0) < deadline);
                send_label(tx, next, label, "12345678", 8);
                n += lanes_never() || tx.object->lane;
        }
}

static void send_file(parcel_sender tx, uint64_t *next) {
        int ends[2];
        char byte;

        check_equal(pipe2(ends, O_CLOEXEC), 0);
        check_equal(
                parcel_send(
                        tx,
                        &(parcel){ .id = (*next)++, .label = "file", .file = leat_descriptor_give(&ends[1]) },
                        SOON),
                0);
        check_equal(read(ends[0], &byte, 1), 1);
        close(ends[0]);
}

/* While Python waits for us, something is begun in the lane and given up. */
static void give_up(parcel_sender tx, parcel_receiver back, uint64_t *next) {
        unsigned char *data = make_data(LARGE);
        parcel got;
        int ends[2];

        check_equal(pipe2(ends, O_CLOEXEC), 0);
        check_equal(
                parcel_send(
                        tx,
                        &(parcel){ .id = (*next)++, .label = "wait", .file = leat_descriptor_give(&ends[0]) },
                        SOON),
                0);
        check_equal(parcel_recv(back, &got, SOON), 0);
        if (tx.object->lane)
                check_equal(parcel_send(tx, &(parcel){ .label = "never", .data = { data, LARGE } },
                                        leat_after_ms(20)),
                            LEAT_TIMEOUT);
        close(ends[1]);
        free(data);
}

/* A set sleeps until there is room, and nothing but Python's bell wakes it. */
static void send_through_set(parcel_sender tx, uint64_t *next, const void *data, size_t size) {
        leat_set set;

        check_equal(leat_set_create(&set), 0);
        check_equal(parcel_set_add_sender(set, tx, 1), 0);
        for (int n_full = 0, r; n_full < 20;) {
                r = parcel_send(tx, &(parcel){ .id = *next, .label = "small", .data = { data, size } },
                                LEAT_NOW);
                if (r == 0) {
                        (*next)++;
                        continue;
                }
                check_equal(r, LEAT_FULL);
                n_full++;
                check_equal(leat_set_wait(set, &(uint64_t){ 0 }, SOON), 0);
        }
        leat_set_close(&set);
}

/* A child's copy of the sender begins on the socket, behind all that was in the lane. */
static void send_from_child(parcel_sender tx, uint64_t next) {
        pid_t child = fork();

        check(child >= 0);
        if (child == 0) {
                check_equal(parcel_send(tx, &(parcel){ .id = next, .label = "child" }, SOON), 0);
                leave_child(0);
        }
        check_equal(wait_for_exit(child), 0);
}

void run_lane_in(void) {
        unsigned char *data = make_data(HUGE);
        parcel_sender tx, clone, back_tx;
        parcel_receiver rx, back;
        uint64_t next = 0, next_of_clone = 0;

        check_equal(parcel_channel_with(&narrow, &tx, &rx), 0);
        check_equal(parcel_channel(&back_tx, &back), 0);
        wire_start(&(task){ .parcels = parcel_receiver_give(&rx),
                            .parcels_back = parcel_sender_give(&back_tx) });
        become_busy(tx, &next, "small");
        check_equal(parcel_sender_clone(tx, &clone), 0);
        become_busy(clone, &next_of_clone, "clone");
        give_up(tx, back, &next);
        for (int i = 0; i < 5; i++) {
                send_label(tx, &next, "large", data, LARGE);
                sleep_ms(20);
                send_file(tx, &next);
        }
        send_through_set(tx, &next, "12345678", 8);
        send_from_child(tx, next);
        send_label(tx, &next, "pause", NULL, 0);
        become_busy(tx, &next, "small");
        send_label(tx, &next, "large", data, LARGE);
        send_label(tx, &next, "huge", data, HUGE);
        send_label(clone, &next_of_clone, "clone", NULL, 0);
        parcel_sender_close(&clone);
        send_label(tx, &next, "last", NULL, 0);
        parcel_sender_close(&tx);
        parcel_receiver_close(&back);
        free(data);
}

/* ---- both ---- */

#define N_ROUNDS 3000U

void run_echo(void) {
        parcel_sender tx, back_tx;
        parcel_receiver rx, back;
        parcel got;

        check_equal(parcel_channel_with(&narrow, &tx, &rx), 0);
        check_equal(parcel_channel_with(&narrow, &back_tx, &back), 0);
        wire_start(&(task){ .parcels = parcel_receiver_give(&rx),
                            .parcels_back = parcel_sender_give(&back_tx) });
        for (uint64_t n = 0; n < N_ROUNDS; n++) {
                check_equal(parcel_send(tx, &(parcel){ .id = n }, SOON), 0);
                check_equal(parcel_recv(back, &got, SOON), 0);
                check_equal(got.id, n);
        }
        parcel_sender_close(&tx);
        check_equal(parcel_recv(back, &got, SOON), LEAT_DISCONNECTED);
        parcel_receiver_close(&back);
}

/* ---- the receiver goes to Python and comes back ---- */

static parcel_sender moving_tx;

#define N_SMALL 100U

/* Small ones, a large one, small ones, a large one, small ones. */
static size_t size_of(uint64_t id) {
        return id == N_SMALL || id == 2 * N_SMALL ? TWICE : 8;
}

static void *send_them(void *unused) {
        unsigned char *data = make_data(TWICE);

        (void) unused;
        for (uint64_t id = 0; id < 3 * N_SMALL; id++)
                check_equal(
                        parcel_send(moving_tx, &(parcel){ .id = id, .data = { data, size_of(id) } }, SOON),
                        0);
        parcel_sender_close(&moving_tx);
        free(data);
        return NULL;
}

static void receive_from(parcel_receiver rx, uint64_t first, uint64_t end) {
        parcel got;

        for (uint64_t id = first; id < end; id++) {
                check_equal(parcel_recv(rx, &got, SOON), 0);
                check_equal(got.id, id);
                check(is_data(got.data, size_of(id)));
        }
}

static void gather_some(parcel_receiver rx) {
        parcel got;

        while (rx.object->lanes && rx.object->lanes->list[0]->stream == LANE_WITHOUT_STREAM)
                check_equal(parcel_recv(rx, &got, LEAT_NOW), LEAT_EMPTY);
}

void run_move(void) {
        struct leat_channel_options options = narrow;
        parcel_sender back_tx;
        parcel_receiver rx, back;
        pthread_t thread;
        parcel got;

        options.lanes = lanes_never() ? LEAT_LANES_NEVER : LEAT_LANES_ALWAYS;
        check_equal(parcel_channel_with(&options, &moving_tx, &rx), 0);
        check_equal(parcel_channel(&back_tx, &back), 0);
        check_equal(pthread_create(&thread, NULL, send_them, NULL), 0);
        receive_from(rx, 0, N_SMALL);
        gather_some(rx);
        wire_start(&(task){ .parcels = parcel_receiver_give(&rx),
                            .parcels_back = parcel_sender_give(&back_tx) });
        check_equal(parcel_recv(back, &got, SOON), 0);
        rx = parcel_receiver_take(&got.parcels);
        check_equal(rx.object->lanes ? rx.object->lanes->n : 0, lanes_never() ? 0 : 1);
        receive_from(rx, 2 * N_SMALL, 3 * N_SMALL);
        check_equal(parcel_recv(rx, &got, SOON), LEAT_DISCONNECTED);
        check_equal(pthread_join(thread, NULL), 0);
        parcel_receiver_close(&rx);
        parcel_receiver_close(&back);
}
