/* A program does not take a sender of questions for one of answers. */
#include "protocol.h"

int mistake(question_sender *questions, answer_sender *answers);

int mistake(question_sender *questions, answer_sender *answers) {
#ifdef MISTAKE
        (void) answers;
        return answer_inherited_sender(questions); /* MUST FAIL HERE */
#else
        (void) questions;
        return answer_inherited_sender(answers);
#endif
}
