/* What is taken keeps its type. */
#include "protocol.h"

void mistake(question *q, question_sender *questions, answer_sender *answers);

void mistake(question *q, question_sender *questions, answer_sender *answers) {
#ifdef MISTAKE
        *questions = answer_sender_take(&q->done); /* MUST FAIL HERE */
#else
        *answers = answer_sender_take(&q->done);
#endif
}
