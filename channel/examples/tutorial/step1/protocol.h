/* What the two sides share. */
#include <leat/leat.h>

LEAT_MESSAGE(job, (array, i32, numbers));

int work(job_receiver jobs); /* In worker.c. */
