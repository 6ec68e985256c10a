/* The table says what is to be done; here it is done. The one thing decided here, because it needs more
 * than the table knows, is which of its events an end is: to be restarted, not to be, or not any more.
 *
 * A plugin's end has two sides, its process's and its channel's. What it has sent before it ended must
 * still be read, so a process's end counts only after its channel is drained. One that came over TCP has
 * the bridge between; its last words get a moment to arrive. */
#include "life.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "bus.h"
#include "clock.h"
#include "letters.h"
#include "ownership.h"
#include "receipts.h"
#include "reception.h"
#include "requests.h"
#include "spawn.h"

enum { MESSAGE_MAX = 64 * 1024 * 1024, GRACE_MS = 1000, UNKILLABLE_MS = 10000, PAUSE_DOUBLINGS = 20 };

static void set_deadline(struct kernel *kernel, struct row *row, uint32_t milliseconds) {
        row->deadline = clock_add_ms(clock_now(), milliseconds);
        kernel_wake_at(kernel, row->deadline);
}

/* "exited with code 1" or "was ended by signal 9 (Killed)". */
static char *describe_end(const struct row *row) {
        if (!row->ended)
                return text_format("is not there");
        if (row->end.signal == 0)
                return text_format("exited with code %d", row->end.code);
        return text_format("was ended by signal %d (%s)", row->end.signal, strsignal(row->end.signal));
}

static void unsubscribe(struct kernel *kernel, struct row *row, const char *why) {
        receipts_give_up(kernel, row, "EventsLost", why);
        words_clear(&row->events);
        row->durable = false;
}

static enum event classify_end(struct kernel *kernel, struct row *row) {
        bool healthy = row->well_since != 0 &&
                       clock_now() - row->well_since >= (leat_deadline) row->limits->healthy_ms * 1000000;
        bool failed = !row->spared && (!row->ended || row->end.signal != 0 || row->end.code != 0);

        row->well_since = 0;
        if (kernel->stopping || !row->configuration || !row->configuration->auto_start)
                return EVENT_ENDED;
        if (row->is_bridge && row->ended && row->end.code == BRIDGE_CANNOT_LISTEN && kernel->held_back)
                return EVENT_ENDED; /* At the start, that ends the kernel. */
        if (healthy || row->spared)
                row->failures = row->restarts = 0;
        row->failures += failed;
        return row->limits->restart_limit > 0 && row->failures > row->limits->restart_limit ? EVENT_GIVEN_UP
                                                                                            : EVENT_DIED;
}

static void tell(struct kernel *kernel, struct row *row) {
        leat_encoded letter;

        if (row->bridged || !row_is_connected(row) || row->deaf) { /* There is only one way to tell it. */
                row->urgency = URGENCY_TERMINATED;
                process_signal(&row->process, SIGTERM);
                set_deadline(kernel, row, row->limits->terminate_timeout_ms);
                return;
        }
        row->urgency = URGENCY_TOLD;
        if (letters_stop("kernel is stopping", &letter) == 0) {
                bus_post(kernel, row, letter, LETTER_ANSWER);
                leat_encoded_close(&letter);
        }
        set_deadline(kernel, row, row->limits->stop_timeout_ms);
}

static void kill_row(struct kernel *kernel, struct row *row) {
        row->urgency = URGENCY_KILLED;
        set_deadline(kernel, row, UNKILLABLE_MS);
        if (row->process.pid > 0)
                process_kill(&row->process);
        else {
                row->cut = "it is killed";
                kernel->untidy = true;
        }
}

static void insist(struct kernel *kernel, struct row *row) {
        if (row->urgency == URGENCY_TOLD) {
                SAY(kernel, "Plugin %s does not stop; it gets SIGTERM.", row->id);
                row->urgency = URGENCY_TERMINATED;
                process_signal(&row->process, SIGTERM);
                set_deadline(kernel, row, row->limits->terminate_timeout_ms);
        } else {
                SAY(kernel, "Plugin %s %s", row->id,
                    row->urgency == URGENCY_KILLED ? "does not end although it was killed."
                                                   : "does not stop; it is killed.");
                kill_row(kernel, row);
        }
}

static void pause_row(struct kernel *kernel, struct row *row) {
        CLEANUP(free_text) char *end = describe_end(row);
        uint64_t delay = row->limits->restart_delay_ms;

        delay <<= row->restarts < PAUSE_DOUBLINGS ? row->restarts : PAUSE_DOUBLINGS;
        if (delay > row->limits->restart_delay_max_ms)
                delay = row->limits->restart_delay_max_ms;
        row->restarts++;
        SAY(kernel, "Plugin %s %s; restarting it in %u ms.", row->id, end ? end : "ended", (unsigned) delay);
        set_deadline(kernel, row, (uint32_t) delay);
}

static void rest(struct kernel *kernel, struct row *row) {
        CLEANUP(free_text) char *end = describe_end(row);

        unsubscribe(kernel, row, "a durable subscriber has stopped");
        if (row->configuration)
                SAY(kernel, "Plugin %s %s; it is stopped.", row->id, end ? end : "ended");
        else {
                SAY(kernel, "Client %s is gone.", row->id);
                row->gone = true;
                kernel->untidy = true;
        }
}

static void give_up(struct kernel *kernel, struct row *row) {
        CLEANUP(free_text) char *end = describe_end(row);

        unsubscribe(kernel, row, "a durable subscriber has failed");
        if (row->failures > 0)
                SAY(kernel,
                    "Plugin %s %s. It has FAILED %u times in a row and is given up; 'start %s' tries again.",
                    row->id, end ? end : "ended", row->failures, row->id);
        else
                SAY(kernel, "Plugin %s has FAILED; 'start %s' tries again.", row->id, row->id);
        row->failures = row->restarts = 0;
}

/* Whether its silence ends it; any other's is only reported. */
static bool is_to_be_replaced(const struct row *row) {
        return row->process.pid > 0 && row->configuration->auto_start;
}

static void spawn_row(struct kernel *kernel, struct row *row) {
        int r = spawn(kernel, row);

        row->ended = row->spared = false;
        row->well_since = 0;
        if (r == 0)
                set_deadline(kernel, row, row->limits->start_timeout_ms);
        else if (r == -ENOENT)
                life_event(kernel, row, EVENT_UNSTARTABLE);
        else
                life_event(kernel, row, classify_end(kernel, row));
}

static void act(struct kernel *kernel, struct row *row, enum action action) {
        switch (action) {
        case ACTION_NONE:
                break;
        case ACTION_SPAWN:
                spawn_row(kernel, row);
                break;
        case ACTION_GREET:
                row->well_since = clock_now();
                SAY(kernel, "%s %s connected.", row->configuration ? "Plugin" : "Client", row->id);
                break;
        case ACTION_REPORT:
                if (row->configuration)
                        SAY(kernel, "Plugin %s missed its heartbeat.", row->id);
                break;
        case ACTION_MISS:
                if (!is_to_be_replaced(row))
                        set_deadline(kernel, row, row->limits->heartbeat_timeout_ms);
                break;
        case ACTION_RECOVER:
                kernel_wake_at(kernel, clock_add_ms(row->heard, row->limits->heartbeat_timeout_ms));
                if (row->configuration)
                        SAY(kernel, "Plugin %s is heard again.", row->id);
                break;
        case ACTION_TELL:
                tell(kernel, row);
                break;
        case ACTION_KILL:
                kill_row(kernel, row);
                break;
        case ACTION_INSIST:
                insist(kernel, row);
                break;
        case ACTION_PAUSE:
                pause_row(kernel, row);
                break;
        case ACTION_REST:
                rest(kernel, row);
                break;
        case ACTION_GIVE_UP:
                give_up(kernel, row);
                break;
        }
}

/* Who has not come at its first try is not waited for: acknowledgements must not hang on a plugin that never
 * works. */
static void stop_awaiting(struct kernel *kernel, struct row *row) {
        if (!row_is_connected(row) && row->events.count == 0)
                receipts_forgive(kernel, row);
}

void life_event(struct kernel *kernel, struct row *row, enum event event) {
        struct step step = states_step(row->state, event);
        bool was_awaited = row_is_awaited(row);

        if (step.next != row->state) {
                row->state = step.next;
                row->deadline = LEAT_FOREVER;
        }
        if (was_awaited && !row_is_awaited(row))
                stop_awaiting(kernel, row);
        act(kernel, row, step.action);
}

void life_heard(struct kernel *kernel, struct row *row) {
        row->heard = clock_now();
        row->seen = leat_timestamp_now();
        row->was_seen = true;
        life_event(kernel, row, EVENT_HEARTBEAT);
}

/* Two heartbeats may go astray before one counts as missed, also where only the timeout is configured. */
static uint32_t heartbeat_interval(const struct limits *limits) {
        uint32_t third = limits->heartbeat_timeout_ms / 3;

        return limits->heartbeat_interval_ms < third ? limits->heartbeat_interval_ms : third > 0 ? third : 1;
}

int life_connect(struct kernel *kernel, struct row *row, bool bridged, kernel_welcome_sender reply) {
        kernel_welcome welcome = { .ok = true, .heartbeat_ms = heartbeat_interval(row->limits) };
        to_kernel_sender commands = { 0 };
        to_plugin_receiver deliveries = { 0 };
        const struct leat_channel_options bounds = { .message_limit = MESSAGE_MAX };
        int r = to_kernel_channel_with(&bounds, &commands, &row->commands);

        if (r == 0)
                r = to_plugin_channel(&row->deliveries, &deliveries);
        if (r == 0)
                r = to_kernel_set_add(kernel->set, row->commands, kernel_key(SUBJECT_COMMANDS, row->serial));
        if (r == 0) {
                welcome.commands = to_kernel_sender_give(&commands);
                welcome.deliveries = to_plugin_receiver_give(&deliveries);
                r = kernel_welcome_send(reply, &welcome, LEAT_NOW);
        }
        to_kernel_sender_close(&commands);
        to_plugin_receiver_close(&deliveries);
        if (r != 0) {
                to_kernel_receiver_close(&row->commands);
                to_plugin_sender_close(&row->deliveries);
                return r;
        }
        if (row->process.pid == 0) /* It came by itself; an earlier process's end is no longer of interest. */
                row->ended = false;
        row->session = ++kernel->last_session;
        row->bridged = bridged;
        row->deaf = false;
        row->heard = clock_now();
        row->patience = 0;
        kernel_wake_at(kernel, clock_add_ms(row->heard, row->limits->heartbeat_timeout_ms));
        life_event(kernel, row, EVENT_CONNECTED);
        return 0;
}

static void close_channels(struct kernel *kernel, struct row *row) {
        if (row->flushing)
                kernel_unwatch(kernel, SUBJECT_DELIVERIES, row->serial);
        row->flushing = false;
        requests_end(kernel, row);
        to_kernel_receiver_close(&row->commands);
        to_plugin_sender_close(&row->deliveries);
        outbox_clear(&row->outbox);
        sent_ids_clear(&row->said);
        row->session = 0;
        row->cut = NULL;
}

/* Both its process, if it had one, and its channels are gone. */
static void finish(struct kernel *kernel, struct row *row) {
        row->deadline = row->last_words = LEAT_FOREVER;
        words_clear(&row->extra);
        life_event(kernel, row, classify_end(kernel, row));
}

void life_disconnect(struct kernel *kernel, struct row *row) {
        if (row_is_connected(row))
                close_channels(kernel, row);
        if (row->process.pid > 0) {
                row->heard = clock_now(); /* It may be on its way out, or come back over TCP. */
                kernel_wake_at(kernel, clock_add_ms(row->heard, row->limits->heartbeat_timeout_ms));
                life_event(kernel, row, EVENT_CLOSED);
        } else
                finish(kernel, row);
}

static void close_process(struct kernel *kernel, struct row *row) {
        spawn_drain(kernel, row);
        if (row->server.object) {
                kernel_unwatch(kernel, SUBJECT_SERVER, row->serial);
                kernel_handshake_server_close(&row->server);
        }
}

void life_process_ended(struct kernel *kernel, struct row *row) {
        uint64_t process = kernel_key(SUBJECT_PROCESS, row->serial);
        struct process running = row->process;

        if (running.pid == 0)
                return;
        leat_set_remove(kernel->set, process); /* Before its descriptor is closed. */
        if (!process_reap(&row->process, &row->end)) {
                kernel_watch(kernel, row->process.descriptor, SUBJECT_PROCESS, row->serial);
                return;
        }
        row->ended = true;
        close_process(kernel, row);
        reception_drain(kernel, row);
        if (row_is_connected(row) && row->bridged && !kernel->stopping) {
                row->last_words = clock_add_ms(clock_now(), row->limits->last_words_ms);
                kernel_wake_at(kernel, row->last_words);
                return;
        }
        if (row_is_connected(row))
                close_channels(kernel, row);
        finish(kernel, row);
}

/* Who comes over TCP cannot be heard while the bridge itself is silent. */
static bool is_muffled(const struct kernel *kernel, const struct row *row, leat_deadline now) {
        const struct row *bridge = row->bridged ? kernel_find_row(kernel, CONFIGURATION_BRIDGE) : NULL;

        return bridge && clock_add_ms(bridge->heard, bridge->limits->heartbeat_timeout_ms / 2) <= now;
}

static leat_deadline due_of(const struct kernel *kernel, const struct row *row, leat_deadline now) {
        leat_deadline due = clock_add_ms(row->heard, row->limits->heartbeat_timeout_ms);

        if (due <= now && is_muffled(kernel, row, now))
                due = clock_add_ms(now, GRACE_MS);
        return due < row->patience ? row->patience : due;
}

static void check_heartbeat(struct kernel *kernel, struct row *row, leat_deadline now) {
        leat_deadline due;
        bool replace;

        if (row->state == STATE_RUNNING && row_is_connected(row) && due_of(kernel, row, now) <= now)
                reception_read(kernel, row); /* It may have spoken, and nobody has listened yet. */
        replace = is_to_be_replaced(row);
        if (row->state != STATE_RUNNING && !(row->state == STATE_SILENT && replace))
                return;
        due = due_of(kernel, row, now);
        if (due > now) {
                kernel_wake_at(kernel, due);
                return;
        }
        if (replace)
                SAY(kernel, "Plugin %s missed its heartbeat: nothing was heard for %u ms; it is replaced.",
                    row->id, row->limits->heartbeat_timeout_ms);
        life_event(kernel, row, replace ? EVENT_OVERDUE : EVENT_LATE);
}

void life_check(struct kernel *kernel, struct row *row, leat_deadline now) {
        if (row->last_words <= now)
                life_disconnect(kernel, row);
        if (row->deadline <= now) {
                row->deadline = LEAT_FOREVER;
                if (row->state == STATE_STARTING)
                        SAY(kernel, "Plugin %s has not connected within %u ms; it is killed.", row->id,
                            row->limits->start_timeout_ms);
                life_event(kernel, row, EVENT_DEADLINE);
        }
        check_heartbeat(kernel, row, now);
        kernel_wake_at(kernel, row->deadline);
        kernel_wake_at(kernel, row->last_words);
}

void life_forgive(struct row *row, leat_deadline now, leat_deadline pause) {
        leat_deadline soon = clock_add_ms(now, GRACE_MS);

        if (row->deadline != LEAT_FOREVER) {
                row->deadline += pause;
                if (row->deadline < soon)
                        row->deadline = soon;
        }
        if (row->last_words != LEAT_FOREVER)
                row->last_words += pause;
        row->heard = now;
        if (row->patience != 0)
                row->patience += pause;
}
