/* Starts giver through a one-shot server, and uses the other ends of everything that it gives. */
#include <string.h>
#include <unistd.h>

#include "protocol.h"
#include "support.h"

static void read_frame(leat_shared_memory frame) {
        const void *data;
        size_t wrong = 0;

        check_equal(leat_shared_memory_size(frame), FRAME_SIZE);
        check_equal(leat_shared_memory_data(frame, &data), 0);
        for (size_t i = 0; i < FRAME_SIZE; i++)
                wrong += ((const unsigned char *) data)[i] != (unsigned char) (i * 31 >> 3);
        check_equal(wrong, 0);
}

static void hear(note_receiver down) {
        note heard;

        check_equal(note_recv(down, &heard, leat_after_ms(20000)), 0);
        check(strcmp(heard.text, "sent before the receiver moved") == 0);
        check_equal(note_recv(down, &heard, leat_after_ms(20000)), 0);
        check(heard.number == 1 && strcmp(heard.text, "sent after") == 0);
        check_equal(note_recv(down, &heard, leat_after_ms(20000)), LEAT_DISCONNECTED);
}

static void write_pipe(int fd) {
        static const char text[] = "through the descriptor";

        check_equal(write(fd, text, sizeof(text) - 1), sizeof(text) - 1);
        close(fd);
}

static void answer(bundle_sender again) {
        leat_shared_memory mine = { 0 };

        check_equal(leat_shared_memory_fill('z', FRAME_SIZE, &mine), 0);
        check_equal(bundle_send(again,
                                &(bundle){ .label = "answer", .frame = leat_shared_memory_give(&mine) },
                                leat_after_ms(20000)),
                    0);
}

static void use(bundle *message) {
        note_sender up = note_sender_take(&message->up);
        note_receiver down = note_receiver_take(&message->down);
        bundle_sender again = bundle_sender_take(&message->again);

        check(strcmp(message->label, "five handles") == 0);
        read_frame(message->frame);
        hear(down);
        check_equal(note_send(up, &(note){ .number = 4711 }, leat_after_ms(20000)), 0);
        write_pipe(leat_descriptor_take(&message->pipe));
        answer(again);
        note_sender_close(&up);
        note_receiver_close(&down);
        bundle_sender_close(&again);
}

static pid_t start(const char *program, const char *server) {
        pid_t child = fork();

        check(child >= 0);
        if (child == 0) {
                execl(program, program, server, (char *) NULL);
                _exit(127);
        }
        return child;
}

int main(int argc, char **argv) {
        int before = count_descriptors();
        bundle_server_end server;
        bundle_receiver giver;
        bundle first;

        watchdog(60);
        check_equal(argc, 2);
        check_equal(bundle_server(&server), 0);
        pid_t child = start(argv[1], bundle_server_name(server));
        bundle_server_expect(server, child);
        check_equal(bundle_accept(server, &giver, &first, leat_after_ms(20000)), 0);
        use(&first);
        check_equal(bundle_recv(giver, &first, leat_after_ms(20000)), LEAT_DISCONNECTED);
        bundle_receiver_close(&giver);
        bundle_server_close(&server);
        check_equal(wait_for_exit(child), 0);
        check_equal(settle_descriptors(before), before);
        return 0;
}
