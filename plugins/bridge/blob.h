/* Bytes that grow at their end. */
#ifndef BRIDGE_BLOB_H
#define BRIDGE_BLOB_H

#include <stddef.h>
#include <stdint.h>

/* Zero is a valid, empty one. `data` is NULL until something was added. */
struct blob {
        char *data;
        size_t size;
        size_t capacity;
};

/* Makes room for `more` bytes behind what is there. -ENOMEM, and nothing changed. */
int blob_reserve(struct blob *blob, size_t more);

/* Appends. -ENOMEM, and nothing changed. */
int blob_add(struct blob *blob, const void *data, size_t size);
int blob_add_text(struct blob *blob, const char *text);

/* Appends one byte, or a number of `size` (1, 2, 4 or 8) bytes with the highest byte first. -ENOMEM. */
int blob_add_byte(struct blob *blob, uint8_t byte);
int blob_add_big_endian(struct blob *blob, uint64_t number, size_t size);

/* Frees and zeroes. */
void blob_free(struct blob *blob);

#define blob_auto __attribute__((cleanup(blob_free))) struct blob

#endif
