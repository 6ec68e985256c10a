/* Two threads of a child write the same word; the child leaves by _exit with code 0. */
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

static int word;

static void *write_word(void *argument) {
        for (int i = 0; i < 1000; i++)
                word += i;
        return argument;
}

int main(void) {
        pid_t child = fork();
        if (child == 0) {
                pthread_t one, two;
                if (pthread_create(&one, NULL, write_word, NULL) != 0 ||
                    pthread_create(&two, NULL, write_word, NULL) != 0)
                        _exit(1);
                pthread_join(one, NULL);
                pthread_join(two, NULL);
                _exit(0);
        }
        return waitpid(child, NULL, 0) == child ? 0 : 1;
}
