/* What waits for a client that reads slowly: the oldest events go first, requests are not taken, answers are
 * kept. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <jansson.h>
#include <leat/error.h>

#include "plugins/bridge/outbox.h"

struct pipe {
        int ours, theirs;
};

static struct pipe pipe_new(void) {
        int ends[2], size = 1;
        cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
        setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
        return (struct pipe){ ends[0], ends[1] };
}

static void pipe_free(struct pipe *pipe) {
        close(pipe->ours);
        close(pipe->theirs);
}

/* Reads and flushes in turns until all is there. To be freed. */
static char *read_all(struct outbox *outbox, struct pipe *pipe) {
        size_t size = 0, capacity = (size_t) 8 << 20;
        char *text = malloc(capacity);
        int r;
        do {
                r = outbox_flush(outbox, pipe->ours);
                ssize_t n;
                while ((n = recv(pipe->theirs, text + size, capacity - size - 1, MSG_DONTWAIT)) > 0)
                        size += (size_t) n;
        } while (r == LEAT_FULL);
        cr_assert_eq(r, 0);
        text[size] = 0;
        return text;
}

static void add_event(struct outbox *outbox, int number, size_t size) {
        char *line = malloc(size);
        memset(line, 'e', size);
        snprintf(line, size, "event %d", number);
        line[strlen(line)] = ' ';
        line[size - 1] = '\n';
        cr_assert_eq(outbox_add_event(outbox, line, size), 0);
        free(line);
}

Test(outbox, everything_comes_out_in_order) {
        struct outbox outbox;
        struct pipe pipe = pipe_new();
        outbox_init(&outbox);
        cr_assert_eq(outbox_add_event(&outbox, "a\n", 2), 0);
        cr_assert_eq(outbox_add_reply(&outbox, "b\n", 2), 0);
        cr_assert_eq(outbox_add_event(&outbox, "c\n", 2), 0);
        cr_assert_eq(outbox_flush(&outbox, pipe.ours), 0);
        cr_assert(outbox_is_empty(&outbox));
        cr_assert_eq(outbox_size(&outbox), 0);
        char *text = read_all(&outbox, &pipe);
        cr_assert_str_eq(text, "a\nb\nc\n");
        free(text);
        outbox_free(&outbox);
        pipe_free(&pipe);
}

Test(outbox, oldest_events_are_lost_and_told_once_before_the_others) {
        struct outbox outbox;
        struct pipe pipe = pipe_new();
        outbox_init(&outbox);
        cr_assert_eq(outbox_add_reply(&outbox, "answer\n", 7), 0);
        for (int i = 0; i < 30; i++)
                add_event(&outbox, i, 100000);
        cr_assert_leq(outbox.sizes[OUTBOX_EVENT], OUTBOX_LIMIT);
        cr_assert_eq(outbox.lost, 20);

        char *text = read_all(&outbox, &pipe);
        char *end = strchr(text, '\n');
        *end = 0;
        json_t *told = json_loads(text, 0, NULL);
        cr_assert_str_eq(json_string_value(json_object_get(json_object_get(told, "Payload"), "Code")),
                         "EventsLost");
        cr_assert_str_eq(json_string_value(json_object_get(json_object_get(told, "Payload"), "Message")),
                         "EventsLost 20");
        cr_assert_eq(strncmp(end + 1, "answer\nevent 20 ", 16), 0);
        cr_assert_null(strstr(end + 1, "EventsLost"));
        cr_assert_eq(outbox.lost, 0);
        json_decref(told);
        free(text);
        outbox_free(&outbox);
        pipe_free(&pipe);
}

Test(outbox, event_that_is_half_written_is_finished) {
        struct outbox outbox;
        struct pipe pipe = pipe_new();
        outbox_init(&outbox);
        add_event(&outbox, 0, 900000);
        cr_assert_eq(outbox_flush(&outbox, pipe.ours), LEAT_FULL);
        cr_assert_gt(outbox.written, 0);
        for (int i = 1; i < 10; i++)
                add_event(&outbox, i, 200000);
        char *text = read_all(&outbox, &pipe);
        cr_assert_eq(strncmp(text, "event 0 ", 8), 0);
        char *second = strchr(text, '\n') + 1;
        cr_assert_eq(*second, '{', "the loss is told behind it");
        char *third = strchr(second, '\n') + 1;
        cr_assert_eq(strncmp(third, "event ", 6), 0);
        free(text);
        outbox_free(&outbox);
        pipe_free(&pipe);
}

Test(outbox, single_event_over_the_limit_is_kept) {
        struct outbox outbox;
        struct pipe pipe = pipe_new();
        outbox_init(&outbox);
        add_event(&outbox, 0, 1000);
        add_event(&outbox, 1, OUTBOX_LIMIT * 2);
        cr_assert_eq(outbox.lost, 1);
        char *text = read_all(&outbox, &pipe);
        cr_assert_not_null(strstr(text, "event 1 "));
        free(text);
        outbox_free(&outbox);
        pipe_free(&pipe);
}

Test(outbox, answers_are_never_lost_and_overflow_when_they_pile_up) {
        struct outbox outbox;
        static char line[100000];
        memset(line, 'r', sizeof line);
        outbox_init(&outbox);
        for (int i = 0; i < 10; i++) {
                cr_assert_eq(outbox_add_reply(&outbox, line, sizeof line), 0);
                cr_assert_not(outbox_overflows(&outbox));
        }
        cr_assert_eq(outbox_add_reply(&outbox, line, sizeof line), 0);
        cr_assert(outbox_overflows(&outbox));
        cr_assert_eq(outbox.lost, 0);
        outbox_free(&outbox);
}

Test(outbox, request_that_does_not_fit_is_not_taken_and_hurts_nothing_else) {
        struct outbox outbox;
        struct pipe pipe = pipe_new();
        static char line[100000];
        int taken = 0;
        memset(line, 'q', sizeof line);
        line[sizeof line - 1] = '\n';
        outbox_init(&outbox);
        cr_assert_eq(outbox_add_reply(&outbox, "before\n", 7), 0);
        while (outbox_add_request(&outbox, line, sizeof line) == 0)
                taken++;
        cr_assert_eq(taken, 10);
        cr_assert_eq(outbox_add_request(&outbox, line, sizeof line), LEAT_FULL);
        cr_assert_eq(outbox_add_request(&outbox, "small\n", 6), 0);
        cr_assert_leq(outbox.sizes[OUTBOX_REQUEST], OUTBOX_LIMIT);
        cr_assert_eq(outbox_add_event(&outbox, "event\n", 6), 0);
        cr_assert_eq(outbox_add_reply(&outbox, "after\n", 6), 0);
        cr_assert_not(outbox_overflows(&outbox));
        cr_assert_eq(outbox.lost, 0);
        char *text = read_all(&outbox, &pipe);
        cr_assert_eq(strncmp(text, "before\nqqq", 10), 0);
        cr_assert_str_eq(text + 7 + 10 * sizeof line, "small\nevent\nafter\n");
        cr_assert_eq(outbox_size(&outbox), 0);
        free(text);
        outbox_free(&outbox);
        pipe_free(&pipe);
}

Test(outbox, single_request_over_the_limit_is_taken) {
        struct outbox outbox;
        char *line = calloc(1, OUTBOX_LIMIT * 2);
        outbox_init(&outbox);
        cr_assert_eq(outbox_add_request(&outbox, line, OUTBOX_LIMIT * 2), 0);
        cr_assert_eq(outbox_add_request(&outbox, "x\n", 2), LEAT_FULL);
        outbox_free(&outbox);
        free(line);
}

Test(outbox, single_answer_over_the_limit_is_no_overflow_whatever_else_waits) {
        struct outbox outbox;
        char *line = calloc(1, OUTBOX_LIMIT * 2);
        outbox_init(&outbox);
        cr_assert_eq(outbox_add_reply(&outbox, line, OUTBOX_LIMIT * 2), 0);
        cr_assert_eq(outbox_add_request(&outbox, "x\n", 2), 0);
        cr_assert_eq(outbox_add_event(&outbox, "x\n", 2), 0);
        cr_assert_not(outbox_overflows(&outbox));
        cr_assert_eq(outbox_add_reply(&outbox, "x\n", 2), 0);
        cr_assert(outbox_overflows(&outbox));
        outbox_free(&outbox);
        free(line);
}

Test(outbox, notices_of_lost_events_do_not_pile_up_while_nothing_is_read) {
        struct outbox outbox;
        struct pipe pipe = pipe_new();
        outbox_init(&outbox);
        add_event(&outbox, 0, 900000);
        cr_assert_eq(outbox_flush(&outbox, pipe.ours), LEAT_FULL);
        for (int i = 0; i < 20000; i++) {
                outbox.lost++;
                cr_assert_eq(outbox_flush(&outbox, pipe.ours), LEAT_FULL);
        }
        cr_assert_leq(outbox.counts[OUTBOX_NOTICE], 2);
        cr_assert_not(outbox_overflows(&outbox));
        char *text = read_all(&outbox, &pipe);
        cr_assert_not_null(strstr(text, "\"EventsLost 20000\""));
        free(text);
        outbox_free(&outbox);
        pipe_free(&pipe);
}

Test(outbox, client_that_is_gone_is_an_error) {
        struct outbox outbox;
        struct pipe pipe = pipe_new();
        outbox_init(&outbox);
        close(pipe.theirs);
        cr_assert_eq(outbox_add_reply(&outbox, "x\n", 2), 0);
        cr_assert_eq(outbox_flush(&outbox, pipe.ours), -EPIPE);
        outbox_free(&outbox);
        close(pipe.ours);
}

Test(outbox, what_is_to_be_first_comes_before_all_that_has_not_begun) {
        struct outbox outbox;
        struct pipe pipe = pipe_new();
        outbox_init(&outbox);
        add_event(&outbox, 0, 900000);
        cr_assert_eq(outbox_add_event(&outbox, "last\n", 5), 0);
        cr_assert_eq(outbox_flush(&outbox, pipe.ours), LEAT_FULL);
        cr_assert_eq(outbox_add_first(&outbox, "first\n", 6), 0);
        char *text = read_all(&outbox, &pipe);
        cr_assert_str_eq(strchr(text, '\n'), "\nfirst\nlast\n");
        free(text);
        outbox_free(&outbox);
        pipe_free(&pipe);
}
