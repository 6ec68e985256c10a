/* What a scenario is written with. It does what a program does, step by step; each step may fail when a fault was put in its way, then
 * with an outcome that the manual knows, and has to work when it is done again, for the fault is over then. What cannot fail without a
 * fault, or fails twice, is a defect. */
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

extern const struct scenario scenarios[]; /* Ends with a NULL. */

/* All waiting has this deadline: longer than any step takes, shorter than the watchdog. */
#define PATIENCE_MS 10000
#define patience()  leat_after_ms(PATIENCE_MS)

/* Does a step until it works. What else it may return, outcomes and errnos, follows; any other ends the run. */
#define need(step, ...)                                                                                      \
        do {                                                                                                 \
                for (int tried_ = 0, result_; (result_ = (step)) != 0; tried_++)                             \
                        judge(__FILE__, __LINE__, #step, result_, tried_, (const int[]){ __VA_ARGS__, 0 });  \
        } while (0)

/* Ends the run, unless this result is one of these and a fault was the reason. Lifts a fault that lasts. */
void judge(const char *file, int line, const char *step, int result, int tried, const int *allowed);

/* What any call may say that needs the system. */
#define SHORTAGES -EMFILE, -ENFILE, -ENOMEM, -ENOBUFS

/* What sending may say besides. */
#define SEND_FAILURES SHORTAGES, -ENOSPC, LEAT_FULL, LEAT_TIMEOUT, LEAT_REFUSED, LEAT_DISCONNECTED

/* What a receive may say when it has lost a message, or could not look. */
#define RECEIVE_FAILURES SHORTAGES, LEAT_NO_DESCRIPTORS, LEAT_MALFORMED

/* Numbers what is sent, so that nothing is taken for something else. */
extern uint64_t last_number;

#endif
