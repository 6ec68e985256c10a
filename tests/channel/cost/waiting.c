/* What waiting costs, at most: the other side is another process that sends, or makes room, a while after it
 * is told to. On a machine that stands still meanwhile it may have done so already. */
#include <sched.h>
#include <unistd.h>

#include <leat/leat.h>

#include "cost.h"
#include "count.h"

#include "support.h"

LEAT_MESSAGE(go, (u32, messages));

/* The other process: sends messages, or drains a channel when it is to send none, a while after it is told
 * to, so that the measured one waits. */
static void help(go_receiver orders, packed_message_sender tx, packed_message_receiver full) {
        go order;
        packed_message message;

        while (go_recv(orders, &order, LEAT_FOREVER) == 0) {
                sleep_ms(100);
                for (uint32_t i = 0; i < order.messages; i++)
                        check_equal(packed_message_send(tx, &a_packed_message, LEAT_FOREVER), 0);
                while (order.messages == 0 && packed_message_recv(full, &message, LEAT_NOW) == 0)
                        ;
        }
        _exit(0);
}

static void tell(go_sender helper, uint32_t messages, const struct row *row) {
        if (row)
                sleep_ms(100); /* It sleeps by then, waiting for that. */
        begin();
        check_equal(go_send(helper, &(go){ messages }, LEAT_FOREVER), 0);
        end(row ? row->name : NULL, 0, row ? row->most : 0);
}

/* A lane that is armed for the 32nd time costs more: so it is armed once in a round, where it is counted, and
 * not here. */
static void receive_unarmed(packed_message_receiver rx) {
        packed_message message;
        int r;

        while ((r = packed_message_recv(rx, &message, LEAT_NOW)) == LEAT_EMPTY)
                sleep_ms(1);
        check_equal(r, 0);
}

static void wait_for_both(go_sender helper, packed_message_receiver rx, packed_message_sender full,
                          const struct waiting *rows) {
        packed_message message;
        int r;

        for (int round = 0; round < 6; round++) {
                bool warm = round >= 4, bounded = round % 2;
                leat_deadline deadline = bounded ? leat_after_ms(30000) : LEAT_FOREVER;
                const struct row *receive = bounded ? &rows->receive_until : &rows->receive;
                const struct row *send = bounded ? &rows->send_until : &rows->send;
                uint32_t n = warm ? 1 : 100; /* A lane is made, and both sides know where the other runs. */

                tell(helper, n, warm && rows->tells.name ? &rows->tells : NULL);
                begin();
                check_equal(packed_message_recv(rx, &message, deadline), 0);
                end(warm ? receive->name : NULL, 0, receive->most);
                while (--n > 0)
                        receive_unarmed(rx);

                while ((r = packed_message_send(full, &a_packed_message, LEAT_NOW)) == 0)
                        ;
                check_equal(r, LEAT_FULL);
                tell(helper, 0, NULL);
                begin();
                check_equal(packed_message_send(full, &a_packed_message, deadline), 0);
                end(warm ? send->name : NULL, 0, send->most);
        }
}

/* Both on one processor: there nobody waits awake, and a row costs the same each time. */
static void stay_on_one_processor(void) {
        cpu_set_t one;

        CPU_ZERO(&one);
        CPU_SET((size_t) sched_getcpu(), &one);
        check_equal(sched_setaffinity(0, sizeof(one), &one), 0);
}

void measure_waiting(const struct waiting *rows) {
        packed_message_sender tx, full;
        packed_message_receiver rx, full_end;
        go_receiver orders;
        go_sender helper;
        pid_t child;

        stay_on_one_processor();
        check_equal(go_channel(&helper, &orders), 0);
        check_equal(packed_message_channel(&tx, &rx), 0);
        check_equal(packed_message_channel(&full, &full_end), 0);
        child = fork();
        check(child >= 0);
        if (child == 0) {
                go_sender_close(&helper);
                help(orders, tx, full_end);
        }
        go_receiver_close(&orders);
        packed_message_sender_close(&tx);
        packed_message_receiver_close(&full_end);
        wait_for_both(helper, rx, full, rows);
        go_sender_close(&helper);
        packed_message_sender_close(&full);
        packed_message_receiver_close(&rx);
        check_equal(wait_for_exit(child), 0);
}
