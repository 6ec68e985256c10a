/* Passed by pointer, an endpoint is told from another type's as well. */
#include "protocol.h"

void mistake(question_sender *questions, answer_sender *answers);

void mistake(question_sender *questions, answer_sender *answers) {
#ifdef MISTAKE
        answer_sender_close(questions); /* MUST FAIL HERE */
#else
        question_sender_close(questions);
#endif
        answer_sender_close(answers);
}
