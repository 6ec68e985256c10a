/* What was asked for is waited for as what it is. */
#include "protocol.h"

LEAT_REQUEST(question, done, answer);

int mistake(question_receiver *questions, answer_receiver *answers, answer *got);

int mistake(question_receiver *questions, answer_receiver *answers, answer *got) {
#ifdef MISTAKE
        return question_ask_wait(questions, got, LEAT_NOW); /* MUST FAIL HERE */
#else
        (void) questions;
        return question_ask_wait(answers, got, LEAT_NOW);
#endif
}
