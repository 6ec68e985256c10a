/* Does one thing wrong, in a child, so that its own exit code is 0 all the same: the battery has to see it.
 * `clean` does nothing wrong.
 *
 * usage: PROGRAM clean|stale|lost|killed|executed */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support.h"

static char *volatile kept;

/* What malloc() gave, and nobody wrote. */
static void write_stale_memory(void) {
        int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);

        kept = malloc(16);
        check(write(fd, kept, 16) == 16);
}

static void lose_memory(void) {
        kept = malloc(16);
        kept = NULL;
}

static void do_wrong(const char *program, const char *what, int told) {
        if (strcmp(what, "stale") == 0)
                write_stale_memory();
        if (strcmp(what, "lost") == 0)
                lose_memory();
        if (strcmp(what, "killed") == 0) {
                write_stale_memory();
                check(write(told, "", 1) == 1);
                pause(); /* Until the parent's SIGKILL. */
        }
        if (strcmp(what, "executed") == 0) {
                write_stale_memory();
                execl(program, program, "nothing", (char *) NULL);
                _exit(127);
        }
        _exit(0);
}

int main(int argc, char **argv) {
        int told[2];
        pid_t child;

        check(argc == 2 && pipe(told) == 0);
        if (strcmp(argv[1], "nothing") == 0)
                return 0;
        child = fork();
        check(child >= 0);
        if (child == 0)
                do_wrong(argv[0], argv[1], told[1]);
        close(told[1]);
        if (read(told[0], &(char){ 0 }, 1) == 1)
                kill(child, SIGKILL);
        (void) wait_for_exit(child);
        return 0;
}
