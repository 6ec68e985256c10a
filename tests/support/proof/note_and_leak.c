/* A note that says nothing (see note.c) stands in one file with a leak. */
#include <sanitizer/common_interface_defs.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void) {
        pid_t child = fork();
        if (child == 0) {
                void *volatile lost = malloc(16);
                lost = NULL;
                __sanitizer_report_error_summary("==29319==Unable to get registers from thread 29312.");
                exit(lost != NULL);
        }
        return waitpid(child, NULL, 0) == child ? 0 : 1;
}
