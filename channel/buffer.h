/* A growing run of bytes, kept from message to message so that a steady loop allocates nothing. All zero is
 * empty. */
#ifndef LEAT_CHANNEL_BUFFER_H
#define LEAT_CHANNEL_BUFFER_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct buffer {
        uint8_t *data;
        size_t size;
        size_t capacity;
};

/* What a buffer may hold on to between messages, in bytes. */
#define BUFFER_KEEP ((size_t) 1 << 20)

/* Room for `size` more bytes behind what is there. 0; -ENOMEM. */
int buffer_reserve(struct buffer *buffer, size_t size);

/* As above, where no more than `most` bytes will ever be needed, with those that are there: it does not grow
 * beyond them. */
int buffer_reserve_within(struct buffer *buffer, size_t size, size_t most);

/* Appends. 0; -ENOMEM. */
static inline int buffer_append(struct buffer *buffer, const void *data, size_t size) {
        if (size > buffer->capacity - buffer->size) {
                int r = buffer_reserve(buffer, size);

                if (r < 0)
                        return r;
        }
        if (size > 0)
                memcpy(buffer->data + buffer->size, data, size);
        buffer->size += size;
        return 0;
}

/* Empties it, and gives back memory beyond BUFFER_KEEP. */
void buffer_reset(struct buffer *buffer);

/* The same, but memory that its last use needed is kept: for what is used again soon. */
void buffer_recycle(struct buffer *buffer);

void buffer_free(struct buffer *buffer);

#endif
