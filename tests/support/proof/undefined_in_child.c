/* Undefined behaviour in a child that nobody judges. */
#include <limits.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv) {
        (void) argv;
        pid_t child = fork();
        if (child == 0) {
                volatile int most = INT_MAX;
                most = most + argc;
                _exit(0);
        }
        return waitpid(child, NULL, 0) == child ? 0 : 1;
}
