/* Joins the server whose name is its argument, sends one message, and ends with 0. */
#include "servers.h"
#include "support.h"

int main(int argc, char **argv) {
        hello_sender tx = { 0 };

        watchdog(30);
        check(argc == 2);
        check_equal(hello_connect(argv[1], &tx, leat_after_ms(30000)), 0);
        check_equal(hello_send(tx, &(hello){ .text = "by exec" }, leat_after_ms(30000)), 0);
        hello_sender_close(&tx);
        return 0;
}
