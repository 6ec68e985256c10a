/* What a TCP client writes as JSON travels inside as MessagePack. jansson parses; this module adds what it
 * leaves out (limits that can be told apart, see json_limits.c) and writes the values in MessagePack's
 * shortest forms (the format: github.com/msgpack/msgpack/blob/master/spec.md). */
#include "json_to_msgpack.h"

#include <errno.h>
#include <string.h>

#include "json_limits.h"
#include "refusal.h"
#include "utf8.h"

int json_parse(char *text, size_t size, json_t **ret_value) {
        if (!utf8_valid(text, size))
                return REFUSAL_INVALID_UTF8;
        int limits = json_limits_apply(text, size);
        if (limits < 0)
                return limits;

        json_error_t error;
        json_t *value = json_loadb(text, size, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
        if (value) {
                *ret_value = value;
                return limits;
        }
        switch (json_error_code(&error)) {
        case json_error_out_of_memory:
                return -ENOMEM;
        case json_error_null_byte_in_key:
                return REFUSAL_INVALID_MESSAGE;
        case json_error_numeric_overflow:
                return REFUSAL_NUMBER_OUT_OF_RANGE;
        default: /* Brackets that open too often and never close are both; the first fault counts. */
                return limits == REFUSAL_TOO_DEEP ? limits : REFUSAL_INVALID_JSON;
        }
}

static int put(struct blob *out, uint8_t head, uint64_t number, size_t size) {
        int r = blob_reserve(out, 1 + size);
        if (r < 0)
                return r;
        blob_add_byte(out, head);
        return blob_add_big_endian(out, number, size);
}

static int put_integer(struct blob *out, int64_t value) {
        uint64_t bits = (uint64_t) value;
        if (value >= -32 && value <= 127)
                return blob_add_byte(out, (uint8_t) bits);
        if (value >= 0)
                return value <= UINT8_MAX    ? put(out, 0xCC, bits, 1)
                       : value <= UINT16_MAX ? put(out, 0xCD, bits, 2)
                       : value <= UINT32_MAX ? put(out, 0xCE, bits, 4)
                                             : put(out, 0xCF, bits, 8);
        return value >= INT8_MIN    ? put(out, 0xD0, bits, 1)
               : value >= INT16_MIN ? put(out, 0xD1, bits, 2)
               : value >= INT32_MIN ? put(out, 0xD2, bits, 4)
                                    : put(out, 0xD3, bits, 8);
}

static int put_real(struct blob *out, double value) {
        uint64_t bits;
        memcpy(&bits, &value, sizeof bits);
        return put(out, 0xCB, bits, 8);
}

static int put_string(struct blob *out, const char *text, size_t size) {
        int r = size < 32            ? blob_add_byte(out, (uint8_t) (0xA0 | size))
                : size <= UINT8_MAX  ? put(out, 0xD9, size, 1)
                : size <= UINT16_MAX ? put(out, 0xDA, size, 2)
                                     : put(out, 0xDB, size, 4);
        return r < 0 ? r : blob_add(out, text, size);
}

/* Of an array or a map: `few` is the form for a count below 16, `head` the one with two bytes. */
static int put_count(struct blob *out, uint8_t few, uint8_t head, size_t count) {
        return count < 16            ? blob_add_byte(out, (uint8_t) (few | count))
               : count <= UINT16_MAX ? put(out, head, count, 2)
                                     : put(out, (uint8_t) (head + 1), count, 4);
}

static int put_array(struct blob *out, const json_t *array) {
        size_t count = json_array_size(array);
        int r = put_count(out, 0x90, 0xDC, count);
        for (size_t i = 0; r == 0 && i < count; i++)
                r = json_to_msgpack(json_array_get(array, i), out);
        return r;
}

static int put_object(struct blob *out, const json_t *object) {
        /* jansson's iterator takes the object as not const, and does not change it. */
        json_t *iterated = (json_t *) (uintptr_t) object;
        int r = put_count(out, 0x80, 0xDE, json_object_size(object));
        for (void *i = json_object_iter(iterated); r == 0 && i; i = json_object_iter_next(iterated, i)) {
                r = put_string(out, json_object_iter_key(i), json_object_iter_key_len(i));
                if (r == 0)
                        r = json_to_msgpack(json_object_iter_value(i), out);
        }
        return r;
}

int json_to_msgpack(const json_t *value, struct blob *out) {
        switch (json_typeof(value)) {
        case JSON_OBJECT:
                return put_object(out, value);
        case JSON_ARRAY:
                return put_array(out, value);
        case JSON_STRING:
                return put_string(out, json_string_value(value), json_string_length(value));
        case JSON_INTEGER:
                return put_integer(out, json_integer_value(value));
        case JSON_REAL:
                return put_real(out, json_real_value(value));
        case JSON_TRUE:
                return blob_add_byte(out, 0xC3);
        case JSON_FALSE:
                return blob_add_byte(out, 0xC2);
        case JSON_NULL:
                return blob_add_byte(out, 0xC0);
        }
        return -EINVAL;
}
