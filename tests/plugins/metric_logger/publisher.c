/* A plugin that publishes numbered logins and wants each acknowledged. It prints what became of every one,
 * and ends when it knows that of all. Numbers are never used twice. */
#include <stdio.h>
#include <stdlib.h>

#include <leat/plugin.h>

struct publisher {
        int64_t count;  /* How many to publish. */
        int64_t window; /* How many may be without an answer. */
        int64_t sent;
        int64_t answered;
};

struct publication {
        struct publisher *publisher;
        int64_t number;
};

static void on_answer(leat_plugin *plugin, const leat_plugin_reply *reply, void *data) {
        struct publication *publication = data;
        struct publisher *publisher = publication->publisher;

        if (reply->result == 0)
                leat_plugin_say("acknowledged %lld", (long long) publication->number);
        else
                leat_plugin_say("not %lld: %d %s", (long long) publication->number, reply->result,
                                reply->code);
        free(publication);
        publisher->answered++;
        if (publisher->answered == publisher->count) {
                leat_plugin_say("all answered");
                leat_plugin_quit(plugin, LEAT_PLUGIN_DONE);
        }
}

static int publish(leat_plugin *plugin, struct publisher *publisher) {
        struct publication *publication = malloc(sizeof(*publication));
        char username[40], now[LEAT_TIMESTAMP_SIZE];
        leat_user_logged_in login = { .user_id = 1 };
        leat_any payload;
        int r;

        if (publication == NULL)
                return -1;
        *publication = (struct publication){ publisher, publisher->sent + 1 };
        (void) snprintf(username, sizeof(username), "n%lld", (long long) publication->number);
        leat_timestamp_text_now(now);
        login.username = leat_text_of(username);
        login.login_time = leat_text_of(now);
        r = leat_event_write_user_logged_in(&login, &payload);
        if (r == 0) {
                r = leat_plugin_publish_acknowledged(plugin, payload, on_answer, publication,
                                                     leat_after_ms(120000));
                leat_payload_free(&payload);
        }
        if (r != 0)
                free(publication);
        else
                publisher->sent++;
        return r;
}

static void tick(leat_plugin *plugin, void *data) {
        struct publisher *publisher = data;

        if (publisher->sent < publisher->count && publisher->sent - publisher->answered < publisher->window &&
            publish(plugin, publisher) != 0)
                leat_plugin_complain(plugin, "cannot publish");
}

int main(int argc, char **argv) {
        struct publisher publisher = { .count = 100, .window = 50 };
        const leat_plugin_option options[] = {
                { .name = "count", .integer = &publisher.count },
                { .name = "window", .integer = &publisher.window },
                { .name = NULL },
        };
        const leat_plugin_program program = {
                .name = "Publisher",
                .version = "1",
                .options = options,
                .tick_ms = 1,
                .tick = tick,
        };

        return leat_plugin_main(argc, argv, &program, &publisher);
}
