/* A router whose thread cannot wait, because the system does not let it, or because nothing tells when it could go on: it asks now and then,
 * and does what it is told meanwhile. */
#include <stdatomic.h>

#include <leat/leat.h>

#include "fault.h"
#include "messages.h"
#include "support.h"

#define WATCHDOG_SECONDS 30

/* The router's pause, see REST_NS in channel/routes.c. */
#define PAUSE_MS 10

/* So often it tries before a pause, see there. */
#define MOST_IN_VAIN 16

static atomic_int n_received, n_ended;

static void count_received(number *got, void *context) {
        (void) got;
        (void) context;
        (void) atomic_fetch_add(&n_received, 1);
}

static void count_ended(void *context, int why) {
        (void) context;
        check_equal(why, -ESHUTDOWN);
        (void) atomic_fetch_add(&n_ended, 1);
}

static void wait_for(atomic_int *count, int wanted) {
        while (atomic_load(count) < wanted)
                sleep_ms(1);
}

static void open_route(leat_router router, number_sender *ret_tx) {
        number_receiver rx;

        check_equal(number_channel(ret_tx, &rx), 0);
        check_equal(number_route(router, &rx, count_received, count_ended, NULL), 0);
}

static long count_waits(void) {
        return fault_count(FAULT_epoll_pwait2) + fault_count(FAULT_epoll_wait);
}

/* What its thread waits with; epoll_pwait2 is not there before Linux 5.11. */
static enum fault_call waiting_call(void) {
        while (count_waits() == 0)
                sleep_ms(1);
        return fault_count(FAULT_epoll_pwait2) > 0 ? FAULT_epoll_pwait2 : FAULT_epoll_wait;
}

/* Only what has handles can be too many in flight, and it is the target's message that is. */
static void too_many_in_flight(void) {
        parcel_sender tx, target_tx;
        parcel_receiver rx, target_rx;
        leat_descriptor file = leat_descriptor_lend(0);
        leat_router router;
        int64_t began;
        long before;
        parcel got;

        check_equal(leat_router_create(&router), 0);
        check_equal(parcel_channel(&tx, &rx), 0);
        check_equal(parcel_channel(&target_tx, &target_rx), 0);
        check_equal(parcel_send(tx, &(parcel){ .value = 5, .files = { &file, 1 } }, LEAT_NOW), 0);
        fault_start();
        fault_set(FAULT_sendmsg, 1, ETOOMANYREFS, true);
        check_equal(parcel_route_to(router, &rx, &target_tx, NULL, NULL), 0);
        while (fault_hits() == 0)
                sleep_ms(1);
        began = clock_ms();
        before = fault_hits();
        while (clock_ms() < began + 300)
                sleep_ms(10);
        check(fault_hits() - before <= (2 + (clock_ms() - began) / PAUSE_MS) * MOST_IN_VAIN);
        check_equal(parcel_recv(target_rx, &got, LEAT_NOW), LEAT_EMPTY);
        fault_lift();
        check_equal(parcel_recv(target_rx, &got, LEAT_FOREVER), 0);
        check_equal(got.value, 5);
        check_equal(got.files.count, 1);
        check_equal(leat_router_shutdown(router, LEAT_FOREVER), 0);
        check_equal(leat_router_skipped(router), 0);
        leat_router_close(&router);
        parcel_sender_close(&tx);
        parcel_receiver_close(&target_rx);
        fault_stop();
}

int main(void) {
        leat_router router, other;
        enum fault_call waiting;
        number_sender tx[2];
        int64_t began;
        long before;

        watchdog(WATCHDOG_SECONDS);
        check_equal(leat_router_create(&router), 0);
        open_route(router, &tx[0]);
        check_equal(number_send(tx[0], &(number){ 1 }, LEAT_NOW), 0);
        wait_for(&n_received, 1);

        fault_start();
        check_equal(number_send(tx[0], &(number){ 2 }, LEAT_NOW), 0);
        waiting = waiting_call();
        fault_set(waiting, 1, ENOMEM, true);
        check_equal(number_send(tx[0], &(number){ 3 }, LEAT_NOW), 0); /* It wakes for this one. */
        wait_for(&n_received, 3);
        began = clock_ms();
        before = count_waits();
        while (clock_ms() < began + 300)
                sleep_ms(10);
        before = count_waits() - before;
        check(fault_hits() > 0);
        check(before <= 2 + (clock_ms() - began) / PAUSE_MS);

        open_route(router, &tx[1]);
        fault_lift();
        check_equal(number_send(tx[1], &(number){ 4 }, LEAT_NOW), 0);
        wait_for(&n_received, 4);

        fault_set(waiting, 1, ENOMEM, true);
        check_equal(leat_router_create(&other), 0);
        check_equal(leat_router_shutdown(router, LEAT_FOREVER), 0);
        check_equal(leat_router_shutdown(other, LEAT_FOREVER), 0);
        check_equal(atomic_load(&n_ended), 2);
        for (int i = 0; i < 2; i++) {
                check_equal(number_send(tx[i], &(number){ 5 }, LEAT_NOW), LEAT_DISCONNECTED);
                number_sender_close(&tx[i]);
        }
        leat_router_close(&router);
        leat_router_close(&other);
        fault_lift();
        fault_stop();
        too_many_in_flight();
        return 0;
}
