/* The SDK's promises, seen from the kernel's side of a plugin that uses all of it. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fake_kernel.h"
#include "support.h"

static const char *const argv[] = { PROBE, "--pluginId", "P", "--port", "1234", "--config", "c.json", NULL };

static void begin(struct fake_plugin *plugin) {
        fake_run(plugin, "/", argv);
        cr_assert_str_eq(fake_line(plugin->output), "prepare P 127.0.0.1 1234 c.json 5");
        cr_assert_str_eq(fake_line(plugin->output), "start 1");
}

static void end(struct fake_plugin *plugin) {
        fake_stop(plugin, "enough");
        cr_expect_str_eq(fake_line(plugin->output), "stop enough");
        cr_expect_eq(fake_end(plugin), 0);
}

/* A request whose id is the command itself. */
static void ask(struct fake_plugin *plugin, const char *what) {
        leat_member member = { "Do", leat_value_string(what) };
        leat_any payload;

        cr_assert_eq(leat_payload_write(&member, 1, &payload), 0);
        fake_send(plugin, "CommandRequest", what, NULL, "P", false, payload);
        leat_payload_free(&payload);
}

static const kernel_message *expect_message(struct fake_plugin *plugin, const char *type,
                                            const char *correlation) {
        const kernel_message *message = fake_next_message(plugin);

        cr_assert_str_eq(message->header.message_type, type);
        cr_assert(leat_guid_valid(message->header.message_id, strlen(message->header.message_id)));
        cr_assert_eq(strlen(message->header.timestamp), LEAT_TIMESTAMP_SIZE - 1);
        cr_assert_str_eq(message->metadata.plugin_id, "P");
        cr_assert_eq(message->header.correlation_id.present, correlation != NULL);
        if (correlation != NULL)
                cr_assert_str_eq(message->header.correlation_id.value, correlation);
        return message;
}

static void expect_code(const kernel_message *message, const char *code) {
        leat_value value;

        cr_assert_eq(leat_payload_find(message->payload, "Code", &value), 0);
        cr_expect(leat_text_equal(value.text, code));
}

Test(plugin, shakes_hands_with_what_its_program_says) {
        struct fake_plugin plugin;

        fake_start(&plugin, "/", argv);
        fake_take_handshake(&plugin);
        cr_expect_str_eq(plugin.handshake.id, "P");
        cr_expect_str_eq(plugin.handshake.name, "Probe");
        cr_expect_str_eq(plugin.handshake.version, "1");
        cr_expect_eq(plugin.handshake.events.count, 1);
        cr_expect_str_eq(plugin.handshake.events.items[0], "*");
        cr_expect(plugin.handshake.durable);
        fake_welcome(&plugin, 3600 * 1000);
        (void) fake_line(plugin.output);
        (void) fake_line(plugin.output);
        end(&plugin);
}

Test(plugin, beats_from_1_upwards) {
        struct fake_plugin plugin;

        fake_start(&plugin, "/", argv);
        fake_take_handshake(&plugin);
        fake_welcome(&plugin, 5);
        for (int i = 1; i <= 10; i++) {
                const to_kernel *command = fake_next(&plugin);
                leat_value value;

                cr_assert_eq(command->tag, to_kernel_tag_message);
                cr_expect_str_eq(command->message.header.message_type, "Heartbeat");
                cr_expect_eq(command->message.metadata.sequence, i);
                cr_expect_eq(leat_payload_find(command->message.payload, "Timestamp", &value), 0);
                cr_expect_eq(value.text.size, LEAT_TIMESTAMP_SIZE - 1);
        }
        (void) kill(plugin.pid, SIGTERM);
        cr_expect_eq(fake_end(&plugin), 0);
}

/* The channel keeps the order, so a heartbeat of some other thread would stand between the two messages. */
Test(plugin, does_not_beat_while_its_work_hangs) {
        struct fake_plugin plugin;
        const to_kernel *command;

        fake_start(&plugin, "/", argv);
        fake_take_handshake(&plugin);
        fake_welcome(&plugin, 1);
        ask(&plugin, "hang");
        (void) expect_message(&plugin, "CommandResponse", "hang");
        command = fake_next(&plugin);
        cr_assert_eq(command->tag, to_kernel_tag_message);
        cr_expect_str_eq(command->message.header.message_type, "CommandRequest");
        (void) kill(plugin.pid, SIGTERM);
        cr_expect_eq(fake_end(&plugin), 0);
}

Test(plugin, answers_requests_at_once_later_or_with_an_error) {
        struct fake_plugin plugin;

        begin(&plugin);
        ask(&plugin, "answer");
        (void) expect_message(&plugin, "CommandResponse", "answer");
        ask(&plugin, "later");
        (void) expect_message(&plugin, "CommandResponse", "later");
        ask(&plugin, "refuse");
        expect_code(expect_message(&plugin, "Error", "refuse"), "Unauthorized");
        ask(&plugin, "nonsense");
        expect_code(expect_message(&plugin, "Error", "nonsense"), "InvalidMessage");
        end(&plugin);
}

static void send_event(struct fake_plugin *plugin, const char *id, int result, bool ack) {
        leat_member member = { "Result", leat_value_integer(result) };
        leat_any payload;

        cr_assert_eq(leat_payload_write(&member, 1, &payload), 0);
        fake_send(plugin, "commandrequest", id, NULL, NULL, ack, payload);
        leat_payload_free(&payload);
}

Test(plugin, answers_an_acknowledged_event_by_what_its_callback_returned) {
        struct fake_plugin plugin;
        leat_value value;

        begin(&plugin);
        send_event(&plugin, "e1", 0, false);
        cr_expect_str_eq(fake_line(plugin.output), "event '' e1 from Tester, 7, 0");
        send_event(&plugin, "e2", 0, true);
        cr_expect_eq(leat_payload_find(expect_message(&plugin, "CommandResponse", "e2")->payload, "Received",
                                       &value),
                     0);
        cr_expect(leat_text_equal(value.text, "e2"));
        cr_expect_str_eq(fake_line(plugin.output), "event '' e2 from Tester, 7, 1");
        send_event(&plugin, "e3", -5, true);
        send_event(&plugin, "e4", LEAT_REFUSED, true);
        expect_code(expect_message(&plugin, "Error", "e4"), "InvalidMessage");
        (void) fake_line(plugin.output);
        (void) fake_line(plugin.output);
        end(&plugin);
}

Test(plugin, learns_what_became_of_an_acknowledged_event) {
        struct fake_plugin plugin;
        const kernel_message *message;
        char id[LEAT_GUID_SIZE];
        leat_any payload;

        begin(&plugin);
        ask(&plugin, "publish");
        message = expect_message(&plugin, "CommandRequest", NULL);
        cr_expect_not(message->metadata.ack);
        cr_expect_eq(message->metadata.sequence, 1);
        ask(&plugin, "acknowledged");
        message = expect_message(&plugin, "CommandRequest", NULL);
        cr_expect(message->metadata.ack);
        cr_expect_eq(message->metadata.sequence, 2);
        (void) snprintf(id, sizeof(id), "%s", message->header.message_id);
        cr_assert_eq(leat_payload_ok(id, &payload), 0);
        fake_send(&plugin, "CommandResponse", "a1", "somebody else's", NULL, false, payload);
        fake_send(&plugin, "CommandResponse", "a2", id, NULL, false, payload);
        fake_send(&plugin, "CommandResponse", "a3", id, NULL, false, payload);
        leat_payload_free(&payload);
        cr_expect_str_eq(fake_line(plugin.output), "published: 0 from 'Tester', '' ''");
        ask(&plugin, "late");
        (void) expect_message(&plugin, "CommandRequest", NULL);
        cr_expect_str_eq(fake_line(plugin.output), "late: 3 from '', '' ''");
        end(&plugin);
}

Test(plugin, learns_the_answer_to_its_request) {
        struct fake_plugin plugin;
        const kernel_message *message;
        leat_any payload;

        begin(&plugin);
        ask(&plugin, "ask");
        message = expect_message(&plugin, "CommandRequest", NULL);
        cr_assert(message->metadata.target.present);
        cr_expect_str_eq(message->metadata.target.value, "Other");
        cr_assert_eq(leat_payload_error("UnknownTarget", "no Other here", &payload), 0);
        fake_send(&plugin, "Error", "a1", message->header.message_id, NULL, false, payload);
        cr_expect_str_eq(fake_line(plugin.output), "asked: 9 from 'Tester', 'UnknownTarget' 'no Other here'");
        leat_payload_free(&payload);
        cr_assert_eq(leat_payload_error("EventsLost", "3 events", &payload), 0);
        fake_send(&plugin, "Error", "a2", NULL, NULL, false, payload);
        cr_expect_str_eq(fake_line(plugin.output), "notice EventsLost, 3 events");
        leat_payload_free(&payload);
        ask(&plugin, "lost");
        (void) expect_message(&plugin, "CommandRequest", NULL);
        fake_stop(&plugin, "enough");
        cr_expect_str_eq(fake_line(plugin.output), "stop enough");
        cr_expect_str_eq(fake_line(plugin.output), "lost: 4 from '', '' ''");
        cr_expect_eq(fake_end(&plugin), 0);
}

Test(plugin, waits_on_descriptors_and_receivers_of_its_own) {
        struct fake_plugin plugin;

        begin(&plugin);
        ask(&plugin, "watch");
        cr_expect_str_eq(fake_line(plugin.output), "byte x, detached 0");
        cr_expect_str_eq(fake_line(plugin.output), "detached once");
        ask(&plugin, "attach");
        cr_expect_str_eq(fake_line(plugin.output), "note hello");
        cr_expect_str_eq(fake_line(plugin.output), "no more notes, detached 0");
        end(&plugin);
}

Test(plugin, asks_for_more_time) {
        struct fake_plugin plugin;
        const to_kernel *command;

        begin(&plugin);
        ask(&plugin, "extend");
        do
                command = fake_next(&plugin);
        while (command->tag == to_kernel_tag_message);
        cr_assert_eq(command->tag, to_kernel_tag_extend);
        cr_expect_eq(command->extend.milliseconds, 1234);
        end(&plugin);
}

Test(plugin, says_why_it_stops) {
        static const char *const for_a_moment[] = { PROBE, "--exitAfterSeconds", "0.05", NULL };
        struct fake_plugin plugin;

        begin(&plugin);
        (void) kill(plugin.pid, SIGTERM);
        cr_expect_str_eq(fake_line(plugin.output), "stop SIGTERM");
        cr_expect_eq(fake_end(&plugin), 0);
        begin(&plugin);
        ask(&plugin, "quit");
        cr_expect_str_eq(fake_line(plugin.output), "stop done");
        cr_expect_eq(fake_end(&plugin), 7);
        begin(&plugin);
        fake_hang_up(&plugin);
        cr_expect_str_eq(fake_line(plugin.output), "stop the kernel is gone");
        cr_expect_eq(fake_end(&plugin), 1);
        fake_run(&plugin, "/", for_a_moment);
        (void) fake_line(plugin.output);
        (void) fake_line(plugin.output);
        cr_expect_str_eq(fake_line(plugin.output), "stop exitAfterSeconds");
        cr_expect_eq(fake_end(&plugin), 0);
}

Test(plugin, leaves_when_the_kernel_refuses_it_or_ends_before_a_welcome) {
        struct fake_plugin plugin;
        kernel_welcome no = { .ok = false, .code = "IdInUse", .text = "P is running" };

        fake_start(&plugin, "/", argv);
        fake_take_handshake(&plugin);
        cr_assert_eq(kernel_welcome_send(plugin.handshake.reply, &no, LEAT_FOREVER), 0);
        cr_expect_str_eq(fake_line(plugin.errors),
                         "Probe: the kernel refuses this plugin: IdInUse: P is running");
        cr_expect_eq(fake_end(&plugin), 2);
        fake_start(&plugin, "/", argv);
        fake_take_handshake(&plugin);
        kernel_handshake_receiver_close(&plugin.greetings); /* And with it the reply sender. */
        cr_expect_eq(fake_end(&plugin), 1);
        fake_start(&plugin, "/", argv);
        fake_take_handshake(&plugin);
        (void) kill(plugin.pid, SIGTERM);
        cr_expect_eq(fake_end(&plugin), 0);
}

Test(plugin, leaves_with_2_when_it_cannot_start) {
        static const char *const failing[] = { PROBE, "--fail", "--number", "9", NULL };
        static const char *const invalid[] = { PROBE, "--number", "nine", NULL };
        struct fake_plugin plugin;

        fake_start(&plugin, "/", failing);
        cr_expect_str_eq(fake_line(plugin.output), "prepare Probe 127.0.0.1 9000  9");
        cr_expect_str_eq(fake_line(plugin.output), "");
        cr_expect_eq(fake_end(&plugin), 2);
        fake_start(&plugin, "/", invalid);
        cr_expect_str_eq(fake_line(plugin.errors), "Probe: --number needs a number, not 'nine'");
        cr_expect_str_eq(fake_line(plugin.errors), "");
        cr_expect_eq(fake_end(&plugin), 2);
}

Test(plugin, says_in_one_line_that_it_needs_a_kernel) {
        cr_assert_null(getenv(KERNEL_ENVIRONMENT));
        FILE *output = popen(PROBE " 2>&1", "r");
        char line[200] = "", more[200] = "";

        cr_assert_not_null(output);
        cr_expect_not_null(fgets(line, sizeof(line), output));
        cr_expect_not_null(strstr(line, "LEAT_KERNEL is not set"));
        cr_expect_null(fgets(more, sizeof(more), output));
        cr_expect_eq(pclose(output), 2 << 8);
}

/* The kernel is stopped: it reads nothing. A plugin that has something to send still ends when it is told
 * to. */
Test(plugin, a_kernel_that_does_not_read_cannot_keep_it_from_a_signal) {
        struct fake_plugin plugin;

        begin(&plugin);
        for (int i = 0; i < 3000; i++) { /* Its answers fill the channel to the kernel. */
                leat_member member = { "Do", leat_value_string("answer") };
                to_plugin delivery = { .tag = to_plugin_tag_message };
                leat_any payload;
                int r;

                cr_assert_eq(leat_payload_write(&member, 1, &payload), 0);
                delivery.message.header.message_type = "CommandRequest";
                delivery.message.metadata.target.present = true;
                delivery.message.metadata.target.value = "P";
                delivery.message.payload = payload;
                r = to_plugin_send(plugin.deliveries, &delivery, leat_after_ms(200));
                leat_payload_free(&payload);
                if (r == LEAT_TIMEOUT)
                        break;
                cr_assert_eq(r, 0);
        }
        (void) kill(plugin.pid, SIGTERM);
        cr_expect_eq(fake_end(&plugin), 0);
}
