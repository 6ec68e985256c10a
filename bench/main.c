/* leat-bench: what a channel costs beside the bare socket pair that it stands on. The two are measured in turns, so
 * that whatever else the machine does meets both. */
#include <getopt.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <leat/error.h>

#include "measure.h"

#define MAX_ROUNDS  1000
#define USAGE_ERROR 2

struct options {
        double seconds;
        int rounds;
        struct cores cores;
};

static const struct peer *const peers[] = { &peer_raw, &peer_leat };
#define N_PEERS (sizeof(peers) / sizeof(peers[0]))

static void help(void) {
        (void) puts(
                "usage: leat-bench [--seconds S] [--rounds N] [--cores A,B | --unpinned]\n"
                "\n"
                "Measures Leat's channel against a raw SOCK_SEQPACKET socket pair, both between two "
                "processes,\n"
                "with 64-byte messages: one way, and round trip.\n"
                "\n"
                "  --seconds S   length of one measurement in seconds, more than 0 and at most 3600 (default "
                "1)\n"
                "  --rounds N    measurements of each kind, 1 to 1000, taken in turns (default 7)\n"
                "  --cores A,B   the cores of the asking and the answering process (default: the first two)\n"
                "  --unpinned    leave the choice of cores to the system\n"
                "  --help        this text");
}

static int complain(const char *what, const char *value) {
        (void) fprintf(stderr, "leat-bench: %s: %s (see --help)\n", what, value);
        return USAGE_ERROR;
}

static bool parse_number(const char *text, double least, double most, double *ret_number) {
        char *end;
        double number = strtod(text, &end);

        if (end == text || *end || !(number >= least && number <= most))
                return false;
        *ret_number = number;
        return true;
}

static bool parse_cores(const char *text, struct cores *ret_cores) {
        char rest;
        int a, b;

        if (sscanf(text, "%d,%d%c", &a, &b, &rest) != 2 || a < 0 || b < 0 || a >= CPU_SETSIZE ||
            b >= CPU_SETSIZE)
                return false;
        *ret_cores = (struct cores){ a, b };
        return true;
}

/* The first two cores that this process may use; the same one twice says little, so none with fewer. */
static struct cores default_cores(void) {
        struct cores found = { -1, -1 };
        cpu_set_t allowed;

        if (sched_getaffinity(0, sizeof(allowed), &allowed) < 0 || CPU_COUNT(&allowed) < 2)
                return found;
        for (int i = 0; i < CPU_SETSIZE; i++) {
                if (!CPU_ISSET((size_t) i, &allowed))
                        continue;
                if (found.asker >= 0)
                        return (struct cores){ found.asker, i };
                found.asker = i;
        }
        return (struct cores){ -1, -1 };
}

/* -1: go on; otherwise the exit code. */
static int parse_option(int option, char **argv, struct options *options) {
        double number = 0;

        switch (option) {
        case 's':
                if (!parse_number(optarg, 1e-3, 3600, &options->seconds))
                        return complain("--seconds needs a number of seconds from 0.001 to 3600, not",
                                        optarg);
                return -1;
        case 'r':
                if (!parse_number(optarg, 1, MAX_ROUNDS, &number) || number != (int) number)
                        return complain("--rounds needs a whole number from 1 to 1000, not", optarg);
                options->rounds = (int) number;
                return -1;
        case 'c':
                if (!parse_cores(optarg, &options->cores))
                        return complain("--cores needs two core numbers, like 0,1, not", optarg);
                return -1;
        case 'u':
                options->cores = (struct cores){ -1, -1 };
                return -1;
        case 'h':
                help();
                return 0;
        case ':':
                return complain("a value is missing for", argv[optind - 1]);
        default:
                return complain("unknown option", argv[optind - 1]);
        }
}

static int parse(int argc, char **argv, struct options *options) {
        static const struct option known[] = {
                { "seconds", required_argument, NULL, 's' }, { "rounds", required_argument, NULL, 'r' },
                { "cores", required_argument, NULL, 'c' },   { "unpinned", no_argument, NULL, 'u' },
                { "help", no_argument, NULL, 'h' },          { NULL, 0, NULL, 0 },
        };
        int option, r;

        while ((option = getopt_long(argc, argv, ":h", known, NULL)) != -1)
                if ((r = parse_option(option, argv, options)) >= 0)
                        return r;
        if (optind < argc)
                return complain("unknown argument", argv[optind]);
        return -1;
}

/* "model name" of /proc/cpuinfo; where there is none, the machine's architecture must do. */
static void print_processor(const struct utsname *system) {
        char line[512];
        FILE *file = fopen("/proc/cpuinfo", "re");
        const char *name = NULL;

        while (!name && file && fgets(line, sizeof(line), file))
                if (strncmp(line, "model name", 10) == 0 && (name = strchr(line, ':')))
                        line[strcspn(line, "\n")] = 0;
        (void) printf("machine: %s, %s, %ld cores\n", name ? name + 2 : "processor unknown", system->machine,
                      sysconf(_SC_NPROCESSORS_ONLN));
        if (file)
                (void) fclose(file);
}

static void print_conditions(const struct options *options) {
        struct utsname system;

        (void) uname(&system);
        print_processor(&system);
        (void) printf("kernel: %s %s\n", system.sysname, system.release);
        if (options->cores.asker < 0)
                (void) printf("pinning: none\n");
        else
                (void) printf("pinning: asker on core %d, answerer on core %d\n", options->cores.asker,
                              options->cores.answerer);
        (void) printf("waiting: both block in the system, neither spins\n");
        (void) printf(
                "messages: %d bytes, one a call, between two processes; every sequence number is checked\n",
                MESSAGE_SIZE);
        (void) printf("rounds: %d of %g s each, the two in turns; median (least to most)\n\n",
                      options->rounds, options->seconds);
}

static int by_value(const void *a, const void *b) {
        double x = *(const double *) a, y = *(const double *) b;

        return (x > y) - (x < y);
}

static double median(const double *sorted, int count) {
        return count % 2 ? sorted[count / 2] : (sorted[count / 2 - 1] + sorted[count / 2]) / 2;
}

/* Sorts. Returns the median in nanoseconds. */
static double print_row(const char *name, enum measurement what, double *ns, int count) {
        qsort(ns, (size_t) count, sizeof(*ns), by_value);
        if (what == ONE_WAY)
                (void) printf("  %-12s %10.0f messages/s (%.0f to %.0f), %.0f ns each\n", name,
                              1e9 / median(ns, count), 1e9 / ns[count - 1], 1e9 / ns[0], median(ns, count));
        else
                (void) printf("  %-12s %10.0f ns (%.0f to %.0f), %.0f round trips/s\n", name,
                              median(ns, count), ns[0], ns[count - 1], 1e9 / median(ns, count));
        return median(ns, count);
}

static int run(const struct options *options, enum measurement what) {
        static double ns[N_PEERS][MAX_ROUNDS];
        double medians[N_PEERS];

        (void) printf("%s\n", what == ONE_WAY ? "one way" : "round trip");
        for (int round = 0; round < options->rounds; round++)
                for (size_t i = 0; i < N_PEERS; i++) {
                        int r = measure(peers[i], what, options->seconds, options->cores, &ns[i][round]);

                        if (r != 0) {
                                (void) fflush(stdout);
                                (void) fprintf(stderr, "leat-bench: %s: %s\n", peers[i]->name,
                                               leat_strerror(r));
                                return 1;
                        }
                }
        for (size_t i = 0; i < N_PEERS; i++)
                medians[i] = print_row(peers[i]->name, what, ns[i], options->rounds);
        (void) printf("  %s takes %.2f times as long as the %s\n\n", peers[1]->name, medians[1] / medians[0],
                      peers[0]->name);
        return 0;
}

int main(int argc, char **argv) {
        struct options options = { .seconds = 1, .rounds = 7, .cores = default_cores() };
        int r = parse(argc, argv, &options);

        if (r >= 0)
                return r;
        (void) setvbuf(stdout, NULL, _IOLBF, 0);
        print_conditions(&options);
        for (int what = 0; what < N_MEASUREMENTS; what++)
                if ((r = run(&options, (enum measurement) what)) != 0)
                        return r;
        return 0;
}
