/* The EventSimulator as its kernel sees it. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "fake_kernel.h"
#include "support.h"

static void expect_login(struct fake_plugin *plugin) {
        const kernel_message *message = fake_next_message(plugin);
        leat_user_logged_in login;
        char line[100];

        cr_assert_str_eq(message->header.message_type, "CommandRequest");
        cr_assert(leat_guid_valid(message->header.message_id, strlen(message->header.message_id)));
        cr_assert_str_eq(message->metadata.plugin_id, "EventSimulator");
        cr_assert_not(message->metadata.ack);
        cr_assert_not(message->metadata.target.present);
        cr_assert_eq(leat_event_read_user_logged_in(message->payload, &login), 0);
        (void) snprintf(line, sizeof(line), "Sent UserLoggedInEvent: %.*s", (int) login.username.size,
                        login.username.data);
        cr_assert_str_eq(fake_line(plugin->output), line);
}

static void expect_job(struct fake_plugin *plugin) {
        const kernel_message *message = fake_next_message(plugin);
        leat_data_processed job;
        char line[100];

        cr_assert_eq(leat_event_read_data_processed(message->payload, &job), 0);
        (void) snprintf(line, sizeof(line), "Sent DataProcessedEvent: JobId=%.*s", (int) job.job_id.size,
                        job.job_id.data);
        cr_assert_str_eq(fake_line(plugin->output), line);
}

Test(event_simulator, sends_both_events_in_turn_until_the_count_is_reached) {
        const char *const argv[] = { EVENT_SIMULATOR,
                                     "--kernelHost",
                                     "127.0.0.1",
                                     "--kernelPort",
                                     "1",
                                     "--count",
                                     "5",
                                     "--interval",
                                     "0.01",
                                     "--unknown",
                                     NULL };
        struct fake_plugin plugin;

        fake_start(&plugin, "/", argv);
        fake_take_handshake(&plugin);
        cr_expect_str_eq(plugin.handshake.id, "EventSimulator");
        cr_expect_str_eq(plugin.handshake.name, "EventSimulator");
        cr_expect_eq(plugin.handshake.events.count, 0);
        cr_expect_not(plugin.handshake.durable);
        fake_welcome(&plugin, 3600 * 1000);
        for (int i = 0; i < 2; i++) {
                expect_login(&plugin);
                expect_job(&plugin);
        }
        expect_login(&plugin);
        cr_expect_str_eq(fake_line(plugin.output), "Finished sending simulated events.");
        cr_expect_str_eq(fake_line(plugin.output), "");
        cr_expect_str_eq(fake_line(plugin.errors), "");
        cr_expect_eq(fake_end(&plugin), 0);
}

Test(event_simulator, sends_without_end_and_leaves_when_told) {
        const char *const argv[] = { EVENT_SIMULATOR, "--interval", "0", NULL };
        struct fake_plugin plugin;

        fake_run(&plugin, "/", argv);
        for (int i = 0; i < 50; i++) {
                expect_login(&plugin);
                expect_job(&plugin);
        }
        fake_stop(&plugin, "enough");
        cr_expect_eq(fake_end(&plugin), 0);
}

Test(event_simulator, ends_with_0_on_a_signal_and_with_1_when_the_kernel_is_gone) {
        const char *const argv[] = { EVENT_SIMULATOR, NULL };
        struct fake_plugin plugin;

        fake_run(&plugin, "/", argv);
        expect_login(&plugin);
        (void) kill(plugin.pid, SIGINT);
        cr_expect_eq(fake_end(&plugin), 0);
        fake_run(&plugin, "/", argv);
        expect_login(&plugin);
        fake_hang_up(&plugin);
        cr_expect_eq(fake_end(&plugin), 1);
}

Test(event_simulator, explains_its_options_without_a_kernel) {
        const char *const argv[] = { EVENT_SIMULATOR, "--help", NULL };
        struct fake_plugin plugin;

        fake_start(&plugin, "/", argv);
        cr_expect_str_eq(fake_line(plugin.output), "EventSimulator 0.1");
        (void) fake_line(plugin.output);
        (void) fake_line(plugin.output);
        cr_expect_str_eq(fake_line(plugin.output), "Usage: EventSimulator [options]");
        cr_expect_eq(fake_end(&plugin), 0);
}
