/* What programs do with channels. */
#include <string.h>

#include "messages.h"
#include "scenario.h"

/* Receives what was sent last, or says that it was lost, when a receive has said so. An errno may also mean that it waits still. */
static bool receive_number(number_receiver rx) {
        number got;

        for (int tried = 0, r; (r = number_recv(rx, &got, tried ? LEAT_NOW : patience())) != 0; tried++) {
                if (tried > 0 && r == LEAT_EMPTY)
                        return false;
                judge(__FILE__, __LINE__, "number_recv", r, tried, (const int[]){ RECEIVE_FAILURES, 0 });
        }
        check_equal(got.value, last_number);
        return true;
}

/* A message goes through; what was reported lost is sent again. Nothing that a send said had failed may arrive. */
static void pass_number(number_sender *tx, number_receiver *rx) {
        do
                for (int tried = 0, r; (r = number_send(*tx, &(number){ ++last_number }, patience())) != 0;
                     tried++) {
                        judge(__FILE__, __LINE__, "number_send", r, tried, (const int[]){ SEND_FAILURES, 0 });
                        if (r == LEAT_DISCONNECTED) { /* That is final. */
                                number_sender_close(tx);
                                number_receiver_close(rx);
                                check_equal(number_channel(tx, rx), 0);
                        }
                }
        while (!receive_number(*rx));
}

static void end_numbers(number_sender *tx, number_receiver *rx) {
        number got;

        number_sender_close(tx);
        for (int tried = 0, r; (r = number_recv(*rx, &got, patience())) != LEAT_DISCONNECTED; tried++)
                judge(__FILE__, __LINE__, "the end", r, tried, (const int[]){ RECEIVE_FAILURES, 0 });
        number_receiver_close(rx);
}

static void plain(void) {
        number_sender tx;
        number_receiver rx;

        need(number_channel(&tx, &rx), SHORTAGES);
        for (int i = 0; i < 3; i++)
                pass_number(&tx, &rx);
        end_numbers(&tx, &rx);
}

static void busy(void) {
        number_sender tx;
        number_receiver rx;

        need(number_channel(&tx, &rx), SHORTAGES);
        for (int i = 0; i < 80; i++)
                pass_number(&tx, &rx);
        end_numbers(&tx, &rx);
}

const struct scenario scenarios[] = { { "plain", plain }, { "busy", busy }, { NULL, NULL } };
