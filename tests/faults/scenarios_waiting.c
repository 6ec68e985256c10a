/* Waiting: in sets, by event loops, for a router's thread, and for another thread that sleeps. */
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "world.h"

#define WAIT_FAILURES SHORTAGES, -ENOSPC, LEAT_EMPTY

/* ---- sets ---- */

enum { FIRST, SECOND, ROOM, END, PIPE };

/* Waits until this member is ready. Others may be, too. */
static void wait_for(uint64_t wanted) {
        uint64_t key;

        for (int64_t end = clock_ms() + PATIENCE_MS;;) {
                check(clock_ms() < end);
                need(leat_set_wait(world.set, &key, patience()), WAIT_FAILURES);
                check(key <= PIPE);
                if (key == wanted)
                        return;
        }
}

static void set(void) {
        number message, got;
        uint64_t key;
        int fd, ends[2], r;

        need(leat_set_create(&world.set), SHORTAGES, -ENOSPC);
        for (uint64_t i = FIRST; i <= ROOM; i++)
                need(number_channel(&world.numbers_tx[i], &world.numbers_rx[i]), SHORTAGES);
        for (uint64_t i = FIRST; i <= SECOND; i++)
                need(number_set_add(world.set, world.numbers_rx[i], i), SHORTAGES, -ENOSPC);
        need(number_set_add_sender_end(world.set, world.numbers_tx[ROOM], END), SHORTAGES, -ENOSPC);
        fault_pass_over(); /* The test's own. */
        check_equal(pipe(ends), 0);
        fault_go_on();
        world.files[0] = ends[0];
        world.files[1] = ends[1];
        need(leat_set_watch(world.set, ends[0], POLLIN, PIPE), SHORTAGES, -ENOSPC);

        for (int i = 0; i < 3; i++)
                for (uint64_t k = FIRST; k <= SECOND; k++)
                        do {
                                send_number(world.numbers_tx[k], &message);
                                wait_for(k);
                        } while (!receive_number(world.numbers_rx[k], &got));
        check_equal(write(ends[1], "x", 1), 1);
        wait_for(PIPE);
        check_equal(leat_set_remove(world.set, PIPE), 0);
        check_equal(leat_set_wake(world.set), 0);
        for (int tried = 0; (r = leat_set_wait(world.set, &key, patience())) != LEAT_WOKEN; tried++)
                may_fail("leat_set_wait", r, tried, WAIT_FAILURES);
        for (int tried = 0; (r = leat_set_wait(world.set, &key, LEAT_NOW)) != LEAT_EMPTY; tried++)
                if (r == 0 && key <= SECOND && tried < 10) /* A packet about a lane. */
                        check_equal(number_recv(world.numbers_rx[key], &got, LEAT_NOW), LEAT_EMPTY);
                else
                        may_fail("leat_set_wait", r, tried, WAIT_FAILURES);
        need(leat_set_arm(world.set, &fd), SHORTAGES, -ENOSPC, LEAT_MORE);
        do {
                send_number(world.numbers_tx[FIRST], &message);
                check(poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, PATIENCE_MS) == 1);
                wait_for(FIRST);
        } while (!receive_number(world.numbers_rx[FIRST], &got));
        need(number_set_add_sender(world.set, world.numbers_tx[SECOND], ROOM), SHORTAGES, -ENOSPC);
        wait_for(ROOM);
        check_equal(leat_set_remove(world.set, ROOM), 0);
        number_receiver_close(&world.numbers_rx[ROOM]);
        wait_for(END);
        check_equal(leat_set_remove(world.set, END), 0);
        number_sender_close(&world.numbers_tx[FIRST]);
        wait_for(FIRST);
        for (int tried = 0; (r = number_recv(world.numbers_rx[FIRST], &got, LEAT_NOW)) != LEAT_DISCONNECTED;
             tried++)
                may_fail("number_recv", r, tried, RECEIVE_FAILURES, LEAT_EMPTY);
        number_receiver_close(&world.numbers_rx[FIRST]);
}

/* ---- an event loop of one's own ---- */

static void arm(void) {
        number message, got;
        int fd, r;

        need(number_channel(&world.numbers_tx[0], &world.numbers_rx[0]), SHORTAGES);
        for (int i = 0; i < 5; i++)
                do {
                        for (int tried = 0;
                             (r = number_recv(world.numbers_rx[0], &got, LEAT_NOW)) != LEAT_EMPTY; tried++)
                                may_fail("number_recv", r, tried, RECEIVE_FAILURES);
                        need(number_arm(world.numbers_rx[0], &fd), SHORTAGES, -ENOSPC, LEAT_MORE);
                        send_number(world.numbers_tx[0], &message);
                        check(poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, PATIENCE_MS) == 1);
                } while (!receive_number(world.numbers_rx[0], &got));
}

/* ---- another thread that sleeps ---- */

static struct {
        pthread_t thread;
        atomic_int sent; /* The last one. */
} other;

/* Sends what the other thread waits for, when that is likely to sleep. */
static void *send_slowly(void *unused) {
        number message;
        int r;

        (void) unused;
        for (uint64_t i = 1; i <= 5; i++) {
                sleep_ms(2);
                message.value = i;
                while ((r = number_send(world.numbers_tx[0], &message, patience())) != 0) {
                        check(fault_hits() > 0 && r != LEAT_TIMEOUT && r != -EINTR);
                        fault_lift();
                        if (r == LEAT_DISCONNECTED) /* What was sent arrives all the same. */
                                goto out;
                }
                atomic_store(&other.sent, (int) i);
        }
out:
        number_sender_close(&world.numbers_tx[0]);
        return NULL;
}

static void sleepers(const struct leat_channel_options *options) {
        uint64_t n_got = 0, n_lost = 0;
        number got;
        int r;

        need(number_channel_with(options, &world.numbers_tx[0], &world.numbers_rx[0]), SHORTAGES);
        atomic_store(&other.sent, 0);
        check_equal(pthread_create(&other.thread, NULL, send_slowly, NULL), 0);
        while ((r = number_recv(world.numbers_rx[0], &got, patience())) != LEAT_DISCONNECTED) {
                if (r == 0) {
                        check(got.value > n_got && got.value <= n_got + 1 + n_lost);
                        n_got = got.value;
                } else {
                        check(fault_hits() > 0 && r != LEAT_TIMEOUT && r != LEAT_EMPTY && r != -EINTR);
                        fault_lift();
                        n_lost++;
                        check(n_lost < 10);
                }
        }
        check_equal(pthread_join(other.thread, NULL), 0);
        number_receiver_close(&world.numbers_rx[0]);
        check(n_got + n_lost >= (uint64_t) atomic_load(&other.sent));
}

static void asleep(void) {
        sleepers(NULL);
}

static void asleep_in_lane(void) {
        sleepers(&(struct leat_channel_options){ .lanes = LEAT_LANES_ALWAYS });
}

/* ---- routers ---- */

static atomic_int n_routed, n_ended, why_ended[2];
static _Atomic uint64_t last_routed;

static void on_number(number *got, void *context) {
        (void) context;
        atomic_store(&last_routed, got->value);
        (void) atomic_fetch_add(&n_routed, 1);
}

static void on_end(void *context, int why) {
        atomic_store(&why_ended[(uintptr_t) context], why);
        (void) atomic_fetch_add(&n_ended, 1);
}

/* What the thread cannot do for want of something it does when that is over. */
static void be_patient(int64_t since) {
        check(clock_ms() - since < PATIENCE_MS);
        if (clock_ms() - since > 100)
                fault_lift();
        sleep_ms(1);
}

/* A route to a function, and one into another channel. A route that cannot go on says why; all that is
 * skipped is counted. */
static void router(void) {
        number message, got;
        int wanted = 0, r;

        atomic_store(&n_routed, 0);
        atomic_store(&n_ended, 0);
        need(leat_router_create(&world.router), SHORTAGES, -ENOSPC, -EAGAIN);
        for (int i = 0; i < 3; i++)
                need(number_channel(&world.numbers_tx[i], &world.numbers_rx[i]), SHORTAGES);
        need(number_sender_clone(world.numbers_tx[2], &world.numbers_tx[3]), SHORTAGES);
        need(number_route(world.router, &world.numbers_rx[0], on_number, on_end, (void *) 0), SHORTAGES);
        check(!number_receiver_is_set(world.numbers_rx[0]));
        need(number_route_to(world.router, &world.numbers_rx[1], &world.numbers_tx[3], on_end, (void *) 1),
             SHORTAGES);
        check(!number_receiver_is_set(world.numbers_rx[1]) && !number_sender_is_set(world.numbers_tx[3]));
        for (int i = 0; i < 3 && atomic_load(&n_ended) == 0; i++) {
                uint64_t skipped = leat_router_skipped(world.router);

                send_number(world.numbers_tx[0], &message);
                for (int64_t began = clock_ms(); atomic_load(&n_routed) <= wanted; be_patient(began)) {
                        if (leat_router_skipped(world.router) > skipped || atomic_load(&n_ended) > 0)
                                break;
                }
                if (atomic_load(&n_routed) > wanted) {
                        check_equal(atomic_load(&last_routed), message.value);
                        wanted++;
                } else {
                        check(fault_hits() > 0);
                }
        }
        for (int i = 0; i < 3 && atomic_load(&n_ended) == 0; i++) {
                uint64_t skipped = leat_router_skipped(world.router);
                int64_t began = clock_ms();

                send_number(world.numbers_tx[1], &message);
                for (int tried = 0; (r = number_recv(world.numbers_rx[2], &got, leat_after_ms(10))) != 0;
                     tried++) {
                        be_patient(began);
                        if (r == LEAT_TIMEOUT &&
                            (leat_router_skipped(world.router) > skipped || atomic_load(&n_ended) > 0))
                                break;
                        if (r != LEAT_TIMEOUT)
                                may_fail("number_recv", r, 0, RECEIVE_FAILURES);
                }
                if (r == 0)
                        check_equal(got.value, message.value);
                else
                        check(fault_hits() > 0);
        }
        /* A route that ended for another reason has told it. */
        check(atomic_load(&n_ended) == 0 || fault_hits() > 0);
        if (atomic_load(&n_ended) == 0) {
                number_sender_close(&world.numbers_tx[0]);
                for (int64_t began = clock_ms(); atomic_load(&n_ended) == 0;)
                        be_patient(began);
                check(atomic_load(&n_ended) == 1 || fault_hits() > 0);
        }
        need(leat_router_shutdown(world.router, patience()), SHORTAGES);
        check_equal(atomic_load(&n_ended), 2);
        leat_router_close(&world.router);
        number_sender_close(&world.numbers_tx[2]);
        for (int tried = 0; (r = number_recv(world.numbers_rx[2], &got, patience())) != LEAT_DISCONNECTED;)
                if (r != 0)
                        may_fail("number_recv", r, tried++, RECEIVE_FAILURES);
        number_receiver_close(&world.numbers_rx[2]);
}

const struct scenario scenarios_of_waiting[] = {
        { "set", set },       { "arm", arm }, { "asleep", asleep }, { "asleep_in_lane", asleep_in_lane },
        { "router", router }, { NULL, NULL },
};
