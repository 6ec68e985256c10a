/* The worker's side: adds up the numbers of each job. */
#include "protocol.h"
#include <stdio.h>

static int64_t sum_of(const job *next) {
        int64_t sum = 0;

        for (size_t i = 0; i < next->numbers.count; i++)
                sum += next->numbers.items[i];
        return sum;
}

int work(job_receiver jobs) {
        job next;
        int r;

        while ((r = job_recv(jobs, &next, LEAT_FOREVER)) == 0) {
                total answer = { .sum = sum_of(&next) };

                total_send(next.done, &answer, LEAT_NOW); /* Who asked may be gone; the next one is not. */
                job_release(jobs); /* Closes next.done now, and not when the next job comes. */
        }
        if (r != LEAT_DISCONNECTED) /* The end that is expected: no sender is left, and all jobs are done. */
                fprintf(stderr, "worker: %s\n", leat_strerror(r));
        job_receiver_close(&jobs);
        return r == LEAT_DISCONNECTED ? 0 : 1;
}
