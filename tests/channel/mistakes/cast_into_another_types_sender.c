/* What an opaque end becomes is checked when the program runs; what it is then called is checked before. */
#include "protocol.h"

void mistake(leat_opaque_sender *opaque, question_sender *questions, answer_sender *answers);

void mistake(leat_opaque_sender *opaque, question_sender *questions, answer_sender *answers) {
        (void) questions;
        (void) answers;
#ifdef MISTAKE
        answer_sender_from_opaque(opaque, questions); /* MUST FAIL HERE */
#else
        answer_sender_from_opaque(opaque, answers);
#endif
}
