/* Keeping a whole message: a copy owns everything that it points to, each piece allocated by itself, so that
 * freeing it needs nothing but the type. The walk is the same for both: free what a field holds, or replace
 * what it borrows. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "descriptor.h"
#include "guard.h"
#include "leat/endpoint.h"
#include "shared_memory.h"

struct array_field {
        unsigned char *items;
        size_t count;
};

struct endpoint_field {
        void *object;
        void *given;
};

/* What is done at each field that owns something; `memory` is the field in the copy. On failure it leaves the
 * field empty, so that what was copied so far can be freed. */
typedef int visit_function(const struct leat_field *field, void *memory);

struct visitor {
        visit_function *element;
        int (*array)(const struct leat_field *field, struct array_field *array);
        bool array_first; /* Copying needs the new items before it walks over them; freeing needs them until
                           * after. */
};

static int walk_type(const struct visitor *visitor, const struct leat_type *type, unsigned char *memory,
                     unsigned depth);

static int walk_items(const struct visitor *visitor, const struct leat_field *field, unsigned char *items,
                      size_t count, unsigned depth) {
        int result = 0;

        for (size_t i = 0; i < count; i++) {
                unsigned char *item = items + i * field->size;
                int r = field->kind == LEAT_KIND_user ? walk_type(visitor, field->type(), item, depth)
                                                      : visitor->element(field, item);

                result = result < 0 ? result : r;
        }
        return result;
}

static int walk_array(const struct visitor *visitor, const struct leat_field *field, unsigned char *memory,
                      unsigned depth) {
        struct array_field array;
        int r = 0;

        memcpy(&array, memory, sizeof(array));
        if (visitor->array_first)
                r = visitor->array(field, &array);
        if (r == 0)
                r = walk_items(visitor, field, array.items, array.count, depth);
        if (!visitor->array_first)
                (void) visitor->array(field, &array);
        memcpy(memory, &array, sizeof(array));
        return r;
}

static int walk_field(const struct visitor *visitor, const struct leat_field *field, unsigned char *message,
                      unsigned depth) {
        unsigned char *memory = message + field->offset;

        switch (field->shape) {
        case LEAT_SHAPE_optional:
                return *memory ? walk_items(visitor, field, message + field->value_offset, 1, depth) : 0;
        case LEAT_SHAPE_array:
                return walk_array(visitor, field, memory, depth);
        default:
                return walk_items(visitor, field, memory, field->count, depth);
        }
}

/* Goes on after a failure: every field has to be replaced or emptied. */
static int walk_type(const struct visitor *visitor, const struct leat_type *type, unsigned char *memory,
                     unsigned depth) {
        size_t first = 0, last = type->field_count;
        int result = 0;

        if (type->kind == LEAT_TYPE_enum)
                return 0;
        if (type->kind == LEAT_TYPE_variant) {
                uint32_t tag;

                memcpy(&tag, memory, sizeof(tag));
                if (tag >= type->field_count)
                        return -EINVAL;
                first = tag;
                last = first + 1;
        }
        if (depth == LEAT_MAX_NESTING)
                return -EINVAL; /* No message that was received is so deep. */
        for (size_t i = first; i < last; i++) {
                int r = walk_field(visitor, &type->fields[i], memory, depth + 1);

                result = result < 0 ? result : r;
        }
        return result;
}

static int copy_bytes(void *memory, const void *data, size_t size, size_t extra) {
        unsigned char *copy = NULL;

        if (data) {
                copy = malloc(size + extra > 0 ? size + extra : 1);
                if (copy && size > 0)
                        memcpy(copy, data, size);
                if (copy && extra > 0)
                        copy[size] = 0;
        }
        memcpy(memory, &copy, sizeof(copy));
        return data && !copy ? -ENOMEM : 0;
}

static int copy_sized(void *memory) {
        leat_bytes bytes;
        int r;

        memcpy(&bytes, memory, sizeof(bytes));
        r = copy_bytes(&bytes.data, bytes.data, bytes.size, 0);
        if (r < 0)
                bytes.size = 0;
        memcpy(memory, &bytes, sizeof(bytes));
        return r;
}

static int copy_descriptor(void *memory) {
        leat_descriptor descriptor, copy = { 0 };
        int fd = -1, r = 0;

        memcpy(&descriptor, memory, sizeof(descriptor));
        if (leat_descriptor_number(descriptor) >= 0)
                r = descriptor_duplicate(leat_descriptor_number(descriptor), &fd);
        copy.number_plus_one = fd + 1;
        memcpy(memory, &copy, sizeof(copy));
        return r;
}

static int copy_shared_memory(void *memory) {
        leat_shared_memory original, copy = { 0 };
        int r = 0;

        memcpy(&original, memory, sizeof(original));
        if (original.object)
                r = leat_shared_memory_clone(original, &copy);
        memcpy(memory, &copy, sizeof(copy));
        return r;
}

static int copy_sender(void *memory) {
        struct endpoint_field original, copy = { 0 };
        struct leat_sender *clone = NULL;
        int r = 0;

        memcpy(&original, memory, sizeof(original));
        if (original.object)
                r = leat_sender_clone(original.object, &clone);
        copy.object = clone;
        memcpy(memory, &copy, sizeof(copy));
        return r;
}

static int copy_receiver(void *memory) {
        struct endpoint_field original, none = { 0 };

        memcpy(&original, memory, sizeof(original));
        memcpy(memory, &none, sizeof(none));
        return original.object ? -EINVAL : 0;
}

static int copy_element(const struct leat_field *field, void *memory) {
        const char *string;

        switch (field->kind) {
        case LEAT_KIND_string:
                memcpy(&string, memory, sizeof(string));
                return copy_bytes(memory, string, string ? strlen(string) : 0, 1);
        case LEAT_KIND_bytes:
        case LEAT_KIND_any: /* Laid out alike. */
                return copy_sized(memory);
        case LEAT_KIND_descriptor:
                return copy_descriptor(memory);
        case LEAT_KIND_shared_memory:
                return copy_shared_memory(memory);
        case LEAT_KIND_sender:
                return copy_sender(memory);
        case LEAT_KIND_receiver:
                return copy_receiver(memory);
        default:
                return 0;
        }
}

static int copy_array(const struct leat_field *field, struct array_field *array) {
        unsigned char *items = NULL;

        if (array->count > 0) {
                items = reallocarray(NULL, array->count, field->size);
                if (!items) {
                        *array = (struct array_field){ 0 };
                        return -ENOMEM;
                }
                memcpy(items, array->items, array->count * field->size);
        }
        array->items = items;
        return 0;
}

static void free_data(void *memory) {
        void *data;

        memcpy(&data, memory, sizeof(data));
        free(data);
}

static void free_descriptor(void *memory) {
        leat_descriptor descriptor;

        memcpy(&descriptor, memory, sizeof(descriptor));
        (void) descriptor_dispose(leat_descriptor_number(descriptor));
}

static void free_sender(void *memory) {
        struct endpoint_field endpoint;
        struct leat_sender *sender;

        memcpy(&endpoint, memory, sizeof(endpoint));
        sender = endpoint.object;
        leat_sender_close(&sender);
}

static int free_element(const struct leat_field *field, void *memory) {
        leat_shared_memory shared;

        switch (field->kind) {
        case LEAT_KIND_string:
        case LEAT_KIND_bytes:
        case LEAT_KIND_any: /* The pointer comes first. */
                free_data(memory);
                break;
        case LEAT_KIND_descriptor:
                free_descriptor(memory);
                break;
        case LEAT_KIND_shared_memory:
                memcpy(&shared, memory, sizeof(shared));
                leat_shared_memory_close(&shared);
                break;
        case LEAT_KIND_sender:
                free_sender(memory);
                break;
        default:
                break;
        }
        return 0;
}

static int free_array(const struct leat_field *field, struct array_field *array) {
        (void) field;
        free(array->items);
        *array = (struct array_field){ 0 };
        return 0;
}

static const struct visitor copier = { .element = copy_element, .array = copy_array, .array_first = true };
static const struct visitor releaser = { .element = free_element, .array = free_array };

void leat_message_free(const struct leat_type *type, void *copy) {
        CALL_GUARD;

        if (!type || !copy)
                return;
        (void) walk_type(&releaser, type, copy, 0);
        memset(copy, 0, type->size);
}

int leat_message_copy(const struct leat_type *type, const void *message, void *ret_copy) {
        unsigned char *copy;
        CALL_GUARD;
        int r;

        if (!type)
                return -EINVAL;
        copy = malloc(type->size);
        if (!copy)
                return -ENOMEM;
        memcpy(copy, message, type->size);
        r = walk_type(&copier, type, copy, 0);
        if (r < 0)
                leat_message_free(type, copy);
        else
                memcpy(ret_copy, copy, type->size);
        free(copy);
        return r;
}
