/* A program started by test_server: joins the server whose name is its argument, says one number, leaves. */
#include <stdlib.h>

#include <leat/leat.h>

#include "support.h"

LEAT_MESSAGE(number, (u64, value));
LEAT_MESSAGE(hello, (u64, pid), (sender, number, reply), (string, next_server));

int main(int argc, char **argv) {
        hello_sender tx = { 0 };

        watchdog(30);
        check(argc == 3);
        check_equal(hello_connect(argv[1], &tx, leat_after_ms(30000)), 0);
        check_equal(hello_send(tx, &(hello){ .pid = strtoull(argv[2], NULL, 10) }, leat_after_ms(30000)), 0);
        hello_sender_close(&tx);
        return 0;
}
