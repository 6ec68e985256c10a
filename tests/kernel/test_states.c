/* The table of states, seen from outside: the paths that must exist, and what must not. */
#include <criterion/criterion.h>
#include <string.h>

#include "states.h"

static enum state state;
static enum action action;

static void begin(void) {
        state = STATE_STOPPED;
}

static enum state on(enum event event) {
        struct step step = states_step(state, event);

        state = step.next;
        action = step.action;
        return state;
}

TestSuite(states, .init = begin);

Test(states, a_life_without_trouble) {
        cr_assert_eq(on(EVENT_START), STATE_STARTING);
        cr_assert_eq(action, ACTION_SPAWN);
        cr_assert_eq(on(EVENT_CONNECTED), STATE_STARTING);
        cr_assert_eq(on(EVENT_HANDSHAKE), STATE_RUNNING);
        cr_assert_eq(on(EVENT_HEARTBEAT), STATE_RUNNING);
        cr_assert_eq(action, ACTION_NONE);
        cr_assert_eq(on(EVENT_STOP), STATE_STOPPING);
        cr_assert_eq(action, ACTION_TELL);
        cr_assert_eq(on(EVENT_ENDED), STATE_STOPPED);
        cr_assert_eq(action, ACTION_REST);
}

Test(states, silence_is_reported_or_ended) {
        on(EVENT_CONNECTED);
        cr_assert_eq(on(EVENT_LATE), STATE_SILENT);
        cr_assert_eq(on(EVENT_LATE), STATE_SILENT);
        cr_assert_eq(action, ACTION_NONE, "it is told once");
        cr_assert_eq(on(EVENT_HEARTBEAT), STATE_RUNNING);
        cr_assert_eq(on(EVENT_OVERDUE), STATE_STOPPING);
        cr_assert_eq(action, ACTION_KILL);
        cr_assert_eq(on(EVENT_DIED), STATE_WAITING);
        cr_assert_eq(action, ACTION_PAUSE);
        cr_assert_eq(on(EVENT_DEADLINE), STATE_STARTING);
        cr_assert_eq(action, ACTION_SPAWN);
}

Test(states, a_closed_channel_is_reported_after_a_while) {
        on(EVENT_CONNECTED);
        cr_assert_eq(on(EVENT_CLOSED), STATE_SILENT);
        cr_assert_eq(action, ACTION_MISS);
        cr_assert_eq(on(EVENT_DEADLINE), STATE_SILENT);
        cr_assert_eq(action, ACTION_REPORT);
        cr_assert_eq(on(EVENT_CONNECTED), STATE_RUNNING);
}

Test(states, a_start_that_takes_too_long) {
        on(EVENT_START);
        cr_assert_eq(on(EVENT_DEADLINE), STATE_STOPPING);
        cr_assert_eq(action, ACTION_KILL);
        cr_assert_eq(on(EVENT_GIVEN_UP), STATE_FAILED);
        cr_assert_eq(action, ACTION_GIVE_UP);
        cr_assert_eq(on(EVENT_START), STATE_STARTING, "by hand");
        cr_assert_eq(on(EVENT_UNSTARTABLE), STATE_FAILED);
}

Test(states, nothing_but_a_start_or_a_connection_revives) {
        const enum state resting[] = { STATE_STOPPED, STATE_FAILED };

        for (size_t i = 0; i < 2; i++)
                for (enum event event = 0; event < EVENTS; event++) {
                        struct step step = states_step(resting[i], event);

                        if (event != EVENT_START && event != EVENT_CONNECTED)
                                cr_assert(step.next == resting[i] || step.next == STATE_STOPPED);
                }
}

Test(states, every_state_with_a_process_ends_with_it) {
        const enum state with[] = { STATE_STARTING, STATE_RUNNING, STATE_SILENT, STATE_STOPPING };

        for (size_t i = 0; i < 4; i++) {
                cr_assert_eq(states_step(with[i], EVENT_DIED).next, STATE_WAITING);
                cr_assert_eq(states_step(with[i], EVENT_ENDED).next, STATE_STOPPED);
                cr_assert_eq(states_step(with[i], EVENT_GIVEN_UP).next, STATE_FAILED);
                cr_assert_eq(states_step(with[i], EVENT_KILL).action, ACTION_KILL);
                cr_assert_eq(states_step(with[i], EVENT_START).next, with[i], "one process at a time");
        }
}

Test(states, each_has_a_name) {
        for (enum state each = STATE_STOPPED; each < STATES; each++)
                cr_assert(strcmp(states_name(each), "unknown") != 0);
}
