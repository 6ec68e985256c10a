/* What a message costs on a socket: no allocation; one system call when the message or the room for it is
 * there, one when waiting without a deadline, three at most with one. */
#include <leat/leat.h>

#include "cost.h"
#include "count.h"

#include "support.h"

/* Message and room are there. */
static void measure_plain(leat_deadline deadline, const char *send, const char *receive) {
        plain_message_sender tx;
        plain_message_receiver rx;
        plain_message message;

        check_equal(plain_message_channel(&tx, &rx), 0);
        for (int round = 0; round < 8; round++) {
                begin();
                check_equal(plain_message_send(tx, &a_plain_message, deadline), 0);
                end(round < 4 ? NULL : send, 1, 1);
                begin();
                check_equal(plain_message_recv(rx, &message, deadline), 0);
                end(round < 4 ? NULL : receive, 1, 1);
        }
        plain_message_sender_close(&tx);
        plain_message_receiver_close(&rx);
}

static void measure_packed(leat_deadline deadline, const char *send, const char *receive) {
        packed_message_sender tx;
        packed_message_receiver rx;
        packed_message message;

        check_equal(packed_message_channel(&tx, &rx), 0);
        for (int round = 0; round < 8; round++) {
                begin();
                check_equal(packed_message_send(tx, &a_packed_message, deadline), 0);
                end(round < 4 ? NULL : send, 1, 1);
                begin();
                check_equal(packed_message_recv(rx, &message, deadline), 0);
                end(round < 4 ? NULL : receive, 1, 1);
        }
        packed_message_sender_close(&tx);
        packed_message_receiver_close(&rx);
}

void measure_sockets(void) {
        static const struct waiting waiting = { .receive = { "waiting receive, forever", 1 },
                                                .receive_until = { "waiting receive, deadline", 3 },
                                                .send = { "waiting send, forever", 1 },
                                                .send_until = { "waiting send, deadline", 3 } };

        measure_plain(LEAT_NOW, "plain send, now", "plain receive, now");
        measure_plain(LEAT_FOREVER, "plain send, forever", "plain receive, forever");
        measure_plain(leat_after_ms(30000), "plain send, deadline", "plain receive, deadline");
        measure_packed(LEAT_NOW, "packed send, now", "packed receive, now");
        measure_packed(LEAT_FOREVER, "packed send, forever", "packed receive, forever");
        measure_packed(leat_after_ms(30000), "packed send, deadline", "packed receive, deadline");
        measure_waiting(&waiting);
}
