/* Makes the n-th call of each system call that the library uses fail, for all n and each errno that is to be
 * expected there, in scenarios of all that the library can do, and checks what it promises. Each run is a
 * child, so that it can crash, hang and leak by itself.
 *
 *     faults [--seed N] [--runs N] [--only PATTERN]
 *
 * Without --runs all there are. The pattern is of SCENARIO:CALL:NTH:EFFECT, or that with :lasting, see
 * fnmatch(3). A seed that was printed, with the same number of runs, chooses the same ones; a run that failed
 * is repeated by what it printed. */
#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fork.h"
#include "scenario.h"
#include "world.h"

#define RUN_SECONDS 20

struct fault {
        const struct scenario *scenario;
        enum fault_call call;
        long n;
        int effect;
        bool lasting;
};

static struct fault *all;
static size_t n_all, room_for_all;

uint64_t last_number;

static const struct scenario *const groups[] = { scenarios_of_messages, scenarios_of_handles,
                                                 scenarios_of_waiting, scenarios_of_processes };

/* ---- in the child ---- */

/* Where a scenario goes on that is over. */
static const struct fault *this_fault;
static jmp_buf over;
static pid_t runner;
static bool is_over;

bool left_early(void) {
        return is_over;
}

/* Only who is told that the other side has gone may say so; and who could not wake it, over and over. */
static bool may_be_disconnected(const struct fault *fault) {
        switch (fault->effect) {
        case EPIPE:
        case ECONNRESET:
        case ENOTCONN:
                return true;
        default:
                return fault->call == FAULT_send && fault->lasting;
        }
}

/* What failed is what is said; but other things may be lacking for want of memory, and a lock that is held is
 * a name in use. */
static bool explains(const struct fault *fault, int error) {
        return error == fault->effect ||
               ((fault->call == FAULT_connect || fault->call == FAULT_lstat) && error == EADDRINUSE) ||
               error == ENOMEM || (error == EADDRINUSE && fault->effect == EWOULDBLOCK) ||
               (error == EADDRINUSE && fault->lasting && fault->call != FAULT_socket) ||
               (error == ENOSPC && fault->effect == FAULT_HALF);
}

void judge(const char *file, int line, const char *step, int result, int tried, const int *allowed) {
        long hits = fault_hits();
        bool is_allowed = false;

        fault_lift();
        for (const int *one = allowed; *one != 0; one++)
                is_allowed = is_allowed || *one == result;
        if (result < 0 && this_fault && !explains(this_fault, -result))
                is_allowed = false;
        if (result == LEAT_DISCONNECTED && !(this_fault && may_be_disconnected(this_fault)))
                is_allowed = false;
        if (is_allowed && hits > 0 && tried < 2) {
                if (result != LEAT_DISCONNECTED)
                        return;
                if (getpid() != runner) /* A child that the scenario has made. */
                        _exit(0);
                is_over = true;
                longjmp(over, 1);
        }
        fprintf(stderr, "%s:%d: %s: %s (%d)%s%s\n", file, line, step, leat_strerror(result), result,
                hits > 0 ? "" : ", without a fault", tried < 2 ? "" : ", again");
        _exit(1);
}

/* A channel that has nothing to do with the scenario, and is to work whatever happens to others. */
static number_sender bystander_tx;
static number_receiver bystander_rx;

static void ask_bystander(void) {
        number got;

        for (uint64_t i = 1; i < 4; i++) {
                check_equal(number_send(bystander_tx, &(number){ i }, LEAT_NOW), 0);
                check_equal(number_recv(bystander_rx, &got, LEAT_NOW), 0);
                check_equal(got.value, i);
        }
        check_equal(number_recv(bystander_rx, &got, LEAT_NOW), LEAT_EMPTY);
}

/* A thread of the library may still be closing or freeing something. */
static void settle(const char *what, long (*now)(void), long expected) {
        int64_t end = clock_ms() + 10000;

        while (now() != expected && clock_ms() < end)
                sleep_ms(1);
        if (now() != expected)
                fprintf(stderr, "%s: %ld were there before, now %ld\n", what, expected, now());
        check_equal(now(), expected);
}

static long descriptors(void) {
        return count_descriptors();
}

/* A thread that ends frees things last. */
static long threads(void) {
        DIR *tasks = opendir("/proc/self/task");
        long count = 0;

        check(tasks != NULL);
        for (struct dirent *entry; (entry = readdir(tasks));)
                count += entry->d_name[0] != '.';
        closedir(tasks);
        return count;
}

static void run_scenario(const struct scenario *scenario) {
        is_over = false;
        runner = getpid();
        if (setjmp(over) == 0)
                scenario->run();
        world_close();
}

static void run_once(const struct fault *fault, const struct scenario *scenario) {
        long n_descriptors, n_allocations, n_mapped;

        check_equal(number_channel(&bystander_tx, &bystander_rx), 0);
        ask_bystander();
        n_descriptors = descriptors();
        n_allocations = fault_allocations();
        n_mapped = fault_mapped();
        watchdog(RUN_SECONDS);
        this_fault = fault;
        fault_start();
        if (fault)
                fault_set(fault->call, fault->n, fault->effect, fault->lasting);
        run_scenario(scenario);
        fault_stop();
        ask_bystander();
        settle("descriptors", descriptors, n_descriptors);
        settle("threads", threads, 1);
        settle("allocations", fault_allocations, n_allocations);
        settle("bytes mapped", fault_mapped, n_mapped);
        number_sender_close(&bystander_tx);
        number_receiver_close(&bystander_rx);
        (void) alarm(0);
}

/* ---- what there is to run ---- */

static void add(const struct fault *fault) {
        if (n_all == room_for_all) {
                room_for_all = room_for_all ? 2 * room_for_all : 1024;
                all = realloc(all, room_for_all * sizeof(*all));
                check(all != NULL);
        }
        all[n_all++] = *fault;
}

/* A shortage; what else goes wrong goes wrong once. */
static bool can_last(int effect) {
        switch (effect) {
        case EMFILE:
        case ENFILE:
        case ENOMEM:
        case ENOBUFS:
        case ENOSPC:
                return true;
        default:
                return false;
        }
}

/* The most descriptors that are left to a scenario, and of those the most that it may put in flight. */
#define MOST_LEFT   30
#define MOST_FLYING 8

/* Counts a scenario's calls, in a run without a fault; after another one, in which is made what a process
 * makes only once. */
static void add_scenario(const struct scenario *scenario) {
        struct fault fault = { .scenario = scenario, .call = FAULT_CALL_COUNT };
        long before = descriptors();

        run_scenario(scenario);
        settle("descriptors", descriptors, before);
        settle("threads", threads, 1);
        run_once(NULL, scenario);
        for (fault.call = 0; fault.call < FAULT_CALL_COUNT; fault.call++)
                for (fault.n = 1; fault.n <= fault_count(fault.call); fault.n++)
                        for (const int *effect = fault_effects[fault.call]; *effect != 0; effect++) {
                                fault.effect = *effect;
                                fault.lasting = false;
                                add(&fault);
                                fault.lasting = true;
                                if (can_last(*effect) && (fault.n == 1 || fault.n % 8 == 0))
                                        add(&fault);
                        }
}

static void add_limits(const struct scenario *scenario) {
        for (long n = 0; n <= MOST_LEFT; n++)
                add(&(struct fault){ .scenario = scenario,
                                     .call = FAULT_descriptors,
                                     .n = n + 1,
                                     .effect = EMFILE,
                                     .lasting = true });
        for (long n = 0; n <= MOST_FLYING; n++)
                add(&(struct fault){ .scenario = scenario,
                                     .call = FAULT_in_flight,
                                     .n = n + 1,
                                     .effect = ETOOMANYREFS,
                                     .lasting = true });
}

static void name(const struct fault *fault, char *to, size_t size) {
        (void) snprintf(to, size, "%s:%s:%ld:%s%s", fault->scenario->name, fault_names[fault->call], fault->n,
                        fault_effect_name(fault->effect), fault->lasting ? ":lasting" : "");
}

static bool is_meant(const struct fault *fault, const char *pattern) {
        char text[200];

        name(fault, text, sizeof(text));
        return fnmatch(pattern, text, 0) == 0;
}

/* Whether the scenario can be meant. */
static bool begins(const char *pattern, const struct scenario *scenario) {
        char start[100];

        (void) snprintf(start, sizeof(start), "%.*s", (int) strcspn(pattern, ":"), pattern);
        return fnmatch(start, scenario->name, 0) == 0;
}

/* What once found a defect is in every sample, and a few of those that are not made up. */
static const char *const found[] = {
        "large_letters:fcntl_seal:*:EBUSY",         /* A send said -EBUSY. */
        "handles_in_lane:recvmsg:*:ENOMEM:lasting", /* It looked for bells for ever, */
        "router:recvmsg:*:ENOBUFS",                 /* A route ended. */
        "router:sendmsg:*:ENOBUFS",                 /* A message was skipped. */
        "server:open*:*:EINTR",                     /* It came out. */
        "known_path:socket:*:EMFILE",               /* Address in use, it said. */
        "handles_in_lane:recv:*:ENOMEM",            /* or said that the receiver had gone. */
        "handles*:in_flight:1:*",
};

static bool has_found(const struct fault *fault) {
        for (size_t i = 0; i < sizeof(found) / sizeof(found[0]); i++)
                if (is_meant(fault, found[i]))
                        return true;
        return false;
}

static uint64_t random_state;

static uint64_t random_number(void) {
        uint64_t x = random_state += UINT64_C(0x9e3779b97f4a7c15);

        x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
        x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
        return x ^ (x >> 31);
}

/* Puts a sample of n in front, and behind it what belongs to every sample. Returns how many that are. */
static size_t choose(size_t n) {
        for (size_t i = 0; i < n; i++) {
                size_t other = i + random_number() % (n_all - i);
                struct fault kept = all[i];

                all[i] = all[other];
                all[other] = kept;
        }
        for (size_t i = n; i < n_all; i++)
                if (has_found(&all[i])) {
                        struct fault kept = all[n];

                        all[n++] = all[i];
                        all[i] = kept;
                }
        return n;
}

/* ---- running ---- */

static int64_t slowest_ms = -1;
static const struct fault *slowest;

static bool run_in_child(const struct fault *fault) {
        int64_t began = clock_ms();
        pid_t child;
        char text[200];
        int code;

        fflush(NULL);
        child = fork();
        check(child >= 0);
        if (child == 0) {
                run_once(fault, fault->scenario);
                _exit(0);
        }
        code = wait_for_exit(child);
        if (clock_ms() - began > slowest_ms) {
                slowest_ms = clock_ms() - began;
                slowest = fault;
        }
        if (code == 0)
                return true;
        name(fault, text, sizeof(text));
        fprintf(stderr, "failed with %d: --only %s\n", code, text);
        return false;
}

/* The program that a scenario starts: says again what it is told, to whom the first message says, until the
 * end. */
static int echo(void) {
        struct rlimit limit;
        parcel_receiver parcels;
        parcel first;
        number got;
        int r;

        watchdog(RUN_SECONDS);
        check_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
        limit.rlim_cur = limit.rlim_max; /* It may have been started at a limit. */
        check_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
        check_equal(parcel_inherited_receiver(&parcels), 0);
        r = parcel_recv(parcels, &first, LEAT_FOREVER);
        while (r == 0 && (r = number_recv(first.numbers, &got, LEAT_FOREVER)) == 0)
                r = number_send(first.answers, &got, LEAT_FOREVER);
        check_equal(r, LEAT_DISCONNECTED);
        parcel_receiver_close(&parcels);
        return 0;
}

static int usage(void) {
        fprintf(stderr, "usage: faults [--seed N] [--runs N] [--only PATTERN]\n");
        return 2;
}

int main(int n_arguments, char **arguments) {
        const char *only = "*";
        size_t runs = 0, n_meant = 0, n_failed = 0;
        int64_t began = clock_ms();

        if (n_arguments == 2 && strcmp(arguments[1], "--echo") == 0)
                return echo();
        random_state = (uint64_t) began ^ (uint64_t) getpid() << 32;
        for (int i = 1; i < n_arguments; i += 2) {
                if (i + 1 == n_arguments)
                        return usage();
                if (strcmp(arguments[i], "--seed") == 0)
                        random_state = strtoull(arguments[i + 1], NULL, 0);
                else if (strcmp(arguments[i], "--runs") == 0)
                        runs = strtoul(arguments[i + 1], NULL, 0);
                else if (strcmp(arguments[i], "--only") == 0)
                        only = arguments[i + 1];
                else
                        return usage();
        }
        printf("seed %ju\n", (uintmax_t) random_state);
        (void) fork_generation(); /* Its page stays. */
        world_prepare();
        for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
                for (const struct scenario *scenario = groups[i]; scenario->name; scenario++)
                        if (begins(only, scenario)) {
                                add_scenario(scenario);
                                add_limits(scenario);
                        }
        for (size_t i = 0; i < n_all; i++)
                if (is_meant(&all[i], only))
                        all[n_meant++] = all[i];
        n_all = n_meant;
        printf("cases %zu\n", n_all);
        if (runs == 0 || runs > n_all)
                runs = n_all;
        runs = choose(runs);
        for (size_t i = 0; i < runs; i++)
                n_failed += !run_in_child(&all[i]);
        printf("runs %zu, failed %zu, %lld ms\n", runs, n_failed, (long long) (clock_ms() - began));
        if (slowest) {
                char text[200];

                name(slowest, text, sizeof(text));
                printf("the slowest: %s, %lld ms\n", text, (long long) slowest_ms);
        }
        return runs == 0 || n_failed > 0;
}
