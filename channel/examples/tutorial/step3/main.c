/* Starts a worker, and sends it jobs. */
#include "protocol.h"
#include <errno.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

struct worker {
        pid_t pid;
};

static int start(struct worker *worker, job_sender *ret_jobs) {
        job_receiver rx = { 0 };
        int r = job_channel(ret_jobs, &rx);

        if (r != 0)
                return r;
        worker->pid = fork();
        if (worker->pid == 0) {
                job_sender_close(ret_jobs); /* Each process keeps only the end that it uses. */
                _exit(work(rx));
        }
        if (worker->pid < 0)
                r = -errno;
        job_receiver_close(&rx);
        return r;
}

static int wait_for(struct worker *worker) {
        int status;

        if (worker->pid <= 0)
                return 1;
        return waitpid(worker->pid, &status, 0) == worker->pid && status == 0 ? 0 : 1;
}

static int ask(job_sender jobs, int32_t *numbers, size_t n) {
        total_receiver answers = { 0 };
        total answer;
        job next = { .numbers = { numbers, n } };
        int r = job_ask(jobs, &next, &answers, &answer, leat_after_ms(5000));

        if (r == 0)
                printf("the sum is %lld\n", (long long) answer.sum);
        total_receiver_close(&answers);
        return r;
}

static int send_jobs(job_sender jobs) {
        int32_t numbers[] = { 19, 20, 3 };
        int r = 0;

        for (size_t n = 1; r == 0 && n <= 3; n++)
                r = ask(jobs, numbers, n);
        return r;
}

int main(void) {
        struct worker worker = { 0 };
        job_sender jobs = { 0 };
        int failed, r = start(&worker, &jobs);

        if (r == 0)
                r = send_jobs(jobs);
        job_sender_close(&jobs); /* The worker does what is left, sees LEAT_DISCONNECTED, and ends. */
        failed = wait_for(&worker);
        if (r != 0)
                fprintf(stderr, "main: %s\n", leat_strerror(r));
        return r == 0 && !failed ? 0 : 1;
}
