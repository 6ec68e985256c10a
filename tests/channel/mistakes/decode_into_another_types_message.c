/* What an undecoded message is, is only known when it is decoded; into what, always. */
#include "protocol.h"

void mistake(leat_undecoded undecoded, question *q, answer *a);

void mistake(leat_undecoded undecoded, question *q, answer *a) {
        (void) q;
        (void) a;
#ifdef MISTAKE
        answer_decode(undecoded, q); /* MUST FAIL HERE */
#else
        answer_decode(undecoded, a);
#endif
}
