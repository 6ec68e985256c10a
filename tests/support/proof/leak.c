/* Loses memory, and does what Criterion's runner does: it hides the exit code that the leak would give. */
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void) {
        pid_t child = fork();
        if (child == 0) {
                void *volatile lost = malloc(16);
                lost = NULL;
                exit(lost != NULL);
        }
        return waitpid(child, NULL, 0) == child ? 0 : 1;
}
