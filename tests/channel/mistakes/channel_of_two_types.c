/* Both ends of a channel are of its type. */
#include "protocol.h"

void mistake(question_sender *tx, question_receiver *rx, answer_receiver *other);

void mistake(question_sender *tx, question_receiver *rx, answer_receiver *other) {
        (void) rx;
        (void) other;
#ifdef MISTAKE
        question_channel(tx, other); /* MUST FAIL HERE */
#else
        question_channel(tx, rx);
#endif
}
