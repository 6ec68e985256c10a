/* fork_generation: the same in all threads of a process, another in each child, and free of system calls. */
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "fork.h"

#include "in_child.h"

#define N_THREADS 8

static pthread_barrier_t barrier;
static uint64_t mine; /* What the process that forks has. */

static void *ask(void *ret_generation) {
        (void) pthread_barrier_wait(&barrier);
        *(uint64_t *) ret_generation = fork_generation();
        return NULL;
}

/* Also the first call of the process, or of a child: the one that has to make the page, or the generation. */
static void all_threads_agree(void) {
        uint64_t generations[N_THREADS];
        pthread_t threads[N_THREADS];

        check(pthread_barrier_init(&barrier, NULL, N_THREADS) == 0);
        for (int i = 0; i < N_THREADS; i++)
                check(pthread_create(&threads[i], NULL, ask, &generations[i]) == 0);
        for (int i = 0; i < N_THREADS; i++)
                check(pthread_join(threads[i], NULL) == 0);
        (void) pthread_barrier_destroy(&barrier);

        check(generations[0] != 0);
        for (int i = 0; i < N_THREADS; i++)
                check(generations[i] == fork_generation());
}

static uint64_t parents;

static void grandchild_differs_from_all_before(void) {
        check(fork_generation() != mine);
        check(fork_generation() != parents);
}

static void child_differs_and_stays(void) {
        parents = fork_generation();
        check(parents != mine && parents != 0);
        check(fork_generation() == parents);
        run_in_child(grandchild_differs_from_all_before);
        check(fork_generation() == parents);
}

/* A child that never asked has nothing of its own, but its child must still differ from us. */
static void silent_child(void) {
        parents = mine;
        run_in_child(grandchild_differs_from_all_before);
}

/* Fork handlers do not run here. */
static void a_raw_clone_differs(void) {
        pid_t child = (pid_t) syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);

        check(child >= 0);
        if (child == 0)
                (void) syscall(SYS_exit_group, fork_generation() == mine);
        check_equal(wait_for_exit(child), 0);
}

/* In this mode every system call but read, write and exit kills. */
static void no_system_call_is_made(void) {
        uint64_t sum = 0;

        if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT, 0, 0, 0) < 0)
                leave_child(0); /* A sandbox without seccomp: nothing to see. */
        for (int i = 0; i < 1000; i++)
                sum += fork_generation();
        (void) syscall(SYS_exit, sum == 0);
}

static atomic_bool stop;

static void *ask_all_the_time(void *unused) {
        (void) unused;
        while (!atomic_load(&stop))
                check(fork_generation() == mine);
        return NULL;
}

static void children_differ_while_other_threads_ask(void) {
        pthread_t threads[2];

        for (int i = 0; i < 2; i++)
                check(pthread_create(&threads[i], NULL, ask_all_the_time, NULL) == 0);
        for (int i = 0; i < 20; i++)
                run_in_child(child_differs_and_stays);
        atomic_store(&stop, true);
        for (int i = 0; i < 2; i++)
                check(pthread_join(threads[i], NULL) == 0);
}

int main(void) {
        watchdog(WATCHDOG_SECONDS);

        all_threads_agree();
        mine = fork_generation();
        run_in_child(child_differs_and_stays);
        run_in_child(silent_child);
        if (!UNDER_TSAN) /* It starts no threads in the child of a process that had some. */
                run_in_child(all_threads_agree);
        a_raw_clone_differs();
        /* ThreadSanitizer's thread would keep the child alive. */
        if (!UNDER_TSAN && !is_left_out("no_system_call_is_made"))
                run_in_child(no_system_call_is_made);
        children_differ_while_other_threads_ask();
        check(fork_generation() == mine);
        return 0;
}
