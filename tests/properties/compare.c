/* What arrived, looked at: is it valid, is it what was sent. One walk over two messages of one type, or of
 * two that differ in the optionals at their end; one of the two may be missing, then only validity is
 * asked. */
#include "values.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "connection.h"
#include "receiver.h"
#include "sender.h"
#include "support.h"

struct comparison {
        const struct value *value; /* Whose handles are asked for; NULL: they are not. */
        const char *body;          /* Where strings and bytes have to be; NULL: wherever they like. */
        size_t body_size;
        size_t items;
};

#define DIFFERS(what) (fprintf(stderr, "differs: %s (%s:%d)\n", what, __FILE__, __LINE__), false)

static bool same_type(struct comparison *comparison, const struct leat_type *type,
                      const struct leat_type *reader, const unsigned char *sent, const unsigned char *got);

/* A MessagePack value's end, or NULL. Written from its specification. */
static const unsigned char *skip(const unsigned char *at, const unsigned char *end, unsigned depth) {
        static const signed char widths[] = { /* c0 to df: what stands behind the first byte. */
                                              0, -1, 0, 0, -2, -3, -5, -2, -3, -5, 4,  8,  1,  2,  4,  8,
                                              1, 2,  4, 8, 2,  3,  5,  9,  17, -2, -3, -5, -3, -5, -3, -5
        };
        uint64_t n_items = 0, size = 0, width = 0;
        unsigned char code;

        if (at == end)
                return NULL;
        code = *at++;
        if (code < 0x80 || code >= 0xe0)
                return at;
        if (code < 0xa0)
                n_items = (code & 15U) * (code < 0x90 ? 2U : 1U);
        else if (code < 0xc0)
                size = code & 31U;
        else if (code == 0xc1)
                return NULL;
        else if (widths[code - 0xc0] >= 0)
                size = (uint64_t) widths[code - 0xc0];
        else
                width = (uint64_t) (-1 - widths[code - 0xc0]);
        if (width > 0) {
                uint64_t length = 0;

                if ((uint64_t) (end - at) < width)
                        return NULL;
                for (uint64_t i = 0; i < width; i++)
                        length = length << 8 | *at++;
                if (code >= 0xdc)
                        n_items = length * (code >= 0xde ? 2 : 1);
                else
                        size = length + (code >= 0xc7 && code <= 0xc9 ? 1 : 0); /* An extension's type. */
        }
        if ((uint64_t) (end - at) < size || (n_items > 0 && depth == 0))
                return NULL;
        at += size;
        for (uint64_t i = 0; at && i < n_items; i++)
                at = skip(at, end, depth - 1);
        return at;
}

/* What is empty may be anywhere. */
static bool is_in_body(const struct comparison *comparison, const void *bytes, size_t size) {
        const char *first = bytes;

        return !comparison->body || size == 0 || (size == 1 && *first == 0) ||
               (first >= comparison->body && size <= comparison->body_size &&
                first - comparison->body <= (ptrdiff_t) (comparison->body_size - size));
}

static bool same_string(struct comparison *comparison, const unsigned char *sent, const unsigned char *got) {
        const char *a = NULL, *b;

        memcpy(&b, got, sizeof(b));
        if (!b)
                return DIFFERS("a string that is NULL");
        if (!is_in_body(comparison, b, strlen(b) + 1))
                return DIFFERS("a string outside of the body");
        if (!sent)
                return true;
        memcpy(&a, sent, sizeof(a));
        return strcmp(a ? a : "", b) == 0 || DIFFERS("a string");
}

static bool same_bytes(struct comparison *comparison, const struct leat_field *row, const unsigned char *sent,
                       const unsigned char *got) {
        static const leat_bytes nil = { "\xc0", 1 };
        leat_bytes a, b;
        unsigned sum = 0;

        memcpy(&b, got, sizeof(b));
        if (!b.data)
                return DIFFERS("bytes that are NULL");
        if (!is_in_body(comparison, b.data, b.size))
                return DIFFERS("bytes outside of the body");
        for (size_t i = 0; i < b.size; i++)
                sum += ((const volatile unsigned char *) b.data)[i];
        if (row->kind == LEAT_KIND_any && skip(b.data, (const unsigned char *) b.data + b.size, 128) !=
                                                  (const unsigned char *) b.data + b.size)
                return DIFFERS("an any that is no value");
        if (!sent)
                return sum <= b.size * 255;
        memcpy(&a, sent, sizeof(a));
        if (row->kind == LEAT_KIND_any && a.size == 0)
                a = nil;
        if (a.size != b.size || (a.size > 0 && memcmp(a.data, b.data, a.size) != 0))
                return DIFFERS("bytes");
        return true;
}

/* ---- handles ---- */

static const struct value_handle *handle_at(const struct value *value, const unsigned char *field) {
        for (size_t i = 0; i < value->n_handles; i++)
                if (value->handles[i].field == field)
                        return &value->handles[i];
        return NULL;
}

static int descriptor_in(const struct leat_field *row, const unsigned char *got) {
        leat_descriptor descriptor;
        leat_shared_memory memory;
        void *object;

        switch (row->kind) {
        case LEAT_KIND_descriptor:
                memcpy(&descriptor, got, sizeof(descriptor));
                return leat_descriptor_number(descriptor);
        case LEAT_KIND_shared_memory:
                memcpy(&memory, got, sizeof(memory));
                return leat_shared_memory_descriptor(memory);
        case LEAT_KIND_sender:
                memcpy(&object, got, sizeof(object));
                return object ? ((struct leat_sender *) object)->connection->fd : -1;
        default:
                memcpy(&object, got, sizeof(object));
                return object ? ((struct leat_receiver *) object)->connection->fd : -1;
        }
}

static bool same_handle(struct comparison *comparison, const struct leat_field *row,
                        const unsigned char *sent, const unsigned char *got) {
        const struct value_handle *handle;
        int fd = descriptor_in(row, got);
        struct stat status;

        if (!comparison->value)
                return true;
        handle = handle_at(comparison->value, sent);
        if (!handle)
                return fd < 0 || DIFFERS("a handle that was not sent");
        if (fd < 0)
                return DIFFERS("a handle that is missing");
        check(fstat(fd, &status) == 0);
        return status.st_ino == handle->inode || DIFFERS("another handle");
}

/* ---- the walk ---- */

static bool same_element(struct comparison *comparison, const struct leat_field *row,
                         const struct leat_field *reader, const unsigned char *sent,
                         const unsigned char *got) {
        switch (row->kind) {
        case LEAT_KIND_boolean:
                return (*got < 2 && (!sent || *sent == *got)) || DIFFERS("a boolean");
        case LEAT_KIND_string:
                return same_string(comparison, sent, got);
        case LEAT_KIND_bytes:
        case LEAT_KIND_any:
                return same_bytes(comparison, row, sent, got);
        case LEAT_KIND_unit:
                return true;
        case LEAT_KIND_user:
                return same_type(comparison, row->type(), reader->type(), sent, got);
        case LEAT_KIND_descriptor:
        case LEAT_KIND_shared_memory:
        case LEAT_KIND_sender:
        case LEAT_KIND_receiver:
                return same_handle(comparison, row, sent, got);
        default:
                return !sent || memcmp(sent, got, row->size) == 0 || DIFFERS("a number");
        }
}

static bool same_items(struct comparison *comparison, const struct leat_field *row,
                       const struct leat_field *reader, const unsigned char *sent, const unsigned char *got,
                       size_t count) {
        bool same = true;

        for (size_t i = 0; same && i < count; i++)
                same = same_element(comparison, row, reader, sent ? sent + i * row->size : NULL,
                                    got + i * reader->size);
        return same;
}

struct array_of {
        const unsigned char *items;
        size_t count;
};

static bool same_array(struct comparison *comparison, const struct leat_field *row,
                       const struct leat_field *reader, const unsigned char *sent, const unsigned char *got) {
        struct array_of a = { 0 }, b;

        memcpy(&b, got, sizeof(b));
        if (b.count > 0 && (uintptr_t) b.items % _Alignof(max_align_t) != 0)
                return DIFFERS("an array's alignment");
        comparison->items += b.count * reader->size;
        if (sent)
                memcpy(&a, sent, sizeof(a));
        if (sent && a.count != b.count)
                return DIFFERS("an array's count");
        return same_items(comparison, row, reader, a.items, b.items, b.count);
}

static bool same_field(struct comparison *comparison, const struct leat_field *row,
                       const struct leat_field *reader, const unsigned char *sent, const unsigned char *got) {
        const unsigned char *a = sent ? sent + row->offset : NULL, *b = got + reader->offset;

        switch (row->shape) {
        case LEAT_SHAPE_optional:
                if (*b > 1 || (a && *a != *b))
                        return DIFFERS("whether an optional is there");
                return same_items(comparison, row, reader, sent ? sent + row->value_offset : NULL,
                                  got + reader->value_offset, *b);
        case LEAT_SHAPE_array:
                return same_array(comparison, row, reader, a, b);
        default:
                return same_items(comparison, row, reader, a, b, row->count);
        }
}

static bool same_choice(const struct leat_type *type, const unsigned char *sent, const unsigned char *got,
                        uint32_t *ret_choice) {
        uint32_t a, b;

        memcpy(&b, got, sizeof(b));
        if (b >= type->field_count)
                return DIFFERS("a choice that there is not");
        memcpy(&a, sent ? sent : got, sizeof(a));
        *ret_choice = b;
        return a == b || DIFFERS("a choice");
}

static bool same_type(struct comparison *comparison, const struct leat_type *type,
                      const struct leat_type *reader, const unsigned char *sent, const unsigned char *got) {
        size_t i = 0;
        bool same = true;
        uint32_t choice;

        if (type->kind == LEAT_TYPE_enum)
                return same_choice(type, sent, got, &choice);
        if (type->kind == LEAT_TYPE_variant)
                return same_choice(type, sent, got, &choice) &&
                       same_field(comparison, &type->fields[choice], &reader->fields[choice], sent, got);
        for (; same && i < type->field_count && i < reader->field_count; i++)
                same = same_field(comparison, &type->fields[i], &reader->fields[i], sent, got);
        /* What an older writer does not know is not there. */
        for (; same && i < reader->field_count; i++)
                if (got[reader->fields[i].offset] != 0)
                        same = DIFFERS("an optional that nobody sent");
        return same;
}

bool value_arrived(const struct value *value, const struct leat_type *type, const void *message) {
        struct comparison comparison = { .value = value };

        return same_type(&comparison, value->type, type, value->message, message);
}

bool value_is_valid(const struct leat_type *type, const void *message, const void *body, size_t body_size,
                    size_t *ret_items) {
        struct comparison comparison = { .body = body, .body_size = body_size };
        bool valid = same_type(&comparison, type, type, NULL, message);

        *ret_items = comparison.items;
        return valid;
}

bool value_equal(const struct leat_type *type, const void *a, const void *b) {
        struct comparison comparison = { .value = NULL };

        return same_type(&comparison, type, type, a, b);
}
