/* Runs a command as if on Linux 5.10: whatever is newer is reported absent, to it and to all that it starts.
 * It cannot get rid of that, and gains nothing from programs with the set-user-ID bit, such as sudo.
 *
 * usage: old_system COMMAND [ARGUMENT…]
 * Exit code: the command's; 77 where the system allows no filters; 127 when there is no such command. */
#include "absent.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv) {
        int r;

        if (argc < 2) {
                fprintf(stderr, "usage: old_system COMMAND [ARGUMENT...]\n");
                return 2;
        }
        r = absent_install();
        if (r < 0) {
                fprintf(stderr, "old_system: no filter is allowed here: %s\n", strerror(-r));
                return 77;
        }
        execvp(argv[1], argv + 1);
        fprintf(stderr, "old_system: %s: %s\n", argv[1], strerror(errno));
        return 127;
}
