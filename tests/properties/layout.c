/* Types that are made at run time are laid out as the compiler lays out those of every_field.c. */
#include "../channel/every_field.c"

#include "support.h"
#include "types.h"

static void check_layout(const struct leat_type *type) {
        struct leat_field fields[64];
        size_t alignment, size = types_lay_out(type, fields, &alignment);

        check(type->field_count <= 64);
        check_equal(size, type->size);
        for (size_t i = 0; i < type->field_count; i++) {
                check_equal(fields[i].offset, type->fields[i].offset);
                check_equal(fields[i].value_offset, type->fields[i].value_offset);
                check_equal(fields[i].size, type->fields[i].size);
        }
}

int main(void) {
        const struct leat_type *const types[] = { point_type(), tick_type(), path_type(), shape_type(),
                                                  reply_type(), node_type(), leaf_type(), everything_type() };

        for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
                check_layout(types[i]);
        return use_everything() < 0;
}
