/* msgpack-c's parser calls back for every value that it meets; its object tree is never built. Each callback
 * asks the decoder where the value belongs (decoder.c) and puts it there, if it is what the type wants and
 * fits the field's range. */
#include "decode.h"

#include <errno.h>
#include <string.h>

#include "decoder.h"
#include "leat/raw.h"
#include "plain.h"

#define MSGPACK_EMBED_STACK_SIZE DECODE_MAX_NESTING
#include <msgpack/sysdep.h>
#include <msgpack/unpack.h>
#include <msgpack/unpack_define.h>

/* What the parser would keep of a value: nothing. */
struct value {
        char unused;
};

static int decode_nil(struct decoder *decoder, struct value *ret_value) {
        const struct place *place = &decoder->next;

        ret_value->unused = 0;
        if (place->kind == PLACE_SKIPPED || place->wanted == LEAT_KIND_unit ||
            place->wanted >= LEAT_KIND_descriptor)
                return 0;
        if (place->kind == PLACE_FIELD && place->field->shape == LEAT_SHAPE_optional)
                return 0;
        return decoder_malformed(decoder);
}

/* Puts a value where it belongs, if exactly that kind is wanted there. */
static inline int store(struct decoder *decoder, unsigned kind, const void *value, size_t size) {
        const struct place *place = &decoder->next;

        if (place->kind == PLACE_SKIPPED)
                return 0;
        if (place->wanted != kind)
                return decoder_malformed(decoder);
        memcpy(place->memory, value, size);
        return 0;
}

static int store_boolean(struct decoder *decoder, bool boolean) {
        return store(decoder, LEAT_KIND_boolean, &boolean, sizeof(boolean));
}

static int store_f32(struct decoder *decoder, float number) {
        return store(decoder, LEAT_KIND_f32, &number, sizeof(number));
}

static int store_f64(struct decoder *decoder, double number) {
        return store(decoder, LEAT_KIND_f64, &number, sizeof(number));
}

static int decode_true(struct decoder *decoder, struct value *ret_value) {
        ret_value->unused = 0;
        return store_boolean(decoder, true);
}

static int decode_false(struct decoder *decoder, struct value *ret_value) {
        ret_value->unused = 0;
        return store_boolean(decoder, false);
}

static int decode_choice(struct decoder *decoder, const struct leat_type *type, unsigned char *memory,
                         uint64_t number) {
        uint32_t choice = (uint32_t) number;

        if (number >= type->field_count)
                return decoder_malformed(decoder);
        memcpy(memory, &choice, sizeof(choice));
        return 0;
}

static int decode_tag(struct decoder *decoder, const struct place *place, uint64_t number) {
        int r = decode_choice(decoder, place->type, place->memory, number);

        if (r == 0)
                decoder_choose(decoder, &place->type->fields[number]);
        return r;
}

static int decode_handle(struct decoder *decoder, const struct place *place, uint64_t index) {
        int r = decoder->inbox ? inbox_refer(decoder->inbox, index, place->field, place->memory)
                               : LEAT_MALFORMED;

        return r == 0 ? 0 : decoder_fail(decoder, r);
}

/* Stores a number in a field of the C type when it fits. */
#define STORE(C, fits)                                          \
        do {                                                    \
                C stored = (C) number;                          \
                if (!(fits))                                    \
                        return decoder_malformed(decoder);      \
                memcpy(place->memory, &stored, sizeof(stored)); \
                return 0;                                       \
        } while (0)

static int decode_unsigned(struct decoder *decoder, uint64_t number) {
        const struct place *place = &decoder->next;

        if (place->kind == PLACE_SKIPPED)
                return 0;
        if (place->kind == PLACE_TAG)
                return decode_tag(decoder, place, number);
        switch (place->wanted) {
        case LEAT_KIND_u8:
                STORE(uint8_t, number <= UINT8_MAX);
        case LEAT_KIND_u16:
                STORE(uint16_t, number <= UINT16_MAX);
        case LEAT_KIND_u32:
                STORE(uint32_t, number <= UINT32_MAX);
        case LEAT_KIND_u64:
                STORE(uint64_t, true);
        case LEAT_KIND_i8:
                STORE(int8_t, number <= INT8_MAX);
        case LEAT_KIND_i16:
                STORE(int16_t, number <= INT16_MAX);
        case LEAT_KIND_i32:
                STORE(int32_t, number <= INT32_MAX);
        case LEAT_KIND_i64:
                STORE(int64_t, number <= INT64_MAX);
        case LEAT_KIND_user:
                if (place->field->type()->kind != LEAT_TYPE_enum)
                        return decoder_malformed(decoder);
                return decode_choice(decoder, place->field->type(), place->memory, number);
        case LEAT_KIND_descriptor:
        case LEAT_KIND_shared_memory:
        case LEAT_KIND_sender:
        case LEAT_KIND_receiver:
                return decode_handle(decoder, place, number);
        default:
                return decoder_malformed(decoder);
        }
}

static int decode_signed(struct decoder *decoder, int64_t number) {
        const struct place *place = &decoder->next;

        if (number >= 0)
                return decode_unsigned(decoder, (uint64_t) number);
        if (place->kind == PLACE_SKIPPED)
                return 0;
        switch (place->wanted) {
        case LEAT_KIND_i8:
                STORE(int8_t, number >= INT8_MIN);
        case LEAT_KIND_i16:
                STORE(int16_t, number >= INT16_MIN);
        case LEAT_KIND_i32:
                STORE(int32_t, number >= INT32_MIN);
        case LEAT_KIND_i64:
                STORE(int64_t, true);
        default:
                return decoder_malformed(decoder);
        }
}

static int decode_str(struct decoder *decoder, const char *base, const char *position, unsigned size,
                      struct value *ret_value) {
        const struct place *place = &decoder->next;
        const char *string = "";

        ret_value->unused = 0;
        if (place->kind == PLACE_SKIPPED)
                return 0;
        if (place->wanted != LEAT_KIND_string)
                return decoder_malformed(decoder);
        if (size > 0) {
                char *in_body = (char *) decoder->body + (position - base);

                if (memchr(in_body, 0, size))
                        return decoder_malformed(decoder);
                memmove(in_body - 1, in_body, size); /* Over the last byte of its header. */
                in_body[size - 1] = 0;
                string = in_body - 1;
        }
        memcpy(place->memory, &string, sizeof(string));
        return 0;
}

static int decode_bin(struct decoder *decoder, const char *base, const char *position, unsigned size,
                      struct value *ret_value) {
        const struct place *place = &decoder->next;
        leat_bytes bytes = { .data = size > 0 ? position : "", .size = size };
        leat_any any = { .data = bytes.data, .size = size };

        (void) base;
        ret_value->unused = 0;
        if (place->kind == PLACE_SKIPPED)
                return 0;
        switch (place->wanted) {
        case LEAT_KIND_bytes:
                memcpy(place->memory, &bytes, sizeof(bytes));
                return 0;
        case LEAT_KIND_any:
                if (!decode_is_value(any.data, any.size))
                        return decoder_malformed(decoder);
                memcpy(place->memory, &any, sizeof(any));
                return 0;
        default:
                return decoder_malformed(decoder);
        }
}

static int decode_ext(struct decoder *decoder, const char *base, const char *position, unsigned size,
                      struct value *ret_value) {
        (void) base;
        (void) position;
        ret_value->unused = 0;
        /* Its type byte counts; a length of 2^32 - 1 has wrapped to 0 in the parser. */
        if (size == 0 || decoder->next.kind != PLACE_SKIPPED)
                return decoder_malformed(decoder);
        return 0;
}

#define DECODE_NUMBER(name, C, how, wide)                                                      \
        static int decode_##name(struct decoder *decoder, C number, struct value *ret_value) { \
                ret_value->unused = 0;                                                         \
                return how(decoder, (wide) number);                                            \
        }
DECODE_NUMBER(array, unsigned, decoder_open_array, size_t)
DECODE_NUMBER(map, unsigned, decoder_open_map, size_t)
DECODE_NUMBER(float, float, store_f32, float)
DECODE_NUMBER(double, double, store_f64, double)
DECODE_NUMBER(uint8, uint8_t, decode_unsigned, uint64_t)
DECODE_NUMBER(uint16, uint16_t, decode_unsigned, uint64_t)
DECODE_NUMBER(uint32, uint32_t, decode_unsigned, uint64_t)
DECODE_NUMBER(uint64, uint64_t, decode_unsigned, uint64_t)
DECODE_NUMBER(int8, int8_t, decode_signed, int64_t)
DECODE_NUMBER(int16, int16_t, decode_signed, int64_t)
DECODE_NUMBER(int32, int32_t, decode_signed, int64_t)
DECODE_NUMBER(int64, int64_t, decode_signed, int64_t)

static struct value decode_root(struct decoder *decoder) {
        (void) decoder;
        return (struct value){ 0 };
}

static int decode_array_item(struct decoder *decoder, struct value *container, struct value item) {
        (void) container;
        (void) item;
        decoder_complete_item(decoder);
        return 0;
}

static int decode_map_item(struct decoder *decoder, struct value *container, struct value key,
                           struct value item) {
        (void) container;
        (void) key;
        (void) item;
        decoder_complete_item(decoder);
        return 0;
}

#define msgpack_unpack_struct(name)    struct parser##name
#define msgpack_unpack_func(ret, name) static ret parser##name
#define msgpack_unpack_callback(name)  decode##name
#define msgpack_unpack_object          struct value
#define msgpack_unpack_user            struct decoder
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wpedantic"
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wcast-qual"
#include <msgpack/unpack_template.h>
#pragma GCC diagnostic pop

static void parser_prepare(struct parser_context *parser, const struct plan *plan, size_t size,
                           void *message) {
        decoder_start(&parser->user, plan, size, message);
        parser_init(parser);
}

static bool parse_all(struct parser_context *parser, const void *data, size_t size) {
        size_t offset = 0;

        return size > 0 && parser_execute(parser, data, size, &offset) == 1 && offset == size;
}

bool decode_is_value(const void *data, size_t size) {
        struct parser_context parser;

        parser_prepare(&parser, NULL, size, NULL);
        return parse_all(&parser, data, size);
}

static int decode_messagepack(const struct plan *plan, uint8_t *body, size_t size, struct arena *arena,
                              struct inbox *inbox, void *message) {
        struct parser_context parser;

        parser_prepare(&parser, plan, size, message);
        parser.user.arena = arena;
        parser.user.inbox = inbox;
        parser.user.body = body;
        return parse_all(&parser, body, size) ? 0 : parser.user.error;
}

static int decode_raw(const uint8_t *body, size_t size, void *message) {
        static const uint64_t nothing; /* Aligned as all that is received. */
        leat_raw raw = { .data = size > 0 ? (const void *) body : &nothing, .size = size };

        memcpy(message, &raw, sizeof(raw));
        return 0;
}

int decode_message(const struct plan *plan, enum encoding encoding, uint8_t *body, size_t size,
                   struct arena *arena, struct inbox *inbox, void *ret_message) {
        if ((encoding == ENCODING_RAW) != (plan->encoding == ENCODING_RAW))
                return LEAT_MALFORMED;
        if (encoding == ENCODING_RAW)
                return decode_raw(body, size, ret_message);
        if (encoding == ENCODING_PLAIN && (!plan->base_is_plain || size != plan->plain_size))
                return LEAT_MALFORMED;
        if (encoding == ENCODING_PLAIN && plan->image_is_memory) {
                if (size > 0)
                        memcpy(ret_message, body, size);
                return 0;
        }
        memset(ret_message, 0, plan->type->size);
        if (encoding == ENCODING_PLAIN && size == 0)
                return 0; /* Units. Nowhere is a body, then, that could be read from. */
        if (encoding == ENCODING_PLAIN)
                return plain_decode(plan->type, plan->required_fields, body, ret_message);
        return decode_messagepack(plan, body, size, arena, inbox, ret_message);
}
