/* A plugin that does on request whatever the SDK offers, and prints what came of it. */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <leat/plugin.h>

#include "support.h"

LEAT_MESSAGE(probe_note, (string, text));

struct probe {
        int64_t number;
        bool flag;
        int pipe[2];
        uint64_t key;
        probe_note_sender tx;
        probe_note_receiver rx;
        char pending[LEAT_GUID_SIZE];
};

static const leat_any nil = { "\xc0", 1 };

static void on_answer(leat_plugin *plugin, const leat_plugin_reply *reply, void *data) {
        (void) plugin;
        leat_plugin_say("%s: %d from '%s', '%s' '%s'", (const char *) data, reply->result, reply->sender,
                        reply->code, reply->text);
}

static void on_byte(leat_plugin *plugin, uint64_t key, void *data) {
        struct probe *probe = data;
        char byte = '?';

        if (read(probe->pipe[0], &byte, 1) == 1)
                leat_plugin_say("byte %c, detached %d", byte, leat_plugin_detach(plugin, key));
        if (leat_plugin_detach(plugin, key) != 0)
                leat_plugin_say("detached once");
        (void) close(probe->pipe[0]);
        (void) close(probe->pipe[1]);
}

static void on_note(leat_plugin *plugin, uint64_t key, void *data) {
        struct probe *probe = data;
        probe_note note;
        int r = probe_note_recv(probe->rx, &note, LEAT_NOW);

        if (r == 0) {
                leat_plugin_say("note %s", note.text);
                probe_note_sender_close(&probe->tx);
        } else if (r == LEAT_DISCONNECTED) {
                leat_plugin_say("no more notes, detached %d", leat_plugin_detach(plugin, key));
                probe_note_receiver_close(&probe->rx);
        }
}

static int watch_pipe(leat_plugin *plugin, struct probe *probe) {
        if (pipe(probe->pipe) != 0 || write(probe->pipe[1], "x", 1) != 1)
                return -1;
        return leat_plugin_watch(plugin, probe->pipe[0], POLLIN, on_byte, probe, &probe->key);
}

static int attach_receiver(leat_plugin *plugin, struct probe *probe) {
        int r = probe_note_channel(&probe->tx, &probe->rx);

        if (r == 0)
                r = leat_plugin_attach(plugin, on_note, probe, &probe->key);
        if (r == 0)
                r = probe_note_set_add(leat_plugin_set(plugin), probe->rx, probe->key);
        if (r == 0)
                r = probe_note_send(probe->tx, &(probe_note){ .text = "hello" }, LEAT_FOREVER);
        return r;
}

static int act(leat_plugin *plugin, const char *what, const leat_plugin_message *request,
               struct probe *probe) {
        static char asked[] = "asked", published[] = "published", late[] = "late", lost[] = "lost";

        if (strcmp(what, "answer") == 0)
                return leat_plugin_respond(plugin, request->id, request->payload, LEAT_FOREVER);
        if (strcmp(what, "refuse") == 0)
                return leat_plugin_refuse(plugin, request->id, "Unauthorized", "not you", LEAT_FOREVER);
        if (strcmp(what, "later") == 0) {
                (void) snprintf(probe->pending, sizeof(probe->pending), "%s", request->id);
                leat_plugin_set_tick(plugin, 5);
                return 0;
        }
        if (strcmp(what, "publish") == 0)
                return leat_plugin_publish(plugin, nil, LEAT_FOREVER);
        if (strcmp(what, "acknowledged") == 0)
                return leat_plugin_publish_acknowledged(plugin, nil, on_answer, published, LEAT_FOREVER);
        if (strcmp(what, "late") == 0)
                return leat_plugin_publish_acknowledged(plugin, nil, on_answer, late, leat_after_ms(20));
        if (strcmp(what, "lost") == 0)
                return leat_plugin_request(plugin, "Other", nil, on_answer, lost, LEAT_FOREVER);
        if (strcmp(what, "ask") == 0)
                return leat_plugin_request(plugin, "Other", nil, on_answer, asked, leat_after_ms(30000));
        if (strcmp(what, "hang") == 0) {
                int r = leat_plugin_respond(plugin, request->id, nil, LEAT_FOREVER);

                sleep_ms(100);
                return r != 0 ? r : leat_plugin_publish(plugin, nil, LEAT_FOREVER);
        }
        if (strcmp(what, "extend") == 0)
                return leat_plugin_extend(plugin, 1234);
        if (strcmp(what, "watch") == 0)
                return watch_pipe(plugin, probe);
        if (strcmp(what, "attach") == 0)
                return attach_receiver(plugin, probe);
        if (strcmp(what, "quit") == 0)
                leat_plugin_quit(plugin, 7);
        return strcmp(what, "quit") == 0 ? 0 : LEAT_REFUSED;
}

static int on_request(leat_plugin *plugin, const leat_plugin_message *request, void *data) {
        char what[40] = "";
        leat_value value;

        if (leat_payload_find(request->payload, "Do", &value) == 0 && value.text.size < sizeof(what) &&
            value.text.size > 0)
                memcpy(what, value.text.data, value.text.size);
        return act(plugin, what, request, data);
}

/* The event says what to return. */
static int on_event(leat_plugin *plugin, const leat_plugin_message *event, void *data) {
        leat_value value;

        (void) plugin;
        (void) data;
        leat_plugin_say("event '%s' %s from %s, %d, %d", event->name, event->id, event->sender,
                        event->sequence, event->acknowledge);
        if (leat_payload_find(event->payload, "Result", &value) != 0 || value.kind != LEAT_VALUE_INTEGER)
                return 0;
        return (int) value.integer;
}

static void on_tick(leat_plugin *plugin, void *data) {
        struct probe *probe = data;

        if (probe->pending[0] == '\0')
                return;
        leat_plugin_set_tick(plugin, 0);
        (void) leat_plugin_respond(plugin, probe->pending, nil, LEAT_FOREVER);
        probe->pending[0] = '\0';
}

static void on_notice(leat_plugin *plugin, const char *code, const char *text, void *data) {
        (void) plugin;
        (void) data;
        leat_plugin_say("notice %s, %s", code, text);
}

static int prepare(leat_plugin *plugin, void *data) {
        struct probe *probe = data;

        leat_plugin_say("prepare %s %s %u %s %lld", leat_plugin_id(plugin), leat_plugin_host(plugin),
                        leat_plugin_port(plugin), leat_plugin_config(plugin), (long long) probe->number);
        if (leat_plugin_publish(plugin, nil, LEAT_NOW) != LEAT_DISCONNECTED)
                return -1;
        return probe->flag ? 1 : 0;
}

static int start(leat_plugin *plugin, void *data) {
        (void) data;
        leat_plugin_say("start %d", to_kernel_sender_is_set(leat_plugin_commands(plugin)));
        return 0;
}

static void stop(leat_plugin *plugin, const char *reason, void *data) {
        (void) plugin;
        (void) data;
        leat_plugin_say("stop %s", reason);
}

/* Whoever calls leat_plugin_main gets its signals back. */
static void check_nothing_changed(void) {
        struct sigaction pipe_action;
        sigset_t mask;

        check(sigaction(SIGPIPE, NULL, &pipe_action) == 0 && pipe_action.sa_handler == SIG_DFL);
        check(sigprocmask(SIG_SETMASK, NULL, &mask) == 0);
        check(sigismember(&mask, SIGTERM) == 0 && sigismember(&mask, SIGINT) == 0);
        check(getenv(KERNEL_ENVIRONMENT) == NULL);
}

int main(int argc, char **argv) {
        static const char *const events[] = { "*", NULL };
        struct probe probe = { .number = 5 };
        const leat_plugin_option options[] = {
                { .name = "number", .integer = &probe.number },
                { .name = "fail", .flag = &probe.flag },
                { .name = NULL },
        };
        const leat_plugin_program program = {
                .name = "Probe",
                .version = "1",
                .events = events,
                .durable = true,
                .options = options,
                .prepare = prepare,
                .start = start,
                .event = on_event,
                .request = on_request,
                .notice = on_notice,
                .tick = on_tick,
                .stop = stop,
        };

        int descriptors = count_descriptors(), code = leat_plugin_main(argc, argv, &program, &probe);

        check_equal(count_descriptors(), descriptors);
        check_nothing_changed();
        return code;
}
