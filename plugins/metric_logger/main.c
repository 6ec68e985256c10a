/* MetricLogger: writes one line for each event to metrics/metrics.log and to its standard output. It is
 * durable: what it has answered for is in the file. */
#include <stdlib.h>
#include <string.h>

#include <leat/plugin.h>

#include "line.h"
#include "log.h"

struct logger {
        struct metric_log log;
        struct metric_line line;
        struct metric_counts counts;
};

static int prepare(leat_plugin *plugin, void *data) {
        struct logger *logger = data;
        off_t cut = 0;
        int r = metric_log_open("metrics", "metrics.log", &logger->log, &cut);

        if (r != 0)
                leat_plugin_complain(plugin, "cannot open metrics/metrics.log: %s", leat_strerror(r));
        else if (cut > 0)
                leat_plugin_complain(plugin, "cut a torn last line of %lld bytes from metrics/metrics.log",
                                     (long long) cut);
        return r;
}

/* A log that cannot be written ends the logger: the kernel starts it again after a pause, and then
 * delivers anew what was not answered. */
static int on_event(leat_plugin *plugin, const leat_plugin_message *event, void *data) {
        struct logger *logger = data;
        char now[LEAT_TIMESTAMP_SIZE];
        int r;

        leat_timestamp_text_now(now);
        r = metric_line_write(&logger->line, now, event->sender, event->payload, &logger->counts);
        if (r > 0)
                leat_plugin_complain(plugin, "not logged, a value is invalid: %s event %s from %s",
                                     event->name, event->id, event->sender);
        if (r != 0)
                return r;
        r = metric_log_append(&logger->log, logger->line.data, logger->line.size);
        if (r != 0) {
                leat_plugin_complain(plugin, "cannot write metrics/metrics.log: %s", leat_strerror(r));
                leat_plugin_quit(plugin, LEAT_PLUGIN_ERROR);
                return r;
        }
        leat_plugin_say_bytes(logger->line.data, logger->line.size);
        return 0;
}

int main(int argc, char **argv) {
        static const char *const events[] = { LEAT_EVENT_USER_LOGGED_IN, LEAT_EVENT_DATA_PROCESSED, NULL };
        struct logger logger = { .log = { .descriptor = -1 } };
        const leat_plugin_program program = {
                .name = "MetricLogger",
                .version = "0.1",
                .summary = "Writes a line for each event to metrics/metrics.log and to standard output.",
                .events = events,
                .durable = true,
                .prepare = prepare,
                .event = on_event,
        };
        int code = leat_plugin_main(argc, argv, &program, &logger);

        metric_log_close(&logger.log);
        free(logger.line.data);
        return code;
}
