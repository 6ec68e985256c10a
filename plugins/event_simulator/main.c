/* EventSimulator: sends a UserLoggedIn and a DataProcessed event in turn, for trying out whatever listens. */
#include <leat/plugin.h>

#include "simulation.h"

#define SEND_TIMEOUT_MS 5000

struct simulator {
        double interval; /* Seconds between two events. */
        int64_t count;   /* How many to send; 0: endless. */
        int64_t sent;
};

static int send_login(leat_plugin *plugin) {
        struct simulated_login login;
        leat_any payload;
        int r;

        simulate_login(&login);
        r = leat_event_write_user_logged_in(&login.event, &payload);
        if (r != 0)
                return r;
        r = leat_plugin_publish(plugin, payload, leat_after_ms(SEND_TIMEOUT_MS));
        leat_payload_free(&payload);
        if (r == 0)
                leat_plugin_say("Sent UserLoggedInEvent: %s", login.username);
        return r;
}

static int send_job(leat_plugin *plugin) {
        struct simulated_job job;
        leat_any payload;
        int r;

        simulate_job(&job);
        r = leat_event_write_data_processed(&job.event, &payload);
        if (r != 0)
                return r;
        r = leat_plugin_publish(plugin, payload, leat_after_ms(SEND_TIMEOUT_MS));
        leat_payload_free(&payload);
        if (r == 0)
                leat_plugin_say("Sent DataProcessedEvent: JobId=%s", job.job_id);
        return r;
}

/* An event that finds no room is sent at the next tick; a kernel that is gone, the loop notices. */
static void send_next(leat_plugin *plugin, void *data) {
        struct simulator *simulator = data;
        int r = simulator->sent % 2 == 0 ? send_login(plugin) : send_job(plugin);

        if (r < 0) {
                leat_plugin_complain(plugin, "cannot send an event: %s", leat_strerror(r));
                leat_plugin_quit(plugin, LEAT_PLUGIN_ERROR);
        }
        if (r != 0)
                return;
        simulator->sent++;
        if (simulator->sent != simulator->count)
                return;
        leat_plugin_say("Finished sending simulated events.");
        leat_plugin_quit(plugin, LEAT_PLUGIN_DONE);
}

static int start(leat_plugin *plugin, void *data) {
        const struct simulator *simulator = data;
        uint32_t interval_ms = (uint32_t) (simulator->interval * 1000);

        leat_plugin_set_tick(plugin, interval_ms > 0 ? interval_ms : 1);
        send_next(plugin, data);
        return 0;
}

int main(int argc, char **argv) {
        struct simulator simulator = { .interval = 3 };
        const leat_plugin_option options[] = {
                { .name = "interval",
                  .value = "seconds",
                  .help = "between two events",
                  .real = &simulator.interval,
                  .minimum = 0,
                  .maximum = 1e6 },
                { .name = "count",
                  .value = "n",
                  .help = "events to send, then end; 0: endless",
                  .integer = &simulator.count,
                  .minimum = 0,
                  .maximum = 1e15 },
                { .name = NULL },
        };
        const leat_plugin_program program = {
                .name = "EventSimulator",
                .version = "0.1",
                .summary = "Sends simulated UserLoggedIn and DataProcessed events in turn.",
                .options = options,
                .start = start,
                .tick = send_next,
        };

        return leat_plugin_main(argc, argv, &program, &simulator);
}
