/* The worker, a program of its own: adds up the numbers of each job. What has too many of them goes on to the
 * helper. */
#include "protocol.h"
#include <stdio.h>

static int64_t sum_of(const job *next) {
        int64_t sum = 0;

        for (size_t i = 0; i < next->numbers.count; i++)
                sum += next->numbers.items[i];
        return sum;
}

/* With the sender for the answer, which so goes to who asked, and not through this process. */
static int hand_on(const job *next) {
        job rest = { .numbers = next->numbers, .done = next->done };

        return job_send(next->helper, &rest, leat_after_ms(5000));
}

int main(int argc, char **argv) {
        job_receiver jobs = { 0 };
        job next;
        int r = job_inherited_receiver(&jobs);

        while (r == 0 && (r = job_recv(jobs, &next, LEAT_FOREVER)) == 0) {
                total answer = { .sum = sum_of(&next), .by = argv[argc - 1] };

                if (job_sender_is_set(next.helper) && next.numbers.count > 2)
                        hand_on(&next);
                else
                        total_send(next.done, &answer,
                                   LEAT_NOW); /* Who asked may be gone; the next one is not. */
                job_release(
                        jobs); /* Closes next.done and next.helper now, and not when the next job comes. */
        }
        if (r != LEAT_DISCONNECTED) /* The end that is expected: no sender is left, and all jobs are done. */
                fprintf(stderr, "worker: %s\n", leat_strerror(r));
        job_receiver_close(&jobs);
        return r == LEAT_DISCONNECTED ? 0 : 1;
}
