/* Every version can be asked for, and all that name one agree. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <leat/leat.h>

LEAT_MESSAGE(note, (string, text));

Test(version, of_the_library_and_of_its_headers) {
        char parts[32];

        (void) snprintf(parts, sizeof(parts), "%d.%d.%d", LEAT_VERSION_MAJOR, LEAT_VERSION_MINOR,
                        LEAT_VERSION_PATCH);
        cr_assert_str_eq(LEAT_VERSION, parts);
        cr_assert_str_eq(leat_version(), LEAT_VERSION);
        cr_assert_str_eq(leat_version(), PROJECT_VERSION);
}

Test(version, of_tables_is_told_for_each) {
        struct leat_type other = *note_type();
        struct leat_versions named = { 7, 7 };

        cr_assert_eq(leat_type_versions(NULL, &named), -EINVAL);
        cr_assert_eq(named.ours, 7);
        other.table_version = LEAT_TABLE_VERSION + 1;
        cr_assert_eq(leat_type_versions(&other, &named), 0);
        cr_assert_eq(named.ours, LEAT_TABLE_VERSION);
        cr_assert_eq(named.theirs, LEAT_TABLE_VERSION + 1);
        cr_assert_eq(leat_type_versions(note_type(), &named), 0);
        cr_assert_eq(named.theirs, named.ours);
}

Test(version, of_tables_that_is_another_is_refused_and_the_phrase_says_so) {
        struct leat_type other = *note_type();
        struct leat_sender *tx = NULL;
        struct leat_receiver *rx = NULL;
        int r;

        other.table_version = LEAT_TABLE_VERSION + 1;
        r = leat_channel_open(&other, NULL, &tx, &rx);
        cr_assert_eq(r, -EPROTO);
        cr_assert(strstr(leat_strerror(r), "tables") && strstr(leat_strerror(r), "version"));
        cr_assert(!tx && !rx);
}

Test(version, of_the_protocol_that_is_another_has_a_phrase_that_names_ours) {
        char ours[8];

        (void) snprintf(ours, sizeof(ours), "%d", LEAT_WIRE_VERSION);
        cr_assert(strstr(leat_strerror(LEAT_VERSION_MISMATCH), ours));
}
