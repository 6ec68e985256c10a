/* Reading and writing the maps that the protocol's payloads are.
 *
 * A payload comes from a stranger. msgpack-c's usual unpacker allocates what an array's header claims, so
 * one of five bytes can ask for gigabytes; its parser underneath, a template that calls back for every
 * value, allocates nothing. It is instantiated here with callbacks that remember only what was asked for. */
#include "leat/payload.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <msgpack.h>
#define MSGPACK_EMBED_STACK_SIZE LEAT_PAYLOAD_DEPTH
#include <msgpack/unpack_define.h>

#define MAX_NAMES 64

leat_text leat_text_of(const char *string) {
        leat_text text = { string, string == NULL ? 0 : strlen(string) };

        return text;
}

bool leat_text_equal(leat_text text, const char *string) {
        size_t size = strlen(string);

        return text.size == size && (size == 0 || memcmp(text.data, string, size) == 0);
}

/* The parser's object: a value, and for a map whether it is the root. */
struct visited {
        leat_value value;
        bool root;
};

/* The parser's user: what is looked for, and where it goes. */
struct visit {
        const char *const *names;
        size_t count;
        leat_value *values;
        size_t containers; /* Started so far: the first is the root. */
        bool map;          /* The root is a map. */
};

#define msgpack_unpack_struct(name)    struct payload##name
#define msgpack_unpack_func(ret, name) static inline ret payload##name
#define msgpack_unpack_callback(name)  payload_on##name
#define msgpack_unpack_object          struct visited
#define msgpack_unpack_user            struct visit

static inline struct visited visited_of(leat_value_kind kind) {
        struct visited visited = { .value = { .kind = kind } };

        return visited;
}

static inline struct visited payload_on_root(struct visit *visit) {
        (void) visit;
        return visited_of(LEAT_VALUE_NIL);
}

static inline int payload_on_int64(struct visit *visit, int64_t number, struct visited *ret) {
        (void) visit;
        *ret = visited_of(LEAT_VALUE_INTEGER);
        ret->value.integer = number;
        return 0;
}

static inline int payload_on_uint64(struct visit *visit, uint64_t number, struct visited *ret) {
        if (number <= INT64_MAX)
                return payload_on_int64(visit, (int64_t) number, ret);
        *ret = visited_of(LEAT_VALUE_OTHER);
        return 0;
}

#define payload_on_uint8  payload_on_int64
#define payload_on_uint16 payload_on_int64
#define payload_on_uint32 payload_on_int64
#define payload_on_int8   payload_on_int64
#define payload_on_int16  payload_on_int64
#define payload_on_int32  payload_on_int64

static inline int payload_on_double(struct visit *visit, double number, struct visited *ret) {
        (void) visit;
        *ret = visited_of(LEAT_VALUE_REAL);
        ret->value.real = number;
        return 0;
}

static inline int payload_on_float(struct visit *visit, float number, struct visited *ret) {
        return payload_on_double(visit, (double) number, ret);
}

static inline int payload_on_nil(struct visit *visit, struct visited *ret) {
        (void) visit;
        *ret = visited_of(LEAT_VALUE_NIL);
        return 0;
}

static inline int payload_on_true(struct visit *visit, struct visited *ret) {
        (void) visit;
        *ret = visited_of(LEAT_VALUE_BOOLEAN);
        ret->value.boolean = true;
        return 0;
}

static inline int payload_on_false(struct visit *visit, struct visited *ret) {
        (void) visit;
        *ret = visited_of(LEAT_VALUE_BOOLEAN);
        return 0;
}

static inline int payload_on_str(struct visit *visit, const char *base, const char *p, unsigned int size,
                                 struct visited *ret) {
        (void) visit;
        (void) base;
        *ret = visited_of(LEAT_VALUE_TEXT);
        ret->value.text.data = p;
        ret->value.text.size = size;
        return 0;
}

static inline int payload_on_bin(struct visit *visit, const char *base, const char *p, unsigned int size,
                                 struct visited *ret) {
        (void) visit;
        (void) base;
        (void) p;
        (void) size;
        *ret = visited_of(LEAT_VALUE_OTHER);
        return 0;
}

#define payload_on_ext payload_on_bin

static inline int payload_on_array(struct visit *visit, unsigned int count, struct visited *ret) {
        (void) count;
        visit->containers++;
        *ret = visited_of(LEAT_VALUE_OTHER);
        return 0;
}

static inline int payload_on_array_item(struct visit *visit, struct visited *array, struct visited item) {
        (void) visit;
        (void) array;
        (void) item;
        return 0;
}

static inline int payload_on_map(struct visit *visit, unsigned int count, struct visited *ret) {
        (void) count;
        *ret = visited_of(LEAT_VALUE_OTHER);
        ret->root = visit->containers++ == 0;
        visit->map = visit->map || ret->root;
        return 0;
}

static inline int payload_on_map_item(struct visit *visit, struct visited *map, struct visited name,
                                      struct visited value) {
        if (!map->root || name.value.kind != LEAT_VALUE_TEXT)
                return 0;
        for (size_t i = 0; i < visit->count; i++)
                if (leat_text_equal(name.value.text, visit->names[i]))
                        visit->values[i] = value.value;
        return 0;
}

#include <msgpack/unpack_template.h>

int leat_payload_read(leat_any payload, const char *const names[], size_t count, leat_value ret_values[]) {
        leat_value values[MAX_NAMES];
        struct payload_context context;
        size_t offset = 0;
        int r = LEAT_MALFORMED;

        if (count > MAX_NAMES)
                return -EINVAL;
        memset(values, 0, sizeof(values[0]) * count);
        context.user = (struct visit){ .names = names, .count = count, .values = values };
        payload_init(&context);
        if (payload.size > 0 &&
            payload_execute(&context, (const char *) payload.data, payload.size, &offset) > 0 &&
            offset == payload.size && context.user.map)
                r = 0;
        if (r != 0)
                memset(values, 0, sizeof(values[0]) * count);
        memcpy(ret_values, values, sizeof(values[0]) * count);
        return r;
}

int leat_payload_find(leat_any payload, const char *name, leat_value *ret_value) {
        return leat_payload_read(payload, &name, 1, ret_value);
}

static int pack_text(msgpack_packer *packer, leat_text text) {
        int r = msgpack_pack_str(packer, text.size);

        if (r == 0 && text.size > 0)
                r = msgpack_pack_str_body(packer, text.data, text.size);
        return r;
}

static int pack_value(msgpack_packer *packer, const leat_value *value) {
        switch (value->kind) {
        case LEAT_VALUE_NIL:
                return msgpack_pack_nil(packer);
        case LEAT_VALUE_BOOLEAN:
                return value->boolean ? msgpack_pack_true(packer) : msgpack_pack_false(packer);
        case LEAT_VALUE_INTEGER:
                return msgpack_pack_int64(packer, value->integer);
        case LEAT_VALUE_REAL:
                return msgpack_pack_double(packer, value->real);
        case LEAT_VALUE_TEXT:
                return pack_text(packer, value->text);
        case LEAT_VALUE_MISSING:
        case LEAT_VALUE_OTHER:
                break;
        }
        return -1;
}

static bool writable(const leat_member *member) {
        return member->value.kind != LEAT_VALUE_MISSING && member->value.kind != LEAT_VALUE_OTHER &&
               member->value.text.size <= UINT32_MAX;
}

int leat_payload_write(const leat_member members[], size_t count, leat_any *ret_payload) {
        msgpack_sbuffer buffer;
        msgpack_packer packer;
        int r;

        for (size_t i = 0; i < count; i++)
                if (!writable(&members[i]))
                        return -EINVAL;
        msgpack_sbuffer_init(&buffer);
        msgpack_packer_init(&packer, &buffer, msgpack_sbuffer_write);
        r = msgpack_pack_map(&packer, count);
        for (size_t i = 0; r == 0 && i < count; i++) {
                r = pack_text(&packer, leat_text_of(members[i].name));
                if (r == 0)
                        r = pack_value(&packer, &members[i].value);
        }
        if (r != 0) {
                msgpack_sbuffer_destroy(&buffer);
                return -ENOMEM; /* The buffer's growth is all that can fail. */
        }
        ret_payload->size = buffer.size;
        ret_payload->data = msgpack_sbuffer_release(&buffer);
        return 0;
}

void leat_payload_free(leat_any *payload) {
        free((void *) (uintptr_t) payload->data);
        payload->data = NULL;
        payload->size = 0;
}

leat_value leat_value_boolean(bool boolean) {
        leat_value value = { .kind = LEAT_VALUE_BOOLEAN, .boolean = boolean };

        return value;
}

leat_value leat_value_integer(int64_t integer) {
        leat_value value = { .kind = LEAT_VALUE_INTEGER, .integer = integer };

        return value;
}

leat_value leat_value_real(double real) {
        leat_value value = { .kind = LEAT_VALUE_REAL, .real = real };

        return value;
}

leat_value leat_value_text(leat_text text) {
        leat_value value = { .kind = LEAT_VALUE_TEXT, .text = text };

        return value;
}

leat_value leat_value_string(const char *string) {
        return leat_value_text(leat_text_of(string));
}

int leat_payload_ok(const char *received, leat_any *ret_payload) {
        leat_member members[] = { { "OK", leat_value_boolean(true) },
                                  { "Received", leat_value_string(received) } };

        return leat_payload_write(members, 2, ret_payload);
}

int leat_payload_error(const char *code, const char *text, leat_any *ret_payload) {
        leat_member members[] = { { "Code", leat_value_string(code) },
                                  { "Message", leat_value_string(text) } };

        return leat_payload_write(members, 2, ret_payload);
}
