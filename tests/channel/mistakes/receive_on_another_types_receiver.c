/* An answer does not come out of a channel of questions. */
#include "protocol.h"

void mistake(question_receiver questions, answer_receiver answers, answer *a);

void mistake(question_receiver questions, answer_receiver answers, answer *a) {
#ifdef MISTAKE
        answer_recv(questions, a, LEAT_NOW); /* MUST FAIL HERE */
#else
        answer_recv(answers, a, LEAT_NOW);
#endif
}
