/* An event through the kernel: from a plugin to it, and on to 1 or 8 others. The plugins are the kernel's
 * processes, not forks of ours, so these peers measure themselves. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "kernel_plugin.h"
#include "kernel_run.h"
#include "measure.h"
#include "peers.h"

#define START_SECONDS 20
#define LOOK_NS       1000000
#define ON_THEIR_WAY \
        (128 *       \
         1024) /* Bytes that may be; the kernel drops events beyond 1 MiB that one plugin leaves unread. */
#define ENVELOPE  256 /* About what an event takes beside its payload. */
#define MOST      256 /* Events on their way. */
#define GROUPS    4   /* That they are acknowledged in. */
#define WINDOW    64  /* When each is acknowledged. */
#define PATH_SIZE 4096

/* Variants. */
enum { EACH_ACKNOWLEDGED = 16 }; /* Added to the number of subscribers. */

static json_t *plugin_entry(const char *program, const char *board, int index) {
        char id[16], number[16];

        (void) snprintf(id, sizeof(id), index < 0 ? "Publisher" : "Subscriber%d", index);
        (void) snprintf(number, sizeof(number), "%d", index);
        return json_pack("{s:s, s:s, s:[s, s], s:[s, s, s, s]}", "pluginId", id, "workingDirectory", ".",
                         "command", program, "plugin", "arguments", "--board", board, "--index", number);
}

/* A plugin has no time for its heartbeats while it publishes, and none is started anew. */
static json_t *make_configuration(int board_fd, unsigned subscribers) {
        char program[PATH_SIZE], board[64];
        json_t *plugins, *configuration;

        if (kernel_run_self(program, sizeof(program)) != 0)
                return NULL;
        (void) snprintf(board, sizeof(board), "/proc/%d/fd/%d", (int) getpid(), board_fd);
        plugins = json_array();
        for (int i = -1; i < (int) subscribers; i++)
                (void) json_array_append_new(plugins, plugin_entry(program, board, i));
        configuration =
                json_pack("{s:b, s:i, s:o}", "bridge", 0, "heartbeatTimeoutMs", 3600000, "plugins", plugins);
        return configuration;
}

static double now(void) {
        struct timespec t;

        (void) clock_gettime(CLOCK_MONOTONIC, &t);
        return (double) t.tv_sec + (double) t.tv_nsec / 1e9;
}

/* Waits until all plugins are there, or all of a turn has arrived. One that was started anew is one too
 * many. */
static int wait_for(struct board *board, enum turn turn, double seconds) {
        const struct timespec pause = { .tv_nsec = LOOK_NS };
        double end = now() + seconds;

        for (;;) {
                int error = atomic_load(&board->error);

                if (error != 0)
                        return error;
                if (atomic_load(&board->ready) > board->subscribers + 1)
                        return -EOWNERDEAD;
                if (turn == NOTHING_YET ? atomic_load(&board->ready) == board->subscribers + 1
                                        : atomic_load(&board->finished) == turn)
                        return 0;
                if (now() >= end)
                        return -ETIMEDOUT;
                (void) clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
        }
}

static int take_turn(struct board *board, enum turn turn) {
        atomic_store(&board->turn, turn);
        return wait_for(board, turn, (double) board->duration_ns[turn] / 1e9 + START_SECONDS);
}

static int judge(struct board *board, int64_t cpu_ns, struct result *ret_result) {
        struct result result = { 0 };
        int64_t end_ns = 0;
        double count;

        for (unsigned i = 0; i < board->subscribers; i++) {
                if (board->arrivals[i].count != board->sent)
                        return -EBADMSG;
                if (board->arrivals[i].end_ns > end_ns)
                        end_ns = board->arrivals[i].end_ns;
        }
        if (board->round_trip)
                end_ns = board->start_ns + board->duration_ns[MEASURED];
        count = (double) (board->sent - board->first);
        result.per_second = count * 1e9 / (double) (end_ns - board->start_ns);
        result.cpu_ns = (double) cpu_ns / count;
        if (board->sample_count > 0)
                summarize(board->samples, board->sample_count, &result.round_trip, &result.histogram);
        *ret_result = result;
        return 0;
}

static int run(struct board *board, int board_fd, struct result *ret_result) {
        json_t *configuration = make_configuration(board_fd, board->subscribers);
        struct kernel_run kernel = { 0 };
        int64_t cpu_ns = 0;
        int r = configuration ? kernel_run_start(configuration, &kernel) : -ENOMEM;

        json_decref(configuration);
        if (r == 0)
                r = wait_for(board, NOTHING_YET, START_SECONDS);
        if (r == 0)
                r = take_turn(board, WARM_UP);
        if (r == 0) {
                cpu_ns = kernel_run_cpu_ns(&kernel);
                r = take_turn(board, MEASURED);
        }
        if (r == 0)
                r = judge(board, kernel_run_cpu_ns(&kernel) - cpu_ns, ret_result);
        kernel_run_end(&kernel);
        return r;
}

static void set_task(struct board *board, const struct peer *peer, const struct task *task) {
        size_t room = ON_THEIR_WAY / (task->setup.size + ENVELOPE);
        unsigned most = room > MOST ? MOST : (unsigned) room;
        bool each = peer->variant >= EACH_ACKNOWLEDGED;

        board->subscribers = (unsigned) peer->variant % EACH_ACKNOWLEDGED;
        board->round_trip = task->kind == ROUND_TRIP;
        board->stride = each || most < GROUPS ? 1 : most / GROUPS;
        board->unanswered = each && most > WINDOW ? WINDOW : each || most < GROUPS ? most : GROUPS;
        board->size = task->setup.size;
        board->duration_ns[WARM_UP] = (int64_t) (task->warm_up * 1e9);
        board->duration_ns[MEASURED] = (int64_t) (task->seconds * 1e9);
}

static int measure_kernel(const struct peer *peer, const struct task *task, struct result *ret_result) {
        int fd = memfd_create("leat-bench", MFD_CLOEXEC), r = fd < 0 ? -errno : 0;
        struct board *board = MAP_FAILED;

        if (r == 0 && ftruncate(fd, sizeof(*board)) == 0)
                board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (board == MAP_FAILED) {
                r = -errno;
        } else {
                set_task(board, peer, task);
                r = run(board, fd, ret_result);
                (void) munmap(board, sizeof(*board));
        }
        if (fd >= 0)
                (void) close(fd);
        return r;
}

#define THROUGH_KERNEL .wait = "blocking", .largest = 16384, .measure = measure_kernel

const struct peer peer_kernel_1 = {
        .name = "kernel-1", .title = "kernel, 1 subscriber", .variant = 1, THROUGH_KERNEL
};
const struct peer peer_kernel_8 = {
        .name = "kernel-8", .title = "kernel, 8 subscribers", .variant = 8, THROUGH_KERNEL
};
const struct peer peer_kernel_1_each = { .name = "kernel-1-each",
                                         .title = "kernel, 1 subscriber, each acknowledged",
                                         .variant = EACH_ACKNOWLEDGED + 1,
                                         THROUGH_KERNEL };
const struct peer peer_kernel_8_each = { .name = "kernel-8-each",
                                         .title = "kernel, 8 subscribers, each acknowledged",
                                         .variant = EACH_ACKNOWLEDGED + 8,
                                         THROUGH_KERNEL };
