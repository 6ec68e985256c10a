/* One walk over the type's table. On the wire a message is an array of its fields in order, a variant is
 * [tag, value], an enum an integer, an optional nil or [value], an `any` the bytes of its value as a binary,
 * a handle its index among the message's handles or nil. */
#include "encode.h"

#include <errno.h>
#include <msgpack/pack_define.h>
#include <msgpack/sysdep.h>
#include <msgpack/timestamp.h>
#include <string.h>

#include "decode.h"
#include "plain.h"
#include "raw.h"

struct encoder {
        struct handles *handles;
        unsigned depth;
        int error; /* Of append(), which msgpack-c passes on without a difference. */
        struct buffer *body;
};

static inline int append(struct encoder *encoder, const void *bytes, size_t size) {
        int r = buffer_append(encoder->body, bytes, size);

        if (__builtin_expect(r < 0, 0))
                encoder->error = r;
        return r;
}

/* msgpack-c's packer as functions of our own, pack_uint8() and so on, so that the compiler sees the sizes. */
#define msgpack_pack_inline_func(name)             static inline int pack##name
#define msgpack_pack_inline_func_cint(name)        static inline int pack##name
#define msgpack_pack_inline_func_fixint(name)      static inline int pack_fix##name
#define msgpack_pack_user                          struct encoder *
#define msgpack_pack_append_buffer(user, buf, len) return append(user, buf, len)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wpedantic"
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wcast-qual"
#include <msgpack/pack_template.h>
#pragma GCC diagnostic pop

static int encode_user(struct encoder *encoder, const struct leat_type *type, const unsigned char *memory);

/* For a length that MessagePack cannot say; the socket's limit is far below. */
static bool too_long(size_t size) {
        return size > UINT32_MAX;
}

static int encode_string(struct encoder *encoder, const unsigned char *memory) {
        const char *string;
        size_t size;

        memcpy(&string, memory, sizeof(string));
        size = string ? strlen(string) : 0;
        if (too_long(size))
                return LEAT_TOO_LARGE;
        (void) pack_str(encoder, size);
        if (size > 0)
                (void) pack_str_body(encoder, string, size);
        return 0;
}

static int encode_binary(struct encoder *encoder, const void *data, size_t size) {
        if (too_long(size))
                return LEAT_TOO_LARGE;
        if (!data && size > 0)
                return -EINVAL;
        (void) pack_bin(encoder, size);
        if (size > 0)
                (void) pack_bin_body(encoder, data, size);
        return 0;
}

static int encode_bytes(struct encoder *encoder, const unsigned char *memory) {
        leat_bytes bytes;

        memcpy(&bytes, memory, sizeof(bytes));
        return encode_binary(encoder, bytes.data, bytes.size);
}

static int encode_any(struct encoder *encoder, const unsigned char *memory) {
        static const uint8_t nil[] = { 0xc0 };
        leat_any any;

        memcpy(&any, memory, sizeof(any));
        if (any.size == 0)
                return encode_binary(encoder, nil, sizeof(nil));
        if (!any.data || !decode_is_value(any.data, any.size))
                return -EINVAL;
        return encode_binary(encoder, any.data, any.size);
}

static int encode_handle(struct encoder *encoder, unsigned kind, const unsigned char *memory) {
        struct handles none = { .count = 0 }, *handles = encoder->handles;
        size_t index;
        int r = handles_add(handles ? handles : &none, kind, memory, &index);

        if (r == LEAT_EMPTY)
                (void) pack_nil(encoder);
        else if (r == 0 && !handles)
                return -EINVAL;
        else if (r == 0)
                (void) pack_uint64(encoder, index);
        return r == LEAT_EMPTY ? 0 : r;
}

/* Numbers of one C type; the macro only names the type. */
#define ENCODE_NUMBER(C, pack)                           \
        do {                                             \
                C number;                                \
                memcpy(&number, memory, sizeof(number)); \
                (void) pack(encoder, number);            \
                return 0;                                \
        } while (0)

/* Compiled into its two callers, for it is done for each value: a call would cost as much as most values
 * do. */
static inline __attribute__((always_inline)) int
encode_element(struct encoder *encoder, const struct leat_field *field, const unsigned char *memory) {
        switch (field->kind) {
        case LEAT_KIND_i8:
                ENCODE_NUMBER(int8_t, pack_int8);
        case LEAT_KIND_i16:
                ENCODE_NUMBER(int16_t, pack_int16);
        case LEAT_KIND_i32:
                ENCODE_NUMBER(int32_t, pack_int32);
        case LEAT_KIND_i64:
                ENCODE_NUMBER(int64_t, pack_int64);
        case LEAT_KIND_u8:
                ENCODE_NUMBER(uint8_t, pack_uint8);
        case LEAT_KIND_u16:
                ENCODE_NUMBER(uint16_t, pack_uint16);
        case LEAT_KIND_u32:
                ENCODE_NUMBER(uint32_t, pack_uint32);
        case LEAT_KIND_u64:
                ENCODE_NUMBER(uint64_t, pack_uint64);
        case LEAT_KIND_f32:
                ENCODE_NUMBER(float, pack_float);
        case LEAT_KIND_f64:
                ENCODE_NUMBER(double, pack_double);
        case LEAT_KIND_boolean:
                (void) (*memory ? pack_true(encoder) : pack_false(encoder));
                return 0;
        case LEAT_KIND_string:
                return encode_string(encoder, memory);
        case LEAT_KIND_bytes:
                return encode_bytes(encoder, memory);
        case LEAT_KIND_any:
                return encode_any(encoder, memory);
        case LEAT_KIND_unit:
                (void) pack_nil(encoder);
                return 0;
        case LEAT_KIND_user:
                return encode_user(encoder, field->type(), memory);
        default:
                return encode_handle(encoder, field->kind, memory);
        }
}

static int encode_items(struct encoder *encoder, const struct leat_field *field, const unsigned char *items,
                        size_t count) {
        int r = 0;

        if (too_long(count))
                return LEAT_TOO_LARGE;
        if (!items && count > 0)
                return -EINVAL;
        (void) pack_array(encoder, count);
        for (size_t i = 0; r == 0 && encoder->error == 0 && i < count; i++)
                r = encode_element(encoder, field, items + i * field->size);
        return r;
}

/* The struct that every array field is; see LEAT_MEMBER_array. */
struct array_field {
        const unsigned char *items;
        size_t count;
};

/* A field that is not just one element. */
static int encode_several(struct encoder *encoder, const struct leat_field *field,
                          const unsigned char *message) {
        const unsigned char *memory = message + field->offset;
        struct array_field array;

        switch (field->shape) {
        case LEAT_SHAPE_optional:
                if (!*memory) {
                        (void) pack_nil(encoder);
                        return 0;
                }
                return encode_items(encoder, field, message + field->value_offset, 1);
        case LEAT_SHAPE_array:
                memcpy(&array, memory, sizeof(array));
                return encode_items(encoder, field, array.items, array.count);
        default:
                return encode_items(encoder, field, memory, field->count);
        }
}

static int encode_fields(struct encoder *encoder, const struct leat_field *fields, size_t count,
                         const unsigned char *message) {
        int r = 0;

        for (const struct leat_field *field = fields, *end = fields + count;
             r == 0 && encoder->error == 0 && field < end; field++)
                r = field->shape == LEAT_SHAPE_one ? encode_element(encoder, field, message + field->offset)
                                                   : encode_several(encoder, field, message);
        return r;
}

static int read_choice(const struct leat_type *type, const unsigned char *memory, uint32_t *ret_choice) {
        uint32_t choice;

        memcpy(&choice, memory, sizeof(choice));
        if (choice >= type->field_count)
                return -EINVAL;
        *ret_choice = choice;
        return 0;
}

static int encode_variant(struct encoder *encoder, const struct leat_type *type,
                          const unsigned char *memory) {
        uint32_t tag;
        int r = read_choice(type, memory, &tag);

        if (r < 0)
                return r;
        (void) pack_array(encoder, 2);
        (void) pack_uint32(encoder, tag);
        return encode_fields(encoder, &type->fields[tag], 1, memory);
}

static int encode_struct(struct encoder *encoder, const struct leat_type *type, const unsigned char *memory) {
        (void) pack_array(encoder, type->field_count);
        return encode_fields(encoder, type->fields, type->field_count, memory);
}

static int encode_user(struct encoder *encoder, const struct leat_type *type, const unsigned char *memory) {
        uint32_t choice;
        int r;

        if (type->kind == LEAT_TYPE_enum) {
                r = read_choice(type, memory, &choice);
                if (r == 0)
                        (void) pack_uint32(encoder, choice);
                return r;
        }
        if (encoder->depth == LEAT_MAX_NESTING)
                return LEAT_TOO_LARGE;
        encoder->depth++;
        r = type->kind == LEAT_TYPE_variant ? encode_variant(encoder, type, memory)
                                            : encode_struct(encoder, type, memory);
        encoder->depth--;
        return r;
}

static int encode_plain(const struct plan *plan, const void *message, struct buffer *body) {
        int r = buffer_reserve(body, plan->plain_size);

        if (r < 0 || plan->plain_size == 0)
                return r;
        memset(body->data + body->size, 0, plan->plain_size);
        r = plain_encode(plan->type, plan->required_fields, message, body->data + body->size);
        if (r == 0)
                body->size += plan->plain_size;
        return r;
}

static int encode_raw(const void *message, struct buffer *body) {
        leat_raw raw;
        int r = raw_read(message, &raw);

        return r < 0 ? r : buffer_append(body, raw.data, raw.size);
}

int encode_message(const struct plan *plan, const void *message, struct buffer *body,
                   struct handles *handles) {
        struct encoder encoder = { .handles = handles, .body = body };
        int r;

        if (plan->plain)
                return encode_plain(plan, message, body);
        if (plan->encoding == ENCODING_RAW)
                return encode_raw(message, body);
        r = encode_user(&encoder, plan->type, message);
        return r != 0 ? r : encoder.error;
}
