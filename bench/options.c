/* What was asked for; what is wrong is said in one line. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "judge.h"
#include "options.h"

#define MAX_SIZE (1 << 30)

static const char *const pins[] = { [PIN_SPLIT] = "split", [PIN_SAME] = "same", [PIN_NONE] = "none" };

const char *pin_name(enum pin pin) {
        return pins[pin];
}

static void help(void) {
        (void) puts(
                "usage: leat-bench [OPTION…] [NAME…]\n"
                "       leat-bench targets [OPTION…]\n"
                "       leat-bench report [OPTION…] [FILE.html [NAME…]]\n"
                "\n"
                "Measures Leat's channels and their peers. Without a name: a quick overview.\n"
                "Besides the names of --list there are copy, echo, place, senders and channels, for all "
                "whose\n"
                "names begin so.\n"
                "targets: measures what Leat's channels must reach, and says which of it they do.\n"
                "report:  writes a page with plots to FILE.html (default leat-bench.html), of the named\n"
                "         benchmarks or of all.\n"
                "\n"
                "Before each measurement its peer does the same unmeasured for a quarter of the time, and "
                "at\n"
                "least for as many messages as fill its queues twice. Every message is checked.\n"
                "\n"
                "  --list        the names of the benchmarks, and what each is\n"
                "  --json FILE   the results for programs too\n"
                "  --size N      bytes of a message instead of the benchmark's own: a multiple of 8 from 16 "
                "to 2^30\n"
                "  --seconds S   length of one measurement, more than 0 and at most 3600 (default 0.3; the\n"
                "                overview, targets and report: 0.1)\n"
                "  --rounds N    measurements of each peer, 1 to 1000, taken in turns (default 7; the "
                "overview\n"
                "                and report: 3)\n"
                "  --pin WHERE   split: each side to a core of its own (default); same: both to one; none\n"
                "  --help        this text\n"
                "\n"
                "for targets alone:\n"
                "  --runs N      whole runs of all rounds, 1 to 9 (default 3); two of three must reach a "
                "target\n"
                "  --markdown    the table in Markdown\n"
                "\n"
                "for report alone:\n"
                "  --from FILE   draws a result that --json wrote before instead of measuring; of targets "
                "too, and\n"
                "                up to 16 times\n"
                "  --plots DIR   each plot as an SVG file in that folder too");
}

static int complain(const char *what, const char *value) {
        (void) fprintf(stderr, "leat-bench: %s: %s (see --help)\n", what, value);
        return USAGE_ERROR;
}

static int complain_of_name(const char *name) {
        (void) fprintf(stderr, "leat-bench: there is no benchmark called %s (see --list)\n", name);
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

static int add_source(const char *file, struct options *options) {
        if (options->from_count == MAX_FROM)
                return complain("there are too many results; one more was", file);
        options->from[options->from_count++] = file;
        return -1;
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
        case 'n':
                if (!parse_whole(optarg, 1, MAX_RUNS, &number))
                        return complain("--runs needs a whole number from 1 to 9, not", optarg);
                options->runs = (int) number;
                return -1;
        case 'm':
                options->markdown = true;
                return -1;
        case 'f':
                return add_source(optarg, options);
        case 'd':
                options->plots = optarg;
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
                if (is_called(benchmark, name))
                        return true;
        return false;
}

/* The first word is a command, unless it is a benchmark's name; a report's second one is its file. */
static void take_words(char **words, int count, struct options *options) {
        options->page = "leat-bench.html";
        if (count > 0 && strcmp(words[0], "targets") == 0)
                options->command = TARGETS;
        else if (count > 0 && strcmp(words[0], "report") == 0)
                options->command = REPORT;
        if (options->command != MEASURE) {
                words++;
                count--;
        }
        if (options->command == REPORT && count > 0) {
                options->page = words[0];
                words++;
                count--;
        }
        options->names = words;
        options->name_count = count;
}

/* What does not go together. */
static int check(const struct options *options) {
        bool measures = options->name_count > 0 || options->seconds > 0 || options->rounds > 0 ||
                        options->size > 0 || options->pin != PIN_AS_ASKED || options->json;

        for (int i = 0; i < options->name_count; i++)
                if (options->command == TARGETS)
                        return complain("targets takes no names, but was given", options->names[i]);
                else if (!is_benchmark(options->names[i]))
                        return complain_of_name(options->names[i]);
        if (options->command == REPORT && is_benchmark(options->page))
                return complain("the page comes before the benchmarks; its name is not to be", options->page);
        if (options->command != TARGETS && (options->runs > 0 || options->markdown))
                return complain("this is only for the command targets",
                                options->runs > 0 ? "--runs" : "--markdown");
        if (options->command != REPORT && (options->from_count > 0 || options->plots))
                return complain("this is only for the command report", options->plots ? "--plots" : "--from");
        if (options->command == TARGETS && (options->size > 0 || options->pin != PIN_AS_ASKED))
                return complain("the targets say themselves what they need; this is not for them",
                                options->size > 0 ? "--size" : "--pin");
        if (options->from_count > 0 && measures)
                return complain("nothing is measured, so only --plots goes with", "--from");
        return -1;
}

int options_parse(int argc, char **argv, struct options *ret_options) {
        static const struct option known[] = {
                { "seconds", required_argument, NULL, 's' }, { "rounds", required_argument, NULL, 'r' },
                { "size", required_argument, NULL, 'b' },    { "pin", required_argument, NULL, 'p' },
                { "json", required_argument, NULL, 'j' },    { "list", no_argument, NULL, 'l' },
                { "runs", required_argument, NULL, 'n' },    { "markdown", no_argument, NULL, 'm' },
                { "from", required_argument, NULL, 'f' },    { "plots", required_argument, NULL, 'd' },
                { "help", no_argument, NULL, 'h' },          { NULL, 0, NULL, 0 },
        };
        struct options options = { .pin = PIN_AS_ASKED };
        int option, r;

        while ((option = getopt_long(argc, argv, ":h", known, NULL)) != -1)
                if ((r = parse_option(option, argv, &options)) >= 0)
                        return r;
        take_words(argv + optind, argc - optind, &options);
        r = check(&options);
        if (r >= 0)
                return r;
        if (options.pin == PIN_AS_ASKED)
                options.pin = PIN_SPLIT;
        *ret_options = options;
        return -1;
}
