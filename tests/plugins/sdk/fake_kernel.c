/* What the real kernel does for a plugin is here only a few calls long, so that a test of the SDK fails
 * for the SDK's reasons. */
#include "fake_kernel.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "support.h"

static _Noreturn void become(const char *folder, const char *const argv[], const int output[2],
                             const int errors[2]) {
        (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (dup2(output[1], STDOUT_FILENO) < 0 || dup2(errors[1], STDERR_FILENO) < 0 || chdir(folder) != 0)
                _exit(126);
        (void) execv(argv[0], (char *const *) (uintptr_t) argv);
        _exit(127);
}

void fake_start(struct fake_plugin *plugin, const char *folder, const char *const argv[]) {
        int output[2], errors[2];

        memset(plugin, 0, sizeof(*plugin));
        check_equal(kernel_handshake_server(&plugin->server), 0);
        check(pipe2(output, O_CLOEXEC) == 0 && pipe2(errors, O_CLOEXEC) == 0);
        check(setenv(KERNEL_ENVIRONMENT, kernel_handshake_server_name(plugin->server), 1) == 0);
        plugin->pid = fork();
        check(plugin->pid >= 0);
        if (plugin->pid == 0)
                become(folder, argv, output, errors);
        kernel_handshake_server_expect(plugin->server, plugin->pid);
        (void) unsetenv(KERNEL_ENVIRONMENT);
        (void) close(output[1]);
        (void) close(errors[1]);
        plugin->output = output[0];
        plugin->errors = errors[0];
}

void fake_take_handshake(struct fake_plugin *plugin) {
        check_equal(kernel_handshake_accept(plugin->server, &plugin->greetings, &plugin->handshake,
                                            leat_after_ms(FAKE_PATIENCE_MS)),
                    0);
}

void fake_welcome(struct fake_plugin *plugin, uint32_t heartbeat_ms) {
        kernel_welcome welcome = { .ok = true, .heartbeat_ms = heartbeat_ms };
        to_kernel_sender commands;
        to_plugin_receiver deliveries;

        check_equal(to_kernel_channel(&commands, &plugin->commands), 0);
        check_equal(to_plugin_channel(&plugin->deliveries, &deliveries), 0);
        welcome.commands = to_kernel_sender_give(&commands);
        welcome.deliveries = to_plugin_receiver_give(&deliveries);
        check_equal(kernel_welcome_send(plugin->handshake.reply, &welcome, leat_after_ms(FAKE_PATIENCE_MS)),
                    0);
}

void fake_run(struct fake_plugin *plugin, const char *folder, const char *const argv[]) {
        fake_start(plugin, folder, argv);
        fake_take_handshake(plugin);
        fake_welcome(plugin, 3600 * 1000);
}

const to_kernel *fake_next(struct fake_plugin *plugin) {
        check_equal(to_kernel_recv(plugin->commands, &plugin->command, leat_after_ms(FAKE_PATIENCE_MS)), 0);
        return &plugin->command;
}

static bool is_heartbeat(const to_kernel *command) {
        return command->tag == to_kernel_tag_message &&
               strcmp(command->message.header.message_type, "Heartbeat") == 0;
}

const kernel_message *fake_next_message(struct fake_plugin *plugin) {
        const to_kernel *command;

        do
                command = fake_next(plugin);
        while (is_heartbeat(command));
        check_equal(command->tag, to_kernel_tag_message);
        return &command->message;
}

bool fake_silent(struct fake_plugin *plugin, int milliseconds) {
        leat_deadline until = leat_after_ms(milliseconds);
        int r;

        do
                r = to_kernel_recv(plugin->commands, &plugin->command, until);
        while (r == 0 && is_heartbeat(&plugin->command));
        return r == LEAT_TIMEOUT;
}

void fake_send(struct fake_plugin *plugin, const char *type, const char *id, const char *correlation_id,
               const char *target, bool ack, leat_any payload) {
        to_plugin delivery = { .tag = to_plugin_tag_message };
        kernel_message *message = &delivery.message;

        message->header.message_type = type;
        message->header.message_id = id;
        message->header.timestamp = "2025-12-02T10:35:00.1234567Z";
        message->header.correlation_id.present = correlation_id != NULL;
        message->header.correlation_id.value = correlation_id;
        message->metadata.plugin_id = "Tester";
        message->metadata.sender.present = true;
        message->metadata.sender.value = "Tester";
        message->metadata.sequence = 7;
        message->metadata.target.present = target != NULL;
        message->metadata.target.value = target;
        message->metadata.ack = ack;
        message->payload = payload;
        check_equal(to_plugin_send(plugin->deliveries, &delivery, leat_after_ms(FAKE_PATIENCE_MS)), 0);
}

void fake_stop(struct fake_plugin *plugin, const char *reason) {
        to_plugin delivery = { .tag = to_plugin_tag_stop, .stop = { .reason = reason } };

        check_equal(to_plugin_send(plugin->deliveries, &delivery, leat_after_ms(FAKE_PATIENCE_MS)), 0);
}

const char *fake_line(int descriptor) {
        static char line[4096];
        size_t size = 0;

        while (size < sizeof(line) - 1) {
                struct pollfd in = { .fd = descriptor, .events = POLLIN };

                check(poll(&in, 1, FAKE_PATIENCE_MS) == 1);
                if (read(descriptor, line + size, 1) != 1 || line[size] == '\n')
                        break;
                size++;
        }
        line[size] = '\0';
        return line;
}

void fake_hang_up(struct fake_plugin *plugin) {
        to_plugin_sender_close(&plugin->deliveries);
        to_kernel_receiver_close(&plugin->commands);
}

int fake_end(struct fake_plugin *plugin) {
        int code = wait_for_exit(plugin->pid);

        fake_hang_up(plugin);
        kernel_handshake_receiver_close(&plugin->greetings);
        kernel_handshake_server_close(&plugin->server);
        (void) close(plugin->output);
        (void) close(plugin->errors);
        return code;
}
