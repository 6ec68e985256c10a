/* The control: nothing is wrong here, so the wrapper must stay green. */
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void) {
        free(malloc(16));
        pid_t child = fork();
        if (child == 0)
                _exit(3);
        return waitpid(child, NULL, 0) == child ? 0 : 1;
}
