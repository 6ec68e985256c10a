/* What a scenario is written with. It does what a program does, step by step; each step may fail when a fault
 * was put in its way, then with an outcome that the manual knows, and has to work when it is done again, for
 * the fault is over then. What fails without a fault, or fails twice, is a defect. */
#ifndef TESTS_FAULTS_SCENARIO_H
#define TESTS_FAULTS_SCENARIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <leat/leat.h>

#include "fault.h"
#include "support.h"

struct scenario {
        const char *name;
        void (*run)(void);
};

/* End with a NULL. */
extern const struct scenario scenarios_of_messages[];
extern const struct scenario scenarios_of_handles[];
extern const struct scenario scenarios_of_waiting[];
extern const struct scenario scenarios_of_processes[];

/* All waiting has this deadline: longer than any step takes, shorter than the watchdog. */
#define PATIENCE_MS 10000
#define patience()  leat_after_ms(PATIENCE_MS)

/* Does a step until it works. What else it may return, outcomes and errnos, follows; any other ends the
 * run. */
#define need(step, ...)                                                                              \
        do {                                                                                         \
                for (int tried_ = 0, result_; (result_ = (step)) != 0; tried_++)                     \
                        may_fail(#step, result_, tried_, __VA_ARGS__);                               \
        } while (0)

/* One failure of a step. */
#define may_fail(step, result, tried, ...) \
        judge(__FILE__, __LINE__, step, result, tried, (const int[]){ __VA_ARGS__, 0 })

/* Ends the run, unless this result is one of these and a fault was the reason. Lifts a fault that lasts.
 * LEAT_DISCONNECTED is final: then the scenario is over, */
void judge(const char *file, int line, const char *step, int result, int tried, const int *allowed);

/* Whether the scenario was left half-way, because a fault said that a peer had gone. */
bool left_early(void);

/* What any call may say that needs the system. */
#define SHORTAGES -EMFILE, -ENFILE, -ENOMEM, -ENOBUFS

/* What sending may say besides. */
#define SEND_FAILURES SHORTAGES, -ENOSPC, LEAT_FULL, LEAT_TIMEOUT, LEAT_REFUSED, LEAT_DISCONNECTED

/* What a receive may say when it has lost a message, or could not look. */
#define RECEIVE_FAILURES SHORTAGES, -ENOSPC, LEAT_NO_DESCRIPTORS, LEAT_MALFORMED

/* Numbers what is sent, so that nothing is taken for something else. */
extern uint64_t last_number;

/* For a message type T whose first field is `value`:
 *
 * send_T: until it is sent, under a new number each time.
 * receive_T: what was sent last. False when a receive has said that it was lost, and nothing has come: an
 * errno may also mean that it
 *     waits still.
 * pass_T: a message without handles goes through; what was lost is sent again.
 * end_T: what is left to receive is the end. Closes both. */
#define DEFINE_PASSING(T)                                                                                     \
        __attribute__((unused)) static void send_##T(T##_sender tx, T *message) {                             \
                message->value = ++last_number;                                                               \
                for (int tried = 0, r; (r = T##_send(tx, message, patience())) != 0; tried++) {               \
                        may_fail(#T "_send", r, tried, SEND_FAILURES);                                        \
                        message->value = ++last_number;                                                       \
                }                                                                                             \
        }                                                                                                     \
        __attribute__((unused)) static bool receive_##T(T##_receiver rx, T *got) {                            \
                uint64_t lost = T##_lost(rx);                                                                 \
                                                                                                              \
                for (int tried = 0, r; (r = T##_recv(rx, got, tried ? LEAT_NOW : patience())) != 0; tried++) { \
                        if (tried > 0 && r == LEAT_EMPTY)                                                     \
                                return false;                                                                 \
                        may_fail(#T "_recv", r, tried, RECEIVE_FAILURES);                                     \
                        check(r != LEAT_NO_DESCRIPTORS || T##_lost(rx) == lost + 1);                          \
                }                                                                                             \
                check_equal(got->value, last_number);                                                         \
                return true;                                                                                  \
        }                                                                                                     \
        __attribute__((unused)) static void pass_##T(T##_sender tx, T##_receiver rx, T *message, T *got) {    \
                do                                                                                            \
                        send_##T(tx, message);                                                                \
                while (!receive_##T(rx, got));                                                                \
        }                                                                                                     \
        __attribute__((unused)) static void end_##T(T##_sender *tx, T##_receiver *rx) {                       \
                T got;                                                                                        \
                                                                                                              \
                T##_sender_close(tx);                                                                         \
                for (int tried = 0, r; T##_receiver_is_set(*rx); tried++) {                                   \
                        r = T##_recv(*rx, &got, patience());                                                  \
                        if (r == LEAT_DISCONNECTED || (left_early() && r == -EBUSY))                          \
                                break;                                                                        \
                        if (!(left_early() && r == 0))                                                        \
                                may_fail("the end of " #T, r, tried, RECEIVE_FAILURES);                       \
                }                                                                                             \
                T##_receiver_close(rx);                                                                       \
        }                                                                                                     \
        struct leat_type

#endif
