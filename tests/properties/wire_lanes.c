/* What is said about lanes, and to servers: greetings, offers, markers, barriers, bells, answers, and the
 * rows of a receiver that is given away with its lanes; and loans. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <leat/leat.h>

#include "cases.h"
#include "lanes.h"
#include "plan.h"
#include "receiver.h"
#include "sender.h"
#include "support.h"
#include "wire.h"

LEAT_MESSAGE(mover, (receiver, leat_opaque, moved));

static struct captured_packet packet;

/* ---- a server that is none ---- */

static int listen_at(const char *path) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

        check(fd >= 0 && strlen(path) < sizeof(address.sun_path));
        memcpy(address.sun_path, path, strlen(path));
        check(bind(fd, (const struct sockaddr *) &address, sizeof(address)) == 0);
        check(listen(fd, 4) == 0);
        return fd;
}

static void check_greeting(struct stranger *stranger) {
        unsigned char print[FINGERPRINT_MAX_WIRE];
        size_t print_size = stranger_fingerprint(stranger->type, print);
        const char *text = leat_type_schema(stranger->type);
        size_t text_size = strlen(text) < 16384 ? strlen(text) : 16384;

        check(capture_packet(&stranger->capture, stranger->socket, &packet));
        stranger_check_header(stranger, packet.data, 3, 0, 0, 0, print_size + text_size);
        check(packet.size == HEADER_SIZE + print_size + text_size && packet.n_fds == 0);
        check(memcmp(packet.data + HEADER_SIZE, print, print_size) == 0);
        check(memcmp(packet.data + HEADER_SIZE + print_size, text, text_size) == 0);
        cases_counted[CONTROL]++;
}

/* One message by this sender, which comes by the socket or by the lane. */
static void send_one(struct dice *dice, struct stranger *stranger, struct leat_sender *tx, bool by_lane) {
        struct wanted wanted;
        struct value value;

        scene_value(dice, stranger->type, &value);
        wanted_make(&wanted, &value);
        if (by_lane) /* Asleep, so that a bell is rung. */
                __atomic_store_n((uint32_t *) (void *) (stranger->words + RING_READER_WAITS), 1,
                                 __ATOMIC_SEQ_CST);
        scene_send(dice, tx, &value);
        check_equal(stranger_drain(stranger, &wanted), !by_lane);
        while (by_lane && !stranger_check_record(stranger, &wanted, &packet))
                continue;
        if (by_lane)
                stranger_publish(stranger);
        wanted_free(&wanted);
        value_free(&value);
}

/* The child's message is behind a barrier, as a clone's. */
static void send_from_child(struct dice *dice, struct stranger *stranger, struct leat_sender *tx) {
        struct wanted wanted;
        struct value value;
        pid_t child;

        scene_value(dice, stranger->type, &value);
        wanted_make(&wanted, &value);
        child = fork();
        check(child >= 0);
        if (child == 0) {
                poison_stack();
                _exit(leat_sender_send(tx, value.type, value.message, LEAT_NOW));
        }
        check_equal(wait_for_exit(child), 0);
        check_equal(stranger_drain(stranger, &wanted), 1);
        wanted_free(&wanted);
        value_free(&value);
}

void scene_connected(struct dice *dice, const struct leat_type *type, struct stranger *stranger) {
        cleanup_temp_folder char *folder = temp_folder();
        char *path = path_in(folder, "s");
        int listening = listen_at(path);
        struct leat_sender *tx, *clone;

        check_equal(POISONED(leat_connect(type, path, &tx, LEAT_NOW)), 0);
        stranger->socket = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
        check(stranger->socket >= 0);
        check_greeting(stranger);
        send_one(dice, stranger, tx, false);
        if (stranger->lane_socket < 0) /* Not before the first message. */
                send_one(dice, stranger, tx, false);
        check(stranger->lane_socket >= 0);
        for (size_t i = dice_between(dice, 1, 4); i > 0; i--)
                send_one(dice, stranger, tx, true);
        check_equal(stranger->n_markers, 1);

        check_equal(POISONED(leat_sender_clone(tx, &clone)), 0);
        send_one(dice, stranger, clone, false);
        check_equal(stranger->n_barriers, 1);
        send_one(dice, stranger, tx, true);
        send_from_child(dice, stranger, tx);
        check_equal(stranger->n_barriers, 2);
        stranger_capture_ring(stranger);
        leat_sender_close(&clone);
        leat_sender_close(&tx);
        (void) close(listening);
        free(path);
}

/* ---- a receiver that goes away with its lane ---- */

/* The beginning of a message in pieces, of which no more comes. */
static void begin_pieces(struct leat_sender *tx, const struct leat_type *type) {
        unsigned char piece[208] = { 0x00, 0x04 }; /* Of 1024 bytes 200. */
        const struct plan *plan;

        check_equal(plan_get(type, &plan), 0);
        memset(piece + 8, 0x33, sizeof(piece) - 8);
        memcpy(ring_reserve(&tx->lane->ring, sizeof(piece)), piece, sizeof(piece));
        ring_append(&tx->lane->ring, (struct ring_record){ .size = sizeof(piece),
                                                           .kind = LANE_FIRST,
                                                           .aux = (uint8_t) plan->encoding });
        check_equal(lane_writer_publish(tx->lane), 0);
}

/* The row, as it has to be, from what is known of the receiver. */
static size_t write_row(const struct leat_type *type, const struct lane_reader *lane, uint64_t position,
                        bool begun, unsigned char *row) {
        const struct plan *plan;
        uint64_t size = lane->ring.size, limit = lane->ring.limit, total = begun ? 1024 : 0,
                 arrived = begun ? 200 : 0;
        size_t at = 2;

        check_equal(plan_get(type, &plan), 0);
        memset(row, 0, 2 + FINGERPRINT_MAX_WIRE + 96);
        row[0] = 5;
        at += stranger_fingerprint(type, row + at);
        row[at] = 1;
        at += 32;
        memcpy(row + at, &lane->identity, IDENTITY_SIZE);
        memcpy(row + at + 16, &size, 8);
        memcpy(row + at + 24, &limit, 8);
        memcpy(row + at + 32, &position, 8);
        memcpy(row + at + 40, &total, 8);
        memcpy(row + at + 48, &arrived, 8);
        row[at + 56] = begun ? 5 : 1;
        row[at + 57] = begun ? (unsigned char) plan->encoding : 0;
        return at + 64;
}

/* Its page is asked about its words, its data is kept. */
static void capture_ring_memory(struct stranger *stranger, int fd) {
        struct capture aside = { 0 };
        size_t size;
        unsigned char *memory = capture_memory(&aside, fd, &size);

        stranger_check_page(memory);
        capture_bytes(&stranger->capture, memory + RING_WORDS_SIZE, size - RING_WORDS_SIZE);
        capture_free(&aside);
        free(memory);
}

static void check_gathered(struct stranger *stranger, int fd) {
        size_t size;
        unsigned char *memory = capture_memory(&stranger->capture, fd, &size);

        check_equal(size, 200);
        for (size_t i = 0; i < size; i++)
                check_equal(memory[i], 0x33);
        free(memory);
}

static void check_moved(struct stranger *stranger, const unsigned char *row, size_t row_size, bool begun) {
        const struct plan *plan;

        check_equal(plan_get(mover_type(), &plan), 0);
        stranger->tag = plan->tag;
        check(capture_packet(&stranger->capture, stranger->socket, &packet));
        check_equal(packet.n_fds, begun ? 4 : 3);
        stranger_check_header(stranger, packet.data, 1, 2, packet.n_fds, row_size, 2);
        check_equal(packet.size, HEADER_SIZE + row_size + 2);
        check(memcmp(packet.data + HEADER_SIZE, row, row_size) == 0);
        check(memcmp(packet.data + HEADER_SIZE + row_size, "\x91\x00", 2) == 0);
        if (begun)
                check_gathered(stranger, packet.fds[1]);
        capture_ring_memory(stranger, packet.fds[begun ? 2 : 1]);
        captured_close(&packet);
        cases_counted[CONTROL]++;
}

void scene_moved(struct dice *dice, const struct leat_type *type, struct stranger *stranger) {
        struct leat_channel_options lanes = { .lanes = LEAT_LANES_ALWAYS, .capacity = 4096 },
                                    none = { .lanes = LEAT_LANES_NEVER };
        unsigned char row[2 + FINGERPRINT_MAX_WIRE + 96];
        void *message = malloc(type->size);
        bool begun = dice_one_in(dice, 2);
        struct leat_receiver *rx;
        struct leat_sender *tx;
        mover_receiver ours;
        mover_sender theirs;
        size_t row_size;

        check(message);
        check_equal(mover_channel_with(&none, &theirs, &ours), 0);
        stranger->socket = fcntl(ours.object->connection->fd, F_DUPFD_CLOEXEC, 0);
        check_equal(POISONED(leat_channel_open(type, &lanes, &tx, &rx)), 0);
        for (size_t i = dice_below(dice, 4); i > 0; i--) {
                struct value value;

                scene_value(dice, type, &value);
                scene_send(dice, tx, &value);
                check_equal(POISONED(leat_receiver_recv(rx, type, message, LEAT_NOW)), 0);
                value_free(&value);
        }
        if (begun)
                begin_pieces(tx, type);
        check_equal(POISONED(leat_receiver_recv(rx, type, message, LEAT_NOW)), LEAT_EMPTY);
        row_size = write_row(type, rx->lanes->list[0], tx->lane->ring.head, begun, row);
        stranger_hear_of(stranger, rx->lanes->list[0]->identity.bytes);
        check_equal(POISONED(mover_send(theirs, &(mover){ .moved = { rx, &rx } }, LEAT_NOW)), 0);
        check_moved(stranger, row, row_size, begun);
        leat_sender_close(&tx);
        mover_sender_close(&theirs);
        mover_receiver_close(&ours);
        free(message);
}

/* ---- loans ---- */

/* Of what is lent only the beginning is written, and less, or more, is sent. */
static void lend(struct dice *dice, leat_raw_sender tx, struct stranger *stranger) {
        size_t size = dice_one_in(dice, 10) ? 70000 : dice_below(dice, 700),
               written = dice_below(dice, size + 1), used = dice_below(dice, size + 1);
        struct value value = { .type = stranger->type };
        unsigned char *copy = calloc(1, size + 1);
        leat_raw raw = { copy, used };
        struct wanted wanted;
        void *room;

        check(copy);
        check_equal(POISONED(leat_loan(tx, size, &room, LEAT_NOW)), 0);
        for (size_t i = 0; i < written && i < used; i++)
                copy[i] = (unsigned char) dice_roll(dice);
        memcpy(room, copy, written < used ? written : used);
        if (stranger->words) /* The ring's own bytes, which are the receiver's to see. */
                memcpy(copy, room, used);
        value.message = (unsigned char *) &raw;
        wanted_make(&wanted, &value);
        check_equal(POISONED(leat_loan_send(tx, used, LEAT_NOW)), 0);
        if (!stranger->words) {
                check_equal(stranger_drain(stranger, &wanted), 1);
        } else {
                while (!stranger_check_record(stranger, &wanted, &packet))
                        continue;
                stranger_publish(stranger);
        }
        wanted_free(&wanted);
        free(copy);
}

void scene_loans(struct dice *dice, const struct leat_type *type, struct stranger *stranger) {
        bool lane = dice_one_in(dice, 2);
        struct leat_channel_options options = { .lanes = lane ? LEAT_LANES_ALWAYS : LEAT_LANES_NEVER,
                                                .capacity = 4096 };
        leat_raw_receiver rx;
        leat_raw_sender tx;
        void *room;

        (void) type;
        stranger_start(stranger, leat_raw_type());
        check_equal(leat_raw_channel_with(&options, &tx, &rx), 0);
        if (lane) {
                stranger->lane_socket = fcntl(rx.object->lanes->list[0]->socket, F_DUPFD_CLOEXEC, 0);
                stranger->words = rx.object->lanes->list[0]->ring.memory;
                stranger->size = rx.object->lanes->list[0]->ring.size;
        } else {
                stranger->socket = fcntl(rx.object->connection->fd, F_DUPFD_CLOEXEC, 0);
                stranger->small = true;
        }
        for (size_t i = dice_between(dice, 1, 12); i > 0; i--) {
                if (dice_one_in(dice, 4)) {
                        check_equal(POISONED(leat_loan(tx, dice_below(dice, 500), &room, LEAT_NOW)), 0);
                        leat_loan_cancel(tx);
                }
                lend(dice, tx, stranger);
        }
        if (lane)
                stranger_capture_ring(stranger);
        leat_raw_sender_close(&tx);
        leat_raw_receiver_close(&rx);
}

/* ---- what a receiver says ---- */

/* Exactly this byte, and no more. */
static void expect_byte(struct stranger *stranger, unsigned char byte) {
        check(capture_packet(&stranger->capture, stranger->lane_socket, &packet));
        check(packet.size == 1 && packet.data[0] == byte && packet.n_fds == 0);
        cases_counted[BELLS] += byte == 'B';
}

/* A record in the stranger's own ring. */
static void put_record(struct lane_writer *lane, const struct reference *reference) {
        void *place = ring_reserve(&lane->ring, reference->size);

        check(place);
        if (reference->size > 0)
                memcpy(place, reference->body, reference->size);
        ring_append(&lane->ring, (struct ring_record){ .size = (uint32_t) reference->size,
                                                       .kind = LANE_MESSAGE,
                                                       .aux = (uint8_t) reference->encoding });
        check_equal(lane_writer_publish(lane), 0);
}

/* The writer says that it sleeps, and is woken. */
static void read_all(struct stranger *stranger, struct lane_writer *lane, struct leat_receiver *rx,
                     const struct value *value, const struct reference *reference) {
        void *message = malloc(value->type->size);
        int fd;

        check(message);
        for (int i = 0; i < 2; i++) {
                put_record(lane, reference);
                __atomic_store_n((uint32_t *) (void *) (lane->ring.memory + RING_WRITER_WAITS), 1,
                                 __ATOMIC_SEQ_CST);
                check_equal(POISONED(leat_receiver_recv(rx, value->type, message, LEAT_NOW)), 0);
                check(value_arrived(value, value->type, message));
                check_equal(POISONED(leat_receiver_recv(rx, value->type, message, LEAT_NOW)), LEAT_EMPTY);
                check_equal(POISONED(leat_receiver_arm(rx, &fd)), 0);
                expect_byte(stranger, 'B');
                check(!capture_packet(&stranger->capture, stranger->lane_socket, &packet));
        }
        free(message);
}

void scene_answers(struct dice *dice, const struct leat_type *type, struct stranger *stranger) {
        bool refused = dice_one_in(dice, 3);
        struct leat_channel_options options = { .lanes = LEAT_LANES_ALWAYS, .lane_limit = refused ? 1 : 0 };
        struct value_wish wish = { .filler = poison, .room = 500 };
        struct reference reference;
        struct lane_parts parts;
        struct lane_writer *lane;
        struct leat_receiver *rx;
        struct leat_sender *tx;
        struct value value;
        void *message = malloc(type->size);

        check(message);
        value_random(&value, type, dice_of(dice_roll(dice), 0), &wish);
        reference_encode(type, value.message, &reference);
        check_equal(POISONED(leat_channel_open(type, &options, &tx, &rx)), 0);
        check_equal(lane_writer_create(65536, &lane, &parts), 0);
        stranger_hear_of(stranger, lane->identity.bytes);
        check_equal(lane_send_offer(tx->connection->fd, stranger->tag, &parts.offer, parts.memory,
                                    parts.socket, LEAT_NOW),
                    0);
        (void) close(parts.memory);
        (void) close(parts.socket);
        stranger->lane_socket = fcntl(lane->socket, F_DUPFD_CLOEXEC, 0);
        check_equal(POISONED(leat_receiver_recv(rx, type, message, LEAT_NOW)), LEAT_EMPTY);
        expect_byte(stranger, refused ? 'R' : 'A');
        check_equal(lane_send_marker(tx->connection->fd, stranger->tag, &parts.offer.identity, LEAT_NOW), 0);
        check_equal(POISONED(leat_receiver_recv(rx, type, message, LEAT_NOW)), LEAT_EMPTY);
        if (!refused && value.depth <= LEAT_MAX_NESTING && reference.size < 20000)
                read_all(stranger, lane, rx, &value, &reference);
        stranger_check_page(lane->ring.memory);
        leat_receiver_close(&rx);
        leat_sender_close(&tx);
        (void) lane_writer_free(lane);
        reference_free(&reference);
        value_free(&value);
        free(message);
}
