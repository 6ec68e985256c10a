/* A plugin for test_system.py: says things that JSON cannot hold. It answers a request whose payload names
 * one of the values below with that value; and an event that names one, by a request to the event's sender
 * with that value. What comes back to that it says on its standard output. */
#include <stdlib.h>
#include <string.h>

#include <leat/plugin.h>

static const struct {
        const char *name;
        leat_any value;
} values[] = {
        { "large", { "\xCF\x80\x00\x00\x00\x00\x00\x00\x00", 9 } },
        { "infinite", { "\xCB\x7F\xF0\x00\x00\x00\x00\x00\x00", 9 } },
        { "number as a name", { "\x81\x01\x02", 3 } },
        { "no text", { "\xA1\xFF", 2 } },
        { "bytes", { "\xC4\x03Man", 5 } },
        { "time", { "\xD6\xFF\x69\x2E\xC1\x94", 6 } },
};

/* Empty when the payload names none. */
static leat_any value_named_by(leat_any payload) {
        leat_value name;
        leat_payload_find(payload, "Say", &name);
        for (size_t i = 0; i < sizeof values / sizeof *values; i++)
                if (name.kind == LEAT_VALUE_TEXT && leat_text_equal(name.text, values[i].name))
                        return values[i].value;
        return (leat_any){ 0 };
}

static int on_request(leat_plugin *plugin, const leat_plugin_message *request, void *data) {
        (void) data;
        return leat_plugin_respond(plugin, request->id, value_named_by(request->payload), LEAT_FOREVER);
}

static void on_answer(leat_plugin *plugin, const leat_plugin_reply *reply, void *data) {
        (void) plugin;
        (void) data;
        leat_plugin_say("Answer: %s", reply->result == 0 ? "done" : reply->code);
}

static int on_event(leat_plugin *plugin, const leat_plugin_message *event, void *data) {
        (void) data;
        leat_any value = value_named_by(event->payload);
        if (value.size == 0)
                return 0;
        return leat_plugin_request(plugin, event->sender, value, on_answer, NULL, leat_after_ms(30000));
}

int main(int argc, char **argv) {
        static const char *const events[] = { "*", NULL };
        const leat_plugin_program program = {
                .name = "OddPlugin",
                .version = "0",
                .events = events,
                .event = on_event,
                .request = on_request,
        };
        return leat_plugin_main(argc, argv, &program, NULL);
}
