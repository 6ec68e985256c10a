/* A leak in a Criterion test, which Criterion itself calls passing. */
#include <criterion/criterion.h>

#include <stdlib.h>

Test(proof, leak) {
        void *volatile lost = malloc(16);
        lost = NULL;
        cr_assert_null(lost);
}
