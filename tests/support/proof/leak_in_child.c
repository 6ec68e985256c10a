/* A child that ends as the children of tests do leaks, and its parent does not look at how it ended. */
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support.h"

static void *volatile last;

int main(void) {
        pid_t child = fork();
        if (child == 0) {
                last = malloc(1234);
                last = NULL;
                leave_child(0);
        }
        return waitpid(child, NULL, 0) == child ? 0 : 1;
}
