/* Making random messages. */
#include "values.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <leat/opaque.h>
#include <leat/raw.h>

#include "connection.h"
#include "receiver.h"
#include "sender.h"
#include "support.h"

struct piece {
        struct piece *next;
        _Alignas(16) unsigned char bytes[];
};

/* Behind each piece is the filler, so that what reads too far is seen. */
static void *piece(struct value *value, size_t size) {
        struct piece *piece = malloc(sizeof(*piece) + size + 16);

        check(piece);
        piece->next = value->pieces;
        value->pieces = piece;
        memset(piece->bytes, value->filler, size + 16);
        value->bytes += size;
        value->room -= size < value->room ? size : value->room;
        return piece->bytes;
}

/* The ends of ranges are where mistakes are. */
static uint64_t random_number(struct dice *dice) {
        uint64_t power = (uint64_t) 1 << dice_below(dice, 64);

        switch (dice_below(dice, 8)) {
        case 0:
                return 0;
        case 1:
                return UINT64_MAX;
        case 2:
                return power;
        case 3:
                return power - 1;
        case 4:
                return 0 - power;
        case 5:
                return 0 - power - 1;
        default:
                return dice_roll(dice);
        }
}

static uint64_t random_f64(struct dice *dice) {
        static const uint64_t odd[] = { 0x0000000000000000, 0x8000000000000000, 0x7ff0000000000000,
                                        0xfff0000000000000, 0x7ff8000000000000, 0xfff8000000000001,
                                        0x7ff0000000000001, 0xffffffffffffffff, 0x0000000000000001,
                                        0x7fefffffffffffff, 0x3ff0000000000000, 0x8010000000000000 };

        return dice_one_in(dice, 2) ? odd[dice_below(dice, sizeof(odd) / sizeof(odd[0]))] : dice_roll(dice);
}

static uint32_t any_f32(struct dice *dice) {
        static const uint32_t odd[] = { 0x00000000, 0x80000000, 0x7f800000, 0xff800000,
                                        0x7fc00000, 0xffc00001, 0x7f800001, 0xffffffff,
                                        0x00000001, 0x7f7fffff, 0x3f800000, 0x80800000 };

        return dice_one_in(dice, 2) ? odd[dice_below(dice, sizeof(odd) / sizeof(odd[0]))]
                                    : (uint32_t) dice_roll(dice);
}

static uint32_t random_f32(struct value *value) {
        uint32_t number = any_f32(&value->dice);

        return value->quiet && (number & 0x7f800000) == 0x7f800000 && (number & 0x7fffff) != 0
                       ? number | 0x400000
                       : number;
}

/* Lengths around those at which MessagePack changes its form, and now and then all that there is room for. */
static size_t random_size(struct value *value) {
        static const size_t sizes[] = { 0, 1, 15, 16, 31, 32, 255, 256, 65535, 65536 };
        size_t size = dice_below(&value->dice, 20);

        if (dice_one_in(&value->dice, 6))
                size = sizes[dice_below(&value->dice, sizeof(sizes) / sizeof(sizes[0]))];
        else if (dice_one_in(&value->dice, value->room > 65536 ? 3 : 30))
                size = value->room - dice_below(&value->dice, value->room / 2 + 1);
        return size < value->room ? size : value->room;
}

static void set_string(struct value *value, unsigned char *memory) {
        size_t size = random_size(value);
        char *string = NULL;

        if (size > 0 || dice_one_in(&value->dice, 2)) { /* NULL is empty too. */
                string = piece(value, size + 1);
                for (size_t i = 0; i < size; i++)
                        string[i] = (char) (1 + dice_below(&value->dice, 255));
                string[size] = 0;
        }
        memcpy(memory, &string, sizeof(string));
}

static void set_bytes(struct value *value, unsigned char *memory) {
        leat_bytes bytes = { .size = random_size(value) };
        unsigned char *data = NULL;

        if (bytes.size > 0 || dice_one_in(&value->dice, 2))
                data = piece(value, bytes.size);
        for (size_t i = 0; i < bytes.size; i++)
                data[i] = (unsigned char) dice_roll(&value->dice);
        bytes.data = data;
        memcpy(memory, &bytes, sizeof(bytes));
}

static void set_any(struct value *value, unsigned char *memory) {
        static const char *const values[] = { "\xc0",
                                              "\x7f",
                                              "\xff",
                                              "\xcc\xff",
                                              "\xa3"
                                              "abc",
                                              "\x93\x01\xc2\xc3",
                                              "\x81\xa1k\x90",
                                              "\xd4\x01x",
                                              "\xcb"
                                              "12345678",
                                              "\xc4\x02xy",
                                              "" };
        const char *text = values[dice_below(&value->dice, sizeof(values) / sizeof(values[0]))];
        leat_any any = { .size = strlen(text) };

        if (any.size > 0 && dice_one_in(&value->dice, 10)) { /* As deep as there may be. */
                size_t depth = dice_between(&value->dice, 1, 128);
                unsigned char *data = piece(value, depth + 1);

                memset(data, 0x91, depth);
                data[depth] = 0xc0;
                any = (leat_any){ .data = data, .size = depth + 1 };
        } else if (any.size > 0) {
                any.data = memcpy(piece(value, any.size), text, any.size);
        }
        memcpy(memory, &any, sizeof(any));
}

/* ---- handles ---- */

static uint64_t inode_of(int fd) {
        struct stat status;

        check(fstat(fd, &status) == 0);
        return status.st_ino;
}

static struct value_handle *new_handle(struct value *value, const struct leat_field *row, const void *field) {
        struct value_handle *handle = &value->handles[value->n_handles++];

        *handle = (struct value_handle){ .field = field, .row = row, .fd = -1 };
        return handle;
}

static void set_descriptor(struct value *value, const struct leat_field *row, unsigned char *memory) {
        struct value_handle *handle = new_handle(value, row, memory);
        leat_descriptor descriptor;

        handle->fd = memfd_create("a-descriptor", MFD_CLOEXEC);
        check(handle->fd >= 0);
        handle->inode = inode_of(handle->fd);
        descriptor = dice_one_in(&value->dice, 2) ? leat_descriptor_give(&handle->fd)
                                                  : leat_descriptor_lend(handle->fd);
        memcpy(memory, &descriptor, sizeof(descriptor));
}

static void set_memory(struct value *value, const struct leat_field *row, unsigned char *memory) {
        static const char text[] = "this is what stands in the memory";
        struct value_handle *handle = new_handle(value, row, memory);
        leat_shared_memory field;

        check_equal(leat_shared_memory_copy(text, dice_below(&value->dice, sizeof(text)), &handle->memory),
                    0);
        handle->inode = inode_of(leat_shared_memory_descriptor(handle->memory));
        field = dice_one_in(&value->dice, 2) ? leat_shared_memory_give(&handle->memory) : handle->memory;
        memcpy(memory, &field, sizeof(field));
}

/* Of the struct that every endpoint in a message is. */
struct end {
        void *object;
        void *given;
};

static void set_end(struct value *value, const struct leat_field *row, unsigned char *memory) {
        bool lanes = dice_one_in(&value->dice, 4), ordered = dice_one_in(&value->dice, 4);
        struct leat_channel_options options = { .lanes = lanes && !value->on_sockets ? LEAT_LANES_ALWAYS
                                                                                     : LEAT_LANES_NEVER,
                                                .ordered = ordered };
        const struct leat_type *type = row->type()->kind == LEAT_TYPE_opaque ? leat_raw_type() : row->type();
        struct value_handle *handle = new_handle(value, row, memory);
        struct end end = { 0 };

        handle->type = type;
        handle->ordered = ordered;
        check_equal(leat_channel_open(type, &options, &handle->sender, &handle->receiver), 0);
        if (row->kind == LEAT_KIND_receiver) {
                handle->inode = inode_of(handle->receiver->connection->fd);
                end = (struct end){ handle->receiver, &handle->receiver };
        } else {
                handle->inode = inode_of(handle->sender->connection->fd);
                end = (struct end){ handle->sender, dice_one_in(&value->dice, 2) ? &handle->sender : NULL };
        }
        memcpy(memory, &end, sizeof(end));
}

static void set_handle(struct value *value, const struct leat_field *row, unsigned char *memory) {
        memset(memory, 0, row->size);
        if (value->n_handles == value->most_handles || dice_one_in(&value->dice, 4))
                return;
        if (row->kind == LEAT_KIND_descriptor)
                set_descriptor(value, row, memory);
        else if (row->kind == LEAT_KIND_shared_memory)
                set_memory(value, row, memory);
        else
                set_end(value, row, memory);
}

/* ---- all others ---- */

static void set_message(struct value *value, const struct leat_type *type, unsigned char *memory,
                        size_t depth);

static void set_element(struct value *value, const struct leat_field *row, unsigned char *memory,
                        size_t depth) {
        uint64_t number = random_number(&value->dice);
        uint32_t f32;

        switch (row->kind) {
        case LEAT_KIND_boolean:
                *memory = number & 1;
                return;
        case LEAT_KIND_f32:
                f32 = random_f32(value);
                memcpy(memory, &f32, sizeof(f32));
                return;
        case LEAT_KIND_f64:
                number = random_f64(&value->dice);
                memcpy(memory, &number, sizeof(number));
                return;
        case LEAT_KIND_string:
                set_string(value, memory);
                return;
        case LEAT_KIND_bytes:
                set_bytes(value, memory);
                return;
        case LEAT_KIND_any:
                set_any(value, memory);
                return;
        case LEAT_KIND_unit:
                return;
        case LEAT_KIND_user:
                set_message(value, row->type(), memory, depth + 1);
                return;
        case LEAT_KIND_descriptor:
        case LEAT_KIND_shared_memory:
        case LEAT_KIND_sender:
        case LEAT_KIND_receiver:
                set_handle(value, row, memory);
                return;
        default:
                memcpy(memory, &number, row->size); /* Little-endian, as all that Leat runs on. */
        }
}

/* How many items an array has: none where they could not be paid for, or would stand too deep. */
static size_t random_count(struct value *value, const struct leat_field *row, size_t depth) {
        static const size_t counts[] = { 15, 16, 17, 255, 256, 65535, 65536 };
        size_t count = dice_below(&value->dice, 4), most = value->room / (row->size + 1);
        bool nests = row->kind == LEAT_KIND_user && row->type()->kind != LEAT_TYPE_enum;

        if (nests && value->deep) /* Down to where it is refused, and some further. */
                return depth < LEAT_MAX_NESTING + 2 && most > 0 ? 1 : 0;
        if (nests && depth + 12 > LEAT_MAX_NESTING)
                return 0;
        if (dice_one_in(&value->dice, nests ? 40 : 8))
                count = counts[dice_below(&value->dice, sizeof(counts) / sizeof(counts[0]))];
        return count < most ? count : most;
}

static void set_array(struct value *value, const struct leat_field *row, unsigned char *memory,
                      size_t depth) {
        size_t count = random_count(value, row, depth);
        unsigned char *items = NULL;

        if (count > 0 || dice_one_in(&value->dice, 2))
                items = piece(value, count * row->size);
        memcpy(memory, &items, sizeof(items));
        memcpy(memory + sizeof(items), &count, sizeof(count));
        for (size_t i = 0; i < count; i++)
                set_element(value, row, items + i * row->size, depth);
}

static void set_field(struct value *value, const struct leat_field *row, unsigned char *message,
                      size_t depth) {
        switch (row->shape) {
        case LEAT_SHAPE_optional:
                message[row->offset] = dice_one_in(&value->dice, 2);
                if (message[row->offset])
                        set_element(value, row, message + row->value_offset, depth);
                return;
        case LEAT_SHAPE_array:
                set_array(value, row, message + row->offset, depth);
                return;
        default:
                for (size_t i = 0; i < row->count; i++)
                        set_element(value, row, message + row->offset + i * row->size, depth);
        }
}

static void set_message(struct value *value, const struct leat_type *type, unsigned char *memory,
                        size_t depth) {
        uint32_t choice;

        if (type->kind != LEAT_TYPE_enum && depth > value->depth)
                value->depth = depth;
        if (type->kind == LEAT_TYPE_message || type->kind == LEAT_TYPE_raw) {
                for (size_t i = 0; i < type->field_count; i++)
                        set_field(value, &type->fields[i], memory, depth);
                return;
        }
        choice = (uint32_t) dice_below(&value->dice, type->field_count);
        memcpy(memory, &choice, sizeof(choice));
        if (type->kind == LEAT_TYPE_variant)
                set_field(value, &type->fields[choice], memory, depth);
}

void value_random(struct value *value, const struct leat_type *type, struct dice dice,
                  const struct value_wish *wish) {
        *value = (struct value){ .type = type,
                                 .dice = dice,
                                 .filler = wish->filler,
                                 .room = wish->room,
                                 .most_handles = wish->most_handles,
                                 .on_sockets = wish->on_sockets,
                                 .quiet = wish->quiet };
        check(wish->most_handles <= VALUE_HANDLES);
        value->deep = dice_one_in(&value->dice, 8);
        value->message = piece(value, type->size);
        set_message(value, type, value->message, 1);
}

void value_free(struct value *value) {
        for (size_t i = 0; i < value->n_handles; i++) {
                struct value_handle *handle = &value->handles[i];

                if (handle->fd >= 0)
                        close(handle->fd);
                leat_shared_memory_close(&handle->memory);
                leat_sender_close(&handle->sender);
                leat_receiver_close(&handle->receiver);
        }
        while (value->pieces) {
                struct piece *next = value->pieces->next;

                free(value->pieces);
                value->pieces = next;
        }
}
