/* A test with threads is a program of its own, because Criterion cannot start under ThreadSanitizer.
 * Elsewhere it runs as a child of this Criterion test, so that one report covers all tests. */
#include <criterion/criterion.h>

#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "support.h"

Test(program, ends_with_code_0) {
        pid_t child = fork();
        cr_assert_geq(child, 0);
        if (child == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                execl(TEST_PROGRAM, TEST_PROGRAM, (char *) NULL);
                _exit(127);
        }
        cr_assert_eq(wait_for_exit(child), 0, "%s failed; see above", TEST_PROGRAM);
}
