/* A fingerprint stands for a schema text. The hash is libsodium's generichash (BLAKE2b); short running hashes
 * are enough for the tails, because a fingerprint guards against mistakes: a peer that lies about its type
 * gains nothing, since whatever it sends is checked field by field. */
#include "fingerprint.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

int fingerprint_begin(struct fingerprint *fingerprint, const char *text, size_t size) {
        if (sodium_init() < 0)
                return -EIO;
        memset(fingerprint, 0, sizeof(*fingerprint));
        (void) crypto_generichash(fingerprint->base, FINGERPRINT_BASE_SIZE, (const unsigned char *) text,
                                  size, NULL, 0);
        return 0;
}

void fingerprint_append(struct fingerprint *fingerprint, const char *text, size_t size) {
        const uint8_t *before = fingerprint->base;
        size_t before_size = FINGERPRINT_BASE_SIZE;
        uint8_t hash[crypto_generichash_BYTES_MIN];
        crypto_generichash_state state;

        if (fingerprint->n_tails > 0) {
                before = fingerprint->tails[fingerprint->n_tails - 1];
                before_size = FINGERPRINT_TAIL_SIZE;
        }
        (void) crypto_generichash_init(&state, NULL, 0, sizeof(hash));
        (void) crypto_generichash_update(&state, before, before_size);
        (void) crypto_generichash_update(&state, (const unsigned char *) text, size);
        (void) crypto_generichash_final(&state, hash, sizeof(hash));
        memcpy(fingerprint->tails[fingerprint->n_tails], hash, FINGERPRINT_TAIL_SIZE);
        fingerprint->n_tails++;
}

bool fingerprint_compatible(const struct fingerprint *a, const struct fingerprint *b) {
        uint8_t common = a->n_tails < b->n_tails ? a->n_tails : b->n_tails;

        return memcmp(a->base, b->base, FINGERPRINT_BASE_SIZE) == 0 &&
               memcmp(a->tails, b->tails, (size_t) common * FINGERPRINT_TAIL_SIZE) == 0;
}

uint32_t fingerprint_tag(const struct fingerprint *fingerprint) {
        const uint8_t *base = fingerprint->base;

        return (uint32_t) base[0] | (uint32_t) base[1] << 8 | (uint32_t) base[2] << 16 |
               (uint32_t) base[3] << 24;
}

size_t fingerprint_write(const struct fingerprint *fingerprint, uint8_t *to) {
        size_t tails_size = (size_t) fingerprint->n_tails * FINGERPRINT_TAIL_SIZE;

        to[0] = fingerprint->n_tails;
        memcpy(to + 1, fingerprint->base, FINGERPRINT_BASE_SIZE);
        memcpy(to + 1 + FINGERPRINT_BASE_SIZE, fingerprint->tails, tails_size);
        return 1 + FINGERPRINT_BASE_SIZE + tails_size;
}

size_t fingerprint_read(const uint8_t *from, size_t size, struct fingerprint *ret_fingerprint) {
        size_t tails_size;

        if (size < 1 + FINGERPRINT_BASE_SIZE || from[0] > FINGERPRINT_MAX_TAILS)
                return 0;
        tails_size = (size_t) from[0] * FINGERPRINT_TAIL_SIZE;
        if (size < 1 + FINGERPRINT_BASE_SIZE + tails_size)
                return 0;
        memset(ret_fingerprint, 0, sizeof(*ret_fingerprint));
        ret_fingerprint->n_tails = from[0];
        memcpy(ret_fingerprint->base, from + 1, FINGERPRINT_BASE_SIZE);
        memcpy(ret_fingerprint->tails, from + 1 + FINGERPRINT_BASE_SIZE, tails_size);
        return 1 + FINGERPRINT_BASE_SIZE + tails_size;
}
