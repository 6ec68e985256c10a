/* What tests share: nothing here knows Leat. Works in Criterion's tests and in programs with their own
 * main. */
#ifndef LEAT_TESTS_SUPPORT_H
#define LEAT_TESTS_SUPPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* For programs with their own main and for children of tests (a failed Criterion assertion in a child hangs
 * its parent): prints the place and the expression, then leaves with code 1 by _exit. */
#define check(expression) ((expression) ? (void) 0 : check_failed(__FILE__, __LINE__, #expression))

/* Compares two results of Leat's convention and prints both. */
#define check_equal(actual, expected)                                                                                \
        check_equal_at(__FILE__, __LINE__, #actual " == " #expected, (intmax_t) (actual), (intmax_t) (expected))

_Noreturn void check_failed(const char *file, int line, const char *expression);
void check_equal_at(const char *file, int line, const char *expression, intmax_t actual, intmax_t expected);

/* Open descriptors of this process, without the one that counting needs. Take it before and after a test. */
int count_descriptors(void);

/* As above, repeated until it is `expected` or 30 s have passed (a helper thread may still be closing some).
 * Returns the last count. */
int settle_descriptors(int expected);

/* How many times as long everything may take here: the environment's LEAT_TESTS_PATIENCE, 1 without it. */
int patience(void);

/* Ends the process with a line and SIGABRT when it still runs after so many seconds, times patience(). */
void watchdog(unsigned seconds);

/* Whether the environment's LEAT_TESTS_WITHOUT, names with spaces between them, has this one; then that is
 * said. */
bool is_left_out(const char *name);

/* A new folder under $TMPDIR with a random name. Never fails (ends the process). `temp_folder` as a cleanup
 * attribute removes it with everything in it:
 *     cleanup_temp_folder char *folder = temp_folder(); */
char *temp_folder(void);
void temp_folder_remove(char **folder);
#define cleanup_temp_folder __attribute__((cleanup(temp_folder_remove)))

/* "folder/name", to be freed. */
char *path_in(const char *folder, const char *name);

/* The whole file with a zero byte behind it, to be freed; NULL when it cannot be read. */
char *read_whole_file(const char *path, size_t *ret_size);

/* Ends a child of a test: by _exit, but before that LeakSanitizer looks for leaks, where it is there (of
 * itself it looks only at exit, and never in a process that ends by _exit). What it finds makes the code 23.
 *
 * Where threads are forked beside, the child may do without: gcc's AddressSanitizer leaves it the locks of
 * its malloc that these held, and a search that waits for them is given up. */
_Noreturn void leave_child(int code);

/* Waits for a child and returns its exit code, or 128 + the signal that ended it. */
int wait_for_exit(pid_t child);

/* Sleeps; for waiting on something else use a deadline and look again. */
void sleep_ms(int milliseconds);

/* Milliseconds of CLOCK_MONOTONIC. */
int64_t clock_ms(void);

#endif
