/* Room for a message in the making, or one that was received. */
#include "buffer.h"

#include <errno.h>
#include <stdlib.h>

int buffer_reserve(struct buffer *buffer, size_t size) {
        return buffer_reserve_within(buffer, size, SIZE_MAX);
}

int buffer_reserve_within(struct buffer *buffer, size_t size, size_t most) {
        size_t needed, capacity;
        uint8_t *data;

        if (size <= buffer->capacity - buffer->size)
                return 0;
        if (__builtin_add_overflow(buffer->size, size, &needed))
                return -ENOMEM;
        capacity = buffer->capacity < SIZE_MAX / 2 ? buffer->capacity * 2 : SIZE_MAX;
        if (capacity < 256)
                capacity = 256;
        if (capacity > most)
                capacity = most;
        if (capacity < needed)
                capacity = needed;
        data = realloc(buffer->data, capacity);
        if (!data)
                return -ENOMEM;
        buffer->data = data;
        buffer->capacity = capacity;
        return 0;
}

void buffer_reset(struct buffer *buffer) {
        if (buffer->capacity > BUFFER_KEEP)
                buffer_free(buffer);
        buffer->size = 0;
}

void buffer_recycle(struct buffer *buffer) {
        if (buffer->size < buffer->capacity / 4)
                buffer_reset(buffer);
        buffer->size = 0;
}

void buffer_free(struct buffer *buffer) {
        free(buffer->data);
        *buffer = (struct buffer){ 0 };
}
