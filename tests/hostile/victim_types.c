/* The types of the victim's channels, once more in hostile.py, and what a program does with their
 * messages. */
#include "victim.h"

#include <fcntl.h>
#include <string.h>

LEAT_ENUM(color, red, green, blue);
LEAT_MESSAGE(point, (i32, x), (i32, y));
LEAT_VARIANT(shape, (point, dot), (unit, nothing), (u8, small), (boolean, on));

/* Plain: small, with all that can be invalid in it, and too large for a receiver that takes no
 * descriptors. */
LEAT_MESSAGE(number, (u64, id));
LEAT_MESSAGE(gauge, (u64, id), (boolean, on), (color, paint), (shape, what),
             (fixed_array, 3, boolean, flags));
LEAT_MESSAGE(image, (u64, id), (fixed_array, 9000, u8, pixels));

LEAT_DECLARE(tree);
LEAT_DEFINE_MESSAGE(tree, (string, name), (array, tree, branches));
LEAT_MESSAGE(parcel, (u64, id), (string, label), (bytes, data), (any, some), (i8, small), (f32, single),
             (f64, real), (boolean, on), (color, paint), (shape, what), (tree, wood), (leat_raw, rough),
             (array, u16, numbers), (fixed_array, 2, string, names), (descriptor, file),
             (shared_memory, memory), (sender, number, reply), (receiver, number, values),
             (sender, leat_opaque, to), (receiver, leat_opaque, source), (array, descriptor, files),
             (optional, string, note));

/* Some system calls of ours may be made on what a stranger sent; none of them may wait. */
static void use_sender(struct leat_sender *sender) {
        (void) leat_sender_is_connected(sender);
        (void) leat_sender_send(sender, number_type(), &(number){ .id = 3 }, LEAT_NOW);
}

static void use_receiver(struct leat_receiver *receiver) {
        number got;

        (void) leat_receiver_is_connected(receiver);
        for (int i = 0; i < 8; i++)
                if (leat_receiver_recv(receiver, number_type(), &got, LEAT_NOW) == LEAT_EMPTY)
                        break;
}

static void use_opaque(leat_opaque_receiver receiver) {
        leat_undecoded got = { NULL };

        for (int i = 0; i < 8; i++) {
                if (leat_opaque_recv(receiver, &got, LEAT_NOW) == LEAT_EMPTY)
                        break;
                leat_undecoded_close(&got);
        }
}

static volatile unsigned char read_bytes;

static void read_all(const void *data, size_t size) {
        const unsigned char *bytes = data;

        for (size_t i = 0; i < size; i++)
                read_bytes = (unsigned char) (read_bytes + bytes[i]);
}

/* What a bool really holds. */
static bool is_boolean(const bool *field) {
        unsigned char byte;

        memcpy(&byte, field, 1);
        return byte <= 1;
}

static bool is_shape(const shape *field) {
        return (unsigned) field->tag <= shape_tag_on &&
               (field->tag != shape_tag_on || is_boolean(&field->on));
}

static bool is_color(const color *field) {
        return (unsigned) *field <= color_blue;
}

static bool use_tree(const tree *wood) {
        read_all(wood->name, strlen(wood->name) + 1);
        for (size_t i = 0; i < wood->branches.count; i++)
                if (!use_tree(&wood->branches.items[i]))
                        return false;
        return true;
}

static bool use_memory(leat_shared_memory memory) {
        const void *data;

        if (!memory.object)
                return true;
        if (leat_shared_memory_data(memory, &data) < 0)
                return leat_shared_memory_size(memory) > 0; /* No address space for it. */
        read_all(data, leat_shared_memory_size(memory));
        return true;
}

static bool use_parcel(void *message) {
        parcel *got = message;

        read_all(got->label, strlen(got->label) + 1);
        read_all(got->data.data, got->data.size);
        read_all(got->some.data, got->some.size);
        read_all(got->rough.data, got->rough.size);
        read_all(got->numbers.items, got->numbers.count * sizeof(uint16_t));
        for (int i = 0; i < 2; i++)
                read_all(got->names[i], strlen(got->names[i]) + 1);
        if (got->note.present)
                read_all(got->note.value, strlen(got->note.value) + 1);
        if (got->reply.object)
                use_sender(got->reply.object);
        if (got->values.object)
                use_receiver(got->values.object);
        (void) leat_opaque_sender_is_connected(got->to);
        if (got->source.object)
                use_opaque(got->source);
        return is_boolean(&got->on) && is_color(&got->paint) && is_shape(&got->what) &&
               use_tree(&got->wood) && use_memory(got->memory);
}

static bool use_gauge(void *message) {
        const gauge *got = message;

        return is_boolean(&got->on) && is_color(&got->paint) && is_shape(&got->what) &&
               is_boolean(&got->flags[0]) && is_boolean(&got->flags[1]) && is_boolean(&got->flags[2]);
}

static bool use_number(void *message) {
        (void) message;
        return true;
}

static bool use_image(void *message) {
        read_all(message, sizeof(image));
        return true;
}

static bool use_raw(void *message) {
        const leat_raw *got = message;

        read_all(got->data, got->size);
        return true;
}

static leat_descriptor make_by_id(void *message, const unsigned char *bytes, size_t size) {
        static const uint64_t id = 7;

        (void) bytes;
        (void) size;
        memcpy(message, &id, sizeof(id));
        return (leat_descriptor){ 0 };
}

static leat_descriptor make_parcel(void *message, const unsigned char *bytes, size_t size) {
        parcel *made = message;
        int file = open("/dev/null", O_RDONLY | O_CLOEXEC);

        *made = (parcel){ .id = 7, .data = { bytes, size }, .file = leat_descriptor_lend(file) };
        return made->file;
}

static leat_descriptor make_raw(void *message, const unsigned char *bytes, size_t size) {
        *(leat_raw *) message = (leat_raw){ bytes, size };
        return (leat_descriptor){ 0 };
}

static uint64_t id_in_front(const void *message) {
        uint64_t id;

        memcpy(&id, message, sizeof(id));
        return id;
}

static uint64_t id_of_raw(const void *message) {
        const leat_raw *got = message;

        return got->size < sizeof(uint64_t) ? 0 : id_in_front(got->data);
}

const struct victim_type *victim_type_find(const char *name) {
        static const struct victim_type types[] = {
                { "number", number_type, id_in_front, use_number, make_by_id },
                { "gauge", gauge_type, id_in_front, use_gauge, make_by_id },
                { "image", image_type, id_in_front, use_image, make_by_id },
                { "parcel", parcel_type, id_in_front, use_parcel, make_parcel },
                { "raw", leat_raw_type, id_of_raw, use_raw, make_raw },
        };

        for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
                if (strcmp(types[i].name, name) == 0)
                        return &types[i];
        check_failed(__FILE__, __LINE__, "a type that there is");
}
