/* A child ends as the children of tests do, and uses memory to which only its stack leads. */
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support.h"

int main(void) {
        pid_t child = fork();
        if (child == 0) {
                char *volatile in_use = malloc(1234);
                check(in_use != NULL);
                memset(in_use, 1, 1234);
                leave_child(0);
        }
        return child > 0 ? wait_for_exit(child) : 1;
}
