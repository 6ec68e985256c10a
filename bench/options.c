/* What was asked for; what is wrong is said in one line. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"

#define MAX_SIZE (1 << 30)

static const char *const pins[] = { [PIN_SPLIT] = "split", [PIN_SAME] = "same", [PIN_NONE] = "none" };

const char *pin_name(enum pin pin) {
        return pins[pin];
}

static void help(void) {
        (void) puts(
                "usage: leat-bench [OPTION…] [NAME…]\n"
                "\n"
                "Measures Leat's channels and their peers. Without a name: a quick overview.\n"
                "\n"
                "  --list        the names of the benchmarks, and what each is\n"
                "  --json FILE   the results for programs too\n"
                "  --size N      bytes of a message instead of the benchmark's own: a multiple of 8 from 16 "
                "to 2^30\n"
                "  --seconds S   length of one measurement, more than 0 and at most 3600 (default 0.3)\n"
                "  --rounds N    measurements of each peer, 1 to 1000, taken in turns (default 7)\n"
                "  --pin WHERE   split: each side to a core of its own (default); same: both to one; none\n"
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

static bool parse_whole(const char *text, double least, double most, double *ret_number) {
        return parse_number(text, least, most, ret_number) && *ret_number == (double) (long) *ret_number;
}

static int parse_pin(const char *text, struct options *options) {
        for (int i = 0; i < PIN_AS_ASKED; i++)
                if (strcmp(text, pins[i]) == 0) {
                        options->pin = (enum pin) i;
                        return -1;
                }
        return complain("--pin is split, same or none, not", text);
}

static int parse_option(int option, char **argv, struct options *options) {
        double number = 0;

        switch (option) {
        case 's':
                if (!parse_number(optarg, 1e-3, 3600, &options->seconds))
                        return complain("--seconds needs a number of seconds from 0.001 to 3600, not",
                                        optarg);
                return -1;
        case 'r':
                if (!parse_whole(optarg, 1, MAX_ROUNDS, &number))
                        return complain("--rounds needs a whole number from 1 to 1000, not", optarg);
                options->rounds = (int) number;
                return -1;
        case 'b':
                if (!parse_whole(optarg, 16, MAX_SIZE, &number) || (long) number % 8 != 0)
                        return complain("--size needs a multiple of 8 from 16 to 2^30, not", optarg);
                options->size = (size_t) number;
                return -1;
        case 'p':
                return parse_pin(optarg, options);
        case 'j':
                options->json = optarg;
                return -1;
        case 'l':
                options->list = true;
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

static bool is_benchmark(const char *name) {
        for (const struct benchmark *benchmark = benchmarks; benchmark->name; benchmark++)
                if (strcmp(benchmark->name, name) == 0)
                        return true;
        return false;
}

int options_parse(int argc, char **argv, struct options *ret_options) {
        static const struct option known[] = {
                { "seconds", required_argument, NULL, 's' }, { "rounds", required_argument, NULL, 'r' },
                { "size", required_argument, NULL, 'b' },    { "pin", required_argument, NULL, 'p' },
                { "json", required_argument, NULL, 'j' },    { "list", no_argument, NULL, 'l' },
                { "help", no_argument, NULL, 'h' },          { NULL, 0, NULL, 0 },
        };
        struct options options = { .pin = PIN_SPLIT };
        int option, r;

        while ((option = getopt_long(argc, argv, ":h", known, NULL)) != -1)
                if ((r = parse_option(option, argv, &options)) >= 0)
                        return r;
        options.names = argv + optind;
        options.name_count = argc - optind;
        for (int i = 0; i < options.name_count; i++)
                if (!is_benchmark(options.names[i]))
                        return complain("no benchmark (see --list) is called", options.names[i]);
        *ret_options = options;
        return -1;
}
