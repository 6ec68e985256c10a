#include "strange_end.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cases.h"
#include "lanes.h"
#include "plan.h"
#include "support.h"

#define PADDING 49152

uint64_t stranger_number_at(const unsigned char *bytes, size_t size) {
        uint64_t number = 0;

        memcpy(&number, bytes, size);
        return number;
}

static uint64_t inode_of(int fd) {
        struct stat status;

        check(fstat(fd, &status) == 0);
        return status.st_ino;
}

bool stranger_all_zero(const unsigned char *bytes, size_t size) {
        return size == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0);
}

/* ---- a message that is expected ---- */

size_t stranger_fingerprint(const struct leat_type *type, unsigned char *to) {
        const struct plan *plan;

        check_equal(plan_get(type, &plan), 0);
        return fingerprint_write(&plan->fingerprint, to);
}

void wanted_make(struct wanted *wanted, const struct value *value) {
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
                wanted->table_size += stranger_fingerprint(handle->type, wanted->table + wanted->table_size);
        }
}

void wanted_free(struct wanted *wanted) {
        free(wanted->table);
        reference_free(&wanted->reference);
}

void stranger_check_header(const struct stranger *stranger, const unsigned char *header, unsigned kind,
                           unsigned encoding, size_t n_fds, size_t table_size, size_t body_size) {
        check_equal(header[0], 1);
        check_equal(header[1], kind);
        check_equal(header[2], encoding);
        check_equal(header[3], 0);
        check_equal(stranger_number_at(header + 4, 4), stranger->tag);
        check_equal(stranger_number_at(header + 8, 2), n_fds);
        check_equal(stranger_number_at(header + 10, 2), 0);
        check_equal(stranger_number_at(header + 12, 4), table_size);
        check_equal(stranger_number_at(header + 16, 8), body_size);
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
        check(stranger_all_zero(packet->data + HEADER_SIZE, padding));
        free(content);
        cases_counted[SEALED]++;
}

void stranger_check_message(struct stranger *stranger, const struct wanted *wanted,
                            const struct captured_packet *packet) {
        size_t size = wanted->table_size + wanted->reference.size, n_handles = wanted->value->n_handles;
        bool sealed = size > 65536 || (stranger->small && packet->n_fds > n_handles) || packet->data[1] == 2;

        stranger_check_header(stranger, packet->data, sealed ? 2 : 1, wanted->reference.encoding, n_handles,
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
void stranger_publish(const struct stranger *stranger) {
        __atomic_store_n((uint64_t *) (void *) (stranger->words + RING_TAIL), stranger->position,
                         __ATOMIC_SEQ_CST);
}

/* One record, and its payload, to be freed; padding is kept with it. NULL: there is none. */
static unsigned char *take_record(struct stranger *stranger, unsigned *ret_kind, unsigned *ret_aux,
                                  size_t *ret_size) {
        unsigned char header[8], *payload;
        size_t size, padded;

        read_ring(stranger, stranger->position, header, sizeof(header));
        if (stranger_all_zero(header, sizeof(header)))
                return NULL;
        size = (size_t) stranger_number_at(header, 4);
        padded = (size + 7) / 8 * 8;
        check_equal(stranger_number_at(header + 6, 2), 0);
        payload = malloc(padded + 1);
        check(payload);
        read_ring(stranger, stranger->position + sizeof(header), payload, padded);
        capture_bytes(&stranger->capture, header, sizeof(header));
        capture_bytes(&stranger->capture, payload, padded);
        if (stranger->position + sizeof(header) + padded <= stranger->size) /* Nothing was there before. */
                check(stranger_all_zero(payload + size, padded - size));
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
        stranger->total = (size_t) stranger_number_at(payload, 8);
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
bool stranger_take_lane_packet(struct stranger *stranger, struct captured_packet *packet) {
        struct capture bells = { 0 };
        unsigned char first[HEADER_SIZE];

        while (recv(stranger->lane_socket, first, sizeof(first), MSG_PEEK | MSG_DONTWAIT) == 1) {
                check(capture_packet(&bells, stranger->lane_socket, packet));
                check_equal(packet->data[0], 'B');
                check_equal(packet->n_fds, 0);
                cases_counted[BELLS]++;
        }
        capture_free(&bells); /* When they ring, the scheduler says. */
        return capture_packet(&stranger->capture, stranger->lane_socket, packet);
}

/* Returns whether the record completed the message. */
bool stranger_check_record(struct stranger *stranger, const struct wanted *wanted,
                           struct captured_packet *packet) {
        unsigned kind, aux;
        size_t size;
        unsigned char *payload = take_record(stranger, &kind, &aux, &size);
        bool done = kind != LANE_ABORT;

        check(payload);
        if (kind == LANE_MESSAGE) {
                check_body(wanted, aux, payload, size);
        } else if (kind == LANE_PACKET) {
                check(size == 0 && aux == 0 && stranger_take_lane_packet(stranger, packet));
                stranger_check_message(stranger, wanted, packet);
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

/* Words that both sides store; all else in the page is 0. */
void stranger_check_page(const unsigned char *memory) {
        static const struct {
                size_t at, size;
        } words[] = { { RING_TAIL, 8 },
                      { RING_READER_WAITS, 12 },
                      { RING_READER_RANG, 8 },
                      { RING_WRITER_WAITS, 8 },
                      { RING_WRITER_RANG, 8 } };
        unsigned char page[RING_WORDS_SIZE];

        memcpy(page, memory, sizeof(page));
        for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
                memset(page + words[i].at, 0, words[i].size);
        check(stranger_all_zero(page, sizeof(page)));
}

/* With all that is in the data; where nobody ever wrote it is 0. */
void stranger_capture_ring(struct stranger *stranger) {
        size_t used = stranger->position < stranger->size ? (size_t) stranger->position : stranger->size;

        stranger_check_page(stranger->words);
        check(stranger_all_zero(stranger->words + RING_WORDS_SIZE + used, stranger->size - used));
        capture_bytes(&stranger->capture, stranger->words + RING_WORDS_SIZE, used);
}

/* ---- packets about lanes ---- */

void stranger_hear_of(struct stranger *stranger, const unsigned char *identity) {
        check(!stranger_all_zero(identity, IDENTITY_SIZE) && stranger->n_identities < MOST_LANES);
        memcpy(stranger->identities[stranger->n_identities++], identity, IDENTITY_SIZE);
}

/* The first is taken, all others are refused. */
static void answer_offer(struct stranger *stranger, const struct captured_packet *packet) {
        size_t size, limit = (size_t) stranger_number_at(packet->data + HEADER_SIZE + 24, 8);
        char answer = stranger->lane_socket < 0 ? 'A' : 'R';
        struct capture aside = { 0 };
        unsigned char *memory;
        ssize_t n;

        stranger_check_header(stranger, packet->data, 4, 0, 0, 0, 32);
        check(packet->size == HEADER_SIZE + 32 && packet->n_fds == 2);
        stranger_hear_of(stranger, packet->data + HEADER_SIZE);
        memory = capture_memory(&aside, packet->fds[0], &size); /* Zeros are zeros. */
        check_equal(size, RING_WORDS_SIZE + stranger_number_at(packet->data + HEADER_SIZE + 16, 8));
        check(limit >= 2048 && limit <= size - RING_WORDS_SIZE);
        check(stranger_all_zero(memory, size));
        capture_free(&aside);
        free(memory);
        n = send(packet->fds[1], &answer, 1, MSG_NOSIGNAL);
        if (answer == 'R') /* Perhaps to a child that is gone. */
                return;
        check(n == 1);
        stranger->size = size - RING_WORDS_SIZE;
        stranger->lane_socket = fcntl(packet->fds[1], F_DUPFD_CLOEXEC, 0);
        stranger->words = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, packet->fds[0], 0);
        check(stranger->lane_socket >= 0 && stranger->words != MAP_FAILED);
        stranger->mapped = true;
}

/* How many of each were expected is up to the caller. */
static void check_control(struct stranger *stranger, const struct captured_packet *packet) {
        const unsigned char *body = packet->data + HEADER_SIZE;
        bool barrier = packet->data[1] == 6;

        if (packet->data[1] == 4) {
                answer_offer(stranger, packet);
                return;
        }
        stranger_check_header(stranger, packet->data, barrier ? 6 : 5, 0, 0, 0, barrier ? 24 : 16);
        check(packet->size == (size_t) HEADER_SIZE + (barrier ? 24 : 16) && packet->n_fds == 0);
        check(stranger->n_identities > 0 && memcmp(body, stranger->identities[0], IDENTITY_SIZE) == 0);
        if (barrier)
                check_equal(stranger_number_at(body + 16, 8), stranger->position);
        stranger->n_markers += !barrier;
        stranger->n_barriers += barrier;
}

size_t stranger_drain(struct stranger *stranger, const struct wanted *wanted) {
        static struct captured_packet packet;
        size_t n_messages = 0;

        while (capture_packet(&stranger->capture, stranger->socket, &packet)) {
                if (packet.data[1] >= 4) {
                        check_control(stranger, &packet);
                        cases_counted[CONTROL]++;
                } else {
                        stranger_check_message(stranger, wanted, &packet);
                        cases_counted[PACKETS]++;
                        n_messages++;
                }
                captured_close(&packet);
        }
        return n_messages;
}

/* ---- its life ---- */

void stranger_start(struct stranger *stranger, const struct leat_type *type) {
        const struct plan *plan;

        check_equal(plan_get(type, &plan), 0);
        *stranger = (struct stranger){ .type = type, .socket = -1, .lane_socket = -1, .tag = plan->tag };
}

void stranger_finish(struct stranger *stranger) {
        if (stranger->socket >= 0)
                (void) close(stranger->socket);
        if (stranger->lane_socket >= 0)
                (void) close(stranger->lane_socket);
        if (stranger->mapped)
                (void) munmap(stranger->words, RING_WORDS_SIZE + stranger->size);
        end_gathering(stranger);
        cases_counted[BYTES] += stranger->capture.size;
}
