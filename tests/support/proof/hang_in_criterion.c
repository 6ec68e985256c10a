/* A Criterion test that hangs: ended by the watchdog. */
#include <criterion/criterion.h>

#include <unistd.h>

Test(proof, hang) {
        for (;;)
                pause();
}
