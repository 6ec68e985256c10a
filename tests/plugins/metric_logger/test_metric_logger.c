/* The MetricLogger as its kernel sees it: what it answers for is in the file. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "fake_kernel.h"
#include "support.h"

static const char *const argv[] = { METRIC_LOGGER, "--pluginId", "MyLogger", NULL };

static leat_any login(const char *username, const char *time) {
        leat_user_logged_in event = { 1, leat_text_of(username), leat_text_of(time) };
        leat_any payload = { 0 };

        cr_assert_eq(leat_event_write_user_logged_in(&event, &payload), 0);
        return payload;
}

static void send_login(struct fake_plugin *plugin, const char *id, const char *username, const char *time,
                       bool ack) {
        leat_any payload = login(username, time);

        fake_send(plugin, "CommandRequest", id, NULL, NULL, ack, payload);
        leat_payload_free(&payload);
}

static void expect_answer(struct fake_plugin *plugin, const char *type, const char *id) {
        const kernel_message *message = fake_next_message(plugin);

        cr_expect_str_eq(message->header.message_type, type);
        cr_expect(message->header.correlation_id.present);
        cr_expect_str_eq(message->header.correlation_id.value, id);
}

static char *read_log(const char *folder) {
        char *path = path_in(folder, "metrics/metrics.log");
        char *content = read_whole_file(path, NULL);

        free(path);
        return content;
}

static void expect_in_log(const char *folder, const char *text) {
        char *content = read_log(folder);

        cr_expect_not_null(content);
        if (content != NULL)
                cr_expect_not_null(strstr(content, text), "'%s' is not in '%s'", text, content);
        free(content);
}

Test(metric_logger, answers_an_acknowledged_event_once_it_is_in_the_log) {
        cleanup_temp_folder char *folder = temp_folder();
        struct fake_plugin plugin;

        fake_start(&plugin, folder, argv);
        fake_take_handshake(&plugin);
        cr_expect_str_eq(plugin.handshake.id, "MyLogger");
        cr_expect_str_eq(plugin.handshake.name, "MetricLogger");
        cr_expect_eq(plugin.handshake.events.count, 2);
        cr_expect(plugin.handshake.durable);
        fake_welcome(&plugin, 3600 * 1000);
        for (int i = 1; i <= 100; i++) {
                char id[20], expected[60], line[200];

                (void) snprintf(id, sizeof(id), "id-%d", i);
                (void) snprintf(expected, sizeof(expected), "Username=user%d\t", i);
                (void) snprintf(line, sizeof(line), "user%d", i);
                send_login(&plugin, id, line, "2025-12-02T10:35:00.1234567Z", true);
                expect_answer(&plugin, "CommandResponse", id);
                expect_in_log(folder, expected);
                cr_expect_not_null(strstr(fake_line(plugin.output), expected));
        }
        expect_in_log(folder, "\tUserLoggedIn\tSender=Tester\tUserId=1\tUsername=user100\t"
                              "LoginTime=2025-12-02T10:35:00.1234567Z\tCount=100\n");
        fake_stop(&plugin, "enough");
        cr_expect_eq(fake_end(&plugin), 0);
}

Test(metric_logger, logs_but_does_not_answer_what_needs_no_answer) {
        cleanup_temp_folder char *folder = temp_folder();
        struct fake_plugin plugin;

        fake_run(&plugin, folder, argv);
        send_login(&plugin, "id-1", "a\tb\nc\x01", "2025-12-02", false);
        send_login(&plugin, "id-2", "second", "2025-12-02", true);
        expect_answer(&plugin, "CommandResponse", "id-2");
        expect_in_log(folder, "\tUsername=a\\tb\\nc\\x01\tLoginTime=2025-12-02T00:00:00.0000000Z\tCount=1\n");
        cr_expect(fake_silent(&plugin, 50));
        fake_stop(&plugin, "enough");
        cr_expect_eq(fake_end(&plugin), 0);
}

Test(metric_logger, refuses_an_event_that_has_no_line) {
        cleanup_temp_folder char *folder = temp_folder();
        struct fake_plugin plugin;

        fake_run(&plugin, folder, argv);
        send_login(&plugin, "id-1", "user", "yesterday", true);
        expect_answer(&plugin, "Error", "id-1");
        cr_expect_not_null(strstr(fake_line(plugin.errors), "id-1"));
        send_login(&plugin, "id-2", "user", "2025-12-02", true);
        expect_answer(&plugin, "CommandResponse", "id-2");
        expect_in_log(folder, "\tCount=1\n");
        fake_stop(&plugin, "enough");
        cr_expect_eq(fake_end(&plugin), 0);
}

Test(metric_logger, cuts_what_a_killed_one_left_half_written_and_goes_on) {
        cleanup_temp_folder char *folder = temp_folder();
        struct fake_plugin plugin;
        char *path = path_in(folder, "metrics/metrics.log"), *content;
        int fd;

        fake_run(&plugin, folder, argv);
        send_login(&plugin, "id-1", "first", "2025-12-02", true);
        expect_answer(&plugin, "CommandResponse", "id-1");
        (void) kill(plugin.pid, SIGKILL);
        cr_expect_eq(fake_end(&plugin), 128 + SIGKILL);
        fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
        cr_assert_eq(write(fd, "2025-12-02T10:3", 15), 15);
        (void) close(fd);
        fake_run(&plugin, folder, argv);
        cr_expect_not_null(strstr(fake_line(plugin.errors), "torn"));
        send_login(&plugin, "id-2", "second", "2025-12-02", true);
        expect_answer(&plugin, "CommandResponse", "id-2");
        fake_stop(&plugin, "enough");
        cr_expect_eq(fake_end(&plugin), 0);
        content = read_log(folder);
        cr_assert_not_null(content);
        cr_expect_null(strstr(content, "2025-12-02T10:3"));
        cr_expect_not_null(strstr(content, "first"));
        cr_expect_not_null(strstr(content, "second"));
        free(content);
        free(path);
}

/* A full disk, played by the limit on a file's size, which children inherit. */
Test(metric_logger, never_answers_for_what_it_could_not_write) {
        cleanup_temp_folder char *folder = temp_folder();
        struct rlimit before;
        struct fake_plugin plugin;

        cr_assert_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
        (void) signal(SIGXFSZ, SIG_IGN);
        cr_assert_eq(setrlimit(RLIMIT_FSIZE, &(struct rlimit){ .rlim_cur = 60, .rlim_max = before.rlim_max }),
                     0);
        fake_run(&plugin, folder, argv);
        cr_assert_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
        send_login(&plugin, "id-1", "user", "2025-12-02", true);
        cr_expect_not_null(strstr(fake_line(plugin.errors), "cannot write metrics/metrics.log"));
        cr_expect_eq(to_kernel_recv(plugin.commands, &plugin.command, leat_after_ms(FAKE_PATIENCE_MS)), 0);
        cr_expect_str_eq(plugin.command.message.header.message_type, "Heartbeat");
        cr_expect_eq(to_kernel_recv(plugin.commands, &plugin.command, leat_after_ms(FAKE_PATIENCE_MS)),
                     LEAT_DISCONNECTED);
        cr_expect_eq(fake_end(&plugin), 2);
}

/* Nobody reads its output: the log goes on. */
Test(metric_logger, does_not_wait_for_a_reader_of_its_output) {
        cleanup_temp_folder char *folder = temp_folder();
        char *name = malloc(10001);
        struct fake_plugin plugin;

        cr_assert_not_null(name);
        memset(name, 'n', 10000);
        name[10000] = '\0';
        fake_run(&plugin, folder, argv);
        for (int i = 0; i < 100; i++) {
                send_login(&plugin, "id", name, "2025-12-02", true);
                expect_answer(&plugin, "CommandResponse", "id");
        }
        expect_in_log(folder, "\tCount=100\n");
        (void) kill(plugin.pid, SIGTERM);
        cr_expect_eq(fake_end(&plugin), 0);
        free(name);
}
