/* Each end is asked by a verb of its own. */
#include "protocol.h"

bool mistake(answer_sender answer, answer_receiver answers);

bool mistake(answer_sender answer, answer_receiver answers) {
#ifdef MISTAKE
        (void) answer;
        return answer_sender_is_connected(answers); /* MUST FAIL HERE */
#else
        return answer_sender_is_connected(answer) && answer_receiver_is_connected(answers);
#endif
}
