/* Claims: after a fork exactly one process goes on with what both have, and neither goes on by mistake. */
#include <criterion/criterion.h>
#include <errno.h>
#include <unistd.h>

#include "claim.h"
#include "support.h"

/* Runs in a child, whose result is its exit code. */
static int in_child(int (*act)(struct claim *), struct claim *claim) {
        pid_t child = fork();

        if (child == 0) {
                watchdog(30);
                _exit(act(claim));
        }
        return wait_for_exit(child);
}

static int only_look(struct claim *claim) {
        return claim_is_current(claim) ? 1 : 0;
}

static int renew(struct claim *claim) {
        return claim_renew(claim) == 0 && claim_is_current(claim) ? 0 : 1;
}

static int lose(struct claim *claim) {
        for (int i = 0; i < 3; i++)
                if (claim_renew(claim) != -EBUSY || claim_is_current(claim))
                        return 1;
        claim_free(claim);
        return 0;
}

Test(claim, is_its_makers_until_somebody_forks) {
        struct claim claim;

        cr_assert_eq(claim_create(&claim), 0);
        cr_assert(claim_is_current(&claim));
        cr_assert_eq(claim_renew(&claim), 0);
        cr_assert(claim_is_current(&claim));
        cr_assert_eq(in_child(only_look, &claim), 0, "a child has to claim");
        cr_assert_not(claim_is_current(&claim), "and so has its parent");
        cr_assert_eq(claim_renew(&claim), 0);
        cr_assert(claim_is_current(&claim));
        claim_free(&claim);
}

Test(claim, a_child_that_claims_first_keeps_it) {
        struct claim claim;

        cr_assert_eq(claim_create(&claim), 0);
        cr_assert_eq(in_child(renew, &claim), 0);
        cr_assert_eq(lose(&claim), 0);
}

Test(claim, a_parent_that_claims_first_keeps_it_through_many_forks) {
        struct claim claim;
        int gate[2];
        pid_t child;
        char byte;

        cr_assert_eq(claim_create(&claim), 0);
        for (int i = 0; i < 5; i++) {
                cr_assert_eq(pipe(gate), 0);
                child = fork();
                if (child == 0) {
                        watchdog(30);
                        close(gate[1]);
                        check_equal(read(gate[0], &byte, 1), 0);
                        _exit(lose(&claim));
                }
                close(gate[0]);
                cr_assert_eq(claim_renew(&claim), 0);
                close(gate[1]);
                cr_assert_eq(wait_for_exit(child), 0);
                cr_assert(claim_is_current(&claim));
        }
        claim_free(&claim);
}

static int pass_on(struct claim *claim) {
        return renew(claim) == 0 && in_child(renew, claim) == 0 ? lose(claim) : 1;
}

Test(claim, passes_from_child_to_child) {
        struct claim claim;

        cr_assert_eq(claim_create(&claim), 0);
        cr_assert_eq(in_child(pass_on, &claim), 0);
        cr_assert_eq(lose(&claim), 0);
}

Test(claim, of_many_who_try_at_once_one_gets_it) {
        enum { CHILDREN = 8, ROUNDS = 20 };

        for (int round = 0; round < ROUNDS; round++) {
                pid_t children[CHILDREN];
                struct claim claim;
                int gate[2], winners = 0;
                char byte;

                cr_assert_eq(claim_create(&claim), 0);
                cr_assert_eq(pipe(gate), 0);
                for (int i = 0; i < CHILDREN; i++) {
                        children[i] = fork();
                        if (children[i] != 0)
                                continue;
                        watchdog(30);
                        close(gate[1]);
                        check_equal(read(gate[0], &byte, 1), 0);
                        _exit(claim_renew(&claim) == 0 ? 3 : 4);
                }
                close(gate[0]);
                close(gate[1]);
                for (int i = 0; i < CHILDREN; i++)
                        winners += wait_for_exit(children[i]) == 3;
                cr_assert_eq(winners, 1);
                cr_assert_eq(claim_renew(&claim), -EBUSY);
                claim_free(&claim);
        }
}

Test(claim, can_be_freed_twice) {
        struct claim claim;

        cr_assert_eq(claim_create(&claim), 0);
        claim_free(&claim);
        claim_free(&claim);
}
