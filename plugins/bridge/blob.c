/* Both translators, JSON to MessagePack and back, write something whose length is known only at the end. This
 * is the one place where such memory grows. */
#include "blob.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int blob_reserve(struct blob *blob, size_t more) {
        if (blob->capacity - blob->size >= more)
                return 0;
        if (more > SIZE_MAX / 4 - blob->size)
                return -ENOMEM;
        size_t capacity = blob->capacity ? blob->capacity * 2 : 256;
        while (capacity - blob->size < more)
                capacity *= 2;
        char *data = realloc(blob->data, capacity);
        if (!data)
                return -ENOMEM;
        blob->data = data;
        blob->capacity = capacity;
        return 0;
}

int blob_add(struct blob *blob, const void *data, size_t size) {
        int r = blob_reserve(blob, size);
        if (r < 0)
                return r;
        if (size > 0)
                memcpy(blob->data + blob->size, data, size);
        blob->size += size;
        return 0;
}

int blob_add_text(struct blob *blob, const char *text) {
        return blob_add(blob, text, strlen(text));
}

int blob_add_byte(struct blob *blob, uint8_t byte) {
        return blob_add(blob, &byte, 1);
}

int blob_add_big_endian(struct blob *blob, uint64_t number, size_t size) {
        uint8_t bytes[8];
        for (size_t i = 0; i < size; i++)
                bytes[i] = (uint8_t) (number >> (8 * (size - 1 - i)));
        return blob_add(blob, bytes, size);
}

void blob_free(struct blob *blob) {
        free(blob->data);
        *blob = (struct blob){ 0 };
}
