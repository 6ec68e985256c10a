/* A route leads from a channel into one of the same type. */
#include "protocol.h"

void mistake(leat_router router, answer_receiver *answers, question_sender *questions, answer_sender *others);

void mistake(leat_router router, answer_receiver *answers, question_sender *questions, answer_sender *others) {
        (void) questions, (void) others;
#ifdef MISTAKE
        answer_route_to(router, answers, questions, NULL, NULL); /* MUST FAIL HERE */
#else
        answer_route_to(router, answers, others, NULL, NULL);
#endif
}
