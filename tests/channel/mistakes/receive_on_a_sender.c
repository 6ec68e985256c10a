/* A sender cannot receive. */
#include "protocol.h"

void mistake(answer_sender tx, answer_receiver rx, answer *a);

void mistake(answer_sender tx, answer_receiver rx, answer *a) {
#ifdef MISTAKE
        answer_recv(tx, a, LEAT_NOW); /* MUST FAIL HERE */
#else
        answer_recv(rx, a, LEAT_NOW);
#endif
}
