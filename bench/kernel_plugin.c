/* A publisher and its subscribers, as plugins on the SDK. The kernel drops events for a plugin that leaves
 * too many unread, so the publisher never has more on their way than it has room for: one event in so many is
 * acknowledged by the subscribers, which are durable, and the publisher waits for those answers. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <leat/plugin.h>

#include "kernel_plugin.h"

#define SEND_MS        10000
#define LOOK_MS        1
#define EVENTS_A_CLOCK 16
#define OVERHEAD       24 /* Bytes of a payload around its text. */

struct plugin {
        const char *path; /* Of the board. */
        struct board *board;
        int64_t index;   /* Of a subscriber; -1: the publisher. */
        uint64_t number; /* Of the next event. */
        unsigned unanswered;
        int64_t end_ns, before_ns;
        unsigned turn;
        bool ended;
        char text[64 * 1024];
};

static int64_t now_ns(void) {
        struct timespec t;

        (void) clock_gettime(CLOCK_MONOTONIC, &t);
        return (int64_t) t.tv_sec * 1000000000 + t.tv_nsec;
}

static void fail(struct plugin *self, int error) {
        int none = 0;

        (void) atomic_compare_exchange_strong(&self->board->error, &none, error < 0 ? error : -EPIPE);
}

static void finish(leat_plugin *plugin, struct plugin *self) {
        leat_plugin_set_tick(plugin, LOOK_MS); /* For the next turn. */
        atomic_store(&self->board->finished, self->turn);
}

static void pump(leat_plugin *plugin, struct plugin *self);

static void on_answer(leat_plugin *plugin, const leat_plugin_reply *reply, void *data) {
        struct plugin *self = data;

        if (reply->result != 0) {
                fail(self, reply->result == LEAT_TIMEOUT ? -ETIMEDOUT : -EPIPE);
                return;
        }
        self->unanswered--;
        if (self->ended && self->unanswered == 0)
                finish(plugin, self);
        if (!self->ended)
                pump(plugin, self);
}

static int publish(leat_plugin *plugin, struct plugin *self, bool acknowledged, bool last) {
        size_t size = self->board->size;
        leat_member members[] = {
                { "Number", leat_value_integer((int64_t) self->number) },
                { "Last", leat_value_boolean(last) },
                { "Text", leat_value_text((leat_text){ self->text, size > OVERHEAD ? size - OVERHEAD : 0 }) },
        };
        leat_any payload;
        int r = leat_payload_write(members, 3, &payload);

        if (r != 0)
                return r;
        if (acknowledged)
                r = leat_plugin_publish_acknowledged(plugin, payload, on_answer, self,
                                                     leat_after_ms(SEND_MS));
        else
                r = leat_plugin_publish(plugin, payload, leat_after_ms(SEND_MS));
        leat_payload_free(&payload);
        if (r == 0 && acknowledged)
                self->unanswered++;
        if (r == 0)
                self->board->sent = ++self->number;
        return r;
}

/* Publishes until answers have to be waited for. */
static void pump(leat_plugin *plugin, struct plugin *self) {
        const struct board *board = self->board;

        while (!self->ended && self->unanswered < board->unanswered) {
                bool last = self->number % EVENTS_A_CLOCK == 0 && now_ns() >= self->end_ns;
                int r = publish(plugin, self, last || (self->number + 1) % board->stride == 0, last);

                if (r != 0) {
                        fail(self, r);
                        self->ended = true;
                }
                self->ended = self->ended || last;
        }
}

static void go_round(leat_plugin *plugin, struct plugin *self) {
        int r;

        self->before_ns = now_ns();
        if (self->before_ns >= self->end_ns) {
                finish(plugin, self);
                return;
        }
        r = publish(plugin, self, false, false);
        if (r != 0)
                fail(self, r);
}

static void tick(leat_plugin *plugin, void *data) {
        struct plugin *self = data;
        struct board *board = self->board;

        if (self->index >= 0 || self->turn == atomic_load(&board->turn))
                return;
        self->turn = atomic_load(&board->turn);
        self->ended = false;
        leat_plugin_set_tick(plugin, 0);
        board->first = self->number;
        board->sample_count = 0;
        board->start_ns = now_ns();
        self->end_ns = board->start_ns + board->duration_ns[self->turn];
        if (board->round_trip)
                go_round(plugin, self);
        else
                pump(plugin, self);
}

static int start(leat_plugin *plugin, void *data) {
        struct plugin *self = data;

        if (self->index >= 0)
                leat_plugin_set_tick(plugin, 0);
        (void) atomic_fetch_add(&self->board->ready, 1);
        return 0;
}

static void take_sample(struct plugin *self) {
        int64_t ns = now_ns() - self->before_ns;
        struct board *board = self->board;

        if (board->sample_count < BOARD_SAMPLES)
                board->samples[board->sample_count++] = ns < UINT32_MAX ? (uint32_t) ns : UINT32_MAX;
}

/* The publisher's own event has come back. */
static int on_return(leat_plugin *plugin, struct plugin *self, uint64_t number) {
        if (number + 1 != self->number)
                fail(self, -EBADMSG);
        take_sample(self);
        go_round(plugin, self);
        return 0;
}

static int on_event(leat_plugin *plugin, const leat_plugin_message *event, void *data) {
        static const char *const names[] = { "Number", "Last" };
        struct plugin *self = data;
        leat_value values[2];
        int r = leat_payload_read(event->payload, names, 2, values);

        if (r != 0 || values[0].kind != LEAT_VALUE_INTEGER) {
                fail(self, -EBADMSG);
                return LEAT_MALFORMED;
        }
        if (self->index < 0)
                return on_return(plugin, self, (uint64_t) values[0].integer);
        if ((uint64_t) values[0].integer != self->number)
                fail(self, -EBADMSG);
        self->board->arrivals[self->index].count = ++self->number;
        if (values[1].boolean)
                self->board->arrivals[self->index].end_ns = now_ns();
        if (!self->board->round_trip)
                return 0;
        r = leat_plugin_publish(plugin, event->payload, leat_after_ms(SEND_MS));
        if (r != 0)
                fail(self, r);
        return 0;
}

/* "EventsLost" is what must not happen. */
static void on_notice(leat_plugin *plugin, const char *code, const char *text, void *data) {
        (void) plugin;
        (void) code;
        (void) text;
        fail(data, -EBADMSG);
}

static int prepare(leat_plugin *plugin, void *data) {
        struct plugin *self = data;
        int fd = open(self->path, O_RDWR | O_CLOEXEC);

        if (fd >= 0)
                self->board = mmap(NULL, sizeof(*self->board), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (fd < 0 || self->board == MAP_FAILED) {
                leat_plugin_complain(plugin, "%s: %s", self->path, strerror(errno));
                return -1;
        }
        (void) close(fd);
        memset(self->text, 'x', sizeof(self->text));
        return 0;
}

int kernel_plugin_main(int argc, char **argv) {
        static const char *const events[] = { "*", NULL };
        static struct plugin self = { .path = "" };
        const leat_plugin_option options[] = {
                { .name = "board", .value = "path", .help = "the shared memory", .text = &self.path },
                { .name = "index",
                  .value = "n",
                  .help = "which subscriber; -1: the publisher",
                  .integer = &self.index,
                  .minimum = -1,
                  .maximum = BOARD_SUBSCRIBERS - 1 },
                { .name = NULL },
        };
        const leat_plugin_program program = {
                .name = "BenchPlugin",
                .version = "1.0",
                .summary = "One end of a measurement through the kernel; started by leat-bench.",
                .events = events,
                .durable = true,
                .tick_ms = LOOK_MS,
                .options = options,
                .prepare = prepare,
                .start = start,
                .event = on_event,
                .notice = on_notice,
                .tick = tick,
        };

        return leat_plugin_main(argc, argv, &program, &self);
}
