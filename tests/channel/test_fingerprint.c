/* Fingerprints: two types are compatible when they differ only in optional fields that one of them has
 * appended, and in no other case. Each variation of a type is declared in a function of its own, so that it
 * can have the same name. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include <leat/leat.h>

#include "fingerprint.h"
#include "plan.h"

#include "support.h"
#include "type_tables.h"

#define ID ROW(one, u32, 1, NULL, "id")
#define TEXT ROW(one, string, 1, NULL, "text")
#define EXTRA ROW(optional, string, 1, NULL, "extra")
#define MORE ROW(optional, u64, 1, NULL, "more")

TABLE(base, "job", message, ID, TEXT);
TABLE(with_one, "job", message, ID, TEXT, EXTRA);
TABLE(with_two, "job", message, ID, TEXT, EXTRA, MORE);
TABLE(with_other_first, "job", message, ID, TEXT, MORE, EXTRA);
TABLE(with_other_name, "job", message, ID, TEXT, ROW(optional, string, 1, NULL, "other"));

TABLE(renamed, "task", message, ID, TEXT);
TABLE(field_renamed, "job", message, ID, ROW(one, string, 1, NULL, "texts"));
TABLE(swapped, "job", message, TEXT, ID);
TABLE(other_kind, "job", message, ROW(one, i32, 1, NULL, "id"), TEXT);
TABLE(other_shape, "job", message, ID, ROW(array, string, 1, NULL, "text"));
TABLE(made_optional, "job", message, ID, ROW(optional, string, 1, NULL, "text"));
TABLE(removed, "job", message, ID);
TABLE(appended, "job", message, ID, TEXT, ROW(one, u8, 1, NULL, "z"));
TABLE(inserted_optional, "job", message, ID, EXTRA, TEXT);
TABLE(as_variant, "job", variant, ID, TEXT);

static bool compatible(const struct leat_type *a, const struct leat_type *b) {
        bool there = leat_type_compatible(a, b), back = leat_type_compatible(b, a);

        cr_assert_eq(there, back, "compatible only one way");
        return there;
}

Test(fingerprint, types_with_appended_optionals_are_compatible_both_ways) {
        cr_assert(compatible(base(), base()));
        cr_assert(compatible(base(), with_one()));
        cr_assert(compatible(base(), with_two()));
        cr_assert(compatible(with_one(), with_two()));
}

Test(fingerprint, optionals_that_were_not_appended_to_each_other_are_not_compatible) {
        cr_assert_not(compatible(with_one(), with_other_first()));
        cr_assert_not(compatible(with_two(), with_other_first()));
        cr_assert_not(compatible(with_one(), with_other_name()));
        cr_assert_not(compatible(with_two(), with_other_name()));
}

Test(fingerprint, every_other_change_is_another_type) {
        const struct leat_type *others[] = { renamed(),       field_renamed(), swapped(),  other_kind(),
                                             other_shape(),   made_optional(), removed(),  appended(),
                                             inserted_optional(), as_variant() };

        for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
                cr_assert_not(compatible(base(), others[i]), "change %zu", i);
                cr_assert_not(compatible(with_one(), others[i]), "change %zu", i);
                for (size_t j = 0; j < i; j++) /* Two that may: both say "job {u32 id}" and what is optional
                                                * after. */
                        if (others[j] != made_optional() || others[i] != removed())
                                cr_assert_not(compatible(others[j], others[i]), "changes %zu and %zu", j, i);
        }
        cr_assert(compatible(made_optional(), removed()));
}

TABLE(fixed_3, "vector", message, ROW(fixed_array, f32, 3, NULL, "v"));
TABLE(fixed_4, "vector", message, ROW(fixed_array, f32, 4, NULL, "v"));

Test(fingerprint, the_length_of_a_fixed_array_counts) {
        cr_assert_not(compatible(fixed_3(), fixed_4()));
}

TABLE(colours, "colour", enum, NAME("red"), NAME("green"));
TABLE(colours_more, "colour", enum, NAME("red"), NAME("green"), NAME("blue"));
TABLE(uses_colours, "pen", message, ROW(one, user, 1, colours, "ink"));
TABLE(uses_more, "pen", message, ROW(one, user, 1, colours_more, "ink"));
TABLE(tail_colours, "pen", message, ID, ROW(optional, user, 1, colours, "ink"));
TABLE(tail_more, "pen", message, ID, ROW(optional, user, 1, colours_more, "ink"));

Test(fingerprint, a_change_in_a_type_inside_counts_also_in_an_appended_optional) {
        cr_assert_not(compatible(uses_colours(), uses_more()));
        cr_assert_not(compatible(tail_colours(), tail_more()));
}

TABLE(asks_base, "ask", message, ROW(one, sender, 1, base, "to"));
TABLE(asks_one, "ask", message, ROW(one, sender, 1, with_one, "to"));
TABLE(asks_receiver, "ask", message, ROW(one, receiver, 1, base, "to"));

Test(fingerprint, an_endpoint_in_a_message_is_named_and_not_followed_as_its_own_travels_with_it) {
        cr_assert(compatible(asks_base(), asks_one()));
        cr_assert_not(compatible(asks_base(), asks_receiver()));
}

static const struct leat_type *old_tree(void);
static const struct leat_type *new_tree(void);
TABLE(old_tree, "tree", message, ID, ROW(array, user, 1, old_tree, "branches"));
TABLE(new_tree, "tree", message, ID, ROW(array, user, 1, new_tree, "branches"), EXTRA);

Test(fingerprint, a_type_that_stands_in_itself_can_have_optionals_appended_too) {
        cr_assert(compatible(old_tree(), new_tree()));
}

/* The optional that both have is of a type that has them in an array. */
static const struct leat_type *old_owner(void);
static const struct leat_type *new_owner(void);
TABLE(old_estate, "estate", message, ROW(array, user, 1, old_owner, "owners"));
TABLE(new_estate, "estate", message, ROW(array, user, 1, new_owner, "owners"));
TABLE(old_owner, "owner", message, ID, ROW(optional, user, 1, old_estate, "estate"));
TABLE(new_owner, "owner", message, ID, ROW(optional, user, 1, new_estate, "estate"), EXTRA);

Test(fingerprint, a_type_that_stands_in_one_of_its_optionals_can_have_others_appended_too) {
        cr_assert(compatible(old_owner(), new_owner()));
}

static struct fingerprint of(const struct leat_type *type) {
        const struct plan *plan;

        cr_assert_eq(plan_get(type, &plan), 0);
        return plan->fingerprint;
}

Test(fingerprint, the_tag_is_the_same_for_compatible_types_and_another_for_others) {
        struct fingerprint a = of(base()), b = of(with_two()), c = of(renamed());

        cr_assert_eq(fingerprint_tag(&a), fingerprint_tag(&b));
        cr_assert_neq(fingerprint_tag(&a), fingerprint_tag(&c));
}

Test(fingerprint, travels_and_arrives_as_it_was) {
        struct fingerprint sent = of(with_two()), read;
        uint8_t wire[FINGERPRINT_MAX_WIRE];
        size_t size = fingerprint_write(&sent, wire);

        cr_assert_eq(size, 1 + 16 + 2 * 8);
        cr_assert_eq(fingerprint_read(wire, size, &read), size);
        cr_assert_eq(memcmp(&sent, &read, sizeof(read)), 0);
        for (size_t less = 0; less < size; less++)
                cr_assert_eq(fingerprint_read(wire, less, &read), 0, "read %zu bytes of it", less);
        wire[0] = FINGERPRINT_MAX_TAILS + 1;
        cr_assert_eq(fingerprint_read(wire, sizeof(wire), &read), 0);
}

#define O(n) ROW(optional, u8, 1, NULL, "o" #n)
#define O8(n) O(n##0), O(n##1), O(n##2), O(n##3), O(n##4), O(n##5), O(n##6), O(n##7)
TABLE(sixty_four, "many", message, O8(0), O8(1), O8(2), O8(3), O8(4), O8(5), O8(6), O8(7));
TABLE(sixty_five, "many", message, O8(0), O8(1), O8(2), O8(3), O8(4), O8(5), O8(6), O8(7), O(80));

Test(fingerprint, has_room_for_sixty_four_optionals_and_refuses_more) {
        const struct plan *plan;

        cr_assert_eq(of(sixty_four()).n_tails, 64);
        cr_assert_eq(plan_get(sixty_five(), &plan), -EINVAL);
}
