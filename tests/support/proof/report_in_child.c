/* A child writes out of bounds, and its parent does not look at how it ended. */
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void) {
        pid_t child = fork();
        if (child == 0) {
                volatile char *four = malloc(4);
                if (four)
                        four[5] = 1;
                _exit(0);
        }
        return waitpid(child, NULL, 0) == child ? 0 : 1;
}
