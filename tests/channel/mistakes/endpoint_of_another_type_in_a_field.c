/* A message's field takes endpoints of its own type only. */
#include "protocol.h"

void mistake(question *q, question_sender *questions, answer_sender *answers);

void mistake(question *q, question_sender *questions, answer_sender *answers) {
#ifdef MISTAKE
        q->done = question_sender_give(questions); /* MUST FAIL HERE */
#else
        q->done = answer_sender_give(answers);
#endif
}
