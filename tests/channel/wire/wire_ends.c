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
