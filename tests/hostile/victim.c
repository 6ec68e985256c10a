/* The victim of the hostile peers in hostile.py: a program that receives. It is driven over a socket, a
 * command and its answer a packet:
 *
 *     open TYPE WAY OPTIONS    "open" and a copy of the sending socket, or "open NAME" for a server; ways and
 *                              options: victim.h
 *     run MARK                 receives until the message of this number has come, or the end, or (a server)
 *                              a client with it:
 *                              "run OUTCOMES | TIMEOUTS EARLY LATEST_US | BEATS MEDIAN_US MAX_US PASSED"
 *     oppose TYPE CAPACITY     "oppose" and a copy of the receiving socket
 *     send COUNT MS SIZE       sends by it: "send …", as run
 *     in-flight COUNT          not many more descriptors than so many may be in flight from now on:
 *                              "in-flight LIMIT", see in_flight.h
 *     close                    closes what was opened: "close"
 *     state                    "state HEAP": bytes that the program's heap has in use
 *     quit                     ends it: "quit"
 *
 *     hostile_victim DESCRIPTOR NEIGHBOURS */
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "in_flight.h"
#include "stranger.h"
#include "victim.h"

static int control;
static leat_set set;
static struct target *target;
static struct sending *sending;

/* ---- outcomes ---- */

static void write_repeated(struct outcomes *outcomes) {
        size_t length = outcomes->text ? strlen(outcomes->text) : 0;

        if (outcomes->repeated == 0)
                return;
        if (length + 64 > outcomes->size) {
                outcomes->size = 2 * outcomes->size + 256;
                outcomes->text = realloc(outcomes->text, outcomes->size);
                check(outcomes->text != NULL);
        }
        (void) snprintf(outcomes->text + length, 64, "%s%d*%llu", length > 0 ? " " : "", outcomes->last,
                        (unsigned long long) outcomes->repeated);
        outcomes->repeated = 0;
}

void outcomes_add(struct outcomes *outcomes, int outcome) {
        if (outcome != outcomes->last)
                write_repeated(outcomes);
        outcomes->last = outcome;
        outcomes->repeated++;
}

const char *outcomes_finish(struct outcomes *outcomes) {
        write_repeated(outcomes);
        if (!outcomes->text)
                outcomes->text = calloc(1, 1);
        check(outcomes->text != NULL);
        return outcomes->text;
}

void outcomes_clear(struct outcomes *outcomes) {
        free(outcomes->text);
        *outcomes = (struct outcomes){ 0 };
}

/* ---- commands ---- */

static void answer(const char *text, int fd) {
        check_equal(send_raw(control, text, strlen(text), NULL, 0, &fd, fd >= 0 ? 1 : 0),
                    (ssize_t) strlen(text));
}

static void run_open(char *words) {
        char type[32] = "", way[32] = "", text[256];
        const char *name = "";
        int socket, read = 0;

        check(sscanf(words, "%31s %31s%n", type, way, &read) == 2);
        target = target_open(type, way, words + read, set, &socket, &name);
        (void) snprintf(text, sizeof(text), "open %s", name);
        answer(text, socket);
        if (socket >= 0)
                close(socket);
}

static void tell(const char *command, struct outcomes *outcomes) {
        char beats[128] = "0 0 0 0", *text;
        const char *list;
        size_t size;

        if (set.object)
                neighbours_tell(beats, sizeof(beats));
        list = outcomes_finish(outcomes);
        size = strlen(list) + 256;
        text = malloc(size);
        (void) snprintf(text, size, "%s %s | %llu %llu %lld | %s", command, list,
                        (unsigned long long) outcomes->timeouts, (unsigned long long) outcomes->early,
                        (long long) outcomes->latest_ns / 1000, beats);
        outcomes_clear(outcomes);
        answer(text, -1);
        free(text);
}

static void run_run(const char *words) {
        struct outcomes outcomes = { 0 };

        target_run(target, strtoull(words, NULL, 10), &outcomes);
        tell("run", &outcomes);
}

static void run_oppose(const char *words) {
        char type[32] = "";
        size_t capacity;
        int socket;

        check(sscanf(words, "%31s %zu", type, &capacity) == 2);
        sending = sending_open(type, capacity, set, &socket);
        answer("oppose", socket);
        close(socket);
}

static void run_send(const char *words) {
        struct outcomes outcomes = { 0 };
        unsigned long long count;
        size_t size;
        unsigned ms;

        check(sscanf(words, "%llu %u %zu", &count, &ms, &size) == 3);
        sending_run(sending, count, ms, size, &outcomes);
        tell("send", &outcomes);
}

static void run_in_flight(const char *words) {
        struct rlimit limit;
        char text[64];

        in_flight_be_counted();
        check_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
        limit.rlim_cur = (rlim_t) count_descriptors() + in_flight_now() + strtoul(words, NULL, 10);
        check_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
        (void) snprintf(text, sizeof(text), "in-flight %ju", (uintmax_t) limit.rlim_cur);
        answer(text, -1);
}

static void run_close(void) {
        if (target)
                target_close(target);
        if (sending)
                sending_close(sending);
        target = NULL;
        sending = NULL;
        answer("close", -1);
}

static void run_state(void) {
        struct mallinfo2 heap = mallinfo2();
        char text[64];

        (void) snprintf(text, sizeof(text), "state %zu", heap.uordblks + heap.hblkhd);
        answer(text, -1);
}

/* Returns false when it was the last. */
static bool obey(void) {
        char words[256];
        ssize_t size = recv(control, words, sizeof(words) - 1, 0);

        if (size <= 0)
                return false;
        words[size] = 0;
        if (strncmp(words, "open ", 5) == 0) {
                run_open(words + 5);
        } else if (strncmp(words, "run ", 4) == 0) {
                run_run(words + 4);
        } else if (strncmp(words, "oppose ", 7) == 0) {
                run_oppose(words + 7);
        } else if (strncmp(words, "send ", 5) == 0) {
                run_send(words + 5);
        } else if (strncmp(words, "in-flight ", 10) == 0) {
                run_in_flight(words + 10);
        } else if (strcmp(words, "close") == 0) {
                run_close();
        } else if (strcmp(words, "state") == 0) {
                run_state();
        } else {
                check(strcmp(words, "quit") == 0);
                return false;
        }
        return true;
}

/* With neighbours there is always something to receive. */
static void wait_for_command(void) {
        uint64_t key;

        while (set.object) {
                check_equal(leat_set_wait(set, &key, LEAT_FOREVER), 0);
                if (key < KEY_NEIGHBOUR)
                        return;
                neighbours_take(key);
        }
}

int main(int argc, char **argv) {
        check_equal(argc, 3);
        control = atoi(argv[1]);
        check(fcntl(control, F_SETFD, FD_CLOEXEC) == 0);
        if (atoi(argv[2]) > 0) {
                neighbours_start((size_t) atoi(argv[2]), control);
                check_equal(leat_set_create(&set), 0);
                check_equal(leat_set_watch(set, control, POLLIN, KEY_CONTROL), 0);
                neighbours_add_to(set);
        }
        do
                wait_for_command();
        while (obey());
        leat_set_close(&set);
        neighbours_stop();
        answer("quit", -1);
        return 0;
}
