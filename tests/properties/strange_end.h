/* Somebody who speaks for himself at the other end of a channel: what comes is compared with what WIRE.md
 * says of it, bit by bit. */
#ifndef TESTS_PROPERTIES_STRANGE_END_H
#define TESTS_PROPERTIES_STRANGE_END_H

#include <leat/leat.h>

#include "capture.h"
#include "poison.h"
#include "reference.h"
#include "values.h"

enum { PACKETS, SEALED, RECORDS, PIECES, ABORTS, BYTES, CONTROL, BELLS };

#define HEADER_SIZE   24
#define IDENTITY_SIZE 16
#define MOST_LANES    8

/* The call with a poisoned stack. */
#define POISONED(call) (poison_stack(), (call))

/* What the stranger has of one channel. */
struct stranger {
        struct capture capture;
        int socket;
        const struct leat_type *type;
        uint32_t tag;
        bool small; /* Its buffer. */

        unsigned char identities[MOST_LANES]
                                [IDENTITY_SIZE]; /* Of all lanes that were heard of; the first is its own. */
        size_t n_identities;
        size_t n_markers, n_barriers;

        /* Of its lane, if it has one. */
        int lane_socket;
        unsigned char *words; /* The page, and the data behind it. */
        size_t size;
        bool mapped;
        uint64_t position;
        unsigned char *gathered; /* Of a message in pieces. */
        size_t n_gathered, total;
        unsigned gathered_encoding;
};

/* A message that is to come. */
struct wanted {
        const struct value *value; /* NULL: without handles. */
        struct reference reference;
        unsigned char *table;
        size_t table_size;
};

void stranger_start(struct stranger *stranger, const struct leat_type *type);
void stranger_finish(struct stranger *stranger);

void wanted_make(struct wanted *wanted, const struct value *value);
void wanted_free(struct wanted *wanted);

bool stranger_all_zero(const unsigned char *bytes, size_t size);
uint64_t stranger_number_at(const unsigned char *bytes, size_t size);
size_t stranger_fingerprint(const struct leat_type *type, unsigned char *to);

void stranger_check_header(const struct stranger *stranger, const unsigned char *header, unsigned kind,
                           unsigned encoding, size_t n_fds, size_t table_size, size_t body_size);
void stranger_check_message(struct stranger *stranger, const struct wanted *wanted,
                            const struct captured_packet *packet);

/* All that waits in the channel's socket: packets about lanes, and this message. Returns how often it
 * came. */
size_t stranger_drain(struct stranger *stranger, const struct wanted *wanted);
void stranger_hear_of(struct stranger *stranger, const unsigned char *identity);

/* The next record. Returns whether it is the message, or makes it whole. */
bool stranger_check_record(struct stranger *stranger, const struct wanted *wanted,
                           struct captured_packet *packet);

/* Bells are passed over; false: no packet waits in the lane's socket. */
bool stranger_take_lane_packet(struct stranger *stranger, struct captured_packet *packet);

/* How far the ring was read. */
void stranger_publish(const struct stranger *stranger);

/* The page of a ring, but for the words in it. */
void stranger_check_page(const unsigned char *memory);

/* Its page of words, and all its data. */
void stranger_capture_ring(struct stranger *stranger);

#endif
