/* Of an opaque sender nobody knows whether it takes this message. */
#include "protocol.h"

void mistake(leat_opaque_sender opaque, answer_sender tx, const answer *a);

void mistake(leat_opaque_sender opaque, answer_sender tx, const answer *a) {
        (void) opaque;
        (void) tx;
#ifdef MISTAKE
        answer_send(opaque, a, LEAT_NOW); /* MUST FAIL HERE */
#else
        answer_send(tx, a, LEAT_NOW);
#endif
}
