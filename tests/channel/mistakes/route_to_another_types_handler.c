/* A router calls what takes the messages of that receiver. */
#include "protocol.h"

void on_question(question *message, void *context);
void on_answer(answer *message, void *context);
void mistake(leat_router router, answer_receiver *answers);

void mistake(leat_router router, answer_receiver *answers) {
#ifdef MISTAKE
        answer_route(router, answers, on_question, NULL, NULL); /* MUST FAIL HERE */
#else
        answer_route(router, answers, on_answer, NULL, NULL);
#endif
}
