/* One loop, which waits for one thing at a time and does it. Nothing that it calls waits for a plugin, so
 * nothing that a plugin does, or fails to do, keeps it from the others.
 *
 * Time is looked at between two things: `wake` is the earliest of all deadlines, and when it has passed
 * every row is asked. When it passed long ago the kernel itself stood still (SIGSTOP, a frozen machine);
 * its plugins may have stood still with it, so all deadlines move by as much. */
#include "supervisor.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>

#include "bus.h"
#include "clock.h"
#include "commands.h"
#include "heartbeats.h"
#include "help.h"
#include "identifier.h"
#include "input.h"
#include "life.h"
#include "ownership.h"
#include "receipts.h"
#include "reception.h"
#include "requests.h"
#include "spawn.h"

enum { STOOD_STILL_MS = 1000 };

static struct row *find_bridge(const struct kernel *kernel) {
        for (size_t i = 0; i < kernel->n_rows; i++)
                if (kernel->rows[i]->is_bridge)
                        return kernel->rows[i];
        return NULL;
}

static bool starts_by_itself(const struct row *row) {
        return row->configuration && row->configuration->enabled && row->configuration->auto_start;
}

static void start_others(struct kernel *kernel) {
        kernel->held_back = false;
        for (size_t i = 0; i < kernel->n_rows && !kernel->stopping; i++)
                if (!kernel->rows[i]->is_bridge && kernel->rows[i]->state == STATE_STOPPED &&
                    starts_by_itself(kernel->rows[i]))
                        life_event(kernel, kernel->rows[i], EVENT_START);
}

/* Plugins are given the bridge's address, so they start once it has one; without a bridge, at once. */
static void start_all(struct kernel *kernel) {
        struct row *bridge = find_bridge(kernel);

        if (!bridge || !starts_by_itself(bridge)) {
                SAY(kernel, "Kernel running without TCP.");
                start_others(kernel);
                return;
        }
        kernel->held_back = true;
        kernel->hold_until = clock_add_ms(clock_now(), bridge->limits->start_timeout_ms);
        kernel_wake_at(kernel, kernel->hold_until);
        life_event(kernel, bridge, EVENT_START);
}

/* The bridge did not come up at its first try. When it could not listen, which it has said, nobody would
 * find the kernel; that is a mistake to be seen at once. Whatever else happened to it, the others need not
 * wait for it. */
static void check_bridge(struct kernel *kernel, leat_deadline now) {
        const struct row *bridge = find_bridge(kernel);

        if (!kernel->held_back || kernel->stopping)
                return;
        if (bridge->state == STATE_STOPPED && bridge->ended && bridge->end.code == BRIDGE_CANNOT_LISTEN) {
                kernel->exit_code = 2;
                supervisor_stop(kernel);
        } else if (bridge->state == STATE_WAITING || bridge->state == STATE_FAILED ||
                   bridge->state == STATE_STOPPED || now >= kernel->hold_until) {
                SAY(kernel, "Nobody listens on %s:%u yet; plugins are started without.",
                    kernel->configuration->host, kernel->configuration->port);
                start_others(kernel);
        }
}

void supervisor_listening(struct kernel *kernel, const char *host, uint16_t port) {
        bool colons = strchr(host, ':');
        char *copy = strdup(host);

        if (!copy)
                return;
        free(kernel->host);
        kernel->host = copy;
        kernel->port = port;
        SAY(kernel, "Kernel listening on %s%s%s:%u", colons ? "[" : "", host, colons ? "]" : "", port);
        if (kernel->held_back)
                start_others(kernel);
}

void supervisor_stop(struct kernel *kernel) {
        enum event event = kernel->stopping ? EVENT_KILL : EVENT_STOP;

        if (!kernel->stopping)
                SAY(kernel, "Stopping kernel...");
        kernel->stopping = true;
        kernel->held_back = false;
        for (size_t i = 0; i < kernel->n_rows; i++) {
                struct row *row = kernel->rows[i];

                if (row->process.pid == 0 && row->state != STATE_WAITING)
                        continue;
                if (!row->is_bridge || event == EVENT_KILL || row->process.pid == 0)
                        life_event(kernel, row, event);
        }
}

/* The bridge stops last, so that plugins that came over TCP can be heard until they end. */
static void continue_stop(struct kernel *kernel) {
        struct row *bridge = NULL;

        for (size_t i = 0; i < kernel->n_rows; i++) {
                struct row *row = kernel->rows[i];

                if (row->process.pid > 0 && !row->is_bridge)
                        return;
                if (row->process.pid > 0)
                        bridge = row;
        }
        if (!bridge)
                kernel->done = true;
        else if (!kernel->stopping_bridge) {
                kernel->stopping_bridge = true;
                life_event(kernel, bridge, EVENT_STOP);
        }
}

/* The kernel was stopped, or the whole machine: nobody is to blame for not having been heard. */
static void forgive(struct kernel *kernel, leat_deadline now, leat_deadline pause) {
        for (size_t i = 0; i < kernel->n_rows; i++)
                life_forgive(kernel->rows[i], now, pause);
        receipts_extend(kernel, pause);
        requests_extend(kernel, pause);
}

static void check_time(struct kernel *kernel) {
        leat_deadline now = clock_now(), late = now - kernel->wake;

        if (late < 0)
                return;
        if (late > (leat_deadline) STOOD_STILL_MS * 1000000)
                forgive(kernel, now, late);
        kernel->wake = LEAT_FOREVER;
        for (size_t i = 0; i < kernel->n_rows; i++)
                life_check(kernel, kernel->rows[i], now);
        receipts_expire(kernel, now);
        requests_expire(kernel, now);
        help_check(kernel, now);
        input_check(kernel, now);
        if (kernel->held_back)
                kernel_wake_at(kernel, kernel->hold_until);
}

/* Does what could not be done while somebody looked at the row. */
static void tidy(struct kernel *kernel) {
        kernel->untidy = false;
        for (size_t i = 0; i < kernel->n_rows; i++) {
                struct row *row = kernel->rows[i];

                if (!row->cut)
                        continue;
                SAY(kernel, "The channel of %s is closed: %s.", row->id, row->cut);
                row->cut = NULL;
                life_disconnect(kernel, row);
        }
        kernel_remove_gone(kernel);
}

static void read_signals(struct kernel *kernel) {
        struct signalfd_siginfo info;

        while (read(kernel->signals, &info, sizeof(info)) == (ssize_t) sizeof(info))
                supervisor_stop(kernel);
}

static void dispatch_row(struct kernel *kernel, enum subject subject, struct row *row) {
        switch (subject) {
        case SUBJECT_SERVER:
                reception_accept(kernel, row);
                break;
        case SUBJECT_COMMANDS:
                reception_read(kernel, row);
                break;
        case SUBJECT_DELIVERIES:
                bus_flush(kernel, row);
                break;
        case SUBJECT_PROCESS:
                life_process_ended(kernel, row);
                break;
        case SUBJECT_OUTPUT:
        case SUBJECT_ERRORS:
                spawn_show(kernel, row, subject, false);
                break;
        default:
                break;
        }
}

static void dispatch(struct kernel *kernel, uint64_t key) {
        enum subject subject = (enum subject)(key & 0xff);
        struct row *row;

        switch (subject) {
        case SUBJECT_SIGNALS:
                read_signals(kernel);
                break;
        case SUBJECT_CONSOLE:
                input_read(kernel);
                break;
        case SUBJECT_HELP_PROCESS:
        case SUBJECT_HELP_OUTPUT:
        case SUBJECT_HELP_ERRORS:
                help_ready(kernel, subject, key >> 8);
                break;
        default:
                row = kernel_find_serial(kernel, key >> 8);
                if (row)
                        dispatch_row(kernel, subject, row);
        }
}

static void loop(struct kernel *kernel) {
        while (!kernel->done) {
                uint64_t key;
                int r;

                check_time(kernel);
                check_bridge(kernel, clock_now());
                if (kernel->untidy)
                        tidy(kernel);
                if (kernel->stopping)
                        continue_stop(kernel);
                if (kernel->done)
                        break;
                r = leat_set_wait(kernel->set, &key, kernel->input.is_file ? LEAT_NOW : kernel->wake);
                if (r == 0)
                        dispatch(kernel, key);
                else if (r == LEAT_EMPTY && kernel->input.is_file)
                        input_read(kernel);
                else if (r < 0) {
                        SAY(kernel, "The kernel cannot wait any more: %s", leat_strerror(r));
                        kernel->exit_code = 1;
                        return;
                }
        }
}

static int add_rows(struct kernel *kernel) {
        const struct configuration *configuration = kernel->configuration;

        for (size_t i = 0; i < configuration->n_plugins; i++) {
                const struct plugin_configuration *plugin = &configuration->plugins[i];
                bool is_bridge = identifier_equal(plugin->id, CONFIGURATION_BRIDGE);
                struct row *row;

                if (is_bridge && !configuration->bridge) /* No TCP means none. */
                        continue;
                row = kernel_add_row(kernel, plugin->id, plugin);
                if (!row)
                        return -ENOMEM;
                row->is_bridge = is_bridge;
        }
        return 0;
}

static int watch_signals(struct kernel *kernel) {
        struct sigaction action;
        sigset_t signals;

        sigemptyset(&signals);
        sigaddset(&signals, SIGTERM);
        sigaddset(&signals, SIGINT);
        if (sigaction(SIGHUP, NULL, &action) == 0 && action.sa_handler != SIG_IGN) /* Not under nohup. */
                sigaddset(&signals, SIGHUP);
        kernel->signals = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
        if (kernel->signals < 0)
                return -errno;
        return leat_set_watch(kernel->set, kernel->signals, POLLIN, kernel_key(SUBJECT_SIGNALS, 0));
}

static int prepare(struct kernel *kernel) {
        int r = leat_set_create(&kernel->set);

        if (r == 0)
                r = watch_signals(kernel);
        if (r == 0)
                r = add_rows(kernel);
        if (r != 0)
                return r;
        kernel->heartbeats = heartbeats_open(kernel->configuration->folder);
        if (kernel->heartbeats < 0)
                SAY(kernel, "%s cannot be written: %s", HEARTBEATS_NAME, leat_strerror(kernel->heartbeats));
        return 0;
}

static void close_all(struct kernel *kernel) {
        help_stop(kernel);
        for (size_t i = 0; i < kernel->n_rows; i++) {
                receipts_give_up(kernel, kernel->rows[i], "EventsLost", "the kernel stops");
                requests_end(kernel, kernel->rows[i]);
        }
        for (size_t i = 0; i < kernel->n_rows; i++) {
                if (kernel->rows[i]->flushing) /* A sender leaves the set before it is closed. */
                        kernel_unwatch(kernel, SUBJECT_DELIVERIES, kernel->rows[i]->serial);
                row_free(kernel->rows[i]);
        }
        free(kernel->rows);
        free(kernel->host);
        leat_set_close(&kernel->set);
        close_descriptor(&kernel->signals);
        close_descriptor(&kernel->heartbeats);
}

int supervisor_run(const struct configuration *configuration, const struct places *places,
                   struct terminal *terminal, bool console) {
        struct kernel kernel = {
                .configuration = configuration,
                .places = places,
                .terminal = terminal,
                .wake = LEAT_FOREVER,
                .signals = -1,
                .heartbeats = -1,
                .port = (uint16_t) configuration->port,
        };
        int r = prepare(&kernel);

        if (r != 0) {
                SAY(&kernel, "The kernel cannot start: %s", leat_strerror(r));
                kernel.exit_code = 1;
        } else {
                start_all(&kernel);
                if (console)
                        input_start(&kernel);
                loop(&kernel);
        }
        close_all(&kernel);
        return kernel.exit_code;
}
