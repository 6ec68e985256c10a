/* A type may have any name: what the headers call their own parameters and locals must not get in its way. */
#include <criterion/criterion.h>

#include <leat/leat.h>

/* Names that a program has at file scope. */
static int tx, rx, r, set, key;

#define FOUR_FIELDS(name) LEAT_MESSAGE(name, (i64, a), (i64, b), (string, s), (boolean, flag))

FOUR_FIELDS(fields);
FOUR_FIELDS(type);
FOUR_FIELDS(plan);
FOUR_FIELDS(message);
FOUR_FIELDS(server);
FOUR_FIELDS(deadline);
FOUR_FIELDS(options);
FOUR_FIELDS(name);
FOUR_FIELDS(copy);
FOUR_FIELDS(handle);
FOUR_FIELDS(field);
FOUR_FIELDS(given);
FOUR_FIELDS(taken);
FOUR_FIELDS(value);
FOUR_FIELDS(object);
FOUR_FIELDS(encoded);
FOUR_FIELDS(to);
FOUR_FIELDS(answer);
LEAT_MESSAGE(request, (sender, answer, done));
LEAT_REQUEST(request, done, answer);
LEAT_MESSAGE(nested, (sender, request, done));
LEAT_REQUEST(nested, done, request);
LEAT_VARIANT(choice, (value, v), (message, value), (unit, made));

Test(names, a_types_table_has_its_size_whatever_it_is_called) {
        (void) tx, (void) rx, (void) r, (void) set, (void) key;
        cr_assert_eq(fields_type()->size, sizeof(fields));
        cr_assert_eq(type_type()->size, sizeof(type));
        cr_assert_eq(plan_type()->size, sizeof(plan));
        cr_assert_eq(choice_type()->size, sizeof(choice));
}

Test(names, a_message_called_fields_travels) {
        fields_sender out;
        fields_receiver in;
        fields got = { 0 };

        cr_assert_eq(fields_channel(&out, &in), 0);
        cr_assert_eq(fields_send(out, &(fields){ .a = 1, .b = 2, .s = "three", .flag = true }, LEAT_NOW), 0);
        cr_assert_eq(fields_recv(in, &got, LEAT_NOW), 0);
        cr_assert(got.a == 1 && got.b == 2 && got.flag);
        cr_assert_str_eq(got.s, "three");
        fields_sender_close(&out);
        fields_receiver_close(&in);
}
