/* An honest sender whose receiver is made by hand and lies: the sender never hangs beyond its deadline, never
 * burns the CPU while it waits, and learns of the end. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <leat/leat.h>

#include "receiver.h"
#include "ring_memory.h"
#include "sender.h"

#include "stranger.h"
#include "support.h"

LEAT_MESSAGE(number, (u64, value));

#define RING ((size_t) 4096)

static int before;
static number_sender maker, tx;
static number_receiver unused;
static int raw;          /* A copy of the channel's receiving socket. */
static int lanes_socket; /* The receiver's end of the lane's. */
static uint8_t *memory;  /* The lane's, mapped here. */
static struct ring_reader reader;

static ssize_t take_packet(uint8_t *room, struct packet *packet) {
        *packet = (struct packet){ .data = room, .capacity = PACKET_START_SIZE };
        cr_assert_eq(packet_receive(raw, packet, PACKET_MAX_DESCRIPTORS, LEAT_NOW), 0);
        return (ssize_t) packet->size;
}

static struct lane_offer take_offer(void) {
        uint8_t room[PACKET_START_SIZE];
        struct lane_offer offer;
        struct packet packet;
        void *mapped;

        (void) take_packet(room, &packet); /* The message before it. */
        (void) take_packet(room, &packet);
        cr_assert_eq(room[1], PACKET_OFFER);
        cr_assert_eq(packet.n_fds, LANE_OFFER_DESCRIPTORS);
        cr_assert_eq(lane_read_offer(room + PACKET_HEADER_SIZE, packet.size - PACKET_HEADER_SIZE, &offer), 0);
        cr_assert_eq(ring_memory_map(packet.fds[0], RING, &mapped), 0);
        (void) close(packet.fds[0]);
        memory = mapped;
        lanes_socket = packet.fds[1];
        return offer;
}

/* A sender whose receiver's socket is ours, with a lane whose other end is ours. */
static void start(void) {
        struct leat_channel_options options = { .lanes = LEAT_LANES_ALWAYS, .capacity = RING };
        struct lane_offer offer;

        before = count_descriptors();
        cr_assert_eq(number_channel_with(&options, &maker, &unused), 0);
        raw = fcntl(unused.object->connection->fd, F_DUPFD_CLOEXEC, 0);
        cr_assert_eq(number_sender_clone(maker, &tx), 0);
        tx.object->has_barrier = false; /* Of the lane that is of no interest here. */
        cr_assert_eq(number_send(tx, &(number){ 1 }, LEAT_NOW), 0);
        offer = take_offer();
        ring_reader_init(&reader, memory, (size_t) offer.size, (size_t) offer.limit, 0);
}

static void finish(void) {
        number_sender_close(&tx);
        number_sender_close(&maker);
        number_receiver_close(&unused);
        (void) ring_memory_unmap(memory, RING);
        if (lanes_socket >= 0)
                (void) close(lanes_socket);
        (void) close(raw);
        cr_assert_eq(settle_descriptors(before), before, "a descriptor leaked");
}

TestSuite(lane_strange_receiver, .init = start, .fini = finish);

static int try(void) {
        return number_send(tx, &(number){ 1 }, LEAT_NOW);
}

static void say(const char *bytes, size_t size) {
        cr_assert_eq(send(lanes_socket, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT), (ssize_t) size);
}

static void accept_lane(void) {
        say("A", 1);
        cr_assert_eq(try(), 0);
        cr_assert_not_null(tx.object->lane);
}

static void fill(void) {
        int r;

        do
                r = try();
        while (r == 0);
        cr_assert_eq(r, LEAT_FULL);
}

static void set_word(enum ring_word word, uint32_t value) {
        atomic_store(ring_word(memory, word), value);
}

Test(lane_strange_receiver, an_honest_one_can_be_made_by_hand) {
        struct ring_record record;

        accept_lane();
        cr_assert_eq(ring_peek(&reader, &record), RING_RECORD);
        cr_assert_eq(record.size, 8);
        fill();
        while (ring_peek(&reader, &record) == RING_RECORD)
                (void) ring_consume(&reader, record);
        (void) ring_publish_tail(&reader);
        cr_assert_eq(try(), 0);
}

Test(lane_strange_receiver, one_that_never_answers_has_all_on_the_socket) {
        uint8_t room[PACKET_START_SIZE];
        struct packet packet;

        for (int i = 0; i < 100; i++) {
                cr_assert_eq(try(), 0);
                cr_assert_eq(take_packet(room, &packet), PACKET_HEADER_SIZE + 8);
        }
        cr_assert_null(tx.object->lane);
}

Test(lane_strange_receiver, one_that_refuses_in_any_way_has_all_on_the_socket) {
        static const char header[PACKET_HEADER_SIZE] = { 1, 1 };

        uint8_t room[PACKET_START_SIZE];
        struct packet packet;

        say(header, sizeof(header));
        say("A", 1);
        for (int i = 0; i < 100; i++) {
                cr_assert_eq(try(), 0);
                (void) take_packet(room, &packet);
        }
        cr_assert_null(tx.object->lane);
        cr_assert_eq(tx.object->promotion.state, PROMOTION_REFUSED);
}

Test(lane_strange_receiver, what_it_says_after_the_answer_is_nothing) {
        say("A", 1);
        say("R", 1);
        say("A", 1);
        for (int i = 0; i < 100; i++)
                cr_assert_eq(try(), 0);
        cr_assert_not_null(tx.object->lane);
}

static void expect_disconnection(void) {
        int r;

        do
                r = number_send(tx, &(number){ 1 }, leat_after_ms(20000));
        while (r == 0);
        cr_assert_eq(r, LEAT_DISCONNECTED, "%d", r);
        cr_assert_eq(try(), LEAT_DISCONNECTED);
        cr_assert_eq(number_send(tx, &(number){ 1 }, LEAT_FOREVER), LEAT_DISCONNECTED);
        cr_assert_not(number_sender_is_connected(tx), "the channel's socket is open still");
}

Test(lane_strange_receiver, a_position_that_cannot_be_is_the_end) {
        accept_lane();
        atomic_store(ring_tail(memory), UINT64_C(1) << 40);
        expect_disconnection();
}

Test(lane_strange_receiver, a_position_that_goes_back_is_the_end) {
        accept_lane();
        fill();
        atomic_store(ring_tail(memory), 160);
        cr_assert_eq(try(), 0);
        fill();
        atomic_store(ring_tail(memory), 16);
        expect_disconnection();
}

Test(lane_strange_receiver, one_that_says_it_is_closed_is) {
        accept_lane();
        cr_assert(number_sender_is_connected(tx));
        set_word(RING_READER_CLOSED, 2);
        cr_assert_not(number_sender_is_connected(tx), "before anything is sent");
        cr_assert_eq(try(), LEAT_DISCONNECTED);
        set_word(RING_READER_CLOSED, 0);
        expect_disconnection();
}

Test(lane_strange_receiver, one_that_closes_the_lane_alone_is_gone) {
        accept_lane();
        (void) close(lanes_socket);
        lanes_socket = -1;
        expect_disconnection();
}

Test(lane_strange_receiver, one_that_always_wants_a_bell_may_have_it) {
        struct ring_record record;

        accept_lane();
        for (int i = 0; i < 5000; i++) {
                set_word(RING_READER_WAITS, 1 + (uint32_t) i % 3);
                cr_assert_eq(try(), 0);
                while (ring_peek(&reader, &record) == RING_RECORD)
                        (void) ring_consume(&reader, record);
                (void) ring_publish_tail(&reader);
        }
}

/* ---- a sender that waits ---- */

static int64_t cpu_ms(void) {
        struct rusage usage;

        cr_assert_eq(getrusage(RUSAGE_THREAD, &usage), 0);
        return (int64_t) (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000 +
               (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000;
}

static void expect_a_quiet_timeout(void) {
        leat_deadline deadline = leat_after_ms(500);
        int64_t cpu = cpu_ms();

        cr_assert_eq(number_send(tx, &(number){ 1 }, deadline), LEAT_TIMEOUT);
        cr_assert_geq(leat_after_ns(0), deadline);
        cr_assert_lt(cpu_ms() - cpu, 30, "it did not sleep");
}

Test(lane_strange_receiver, one_that_reads_nothing_costs_the_time_that_was_given) {
        accept_lane();
        fill();
        expect_a_quiet_timeout();
}

Test(lane_strange_receiver, bells_without_room_are_no_room) {
        accept_lane();
        fill();
        for (int i = 0; i < 200; i++)
                say("B", 1);
        expect_a_quiet_timeout();
}

/* Only bells come back from who is honest; anything else would keep the socket ready for ever. */
Test(lane_strange_receiver, whatever_else_it_puts_on_a_lanes_socket_ends_the_lane) {
        static const char header[PACKET_HEADER_SIZE + 10] = { 1, 1 };
        leat_set set;
        uint64_t key;

        accept_lane();
        fill();
        cr_assert_eq(leat_set_create(&set), 0);
        cr_assert_eq(number_set_add_sender(set, tx, 1), 0);
        say(header, sizeof(header));
        say("", 0);
        cr_assert_eq(leat_set_wait(set, &key, leat_after_ms(30000)), 0);
        cr_assert_eq(number_send(tx, &(number){ 1 }, leat_after_ms(30000)), LEAT_DISCONNECTED);
        cr_assert_eq(leat_set_remove(set, 1), 0);
        leat_set_close(&set);
}

Test(lane_strange_receiver, an_empty_packet_ends_it_for_a_sender_that_waits) {
        accept_lane();
        fill();
        say("", 0);
        cr_assert_eq(number_send(tx, &(number){ 1 }, leat_after_ms(30000)), LEAT_DISCONNECTED);
}

static void *clear_words(void *data) {
        atomic_bool *stop = data;

        while (!atomic_load(stop)) {
                set_word(RING_WRITER_WAITS, 0);
                set_word(RING_READER_CORE, 1);
                set_word(RING_READER_WAITS, 7);
        }
        return NULL;
}

Test(lane_strange_receiver, words_that_are_scribbled_on_meanwhile_change_no_deadline) {
        leat_deadline deadline;
        atomic_bool stop = false;
        pthread_t thread;

        accept_lane();
        fill();
        cr_assert_eq(pthread_create(&thread, NULL, clear_words, &stop), 0);
        deadline = leat_after_ms(100);
        cr_assert_eq(number_send(tx, &(number){ 1 }, deadline), LEAT_TIMEOUT);
        cr_assert_geq(leat_after_ns(0), deadline);
        atomic_store(&stop, true);
        cr_assert_eq(pthread_join(thread, NULL), 0);
}
