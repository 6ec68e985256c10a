/* A failed check ends a process by _exit(), which libFuzzer takes for no crash, so that the input would be
 * lost. Its programs are linked with --wrap=_exit. */
#include <stdlib.h>

_Noreturn void __wrap__exit(int code);

void __wrap__exit(int code) {
        (void) code;
        abort();
}
