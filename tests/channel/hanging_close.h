/* A file whose close really hangs needs a FUSE server; here the program's own close() stands before the C
 * library's and plays one. */
#ifndef TESTS_CHANNEL_HANGING_CLOSE_H
#define TESTS_CHANNEL_HANGING_CLOSE_H

#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "reaper.h"

#include "support.h"

static atomic_int hanging = -1;
static atomic_int all_from = INT_MAX; /* All with such numbers hang, too. */
static sem_t entered;
static atomic_bool signals_were_open;

static inline bool hangs(int fd) {
        return fd == atomic_load(&hanging) || fd >= atomic_load(&all_from);
}

int close(int fd) {
        if (hangs(fd)) {
                sigset_t mask;

                (void) pthread_sigmask(SIG_SETMASK, NULL, &mask);
                if (!sigismember(&mask, SIGTERM) || !sigismember(&mask, SIGINT) ||
                    !sigismember(&mask, SIGCHLD))
                        atomic_store(&signals_were_open, true);
                (void) sem_post(&entered);
                while (hangs(fd))
                        sleep_ms(1);
        }
        return (int) syscall(SYS_close, fd);
}

static inline int some_file(void) {
        int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

        check(fd >= 0);
        return fd;
}

/* Gives the reaper a descriptor that hangs until let_go(). */
static inline int hang(void) {
        int fd = some_file();

        while (sem_trywait(&entered) == 0)
                ; /* Of those that hung before. */
        atomic_store(&hanging, fd);
        check(reaper_close(fd) == 0);
        while (sem_wait(&entered) < 0)
                ;
        return fd;
}

static inline void let_go(void) {
        atomic_store(&hanging, -1);
        atomic_store(&all_from, INT_MAX);
}

#endif
