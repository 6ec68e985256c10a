/* Started by taker: gives it five handles in one message, keeps the other ends, and uses them. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "protocol.h"
#include "support.h"

static leat_shared_memory make_frame(void) {
        leat_shared_memory memory = { 0 };
        unsigned char *bytes = malloc(FRAME_SIZE);

        check(bytes != NULL);
        for (size_t i = 0; i < FRAME_SIZE; i++)
                bytes[i] = (unsigned char) (i * 31 >> 3);
        check_equal(leat_shared_memory_copy(bytes, FRAME_SIZE, &memory), 0);
        free(bytes);
        return memory;
}

/* What the taker wrote into the pipe, until its end. */
static void read_pipe(int fd) {
        char text[64] = { 0 };
        size_t size = 0;
        ssize_t n;

        while ((n = read(fd, text + size, sizeof(text) - 1 - size)) > 0)
                size += (size_t) n;
        check_equal(n, 0);
        check(strcmp(text, "through the descriptor") == 0);
        close(fd);
}

/* The taker's own memory comes back over the sender of this message's own type. */
static void receive_answer(bundle_receiver *answers) {
        bundle answer;
        const void *data;

        check_equal(bundle_recv(*answers, &answer, leat_after_ms(20000)), 0);
        check(strcmp(answer.label, "answer") == 0);
        check(!note_sender_is_set(answer.up) && leat_descriptor_number(answer.pipe) == -1);
        check_equal(leat_shared_memory_size(answer.frame), FRAME_SIZE);
        check_equal(leat_shared_memory_data(answer.frame, &data), 0);
        check_equal(((const unsigned char *) data)[FRAME_SIZE - 1], 'z');
        check_equal(bundle_recv(*answers, &answer, leat_after_ms(20000)), LEAT_DISCONNECTED);
        bundle_receiver_close(answers);
}

static void exchange(bundle_sender taker) {
        note_sender up, down;
        note_receiver up_end, down_end;
        bundle_sender again;
        bundle_receiver answers;
        leat_shared_memory frame = make_frame();
        note heard;
        int ends[2];

        check_equal(pipe2(ends, O_CLOEXEC), 0);
        check_equal(note_channel(&up, &up_end), 0);
        check_equal(note_channel(&down, &down_end), 0);
        check_equal(bundle_channel(&again, &answers), 0);
        check_equal(note_send(down, &(note){ .text = "sent before the receiver moved" }, LEAT_NOW), 0);
        bundle message = {
                .label = "five handles",
                .up = note_sender_give(&up),
                .down = note_receiver_give(&down_end),
                .pipe = leat_descriptor_give(&ends[1]),
                .frame = leat_shared_memory_give(&frame),
                .again = bundle_sender_give(&again),
        };
        check_equal(bundle_send(taker, &message, leat_after_ms(20000)), 0);
        check(!note_sender_is_set(up) && !note_receiver_is_set(down_end) && ends[1] == -1);
        check(leat_shared_memory_descriptor(frame) == -1 && !bundle_sender_is_set(again));

        check_equal(note_send(down, &(note){ .number = 1, .text = "sent after" }, leat_after_ms(20000)), 0);
        note_sender_close(&down);
        check_equal(note_recv(up_end, &heard, leat_after_ms(20000)), 0);
        check_equal(heard.number, 4711);
        check_equal(note_recv(up_end, &heard, leat_after_ms(20000)), LEAT_DISCONNECTED);
        note_receiver_close(&up_end);
        read_pipe(ends[0]);
        receive_answer(&answers);
}

int main(int argc, char **argv) {
        bundle_sender taker;
        int before = count_descriptors();

        watchdog(60);
        check_equal(argc, 2);
        check_equal(bundle_connect(argv[1], &taker, leat_after_ms(20000)), 0);
        exchange(taker);
        bundle_sender_close(&taker);
        check_equal(settle_descriptors(before), before);
        return 0;
}
