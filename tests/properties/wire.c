/* No byte of padding or of stale memory leaves a process. All that it could come from is filled with a pattern before: what malloc gives, what
 * is freed, the stack, the padding of structs and what stands in an alternative's or an optional's place. A stranger at the other end
 * compares what comes with what WIRE.md says, bit by bit; then all is done again with another pattern, and no byte may differ. */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <leat/leat.h>

#include "capture.h"
#include "cases.h"
#include "lane_reader.h"
#include "lanes.h"
#include "plan.h"
#include "poison.h"
#include "receiver.h"
#include "reference.h"
#include "sender.h"
#include "support.h"
#include "types.h"
#include "values.h"

enum { PACKETS, SEALED, RECORDS, PIECES, ABORTS, BYTES, ROWS_5, GREETINGS };
static const char *const labels[] = { "packets", "sealed",          "records",   "pieces", "aborts",
                                      "bytes",   "moved receivers", "greetings", NULL };

#define PADDING     49152
#define HEADER_SIZE 24
#define LARGE_ROOM  ((size_t) 200000)

/* The call with a poisoned stack. */
#define POISONED(call) (poison_stack(), (call))

/* What the stranger has of one channel. */
struct stranger {
        struct capture capture;
        int socket;
        const struct leat_type *type;
        uint32_t tag;
        bool small; /* Its buffer. */

        /* Of its lane, if it has one. */
        int lane_socket;
        unsigned char identity[16];
        unsigned char *words; /* The page, and the data behind it. */
        size_t size;
        uint64_t position;
        unsigned char *gathered; /* Of a message in pieces. */
        size_t n_gathered, total;
        unsigned gathered_encoding;
};

static uint64_t number_at(const unsigned char *bytes, size_t size) {
        uint64_t number = 0;

        memcpy(&number, bytes, size);
        return number;
}

static uint64_t inode_of(int fd) {
        struct stat status;

        check(fstat(fd, &status) == 0);
        return status.st_ino;
}

static bool all_zero(const unsigned char *bytes, size_t size) {
        for (size_t i = 0; i < size; i++)
                if (bytes[i] != 0)
                        return false;
        return true;
}

/* ---- a message that is expected ---- */

struct wanted {
        const struct value *value; /* NULL: without handles. */
        struct reference reference;
        unsigned char *table;
        size_t table_size;
};

static size_t write_fingerprint(const struct leat_type *type, unsigned char *to) {
        const struct plan *plan;

        check_equal(plan_get(type, &plan), 0);
        return fingerprint_write(&plan->fingerprint, to);
}

static void want(struct wanted *wanted, const struct value *value) {
        *wanted = (struct wanted){ .value = value };
        reference_encode(value->type, value->message, &wanted->reference);
        check_equal(wanted->reference.n_handles, value->n_handles);
        wanted->table = malloc(value->n_handles * (2 + FINGERPRINT_MAX_WIRE) + 1);
        check(wanted->table);
        for (size_t i = 0; i < value->n_handles; i++) {
                const struct value_handle *handle = &value->handles[i];

                wanted->table[wanted->table_size++] =
                        (unsigned char) (1 + handle->row->kind - LEAT_KIND_descriptor);
                if (!handle->type)
                        continue;
                wanted->table[wanted->table_size++] = handle->ordered;
                wanted->table_size += write_fingerprint(handle->type, wanted->table + wanted->table_size);
        }
}

static void want_free(struct wanted *wanted) {
        free(wanted->table);
        reference_free(&wanted->reference);
}

static void check_header(const struct stranger *stranger, const unsigned char *header, unsigned kind,
                         unsigned encoding, size_t n_fds, size_t table_size, size_t body_size) {
        check_equal(header[0], 1);
        check_equal(header[1], kind);
        check_equal(header[2], encoding);
        check_equal(header[3], 0);
        check_equal(number_at(header + 4, 4), stranger->tag);
        check_equal(number_at(header + 8, 2), n_fds);
        check_equal(number_at(header + 10, 2), 0);
        check_equal(number_at(header + 12, 4), table_size);
        check_equal(number_at(header + 16, 8), body_size);
}

static void check_content(const struct wanted *wanted, const unsigned char *content) {
        check(memcmp(content, wanted->table, wanted->table_size) == 0);
        check(memcmp(content + wanted->table_size, wanted->reference.body, wanted->reference.size) == 0);
}

/* Each is what was sent; of memory all is kept. */
static void check_handles(struct stranger *stranger, const struct wanted *wanted, const int *fds) {
        for (size_t i = 0; i < wanted->value->n_handles; i++) {
                size_t size;

                check(inode_of(fds[i]) == wanted->value->handles[i].inode);
                if (wanted->value->handles[i].row->kind == LEAT_KIND_shared_memory)
                        free(capture_memory(&stranger->capture, fds[i], &size));
        }
}

static void check_sealed(struct stranger *stranger, const struct wanted *wanted,
                         const struct captured_packet *packet) {
        size_t size, padding = packet->size - HEADER_SIZE;
        unsigned char *content = capture_memory(&stranger->capture, packet->fds[0], &size);

        check_equal(size, wanted->table_size + wanted->reference.size);
        check_content(wanted, content);
        check(stranger->small ? padding < PADDING : padding == PADDING);
        check(all_zero(packet->data + HEADER_SIZE, padding));
        free(content);
        cases_counted[SEALED]++;
}

static void check_message(struct stranger *stranger, const struct wanted *wanted,
                          const struct captured_packet *packet) {
        size_t size = wanted->table_size + wanted->reference.size, n_handles = wanted->value->n_handles;
        bool sealed = size > 65536 || (stranger->small && packet->n_fds > n_handles) || packet->data[1] == 2;

        check_header(stranger, packet->data, sealed ? 2 : 1, wanted->reference.encoding, n_handles,
                     wanted->table_size, wanted->reference.size);
        check_equal(packet->n_fds, n_handles + sealed);
        if (sealed) {
                check_sealed(stranger, wanted, packet);
        } else {
                check_equal(packet->size, HEADER_SIZE + size);
                check_content(wanted, packet->data + HEADER_SIZE);
        }
        check_handles(stranger, wanted, packet->fds + sealed);
}

/* ---- a ring ---- */

static unsigned char byte_of_ring(const struct stranger *stranger, uint64_t position) {
        return stranger->words[RING_WORDS_SIZE + (position & (stranger->size - 1))];
}

static void read_ring(const struct stranger *stranger, uint64_t position, unsigned char *to, size_t size) {
        for (size_t i = 0; i < size; i++)
                to[i] = byte_of_ring(stranger, position + i);
}

/* How far it has been read: the writer's room. */
static void publish(const struct stranger *stranger) {
        __atomic_store_n((uint64_t *) (void *) (stranger->words + RING_TAIL), stranger->position,
                         __ATOMIC_SEQ_CST);
}

/* One record, and its payload, to be freed; padding is kept with it. NULL: there is none. */
static unsigned char *take_record(struct stranger *stranger, unsigned *ret_kind, unsigned *ret_aux,
                                  size_t *ret_size) {
        unsigned char header[8], *payload;
        size_t size, padded;

        read_ring(stranger, stranger->position, header, sizeof(header));
        if (all_zero(header, sizeof(header)))
                return NULL;
        size = (size_t) number_at(header, 4);
        padded = (size + 7) / 8 * 8;
        check_equal(number_at(header + 6, 2), 0);
        payload = malloc(padded + 1);
        check(payload);
        read_ring(stranger, stranger->position + sizeof(header), payload, padded);
        capture_bytes(&stranger->capture, header, sizeof(header));
        capture_bytes(&stranger->capture, payload, padded);
        if (stranger->position + sizeof(header) + padded <= stranger->size) /* Nothing was there before. */
                check(all_zero(payload + size, padded - size));
        stranger->position += sizeof(header) + padded;
        *ret_kind = header[4];
        *ret_aux = header[5];
        *ret_size = size;
        cases_counted[RECORDS]++;
        return payload;
}

static void gather(struct stranger *stranger, const unsigned char *bytes, size_t size) {
        check(stranger->n_gathered + size <= stranger->total);
        memcpy(stranger->gathered + stranger->n_gathered, bytes, size);
        stranger->n_gathered += size;
        cases_counted[PIECES]++;
}

static void begin_gathering(struct stranger *stranger, const unsigned char *payload, unsigned encoding) {
        check(!stranger->gathered);
        stranger->total = (size_t) number_at(payload, 8);
        stranger->gathered = malloc(stranger->total);
        stranger->n_gathered = 0;
        stranger->gathered_encoding = encoding;
        check(stranger->gathered);
}

static void end_gathering(struct stranger *stranger) {
        free(stranger->gathered);
        stranger->gathered = NULL;
}

static void check_body(const struct wanted *wanted, unsigned encoding, const unsigned char *body,
                       size_t size) {
        check_equal(encoding, wanted->reference.encoding);
        check_equal(size, wanted->reference.size);
        check(memcmp(body, wanted->reference.body, size) == 0);
        check_equal(wanted->value->n_handles, 0);
}

/* Bells are one byte each; returns whether a packet came. */
static bool take_lane_packet(struct stranger *stranger, struct captured_packet *packet) {
        struct capture bells = { 0 };
        unsigned char first[HEADER_SIZE];

        while (recv(stranger->lane_socket, first, sizeof(first), MSG_PEEK | MSG_DONTWAIT) == 1) {
                check(capture_packet(&bells, stranger->lane_socket, packet));
                check_equal(packet->data[0], 'B');
                check_equal(packet->n_fds, 0);
        }
        capture_free(&bells); /* When they ring, the scheduler says. */
        return capture_packet(&stranger->capture, stranger->lane_socket, packet);
}

/* Returns whether the record completed the message. */
static bool check_record(struct stranger *stranger, const struct wanted *wanted,
                         struct captured_packet *packet) {
        unsigned kind, aux;
        size_t size;
        unsigned char *payload = take_record(stranger, &kind, &aux, &size);
        bool done = kind != LANE_ABORT;

        check(payload);
        if (kind == LANE_MESSAGE) {
                check_body(wanted, aux, payload, size);
        } else if (kind == LANE_PACKET) {
                check(size == 0 && aux == 0 && take_lane_packet(stranger, packet));
                check_message(stranger, wanted, packet);
                captured_close(packet);
        } else if (kind == LANE_ABORT) {
                check(size == 0 && aux == 0 && stranger->gathered);
                end_gathering(stranger);
                cases_counted[ABORTS]++;
        } else {
                check(kind == LANE_FIRST || (kind == LANE_PIECE && aux == 0));
                if (kind == LANE_FIRST)
                        begin_gathering(stranger, payload, aux);
                gather(stranger, payload + (kind == LANE_FIRST ? 8 : 0), size - (kind == LANE_FIRST ? 8 : 0));
                done = stranger->n_gathered == stranger->total;
                if (done) {
                        check_body(wanted, stranger->gathered_encoding, stranger->gathered, stranger->total);
                        end_gathering(stranger);
                }
        }
        free(payload);
        return done;
}

/* Words that both sides store; all else in the page is 0. Then the whole of the data. */
static void capture_ring(struct stranger *stranger) {
        static const struct {
                size_t at, size;
        } words[] = { { RING_TAIL, 8 },
                      { RING_READER_WAITS, 12 },
                      { RING_READER_RANG, 8 },
                      { RING_WRITER_WAITS, 8 },
                      { RING_WRITER_RANG, 8 } };
        unsigned char page[RING_WORDS_SIZE];

        memcpy(page, stranger->words, sizeof(page));
        for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
                memset(page + words[i].at, 0, words[i].size);
        check(all_zero(page, sizeof(page)));
        if (stranger->position < stranger->size) /* Where nobody ever wrote. */
                check(all_zero(stranger->words + RING_WORDS_SIZE + stranger->position,
                               stranger->size - (size_t) stranger->position));
        capture_bytes(&stranger->capture, stranger->words + RING_WORDS_SIZE, stranger->size);
}

/* ---- what the sender does ---- */

/* Sends it in one of the ways that end in the same bytes. */
static void send_somehow(struct dice *dice, struct leat_sender *tx, const struct value *value) {
        leat_encoded encoded = { 0 };

        if (value->n_handles > 0 || dice_one_in(dice, 2)) {
                check_equal(POISONED(leat_sender_send(tx, value->type, value->message, LEAT_NOW)), 0);
        } else if (dice_one_in(dice, 2)) {
                check_equal(POISONED(leat_message_encode(value->type, value->message, &encoded)), 0);
                check_equal(POISONED(leat_sender_send_encoded(tx, encoded, LEAT_NOW)), 0);
                leat_encoded_close(&encoded);
        } else {
                check_equal(
                        POISONED(leat_sender_send_all(tx, value->type, value->message, 1, NULL, LEAT_NOW)),
                        0);
        }
}

/* Through another channel first, from where it goes on undecoded. */
static void forward_it(struct leat_sender *tx, const struct value *value) {
        struct leat_channel_options options = { .lanes = LEAT_LANES_NEVER };
        leat_undecoded message = { 0 };
        struct leat_receiver *inner_rx;
        struct leat_sender *inner_tx;

        check_equal(leat_channel_open(value->type, &options, &inner_tx, &inner_rx), 0);
        check_equal(POISONED(leat_sender_send(inner_tx, value->type, value->message, LEAT_NOW)), 0);
        check_equal(POISONED(leat_receiver_recv_undecoded(inner_rx, &message, LEAT_NOW)), 0);
        check_equal(POISONED(leat_sender_forward(tx, &message, LEAT_NOW)), 0);
        leat_sender_close(&inner_tx);
        leat_receiver_close(&inner_rx);
}

static void random_value(struct dice *dice, const struct leat_type *type, struct value *value) {
        struct value_wish wish = { .filler = poison,
                                   .room = dice_one_in(dice, 10) ? LARGE_ROOM : 2000,
                                   .on_sockets = true };

        wish.most_handles = dice_one_in(dice, 2) ? 20 : 0;
        do
                value_random(value, type, dice_of(dice_roll(dice), 0), &wish);
        while (value->depth > LEAT_MAX_NESTING && (value_free(value), true));
}

/* ---- the scenes ---- */

static void start(struct stranger *stranger, const struct leat_type *type) {
        const struct plan *plan;

        check_equal(plan_get(type, &plan), 0);
        *stranger = (struct stranger){ .type = type, .socket = -1, .lane_socket = -1, .tag = plan->tag };
}

static void finish(struct stranger *stranger) {
        if (stranger->socket >= 0)
                (void) close(stranger->socket);
        if (stranger->lane_socket >= 0)
                (void) close(stranger->lane_socket);
        end_gathering(stranger);
        cases_counted[BYTES] += stranger->capture.size;
}

/* All by the channel's socket. */
static void by_socket(struct dice *dice, const struct leat_type *type, struct stranger *stranger) {
        struct leat_channel_options options = { .lanes = LEAT_LANES_NEVER, .ordered = dice_one_in(dice, 2) };
        static struct captured_packet packet;
        struct leat_receiver *rx;
        struct leat_sender *tx;
        int least = 1;

        check_equal(POISONED(leat_channel_open(type, &options, &tx, &rx)), 0);
        stranger->socket = fcntl(rx->connection->fd, F_DUPFD_CLOEXEC, 0);
        stranger->small = dice_one_in(dice, 4);
        if (stranger->small)
                check(setsockopt(tx->connection->fd, SOL_SOCKET, SO_SNDBUF, &least, sizeof(least)) == 0);
        for (size_t i = dice_between(dice, 1, 4); i > 0; i--) {
                struct wanted wanted;
                struct value value;

                random_value(dice, type, &value);
                want(&wanted, &value);
                if (dice_one_in(dice, 5))
                        forward_it(tx, &value);
                else
                        send_somehow(dice, tx, &value);
                check(capture_packet(&stranger->capture, stranger->socket, &packet));
                check_message(stranger, &wanted, &packet);
                captured_close(&packet);
                check(!capture_packet(&stranger->capture, stranger->socket, &packet));
                want_free(&wanted);
                value_free(&value);
                cases_counted[PACKETS]++;
        }
        leat_sender_close(&tx);
        leat_receiver_close(&rx);
}

/* In a lane that is there from the start: a small one, where all goes round and round, and large messages in pieces. */
static void by_lane(struct dice *dice, const struct leat_type *type, struct stranger *stranger) {
        static const size_t capacities[] = { 2048, 4096, 5000, 65536 };
        struct leat_channel_options options = { .lanes = LEAT_LANES_ALWAYS,
                                                .capacity = capacities[dice_below(dice, 4)] };
        static struct captured_packet packet;
        struct leat_receiver *rx;
        struct leat_sender *tx;
        struct lane_reader *lane;

        check_equal(POISONED(leat_channel_open(type, &options, &tx, &rx)), 0);
        lane = rx->lanes->list[0];
        stranger->lane_socket = fcntl(lane->socket, F_DUPFD_CLOEXEC, 0);
        stranger->words = lane->ring.memory;
        stranger->size = lane->ring.size;
        for (size_t i = dice_between(dice, 1, 20); i > 0; i--) {
                bool abandoned;
                struct wanted wanted;
                struct value value;

                random_value(dice, type, &value);
                want(&wanted, &value);
                /* So large that it is begun and given up, since nobody reads. */
                abandoned = value.n_handles == 0 && wanted.reference.size > 2 * options.capacity &&
                            wanted.reference.size < LANE_STREAM_MAX;
                if (abandoned) {
                        check_equal(POISONED(leat_sender_send(tx, type, value.message, leat_after_ms(1))),
                                    LEAT_TIMEOUT);
                        do
                                check(!check_record(stranger, &wanted, &packet));
                        while (stranger->gathered);
                        publish(stranger);
                }
                if (dice_one_in(dice, 5))
                        forward_it(tx, &value);
                else
                        send_somehow(dice, tx, &value);
                while (!check_record(stranger, &wanted, &packet))
                        continue;
                publish(stranger);
                want_free(&wanted);
                value_free(&value);
        }
        capture_ring(stranger);
        leat_sender_close(&tx);
        leat_receiver_close(&rx);
}

/* ---- twice the same ---- */

typedef void scene(struct dice *dice, const struct leat_type *type, struct stranger *stranger);

static void twice(struct dice dice, const struct leat_type *type, scene *play) {
        static const unsigned char patterns[] = { 0xa5, 0x5a };
        struct stranger strangers[2];

        for (size_t i = 0; i < 2; i++) {
                struct dice own = dice;

                poison = patterns[i];
                start(&strangers[i], type);
                play(&own, type, &strangers[i]);
                finish(&strangers[i]);
                capture_forget(&strangers[i].capture, strangers[i].identity);
        }
        check_equal(strangers[0].capture.size, strangers[1].capture.size);
        for (size_t i = 0; i < strangers[0].capture.size; i++)
                check_equal(strangers[0].capture.bytes[i], strangers[1].capture.bytes[i]);
        capture_free(&strangers[0].capture);
        capture_free(&strangers[1].capture);
}

static scene *const scenes[] = { by_socket, by_lane };

static void run(uint64_t seed, uint64_t number) {
        struct dice dice = dice_of(seed, number);
        struct types_wish wish = { .plain = dice_one_in(&dice, 2), .most_fields = 64, .most_types = 12 };
        const struct leat_type *type;
        int before = count_descriptors();

        wish.handles = dice_one_in(&dice, 2);
        type = types_random(&dice, &wish);
        twice(dice, type, scenes[number % (sizeof(scenes) / sizeof(scenes[0]))]);
        check_equal(settle_descriptors(before), before);
}

static int enough(void) {
        return types_left() < (size_t) 2 * TYPES_OF_ONE;
}

int main(int argc, char **argv) {
        struct cases cases = { .n = 200 };

        check_equal(unsetenv("LEAT_LANES"), 0);
        cases_parse(&cases, argc, argv);
        return cases_run(&cases, "bytes that leave", labels, run, enough);
}
