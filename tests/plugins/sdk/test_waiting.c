/* Who waits for which answer. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "sdk/waiting.h"

static void add(struct waiting *waiting, int number, leat_deadline deadline) {
        char id[LEAT_GUID_SIZE];

        (void) snprintf(id, sizeof(id), "id-%d", number);
        cr_assert_eq(waiting_add(waiting, id, deadline, NULL, NULL), 0);
}

static void expect_taken(struct waiter *waiter, const char *id) {
        cr_expect_not_null(waiter);
        if (waiter != NULL)
                cr_expect_str_eq(waiter->message_id, id);
        free(waiter);
}

Test(waiting, each_is_taken_once_in_any_order_and_without_case) {
        struct waiting waiting = { .first = NULL };

        add(&waiting, 1, LEAT_FOREVER);
        add(&waiting, 2, LEAT_FOREVER);
        add(&waiting, 3, LEAT_FOREVER);
        expect_taken(waiting_take(&waiting, "ID-3"), "id-3");
        add(&waiting, 4, LEAT_FOREVER);
        expect_taken(waiting_take(&waiting, "id-1"), "id-1");
        cr_expect_null(waiting_take(&waiting, "id-1"));
        expect_taken(waiting_take_any(&waiting), "id-2");
        expect_taken(waiting_take_any(&waiting), "id-4");
        cr_expect_null(waiting_take_any(&waiting));
        add(&waiting, 5, LEAT_FOREVER);
        expect_taken(waiting_take(&waiting, "id-5"), "id-5");
        cr_expect_eq(waiting.count, 0);
}

Test(waiting, the_expired_ones_are_found_and_no_others) {
        struct waiting waiting = { .first = NULL };

        cr_expect_eq(waiting_earliest(&waiting), LEAT_FOREVER);
        add(&waiting, 1, 300);
        add(&waiting, 2, 100);
        add(&waiting, 3, 200);
        cr_expect_eq(waiting_earliest(&waiting), 100);
        cr_expect_null(waiting_take_expired(&waiting, 99));
        expect_taken(waiting_take_expired(&waiting, 250), "id-2");
        expect_taken(waiting_take_expired(&waiting, 250), "id-3");
        cr_expect_null(waiting_take_expired(&waiting, 250));
        cr_expect_eq(waiting_earliest(&waiting), 300);
        expect_taken(waiting_take_expired(&waiting, 300), "id-1");
        cr_expect_eq(waiting_earliest(&waiting), LEAT_FOREVER);
}

Test(waiting, is_bounded) {
        struct waiting waiting = { .first = NULL };
        struct waiter *waiter;

        for (int i = 0; i < LEAT_PLUGIN_MAX_WAITING; i++)
                add(&waiting, i, LEAT_FOREVER);
        cr_expect_eq(waiting_add(&waiting, "one more", LEAT_FOREVER, NULL, NULL), LEAT_FULL);
        while ((waiter = waiting_take_any(&waiting)) != NULL)
                free(waiter);
        add(&waiting, 1, LEAT_FOREVER);
        free(waiting_take_any(&waiting));
}
