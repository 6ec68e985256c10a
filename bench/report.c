/* The page of results: which plots there are, and what of a result is in each. It is made of what --json
 * writes, whether that was just measured or read from a file. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "figures.h"
#include "report.h"

int report_read(const char *file, json_t *results) {
        json_error_t error;
        json_t *result = json_load_file(file, 0, &error);

        if (!result) {
                (void) fprintf(stderr, "leat-bench: %s: %s\n", file, error.text);
                return -1;
        }
        if (json_integer_value(json_object_get(result, "leat_bench")) != 1) {
                (void) fprintf(stderr, "leat-bench: %s is not a result of leat-bench --json\n", file);
                json_decref(result);
                return -1;
        }
        return json_array_append_new(results, result);
}

#define SIZE "size", "size of a message", UNIT_BYTES

static const struct family copy = { "copy", SIZE,
                                    "One sender and one receiver, each message copied in and copied out." };
static const struct family place = {
        "place", SIZE, "The sender fills every byte where it lies, and the receiver sums it there."
};
static const struct family echo = {
        "echo", SIZE, "The median time from sending a message until its copy is back, one at a time."
};
static const struct family senders = { "senders", "senders", "senders", UNIT_NONE,
                                       "Messages of 64 bytes from so many processes to one receiver." };
static const struct family channels = { "channels", "channels", "channels", UNIT_NONE,
                                        "Messages of 64 bytes, through so many channels of 64 KiB in turn, "
                                        "to one receiver that waits for all of them." };

static const struct number rate = { "per_second", "messages a second", UNIT_RATE, "More is better." };
static const struct number bandwidth = { "bytes_per_second", "bytes a second", UNIT_PER_SEC,
                                         "More is better." };
static const struct number round_trip = { "round_trip_ns/p50", "round trip", UNIT_NS, "Less is better." };
static const struct number time_each = { "ns", "time for each message", UNIT_NS, "Less is better." };
static const struct number cpu_each = { "cpu_ns", "CPU time for each message", UNIT_NS,
                                        "All sides together. Less is better." };

static const struct curve throughput[] = {
        { "rate", "Messages a second against their size", &copy, &rate },
        { "bandwidth", "Bytes a second against a message’s size", &copy, &bandwidth },
        { "in-place", "Bytes a second, in place, against a message’s size", &place, &bandwidth },
};

static const struct curve latency[] = {
        { "latency", "Round trip against a message’s size", &echo, &round_trip },
};

static const struct curve many[] = {
        { "senders", "Time for each message against the number of senders", &senders, &time_each },
        { "senders-cpu", "CPU time for each message against the number of senders", &senders, &cpu_each },
        { "channels", "Time for each message against the number of channels", &channels, &time_each },
        { "channels-cpu", "CPU time for each message against the number of channels", &channels, &cpu_each },
};

/* A heading with the curves of some families, and the benchmarks of some kinds that are of no family. */
static const struct section {
        const char *id, *title;
        const struct curve *curves;
        size_t count;
        const char *kinds; /* With a space behind each. */
        const char *names; /* Benchmarks that are here whatever their kind: what their names begin with. NULL:
                        * none. */
} sections[] = {
        { "messages", "Small messages", NULL, 0, "one-way " },
        { "throughput", "Throughput against size", throughput, 3, "in-place " },
        { "latency", "Latency", latency, 1, "round-trip idle-round-trip " },
        { "many", "Cost against the number of senders and channels", many, 4, "" },
        { "waiting", "CPU time of waiting", NULL, 0, "paced silent " },
        { "operations", "Operations", NULL, 0, "operation " },
        { "kernel", "Events through the kernel and the bridge", NULL, 0, "", "kernel bridge " },
};

static const struct section *find_named(const char *name) {
        for (size_t i = 0; i < sizeof(sections) / sizeof(*sections); i++)
                for (const char *start = sections[i].names; start && *start; start += strcspn(start, " ") + 1)
                        if (strncmp(name, start, strcspn(start, " ")) == 0)
                                return &sections[i];
        return NULL;
}

static bool is_among(const struct section *section, const json_t *benchmark) {
        const struct section *named = find_named(text_of(benchmark, "name"));
        char kind[64];

        if (named)
                return named == section;
        (void) snprintf(kind, sizeof(kind), "%.60s ", text_of(benchmark, "kind"));
        return !*text_of(benchmark, "family") && strstr(section->kinds, kind);
}

static bool has_family(const struct section *section, const json_t *benchmark) {
        for (size_t i = 0; i < section->count; i++)
                if (strcmp(section->curves[i].family->name, text_of(benchmark, "family")) == 0)
                        return true;
        return false;
}

static bool is_empty(const struct page *page, const struct section *section) {
        json_t *benchmark;
        size_t i;

        json_array_foreach (page->benchmarks, i, benchmark)
                if (is_among(section, benchmark) || has_family(section, benchmark))
                        return false;
        return true;
}

static bool is_operation(const json_t *benchmark) {
        return strcmp(text_of(benchmark, "kind"), "operation") == 0;
}

static void put_section(struct page *page, const struct section *section) {
        json_t *benchmark;
        size_t i;

        if (is_empty(page, section))
                return;
        (void) fprintf(page->out, "<section id=\"%s\">\n<h2>%s</h2>\n", section->id, section->title);
        for (size_t j = 0; j < section->count; j++)
                put_curve(page, &section->curves[j]);
        json_array_foreach (page->benchmarks, i, benchmark)
                if (is_among(section, benchmark)) {
                        if (strstr(text_of(benchmark, "kind"), "round-trip"))
                                put_distribution(page, benchmark);
                        else if (!is_operation(benchmark) || !is_single(benchmark))
                                put_dots(page, benchmark);
                }
        if (strstr(section->kinds, "operation"))
                put_singles(page, "operation");
        (void) fputs("</section>\n", page->out);
}

static void put_contents(const struct page *page, const json_t *results) {
        json_t *result;
        size_t i;

        (void) fputs("<nav aria-label=\"Contents\">", page->out);
        json_array_foreach (results, i, result)
                if (json_is_array(json_object_get(result, "targets")))
                        (void) fprintf(page->out, "<a href=\"#targets%zu\">What must be reached</a>", i);
        for (size_t j = 0; j < sizeof(sections) / sizeof(*sections); j++)
                if (!is_empty(page, &sections[j]))
                        (void) fprintf(page->out, "<a href=\"#%s\">%s</a>", sections[j].id,
                                       sections[j].title);
        (void) fputs("</nav>\n", page->out);
}

/* The benchmarks of all results; of those with the same name the first one. */
static json_t *gather(const json_t *results) {
        json_t *all = json_array(), *names = json_object(), *result, *benchmark;
        size_t i, j;

        json_array_foreach (results, i, result)
                json_array_foreach (json_object_get(result, "benchmarks"), j, benchmark) {
                        if (json_object_get(names, text_of(benchmark, "name")))
                                continue;
                        (void) json_object_set_new(names, text_of(benchmark, "name"), json_true());
                        (void) json_array_append(all, benchmark);
                }
        json_decref(names);
        return all;
}

static int complain(const char *page) {
        (void) fprintf(stderr, "leat-bench: %s: %s\n", page, strerror(errno));
        return -1;
}

int report_write(json_t *results, const char *page_file, const char *plots) {
        struct page page = { .out = fopen(page_file, "we"),
                             .plots = plots,
                             .lines = calloc(MAX_LINES, sizeof(struct line)) };
        char note[256];

        if (!page.out || !page.lines) {
                free(page.lines);
                return complain(page_file);
        }
        conditions_note(results, note, sizeof(note));
        page.note = note;
        page.benchmarks = gather(results);
        html_begin(page.out);
        html_conditions(page.out, results);
        put_contents(&page, results);
        html_targets(page.out, results);
        if (json_array_size(page.benchmarks) > 0)
                html_legend(page.out);
        for (size_t i = 0; i < sizeof(sections) / sizeof(*sections); i++)
                put_section(&page, &sections[i]);
        html_end(page.out);
        json_decref(page.benchmarks);
        free(page.lines);
        if (fclose(page.out) != 0)
                return complain(page_file);
        (void) printf("%s is written\n", page_file);
        return page.failed ? -1 : 0;
}
