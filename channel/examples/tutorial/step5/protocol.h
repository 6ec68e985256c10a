/* What the two programs share. */
#include <leat/leat.h>

LEAT_MESSAGE(total, (i64, sum), (string, by));
LEAT_DECLARE(job); /* Since a job has a sender of jobs in it. */
LEAT_DEFINE_MESSAGE(job, (array, i32, numbers), (sender, total, done), (sender, job, helper));
LEAT_REQUEST(job, done, total); /* Makes job_ask(): sends a job, waits for its total. */
