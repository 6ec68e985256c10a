/* A message of another type may be smaller than what is received into it. */
#include "protocol.h"

void mistake(answer_receiver rx, question *q, answer *a);

void mistake(answer_receiver rx, question *q, answer *a) {
        (void) q;
        (void) a;
#ifdef MISTAKE
        answer_recv(rx, q, LEAT_NOW); /* MUST FAIL HERE */
#else
        answer_recv(rx, a, LEAT_NOW);
#endif
}
