/* A sender's lane against a reader that is nothing but a ring and a socket. */
#include <criterion/criterion.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lane_writer.h"
#include "plan.h"
#include "ring_memory.h"
#include "support.h"

struct reader {
        struct ring_reader ring;
        struct lane_parts parts;
};

static struct lane_writer *make_lane(size_t limit, struct reader *ret_reader) {
        struct lane_writer *lane;
        struct reader reader;
        void *memory;

        cr_assert_eq(lane_writer_create(limit, &lane, &reader.parts), 0);
        cr_assert_eq(ring_memory_check(reader.parts.memory, reader.parts.offer.size), 0);
        cr_assert_eq(ring_memory_map(reader.parts.memory, reader.parts.offer.size, &memory), 0);
        ring_reader_init(&reader.ring, memory, reader.parts.offer.size, reader.parts.offer.limit, 0);
        *ret_reader = reader;
        return lane;
}

static void close_socket(struct reader *reader) {
        (void) close(reader->parts.socket);
        reader->parts.socket = -1;
}

static void free_reader(struct reader *reader) {
        if (reader->parts.socket >= 0)
                (void) close(reader->parts.socket);
        (void) close(reader->parts.memory);
        (void) ring_memory_unmap(reader->ring.memory, reader->ring.size);
}

static struct transmission body_of(const void *data, size_t size) {
        static const struct buffer no_table;

        return (struct transmission){
                .encoding = ENCODING_RAW, .body = data, .body_size = size, .table = &no_table, .sealed_fd = -1
        };
}

static int send_bytes(struct lane_writer *lane, const void *data, size_t size, leat_deadline deadline) {
        struct transmission transmission = body_of(data, size);

        return lane_writer_send(lane, &transmission, deadline);
}

/* The next record, which must be there; it is consumed. */
static struct ring_record take(struct reader *reader, void *to) {
        struct ring_record record;

        cr_assert_eq(ring_peek(&reader->ring, &record), RING_RECORD);
        if (to)
                memcpy(to, ring_payload(&reader->ring), record.size);
        (void) ring_consume(&reader->ring, record);
        if (ring_publish_tail(&reader->ring))
                (void) lane_ring_bell(reader->parts.socket);
        return record;
}

static bool is_empty(const struct reader *reader) {
        struct ring_record record;

        return ring_peek(&reader->ring, &record) == RING_EMPTY;
}

static bool bell_waits(int socket) {
        struct pollfd poll_fd = { .fd = socket, .events = POLLIN };

        return poll(&poll_fd, 1, 0) == 1;
}

Test(lane_writer, a_message_is_one_record_and_rings_only_who_sleeps) {
        int before = count_descriptors();
        struct reader reader;
        struct lane_writer *lane = make_lane(65536, &reader);
        char got[8];

        cr_assert_eq(send_bytes(lane, "water", 6, LEAT_NOW), 0);
        cr_expect(!bell_waits(reader.parts.socket));
        cr_expect_eq(take(&reader, got).kind, LANE_MESSAGE);
        cr_expect_str_eq(got, "water");
        cr_assert(ring_reader_arm(&reader.ring));
        cr_assert_eq(send_bytes(lane, "", 0, LEAT_NOW), 0);
        cr_expect(bell_waits(reader.parts.socket));
        cr_expect_eq(take(&reader, NULL).size, 0);
        lane_writer_free(lane);
        free_reader(&reader);
        cr_expect_eq(count_descriptors(), before);
}

Test(lane_writer, a_try_without_room_is_full_and_a_deadline_is_not_early) {
        struct reader reader;
        struct lane_writer *lane = make_lane(4096, &reader);
        char bytes[1000] = { 0 };
        leat_deadline deadline;
        int n = 0;

        while (send_bytes(lane, bytes, sizeof(bytes), LEAT_NOW) == 0)
                n++;
        cr_expect_eq(n, 4);
        cr_expect_eq(send_bytes(lane, bytes, sizeof(bytes), LEAT_NOW), LEAT_FULL);
        cr_expect(!lane_writer_has_room(lane));
        deadline = leat_after_ms(20);
        cr_expect_eq(send_bytes(lane, bytes, sizeof(bytes), deadline), LEAT_TIMEOUT);
        cr_expect_geq(leat_after_ns(0), deadline);
        (void) take(&reader, NULL);
        cr_expect(lane_writer_has_room(lane));
        cr_expect(!lane_writer_arm(lane));
        cr_expect_eq(send_bytes(lane, bytes, sizeof(bytes), LEAT_NOW), 0);
        lane_writer_free(lane);
        free_reader(&reader);
}

static void *read_slowly(void *data) {
        struct reader *reader = data;

        (void) usleep(30000);
        (void) take(reader, NULL);
        return NULL;
}

Test(lane_writer, a_waiting_writer_is_woken) {
        struct reader reader;
        struct lane_writer *lane = make_lane(4096, &reader);
        char bytes[1000] = { 0 };
        pthread_t thread;

        while (send_bytes(lane, bytes, sizeof(bytes), LEAT_NOW) == 0)
                continue;
        cr_assert_eq(pthread_create(&thread, NULL, read_slowly, &reader), 0);
        cr_expect_eq(send_bytes(lane, bytes, sizeof(bytes), LEAT_FOREVER), 0);
        cr_assert_eq(pthread_join(thread, NULL), 0);
        lane_writer_free(lane);
        free_reader(&reader);
}

struct gathering {
        struct reader *reader;
        uint8_t *bytes;
        size_t size;
        size_t done;
        unsigned pieces;
};

static void *gather(void *data) {
        struct gathering *gathering = data;
        struct ring_record record;

        do {
                const uint8_t *payload;
                size_t head;

                while (ring_peek(&gathering->reader->ring, &record) != RING_RECORD)
                        (void) usleep(100);
                payload = ring_payload(&gathering->reader->ring);
                head = record.kind == LANE_FIRST ? 8 : 0;
                memcpy(gathering->bytes + gathering->done, payload + head, record.size - head);
                gathering->done += record.size - head;
                gathering->pieces++;
                (void) take(gathering->reader, NULL);
        } while (gathering->done < gathering->size);
        return NULL;
}

Test(lane_writer, a_body_larger_than_the_ring_comes_in_pieces) {
        const size_t size = 300001;
        uint8_t *sent = malloc(size), *got = malloc(size);
        struct reader reader;
        struct lane_writer *lane = make_lane(65536, &reader);
        struct gathering gathering = { .reader = &reader, .bytes = got, .size = size };
        pthread_t thread;

        for (size_t i = 0; i < size; i++)
                sent[i] = (uint8_t) (i * 7 + i / 256);
        cr_assert_eq(pthread_create(&thread, NULL, gather, &gathering), 0);
        cr_expect_eq(send_bytes(lane, sent, size, LEAT_FOREVER), 0);
        cr_assert_eq(pthread_join(thread, NULL), 0);
        cr_expect_eq(memcmp(sent, got, size), 0);
        cr_expect_gt(gathering.pieces, 4);
        lane_writer_free(lane);
        free_reader(&reader);
        free(sent);
        free(got);
}

Test(lane_writer, a_body_that_is_given_up_ends_with_an_abort) {
        uint8_t *bytes = calloc(1, 100000);
        struct reader reader;
        struct lane_writer *lane = make_lane(65536, &reader);
        enum lane_record last = LANE_MESSAGE;

        cr_expect_eq(send_bytes(lane, bytes, 100000, leat_after_ms(5)), LEAT_TIMEOUT);
        while (!is_empty(&reader))
                last = (enum lane_record) take(&reader, NULL).kind;
        cr_expect_eq(last, LANE_ABORT);
        lane_writer_free(lane);
        free_reader(&reader);
        free(bytes);
}

Test(lane_writer, a_try_with_a_body_larger_than_the_ring_goes_as_sealed_memory) {
        int before = count_descriptors();
        uint8_t *bytes = calloc(1, 200000), room[PACKET_HEADER_SIZE];
        struct packet packet = { .data = room, .capacity = sizeof(room) };
        struct packet_header header;
        struct reader reader;
        struct lane_writer *lane = make_lane(65536, &reader);

        cr_assert_eq(send_bytes(lane, bytes, 200000, LEAT_NOW), 0);
        cr_expect_eq(take(&reader, NULL).kind, LANE_PACKET);
        cr_assert_eq(packet_receive(reader.parts.socket, &packet, PACKET_MAX_DESCRIPTORS, LEAT_NOW), 0);
        cr_assert_eq(packet_read_header(packet.data, packet.size, &header), 0);
        cr_expect_eq(header.kind, PACKET_SEALED);
        cr_expect_eq(header.body_size, 200000);
        cr_assert_eq(packet.n_fds, 1);
        (void) close(packet.fds[0]);
        lane_writer_free(lane);
        free_reader(&reader);
        free(bytes);
        cr_expect_eq(count_descriptors(), before);
}

Test(lane_writer, a_try_that_fits_goes_in_pieces_although_no_record_holds_it) {
        uint8_t bytes[40000] = { 0 };
        struct reader reader;
        struct lane_writer *lane = make_lane(65536, &reader);

        cr_assert_eq(send_bytes(lane, bytes, sizeof(bytes), LEAT_NOW), 0);
        cr_expect_eq(take(&reader, bytes).kind, LANE_FIRST);
        cr_expect_eq(take(&reader, bytes).kind, LANE_PIECE);
        lane_writer_free(lane);
        free_reader(&reader);
}

Test(lane_writer, a_closed_reader_is_seen_at_once) {
        struct reader reader;
        struct lane_writer *lane = make_lane(65536, &reader);

        ring_reader_close(&reader.ring);
        cr_expect_eq(lane_writer_try(lane, ENCODING_RAW, "x", 1), LEAT_MORE);
        cr_expect_eq(send_bytes(lane, "x", 1, LEAT_NOW), LEAT_DISCONNECTED);
        lane_writer_free(lane);
        free_reader(&reader);
}

Test(lane_writer, a_lost_reader_is_seen_within_4096_messages) {
        struct reader reader;
        struct lane_writer *lane = make_lane(1 << 20, &reader);
        int r = 0, n;

        close_socket(&reader);
        for (n = 0; r == 0 && n < 8192; n++)
                r = send_bytes(lane, "x", 1, LEAT_NOW);
        cr_expect_eq(r, LEAT_DISCONNECTED);
        cr_expect_leq(n, 4097);
        lane_writer_free(lane);
        free_reader(&reader);
}

Test(lane_writer, a_reader_lost_asleep_is_seen_by_the_bell) {
        struct reader reader;
        struct lane_writer *lane = make_lane(65536, &reader);

        cr_assert(ring_reader_arm(&reader.ring));
        close_socket(&reader);
        cr_expect_eq(send_bytes(lane, "x", 1, LEAT_NOW), LEAT_DISCONNECTED);
        cr_expect_eq(send_bytes(lane, "x", 1, LEAT_NOW), LEAT_DISCONNECTED);
        lane_writer_free(lane);
        free_reader(&reader);
}

Test(lane_writer, nonsense_from_the_reader_ends_it) {
        struct reader reader;
        struct lane_writer *lane = make_lane(4096, &reader);
        char bytes[1000] = { 0 };
        int r;

        atomic_store(ring_tail(reader.ring.memory), 12345678);
        do
                r = send_bytes(lane, bytes, sizeof(bytes), LEAT_FOREVER);
        while (r == 0);
        cr_expect_eq(r, LEAT_DISCONNECTED);
        lane_writer_free(lane);
        free_reader(&reader);
}

Test(lane_writer, room_can_be_lent_and_need_not_be_used) {
        struct reader reader;
        struct lane_writer *lane = make_lane(65536, &reader);
        void *place;
        char got[8];

        cr_assert_eq(lane_writer_loan(lane, 1000, LEAT_NOW, &place), 0);
        cr_assert_eq(lane_writer_loan(lane, 100, LEAT_NOW, &place), 0);
        memcpy(place, "mill", 5);
        cr_assert_eq(lane_writer_send_loan(lane, ENCODING_RAW, 5), 0);
        cr_expect_eq(take(&reader, got).size, 5);
        cr_expect_str_eq(got, "mill");
        cr_expect(is_empty(&reader));
        cr_expect_eq(lane_writer_loan(lane, 1 << 20, LEAT_NOW, &place), LEAT_TOO_LARGE);
        lane_writer_free(lane);
        free_reader(&reader);
}

Test(lane_writer, a_child_knows_the_position_and_keeps_nothing_open) {
        struct reader reader;
        struct lane_writer *lane = make_lane(65536, &reader);
        int status;
        pid_t child;

        cr_assert_eq(send_bytes(lane, "x", 1, LEAT_NOW), 0);
        child = fork();
        if (child == 0) {
                bool ok = lane->socket == -1 && lane_writer_is_inherited(lane) &&
                          lane_writer_barrier(lane).position == 16 &&
                          lane_writer_try(lane, ENCODING_RAW, "y", 1) == LEAT_MORE;

                lane_writer_free(lane);
                leave_child(ok ? 0 : 1);
        }
        cr_assert_eq(waitpid(child, &status, 0), child);
        cr_expect_eq(status, 0);
        cr_expect_eq(send_bytes(lane, "x", 1, LEAT_NOW), 0);
        lane_writer_free(lane);
        free_reader(&reader);
}
