/* A server of questions gives no answers. */
#include "protocol.h"

void mistake(question_server_end questions, answer_server_end answers, answer_receiver *rx, answer *a);

void mistake(question_server_end questions, answer_server_end answers, answer_receiver *rx, answer *a) {
#ifdef MISTAKE
        answer_accept(questions, rx, a, LEAT_NOW); /* MUST FAIL HERE */
#else
        answer_accept(answers, rx, a, LEAT_NOW);
#endif
}
