/* A question does not go into a channel of answers. */
#include "protocol.h"

void mistake(question_sender questions, answer_sender answers, question *q);

void mistake(question_sender questions, answer_sender answers, question *q) {
#ifdef MISTAKE
        question_send(answers, q, LEAT_NOW); /* MUST FAIL HERE */
#else
        question_send(questions, q, LEAT_NOW);
#endif
}
