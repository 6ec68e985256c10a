/* A plugin with bad habits, on the bare protocol: what the SDK would never do.
 *
 * usage (the first of the configured arguments, found behind the kernel's): --mode MODE
 *     sleeper     reads nothing until there is a file named "wake" in its working directory, then reads
 *                 everything and prints what it got: "events=N lost=M notices=K"
 *     forger      publishes one event under another plugin's id, then lives on
 *     flood N     publishes N events of 1 KiB as fast as the kernel takes them, prints "sent N" and lives on
 *     intruder    hands the server's name to a child that is not the plugin, which tries to join and prints
 *                 what it gets
 *     thief       asks for a client's channel and announces an address, as only the bridge may
 *     extender    asks for five seconds, is silent for two and a half, prints "still here" and lives on
 *     closer      closes its channel to the kernel and stays
 *     mumbler     sends what no plugin should: an unknown type, an empty message, an answer to nothing; lives
 *                 on
 *     printer     prints lines of all kinds on both outputs and exits with code 5 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "leat/guid.h"
#include "leat/payload.h"
#include "leat/protocol.h"
#include "leat/timestamp.h"
#include "support.h"

static to_kernel_sender commands;
static to_plugin_receiver deliveries;

static const char *argument(int argc, char **argv, const char *name, const char *otherwise) {
        for (int i = 1; i + 1 < argc; i++)
                if (strcmp(argv[i], name) == 0)
                        return argv[i + 1];
        return otherwise;
}

static void join(const char *id) {
        static leat_c_string all[] = { "*" };
        kernel_handshake handshake = { .id = id, .name = "bad", .version = "1", .events = { all, 1 } };
        kernel_welcome_sender reply;
        kernel_welcome_receiver answers;
        kernel_handshake_sender door;
        kernel_welcome welcome;

        check_equal(kernel_welcome_channel(&reply, &answers), 0);
        handshake.reply = kernel_welcome_sender_give(&reply);
        check_equal(kernel_handshake_connect(getenv(KERNEL_ENVIRONMENT), &door, leat_after_ms(30000)), 0);
        check_equal(kernel_handshake_send(door, &handshake, leat_after_ms(30000)), 0);
        check_equal(kernel_welcome_recv(answers, &welcome, leat_after_ms(30000)), 0);
        check(welcome.ok);
        commands = to_kernel_sender_take(&welcome.commands);
        deliveries = to_plugin_receiver_take(&welcome.deliveries);
        kernel_handshake_sender_close(&door);
        kernel_welcome_receiver_close(&answers);
}

static void send_message(const char *type, const char *claim, leat_any payload) {
        char id[LEAT_GUID_SIZE], now[LEAT_TIMESTAMP_SIZE];
        kernel_message message = { .header = { .message_type = type, .message_id = id, .timestamp = now },
                                   .metadata = { .plugin_id = claim, .sender = LEAT_SOME(claim) },
                                   .payload = payload };
        to_kernel packed;

        leat_guid_new(id);
        leat_timestamp_text_now(now);
        packed = to_kernel_message(message);
        check_equal(to_kernel_send(commands, &packed, leat_after_ms(30000)), 0);
}

static void publish(const char *claim, const char *text) {
        const leat_member member = { "Text", leat_value_string(text) };
        leat_any payload;

        check_equal(leat_payload_write(&member, 1, &payload), 0);
        send_message("CommandRequest", claim, payload);
        leat_payload_free(&payload);
}

static void live_on(void) {
        to_plugin delivery;
        int r;

        for (;;) {
                send_message("Heartbeat", "", (leat_any){ 0 });
                while ((r = to_plugin_recv(deliveries, &delivery, leat_after_ms(200))) == 0)
                        if (delivery.tag == to_plugin_tag_stop)
                                exit(0);
                if (r == LEAT_DISCONNECTED)
                        exit(1);
        }
}

static void read_all(void) {
        long events = 0, lost = 0, notices = 0;
        to_plugin delivery;

        while (to_plugin_recv(deliveries, &delivery, leat_after_ms(1000)) == 0) {
                leat_value count;

                if (delivery.tag == to_plugin_tag_stop)
                        exit(0);
                if (strcmp(delivery.message.header.message_type, "Error") != 0) {
                        events++;
                        continue;
                }
                check_equal(leat_payload_find(delivery.message.payload, "Count", &count), 0);
                lost += count.integer;
                notices++;
                printf("notice after %ld\n", events);
        }
        printf("events=%ld lost=%ld notices=%ld\n", events, lost, notices);
        fflush(stdout);
}

static void sleep_in(void) {
        printf("asleep\n");
        fflush(stdout);
        while (access("wake", F_OK) != 0) {
                send_message("Heartbeat", "", (leat_any){ 0 });
                sleep_ms(100);
        }
        read_all();
}

static void flood(long n) {
        char text[1024];

        memset(text, 'x', sizeof(text) - 1);
        text[sizeof(text) - 1] = '\0';
        for (long i = 0; i < n; i++)
                publish("", text);
        printf("sent %ld\n", n);
        fflush(stdout);
}

static void intrude(void) {
        pid_t child = fork();

        if (child == 0) {
                kernel_handshake handshake = { .id = "x" };
                kernel_welcome_sender reply;
                kernel_welcome_receiver answers;
                kernel_handshake_sender door;
                kernel_welcome welcome;
                int r;

                check_equal(kernel_welcome_channel(&reply, &answers), 0);
                handshake.reply = kernel_welcome_sender_give(&reply);
                r = kernel_handshake_connect(getenv(KERNEL_ENVIRONMENT), &door, leat_after_ms(30000));
                if (r == 0) {
                        kernel_handshake_send(door, &handshake, leat_after_ms(30000));
                        kernel_welcome_sender_close(&reply);
                        kernel_handshake_sender_close(&door);
                        r = kernel_welcome_recv(answers, &welcome, leat_after_ms(30000));
                }
                printf("intruder: %s\n", leat_strerror(r));
                fflush(stdout);
                _exit(0);
        }
        check_equal(wait_for_exit(child), 0);
}

static void steal(void) {
        kernel_open_client request = { .id = "Stolen", .name = "x", .version = "1" };
        kernel_welcome_sender reply;
        kernel_welcome_receiver answers;
        kernel_welcome welcome;
        to_kernel packed;

        check_equal(kernel_welcome_channel(&reply, &answers), 0);
        request.reply = kernel_welcome_sender_give(&reply);
        packed = to_kernel_open_client(request);
        check_equal(to_kernel_send(commands, &packed, leat_after_ms(30000)), 0);
        check_equal(kernel_welcome_recv(answers, &welcome, leat_after_ms(30000)), 0);
        printf("client: %s %s\n", welcome.ok ? "opened" : "refused", welcome.code);
        packed = to_kernel_listening((kernel_listening){ .host = "10.0.0.1", .port = 1 });
        check_equal(to_kernel_send(commands, &packed, leat_after_ms(30000)), 0);
        fflush(stdout);
        kernel_welcome_receiver_close(&answers);
}

static void extend(void) {
        const to_kernel packed = to_kernel_extend((kernel_extend){ .milliseconds = 5000 });

        check_equal(to_kernel_send(commands, &packed, leat_after_ms(30000)), 0);
        sleep_ms(2500);
        printf("still here\n");
        fflush(stdout);
}

static void close_and_stay(void) {
        to_kernel_sender_close(&commands);
        printf("closed\n");
        fflush(stdout);
        for (;;)
                sleep_ms(1000);
}

static void mumble(void) {
        const to_kernel empty = { 0 };

        send_message("Nonsense", "x", (leat_any){ 0 });
        check_equal(to_kernel_send(commands, &empty, leat_after_ms(30000)), 0);
        send_message("CommandResponse", "x", (leat_any){ 0 });
        send_message("Error", "x", (leat_any){ 0 });
        send_message("handshake", "x", (leat_any){ 0 });
}

static void print(void) {
        fputs("plain\r\n\033[31mred\033[0m\nno newline at the end", stdout);
        fputs("to the other side\n", stderr);
        fflush(stdout);
        exit(5);
}

int main(int argc, char **argv) {
        const char *mode = argument(argc, argv, "--mode", ""), *count = argument(argc, argv, mode, "0");

        watchdog(120);
        if (strcmp(mode, "printer") == 0)
                print();
        if (strcmp(mode, "intruder") == 0)
                intrude();
        join(argument(argc, argv, "--pluginId", "?"));
        if (strcmp(mode, "sleeper") == 0)
                sleep_in();
        else if (strcmp(mode, "forger") == 0)
                publish("MetricLogger", "forged");
        else if (strcmp(mode, "flood") == 0)
                flood(atol(count));
        else if (strcmp(mode, "thief") == 0)
                steal();
        else if (strcmp(mode, "extender") == 0)
                extend();
        else if (strcmp(mode, "closer") == 0)
                close_and_stay();
        else if (strcmp(mode, "mumbler") == 0)
                mumble();
        live_on();
        return 0;
}
