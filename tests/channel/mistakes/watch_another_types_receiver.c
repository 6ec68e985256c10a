/* A set is joined with the verbs of one's own type. */
#include "protocol.h"

void mistake(leat_set set, question_receiver questions, answer_receiver answers);

void mistake(leat_set set, question_receiver questions, answer_receiver answers) {
#ifdef MISTAKE
        answer_set_add(set, questions, 1); /* MUST FAIL HERE */
#else
        answer_set_add(set, answers, 1);
#endif
}
