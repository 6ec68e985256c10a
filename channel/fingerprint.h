/* Fingerprints: how two processes compare types without sending each other texts.
 *
 * The base is the hash of the schema up to the last field that is not an optional. Each trailing optional
 * field adds one short running hash. So a type to which optional fields were appended has the old type's list
 * as its prefix, and that is exactly when both can read each other. */
#ifndef LEAT_CHANNEL_FINGERPRINT_H
#define LEAT_CHANNEL_FINGERPRINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FINGERPRINT_BASE_SIZE 16
#define FINGERPRINT_TAIL_SIZE 8
#define FINGERPRINT_MAX_TAILS 64

struct fingerprint {
        uint8_t base[FINGERPRINT_BASE_SIZE];
        uint8_t n_tails;
        uint8_t tails[FINGERPRINT_MAX_TAILS][FINGERPRINT_TAIL_SIZE];
};

/* The most bytes that one takes on the wire. */
#define FINGERPRINT_MAX_WIRE (1 + FINGERPRINT_BASE_SIZE + FINGERPRINT_MAX_TAILS * FINGERPRINT_TAIL_SIZE)

/* Starts one from the text of the required part; -EIO when the hash library cannot start. */
int fingerprint_begin(struct fingerprint *fingerprint, const char *text, size_t size);

/* Adds a trailing optional field's text. */
void fingerprint_append(struct fingerprint *fingerprint, const char *text, size_t size);

/* One is a prefix of the other. */
bool fingerprint_compatible(const struct fingerprint *a, const struct fingerprint *b);

uint32_t fingerprint_tag(const struct fingerprint *fingerprint);

/* On the wire: the number of tails, the base, the tails. Writing needs FINGERPRINT_MAX_WIRE bytes at most and
 * returns how many it took; reading returns how many it took, or 0 when what is there is no fingerprint. */
size_t fingerprint_write(const struct fingerprint *fingerprint, uint8_t *to);
size_t fingerprint_read(const uint8_t *from, size_t size, struct fingerprint *ret_fingerprint);

#endif
