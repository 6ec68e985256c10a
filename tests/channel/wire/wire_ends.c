/* Handles of every kind, both ways, and a server that is Python's. */
#include "wire.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MEMORY_SIZE 100000
#define DATA_SIZE   70000 /* More than a packet holds: it goes in sealed memory, and the handles beside it. */

static unsigned char pattern(size_t i) {
        return (unsigned char) (i * 31 >> 3);
}

static unsigned char bytes[MEMORY_SIZE];

static leat_shared_memory make_memory(void) {
        leat_shared_memory memory;

        for (size_t i = 0; i < MEMORY_SIZE; i++)
                bytes[i] = pattern(i);
        check_equal(leat_shared_memory_copy(bytes, MEMORY_SIZE, &memory), 0);
        return memory;
}

static void expect_gauge(gauge_receiver rx, uint64_t level) {
        gauge got;

        check_equal(gauge_recv(rx, &got, SOON), 0);
        check_equal(got.level, level);
}

static void expect_end_of_gauges(gauge_receiver *rx) {
        gauge got;

        check_equal(gauge_recv(*rx, &got, SOON), LEAT_DISCONNECTED);
        gauge_receiver_close(rx);
}

static void expect_text(int fd, const char *expected) {
        char text[64] = { 0 };
        size_t size = 0;
        ssize_t n;

        while ((n = read(fd, text + size, sizeof(text) - 1 - size)) > 0)
                size += (size_t) n;
        check_equal(n, 0);
        check(strcmp(text, expected) == 0);
        close(fd);
}

/* Everything, of which we keep the other ends. */
static void give(parcel_sender tx, gauge_sender *ret_down, gauge_receiver *ret_up,
                 parcel_receiver *ret_replies, int *ret_pipe) {
        gauge_sender up[2];
        gauge_receiver down;
        parcel_sender reply;
        int ends[2];
        leat_shared_memory memory = make_memory();

        check_equal(pipe2(ends, O_CLOEXEC), 0);
        check_equal(gauge_channel_with(&(struct leat_channel_options){ .ordered = true }, ret_down, &down),
                    0);
        check_equal(gauge_channel(&up[0], ret_up), 0);
        check_equal(gauge_send(up[0], &(gauge){ 10 }, SOON), 0);
        check_equal(gauge_sender_clone(up[0], &up[1]), 0);
        check_equal(parcel_channel(&reply, ret_replies), 0);
        check_equal(gauge_send(*ret_down, &(gauge){ 1 }, SOON), 0);
        check_equal(gauge_send(*ret_down, &(gauge){ 2 }, SOON), 0);

        gauge_sender given[2] = { gauge_sender_give(&up[0]), gauge_sender_give(&up[1]) };
        parcel message = { .label = "given",
                           .data = { bytes, DATA_SIZE },
                           .reply = parcel_sender_give(&reply),
                           .gauges = gauge_receiver_give(&down),
                           .senders = { given, 2 },
                           .file = leat_descriptor_give(&ends[1]),
                           .memory = leat_shared_memory_give(&memory) };
        check_equal(parcel_send(tx, &message, SOON), 0);
        *ret_pipe = ends[0];
}

static void check_memory_of_python(leat_shared_memory memory) {
        const unsigned char *theirs;
        const void *data;

        check_equal(leat_shared_memory_size(memory), MEMORY_SIZE);
        check_equal(leat_shared_memory_data(memory, &data), 0);
        theirs = data;
        for (size_t i = 0; i < MEMORY_SIZE; i++)
                if (theirs[i] != (unsigned char) ~pattern(i))
                        check_failed(__FILE__, __LINE__, "Python's memory");
}

/* The same from the other side. */
static void use(const parcel *answer) {
        int pipe_end = leat_descriptor_number(answer->file);

        check(strcmp(answer->label, "answer") == 0);
        check(answer->data.size == DATA_SIZE && memcmp(answer->data.data, bytes, DATA_SIZE) == 0);
        check_memory_of_python(answer->memory);
        expect_gauge(answer->gauges, 21);
        expect_gauge(answer->gauges, 22);
        check_equal(answer->senders.count, 2);
        check_equal(gauge_send(answer->senders.items[0], &(gauge){ 31 }, SOON), 0);
        check_equal(gauge_send(answer->senders.items[1], &(gauge){ 32 }, SOON), 0);
        check_equal(write(pipe_end, "through Python's", 16), 16);
        check_equal(parcel_send(answer->reply, &(parcel){ .id = 99, .label = "and back" }, SOON), 0);
        check(!parcel_receiver_is_set(answer->parcels));
}

void run_handles(void) {
        parcel_sender tx;
        parcel_receiver rx, replies;
        gauge_sender down;
        gauge_receiver up;
        parcel answer;
        int pipe_end;

        check_equal(parcel_channel(&tx, &rx), 0);
        wire_start(&(task){ .parcels = parcel_receiver_give(&rx) });
        give(tx, &down, &up, &replies, &pipe_end);
        check_equal(gauge_send(down, &(gauge){ 3 }, SOON), 0);
        gauge_sender_close(&down);
        expect_gauge(up, 10);
        expect_gauge(up, 11);
        expect_gauge(up, 12);
        expect_end_of_gauges(&up);
        expect_text(pipe_end, "through the descriptor");
        check_equal(parcel_recv(replies, &answer, SOON), 0);
        use(&answer);
        parcel_release(replies);
        check_equal(parcel_recv(replies, &answer, SOON), LEAT_DISCONNECTED);
        parcel_receiver_close(&replies);
        parcel_sender_close(&tx);
}

/* ---- opaque ends ---- */

/* Python has had three of the source's five, the first two undecoded. */
static void use_opaque(crate *got, gauge_receiver *ret_source) {
        parcel_receiver parcels;
        parcel_sender reply;
        gauge_sender to;

        check(strcmp(got->label, "ours") == 0);
        check_equal(parcel_sender_from_opaque(&got->to, &reply), LEAT_TYPE_MISMATCH);
        check_equal(gauge_sender_from_opaque(&got->to, &to), 0);
        check_equal(gauge_send(to, &(gauge){ 5 }, SOON), 0);
        gauge_sender_close(&to);
        check_equal(parcel_receiver_from_opaque(&got->source, &parcels), LEAT_TYPE_MISMATCH);
        check_equal(gauge_receiver_from_opaque(&got->source, ret_source), 0);
        check_equal(got->others.count, 2);
        check_equal(gauge_sender_from_opaque(&got->others.items[0], &to), LEAT_TYPE_MISMATCH);
        check_equal(gauge_sender_from_opaque(&got->others.items[1], &to), 0);
        check_equal(gauge_send(to, &(gauge){ 6 }, SOON), 0);
        gauge_sender_close(&to);
}

/* A receiver in which five gauges wait, a sender of gauges and one of bytes; we keep the other ends. */
static void give_opaque(crate_sender tx, gauge_receiver *ret_up, leat_raw_receiver *ret_bytes) {
        leat_opaque_sender to, others[1], other;
        leat_opaque_receiver from;
        gauge_sender numbers, up;
        gauge_receiver source;
        leat_raw_sender bytes_tx;

        check_equal(gauge_channel(&numbers, &source), 0);
        check_equal(gauge_channel(&up, ret_up), 0);
        check_equal(leat_raw_channel(&bytes_tx, ret_bytes), 0);
        for (uint64_t level = 1; level <= 5; level++)
                check_equal(gauge_send(numbers, &(gauge){ level }, SOON), 0);
        gauge_sender_close(&numbers);
        from = gauge_receiver_to_opaque(&source);
        to = gauge_sender_to_opaque(&up);
        other = leat_raw_sender_to_opaque(&bytes_tx);
        others[0] = leat_opaque_sender_give(&other);
        check_equal(crate_send(tx,
                               &(crate){ .label = "theirs",
                                         .to = leat_opaque_sender_give(&to),
                                         .source = leat_opaque_receiver_give(&from),
                                         .others = { others, 1 } },
                               SOON),
                    0);
}

void run_opaque(void) {
        crate_sender crates, crates_back;
        crate_receiver theirs, ours;
        gauge_receiver source, up;
        leat_raw_receiver bytes_rx;
        leat_raw text;
        crate got;

        check_equal(crate_channel(&crates, &theirs), 0);
        check_equal(crate_channel(&crates_back, &ours), 0);
        wire_start(&(task){ .crates = crate_receiver_give(&theirs),
                            .crates_back = crate_sender_give(&crates_back) });
        give_opaque(crates, &up, &bytes_rx);
        expect_gauge(up, 4);
        check_equal(leat_raw_recv(bytes_rx, &text, SOON), 0);
        check(text.size == 5 && memcmp(text.data, "bytes", 5) == 0);
        check_equal(crate_recv(ours, &got, SOON), 0);
        use_opaque(&got, &source);
        crate_receiver_close(&ours);
        expect_gauge(up, 6);
        expect_end_of_gauges(&up);
        expect_gauge(source, 4);
        expect_gauge(source, 5);
        expect_end_of_gauges(&source);
        check_equal(leat_raw_recv(bytes_rx, &text, SOON), LEAT_DISCONNECTED);
        leat_raw_receiver_close(&bytes_rx);
        crate_sender_close(&crates);
}

/* ---- a server of Python's ---- */

/* Of another type: it is turned away, which is seen by the end. */
static void join_as_somebody_else(const char *path) {
        gauge_sender tx;
        int r;

        while ((r = gauge_connect(path, &tx, SOON)) == LEAT_REFUSED)
                sleep_ms(5);
        check_equal(r, 0);
        while ((r = gauge_send(tx, &(gauge){ 1 }, SOON)) == 0)
                sleep_ms(5);
        check_equal(r, LEAT_DISCONNECTED);
        gauge_sender_close(&tx);
}

void run_server(void) {
        char *path = path_in(wire_folder(), "s");
        parcel_sender tx, reply;
        parcel_receiver rx;
        parcel got;

        wire_start(&(task){ .path = path });
        join_as_somebody_else(path);
        check_equal(parcel_connect(path, &tx, SOON), 0);
        check_equal(parcel_channel(&reply, &rx), 0);
        check_equal(parcel_send(tx, &(parcel){ .id = 7, .reply = parcel_sender_give(&reply) }, SOON), 0);
        check_equal(parcel_recv(rx, &got, SOON), 0);
        check_equal(got.id, 8);
        check_equal(parcel_recv(rx, &got, SOON), LEAT_DISCONNECTED);
        check_equal(parcel_send(tx, &(parcel){ .id = 9 }, SOON), 0);
        parcel_sender_close(&tx);
        parcel_receiver_close(&rx);
        free(path);
}
