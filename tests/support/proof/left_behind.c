/* Leaves a grandchild behind. */
#include <unistd.h>

int main(void) {
        pid_t child = fork();
        if (child == 0) {
                sleep(600);
                _exit(0);
        }
        return 0;
}
