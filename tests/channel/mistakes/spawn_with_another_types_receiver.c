/* A program is not given a receiver of questions as one of answers. */
#include "protocol.h"

int mistake(question_receiver *questions, answer_receiver *answers, char *const *argv, struct leat_process *process);

int mistake(question_receiver *questions, answer_receiver *answers, char *const *argv, struct leat_process *process) {
#ifdef MISTAKE
        (void) answers;
        return answer_spawn_receiver(argv, questions, process); /* MUST FAIL HERE */
#else
        (void) questions;
        return answer_spawn_receiver(argv, answers, process);
#endif
}
