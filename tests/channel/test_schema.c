/* The schema text: canonical, so that the same type has the same text in every program that declares it. */
#include <criterion/criterion.h>
#include <string.h>

#include <leat/leat.h>

#include "schema.h"

#include "support.h"

LEAT_ENUM(colour, red, green);
LEAT_MESSAGE(point, (i32, x), (i32, y));
LEAT_MESSAGE(reply, (u32, id), (optional, string, error));
LEAT_VARIANT(shape, (point, dot), (u64, number), (unit, nothing));
LEAT_MESSAGE(draw, (u32, id), (shape, what), (colour, pen), (bytes, blob), (any, rest), (descriptor, log),
             (shared_memory, frame), (sender, reply, done), (receiver, point, more), (array, point, points),
             (fixed_array, 3, f32, matrix), (optional, boolean, last));
LEAT_SIGNAL(tick);

LEAT_DECLARE(tree);
LEAT_DEFINE_MESSAGE(tree, (string, name), (array, tree, branches));

LEAT_DECLARE(pong);
LEAT_MESSAGE(ping, (sender, pong, back));
LEAT_DEFINE_MESSAGE(pong, (sender, ping, back), (array, ping, all));

LEAT_MESSAGE(both, (shape, a), (array, shape, b), (point, c), (optional, point, d));

Test(schema, is_the_definition_and_then_those_of_the_types_in_it_in_the_order_of_their_first_mention) {
        cr_assert_str_eq(draw_schema(),
                         "message draw {u32 id; shape what; colour pen; bytes blob; any rest; descriptor log; "
                         "shared_memory frame; sender reply done; receiver point more; array point points; "
                         "fixed_array 3 f32 matrix; optional boolean last}\n"
                         "variant shape {point dot; u64 number; unit nothing}\n"
                         "enum colour {red; green}\n"
                         "message point {i32 x; i32 y}\n");
}

Test(schema, names_every_type_once_however_often_it_stands_in_another) {
        cr_assert_str_eq(both_schema(), "message both {shape a; array shape b; point c; optional point d}\n"
                                        "variant shape {point dot; u64 number; unit nothing}\n"
                                        "message point {i32 x; i32 y}\n");
}

Test(schema, of_a_message_without_fields_has_none) {
        cr_assert_str_eq(tick_schema(), "message tick {}\n");
}

Test(schema, ends_where_a_type_stands_in_itself) {
        cr_assert_str_eq(tree_schema(), "message tree {string name; array tree branches}\n");
}

Test(schema, of_two_messages_that_name_each_others_senders_ends) {
        cr_assert_str_eq(ping_schema(), "message ping {sender pong back}\n");
        cr_assert_str_eq(pong_schema(), "message pong {sender ping back; array ping all}\n"
                                        "message ping {sender pong back}\n");
}

Test(schema, is_a_constant_of_the_process) {
        cr_assert_eq(draw_schema(), draw_schema());
}

Test(schema, knows_how_many_fields_come_before_the_trailing_optionals) {
        cr_assert_eq(schema_required_fields(draw_type()), 11);
        cr_assert_eq(schema_required_fields(reply_type()), 1);
        cr_assert_eq(schema_required_fields(point_type()), 2);
        cr_assert_eq(schema_required_fields(tick_type()), 0);
}

LEAT_MESSAGE(holds_nothing, (array, point, points), (optional, string, text));
LEAT_MESSAGE(holds_deep, (array, draw, draws));

Test(schema, knows_whether_a_handle_can_be_anywhere_in_a_message) {
        cr_assert_eq(schema_carries_handles(draw_type()), 1);
        cr_assert_eq(schema_carries_handles(holds_deep_type()), 1);
        cr_assert_eq(schema_carries_handles(ping_type()), 1);
        cr_assert_eq(schema_carries_handles(holds_nothing_type()), 0);
        cr_assert_eq(schema_carries_handles(tree_type()), 0);
}

Test(schema, of_what_is_no_table_of_ours_is_null) {
        struct leat_type other = *point_type(), odd = *point_type();
        void *plan = NULL;

        other.plan = &plan;
        other.table_version = LEAT_TABLE_VERSION + 1;
        cr_assert_null(leat_type_schema(&other));
        odd.plan = &plan;
        odd.kind = 99;
        cr_assert_null(leat_type_schema(&odd));
        cr_assert_null(leat_type_schema(NULL));
        cr_assert_null(leat_type_schema(colour_type()), "an enum is no message");
}
