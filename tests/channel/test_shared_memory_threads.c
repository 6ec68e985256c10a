/* One region, many threads: each with a reference of its own, all with the same mapping. */
#include <pthread.h>
#include <string.h>

#include "leat/shared_memory.h"

#include "in_child.h"

#define N_THREADS 8
#define SIZE      ((size_t) 100000)

static pthread_barrier_t barrier;

struct job {
        leat_shared_memory memory;
        const void *data;
};

static void *look(void *argument) {
        struct job *job = argument;
        leat_shared_memory clone;

        (void) pthread_barrier_wait(&barrier);
        check(leat_shared_memory_data(job->memory, &job->data) == 0);
        check(((const char *) job->data)[SIZE - 1] == 'x');
        for (int i = 0; i < 1000; i++) {
                check(leat_shared_memory_clone(job->memory, &clone) == 0);
                leat_shared_memory_close(&clone);
        }
        leat_shared_memory_close(&job->memory);
        return NULL;
}

static void all_threads_share_one_mapping(void) {
        struct job jobs[N_THREADS];
        pthread_t threads[N_THREADS];

        check(leat_shared_memory_fill('x', SIZE, &jobs[0].memory) == 0);
        for (int i = 1; i < N_THREADS; i++)
                check(leat_shared_memory_clone(jobs[0].memory, &jobs[i].memory) == 0);
        for (int i = 0; i < N_THREADS; i++)
                check(pthread_create(&threads[i], NULL, look, &jobs[i]) == 0);
        for (int i = 0; i < N_THREADS; i++)
                check(pthread_join(threads[i], NULL) == 0);
        for (int i = 1; i < N_THREADS; i++)
                check(jobs[i].data == jobs[0].data);
}

int main(void) {
        int n = count_descriptors();

        watchdog(WATCHDOG_SECONDS);
        check(pthread_barrier_init(&barrier, NULL, N_THREADS) == 0);
        for (int i = 0; i < 20; i++)
                all_threads_share_one_mapping();
        (void) pthread_barrier_destroy(&barrier);
        check(count_descriptors() == n);
        return 0;
}
