/* What the two programs share. */
#include <leat/leat.h>

LEAT_MESSAGE(total, (i64, sum));
LEAT_MESSAGE(job, (array, i32, numbers), (sender, total, done)); /* A sender inside a message. */
LEAT_REQUEST(job, done, total); /* Makes job_ask(): sends a job, waits for its total. */
