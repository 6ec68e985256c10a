/* A server that has no memory to take what a client says: whatever call fails once, the client need not come again. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <leat/leat.h>

#include "fault.h"
#include "messages.h"
#include "support.h"

#define WATCHDOG_SECONDS 30

static const enum fault_call calls[] = { FAULT_accept4, FAULT_recv, FAULT_recvmsg };
static const int effects[] = { ENOMEM, ENOBUFS, EMFILE };

/* Returns whether that call was made at all. */
static bool accepts_though(enum fault_call call, long n, int effect) {
        number_server_end server;
        number_sender tx;
        number_receiver rx = { 0 };
        number got;
        bool has_failed;
        int r;

        check_equal(number_listen(&server), 0);
        check_equal(number_connect(number_server_name(server), &tx, LEAT_NOW), 0);
        check_equal(number_send(tx, &(number){ 5 }, LEAT_NOW), 0);
        fault_start();
        fault_set(call, n, effect, false);
        r = number_accept(server, &rx, &got, LEAT_NOW);
        has_failed = fault_hits() > 0;
        check(r == (has_failed ? -effect : 0));
        if (r != 0)
                check_equal(number_accept(server, &rx, &got, LEAT_NOW), 0);
        fault_stop();
        check_equal(got.value, 5);
        number_receiver_close(&rx);
        number_sender_close(&tx);
        number_server_close(&server);
        return has_failed;
}

int main(void) {
        char *folder = temp_folder();
        int before, n_cases = 0;

        watchdog(WATCHDOG_SECONDS);
        check(setenv("XDG_RUNTIME_DIR", folder, 1) == 0);
        before = count_descriptors();
        for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
                for (size_t k = 0; k < sizeof(effects) / sizeof(effects[0]); k++)
                        for (long n = 1; accepts_though(calls[i], n, effects[k]); n++)
                                n_cases++;
        check_equal(settle_descriptors(before), before);
        check(n_cases >= 9);
        temp_folder_remove(&folder);
        printf("cases %d\n", n_cases);
        return 0;
}
