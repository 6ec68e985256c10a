/* One figure of the page: heading, plot, the same numbers as a table, and who failed. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <leat/error.h>

#include "figures.h"

/* What no machine comes to is left out of a plot, which it would stretch beyond all numbers. */
static double plausible(double value) {
        return value >= 1e-9 && value <= 1e18 ? value : 0;
}

/* A number of a peer: "a" or "a/b", and of that the median or another part of the spread. */
static double number_of(const json_t *peer, const char *path, const char *part) {
        const char *rest = strchr(path, '/');
        char first[32];

        (void) snprintf(first, sizeof(first), "%.*s", rest ? (int) (rest - path) : (int) strlen(path), path);
        peer = json_object_get(peer, first);
        if (rest)
                peer = json_object_get(peer, rest + 1);
        return plausible(json_number_value(json_object_get(peer, part)));
}

/* A benchmark's name comes from a file, and becomes the name of another one. */
struct id {
        char text[64];
};

static struct id id_of(const json_t *benchmark) {
        const char *name = text_of(benchmark, "name");
        struct id id = { 0 };

        for (size_t i = 0; name[i] && i + 1 < sizeof(id.text); i++) {
                bool plain = (name[i] >= 'a' && name[i] <= 'z') || (name[i] >= '0' && name[i] <= '9');

                id.text[i] = plain ? name[i] : '-';
        }
        return id;
}

/* The line of that peer, a new one if there is none yet; NULL when there are too many. */
static struct line *line_of(struct plot *plot, const json_t *peer) {
        const char *name = text_of(peer, "name");

        for (int i = 0; i < plot->lines; i++)
                if (strcmp(plot->line[i].name, name) == 0)
                        return &plot->line[i];
        if (plot->lines == MAX_LINES)
                return NULL;
        plot->line[plot->lines] = (struct line){ .name = name,
                                                 .title = text_of(peer, "title"),
                                                 .remark = text_of(peer, "wait") };
        return &plot->line[plot->lines++];
}

static void add_point(struct plot *plot, const json_t *peer, struct point point) {
        struct line *line = line_of(plot, peer);

        if (!line || line->count == MAX_POINTS)
                return;
        if (line->count > 0 && line->points[line->count - 1].x >= point.x)
                return; /* Plotted in the order that it was measured in; a second one of a size is not
                         * needed. */
        line->points[line->count++] = point;
}

static void draw(struct page *page, const struct plot *plot, void (*plot_it)(const struct plot *, FILE *)) {
        struct plot alone = *plot;
        char path[4096];
        FILE *file;

        (void) fputs("<div class=\"scroll\">\n", page->out);
        plot_it(plot, page->out);
        (void) fputs("</div>\n", page->out);
        if (!page->plots)
                return;
        (void) snprintf(path, sizeof(path), "%s/%s.svg", page->plots, plot->id);
        file = fopen(path, "we");
        if (!file) {
                (void) fprintf(stderr, "leat-bench: %s: %s\n", path, strerror(errno));
                page->failed = 1;
                return;
        }
        alone.note = page->note;
        plot_it(&alone, file);
        if (fclose(file) != 0)
                page->failed = 1;
}

static void begin_figure(struct page *page, const struct plot *plot) {
        (void) fprintf(page->out, "<figure class=\"card\" style=\"margin-left:0;margin-right:0\"><h3>");
        put_text(page->out, plot->title);
        (void) fputs("</h3>\n<p>", page->out);
        put_text(page->out, plot->description);
        (void) fputs("</p>\n", page->out);
}

static void begin_table(struct page *page) {
        (void) fputs("<details><summary>The numbers</summary><div class=\"scroll\"><table>"
                     "<thead><tr><th scope=\"col\"></th>",
                     page->out);
}

static void put_head(struct page *page, const char *text) {
        (void) fputs("<th scope=\"col\">", page->out);
        put_text(page->out, text);
        (void) fputs("</th>", page->out);
}

static void begin_row(struct page *page, const char *title, const char *remark) {
        (void) fputs("<tr><th scope=\"row\">", page->out);
        put_text(page->out, title);
        (void) fputs(" <small class=\"muted\">", page->out);
        put_text(page->out, remark);
        (void) fputs("</small>", page->out);
        (void) fputs("</th>", page->out);
}

/* Not what is 0, which nothing that was measured is. */
static void put_number(struct page *page, double value, enum unit unit) {
        (void) fputs("<td>", page->out);
        put_text(page->out, value > 0 ? label_of(value, unit).text : "–");
        (void) fputs("</td>", page->out);
}

static void end_table(struct page *page) {
        (void) fputs("</tbody></table></div></details>\n", page->out);
}

/* Who is missing from a plot because it failed; one that cannot do it at all is not missing. */
static void end_figure(struct page *page, const char *family, const char *name) {
        json_t *benchmark, *peer;
        size_t i, j;
        int count = 0;

        json_array_foreach (page->benchmarks, i, benchmark) {
                if (strcmp(text_of(benchmark, family ? "family" : "name"), family ? family : name) != 0)
                        continue;
                json_array_foreach (json_object_get(benchmark, "peers"), j, peer) {
                        if (!*text_of(peer, "error") ||
                            strcmp(text_of(peer, "error"), leat_strerror(-ENOTSUP)) == 0)
                                continue;
                        (void) fputs(count++ == 0 ? "<p>Failed: " : "; ", page->out);
                        put_text(page->out, text_of(peer, "title"));
                        (void) fputs(" in ", page->out);
                        put_text(page->out, text_of(benchmark, "name"));
                        (void) fputs(" (", page->out);
                        put_text(page->out, text_of(peer, "error"));
                        (void) fputs(")", page->out);
                }
        }
        (void) fputs(count > 0 ? ".</p>\n</figure>\n" : "</figure>\n", page->out);
}

/* Where the lines have their points, each once and in order. */
static int columns_of(const struct plot *plot, double *ret_columns) {
        int count = 0;

        for (int i = 0; i < plot->lines; i++)
                for (int j = 0; j < plot->line[i].count; j++) {
                        double x = plot->line[i].points[j].x;
                        int at = count;

                        for (int k = 0; k < count; k++)
                                if (fabs(ret_columns[k] - x) < 0.5)
                                        at = -1;
                        if (at < 0 || count == MAX_POINTS)
                                continue;
                        for (; at > 0 && ret_columns[at - 1] > x; at--)
                                ret_columns[at] = ret_columns[at - 1];
                        ret_columns[at] = x;
                        count++;
                }
        return count;
}

static void put_curve_table(struct page *page, const struct plot *plot) {
        double columns[MAX_POINTS];
        int count = columns_of(plot, columns);

        begin_table(page);
        for (int i = 0; i < count; i++)
                put_head(page, label_of(columns[i], plot->x_unit).text);
        (void) fputs("</tr></thead>\n<tbody>\n", page->out);
        for (int i = 0; i < plot->lines; i++) {
                const struct line *line = &plot->line[i];

                begin_row(page, line->title, line->remark);
                for (int j = 0; j < count; j++) {
                        double value = 0;

                        for (int k = 0; k < line->count; k++)
                                if (fabs(line->points[k].x - columns[j]) < 0.5)
                                        value = line->points[k].y;
                        put_number(page, value, plot->y_unit);
                }
                (void) fputs("</tr>\n", page->out);
        }
        end_table(page);
}

void put_curve(struct page *page, const struct curve *curve) {
        const struct family *family = curve->family;
        const struct number *number = curve->number;
        struct plot plot = { .id = curve->id,
                             .title = curve->title,
                             .x_title = family->x_title,
                             .y_title = number->title,
                             .x_unit = family->x_unit,
                             .y_unit = number->unit,
                             .line = page->lines };
        char description[256];
        json_t *benchmark, *peer;
        size_t i, j;

        (void) snprintf(description, sizeof(description), "%s %s", family->description, number->remark);
        plot.description = description;
        json_array_foreach (page->benchmarks, i, benchmark) {
                if (strcmp(text_of(benchmark, "family"), family->name) != 0)
                        continue;
                json_array_foreach (json_object_get(benchmark, "peers"), j, peer) {
                        double x = plausible(json_number_value(json_object_get(benchmark, family->x)));
                        double y = number_of(peer, number->path, "median");

                        if (x > 0 && y > 0)
                                add_point(&plot, peer, (struct point){ .x = x, .y = y });
                }
        }
        if (plot.lines == 0)
                return;
        begin_figure(page, &plot);
        draw(page, &plot, plot_lines);
        put_curve_table(page, &plot);
        end_figure(page, family->name, NULL);
}

/* The distribution of a benchmark's round trips. */
static void add_steps(struct plot *plot, const json_t *peer) {
        const json_t *steps = json_object_get(peer, "round_trip_histogram");
        double total = 0, sum = 0;
        json_t *step;
        size_t i;

        json_array_foreach (steps, i, step)
                total += json_number_value(json_array_get(step, 1));
        json_array_foreach (steps, i, step) {
                double from = plausible(json_number_value(json_array_get(step, 0))), left;

                if (i == 0 && from > 0)
                        add_point(plot, peer, (struct point){ .x = 0, .y = from });
                sum += json_number_value(json_array_get(step, 1));
                left = (total - sum) / total;
                if (from > 0 && left > 0 && left < 1 &&
                    left * total >= 5) /* What rests on fewer is chance. */
                        add_point(plot, peer, (struct point){ .x = -log10(left), .y = from * exp2(1 / 8.0) });
        }
}

static const char *const parts[] = { "round_trip_ns/least", "round_trip_ns/p50", "round_trip_ns/p90",
                                     "round_trip_ns/p99", "round_trip_ns/p999" };

static void put_percentiles(struct page *page, const json_t *benchmark) {
        static const char *const heads[] = { "least", "50 %", "90 %", "99 %", "99.9 %", "CPU time" };
        json_t *peer;
        size_t i;

        begin_table(page);
        for (size_t j = 0; j < sizeof(heads) / sizeof(*heads); j++)
                put_head(page, heads[j]);
        (void) fputs("</tr></thead>\n<tbody>\n", page->out);
        json_array_foreach (json_object_get(benchmark, "peers"), i, peer) {
                begin_row(page, text_of(peer, "title"), text_of(peer, "wait"));
                for (size_t j = 0; j < sizeof(parts) / sizeof(*parts); j++)
                        put_number(page, number_of(peer, parts[j], "median"), UNIT_NS);
                put_number(page, number_of(peer, "cpu_ns", "median"), UNIT_NS);
                (void) fputs("</tr>\n", page->out);
        }
        end_table(page);
}

void put_distribution(struct page *page, const json_t *benchmark) {
        struct id id = id_of(benchmark);
        struct plot plot = { .id = id.text,
                             .title = text_of(benchmark, "title"),
                             .description =
                                     "How long a round trip takes: so many percent take at most as long. The "
                                     "further right, the rarer.",
                             .x_title = "of all round trips",
                             .y_title = "round trip",
                             .x_unit = UNIT_TAIL,
                             .y_unit = UNIT_NS,
                             .line = page->lines };
        json_t *peer;
        size_t i;

        json_array_foreach (json_object_get(benchmark, "peers"), i, peer)
                add_steps(&plot, peer);
        begin_figure(page, &plot);
        if (plot.lines > 0)
                draw(page, &plot, plot_lines);
        put_percentiles(page, benchmark);
        end_figure(page, NULL, text_of(benchmark, "name"));
}

/* What a benchmark's dots are along. */
struct measure {
        const char *path, *x_title;
        enum unit unit;
        bool less_is_better;
        const char *description;
};

static struct measure measure_of(const json_t *benchmark) {
        const char *kind = text_of(benchmark, "kind");

        if (strcmp(kind, "paced") == 0 || strcmp(kind, "silent") == 0)
                return (struct measure){ "answerer_cpu", "of a core, by the receiver", UNIT_PART, true,
                                         "The receiver’s CPU time. Less is better." };
        if (strcmp(kind, "operation") == 0)
                return (struct measure){ "ns", "time for each", UNIT_NS, true,
                                         "The time that each takes. Less is better." };
        if (json_number_value(json_object_get(benchmark, "size")) >= 1024)
                return (struct measure){ "bytes_per_second", "bytes a second", UNIT_PER_SEC, false,
                                         "Bytes a second. More is better." };
        return (struct measure){ "per_second", "messages a second", UNIT_RATE, false,
                                 "Messages a second. More is better." };
}

static int most_first(const void *a, const void *b) {
        const struct line *x = a, *y = b;

        return (x->points[0].x < y->points[0].x) - (x->points[0].x > y->points[0].x);
}

static int least_first(const void *a, const void *b) {
        return most_first(b, a);
}

static void begin_dot_table(struct page *page, const struct measure *measure) {
        begin_table(page);
        put_head(page, measure->x_title);
        put_head(page, "least");
        put_head(page, "most");
        put_head(page, "time for each");
        put_head(page, "CPU time, both sides");
        (void) fputs("</tr></thead>\n<tbody>\n", page->out);
}

static void put_dot_row(struct page *page, const json_t *peer, const char *title,
                        const struct measure *measure) {
        begin_row(page, title, text_of(peer, "wait"));
        put_number(page, number_of(peer, measure->path, "median"), measure->unit);
        put_number(page, number_of(peer, measure->path, "least"), measure->unit);
        put_number(page, number_of(peer, measure->path, "most"), measure->unit);
        put_number(page, number_of(peer, "ns", "median"), UNIT_NS);
        put_number(page, number_of(peer, "cpu_ns", "median"), UNIT_NS);
        (void) fputs("</tr>\n", page->out);
}

static struct point dot_of(const json_t *peer, const struct measure *measure) {
        return (struct point){ .x = number_of(peer, measure->path, "median"),
                               .low = number_of(peer, measure->path, "least"),
                               .high = number_of(peer, measure->path, "most") };
}

void put_dots(struct page *page, const json_t *benchmark) {
        struct measure measure = measure_of(benchmark);
        struct id id = id_of(benchmark);
        struct plot plot = { .id = id.text,
                             .title = text_of(benchmark, "title"),
                             .description = measure.description,
                             .x_title = measure.x_title,
                             .x_unit = measure.unit,
                             .line = page->lines };
        json_t *peer;
        size_t i;

        json_array_foreach (json_object_get(benchmark, "peers"), i, peer) {
                struct point point = dot_of(peer, &measure);

                if (point.low > 0)
                        add_point(&plot, peer, point);
        }
        qsort(plot.line, (size_t) plot.lines, sizeof(*plot.line),
              measure.less_is_better ? least_first : most_first);
        begin_figure(page, &plot);
        if (plot.lines > 0)
                draw(page, &plot, plot_dots);
        begin_dot_table(page, &measure);
        json_array_foreach (json_object_get(benchmark, "peers"), i, peer)
                put_dot_row(page, peer, text_of(peer, "title"), &measure);
        end_table(page);
        end_figure(page, NULL, text_of(benchmark, "name"));
}

bool is_single(const json_t *benchmark) {
        return json_array_size(json_object_get(benchmark, "peers")) == 1 && !*text_of(benchmark, "family");
}

void put_singles(struct page *page, const char *kind) {
        struct plot plot = { .title = "Others", .x_title = "", .line = page->lines };
        struct measure measure = { .path = NULL };
        struct id id = { 0 };
        json_t *benchmark;
        size_t i;

        json_array_foreach (page->benchmarks, i, benchmark) {
                const json_t *peer = json_array_get(json_object_get(benchmark, "peers"), 0);

                if (!is_single(benchmark) || strcmp(text_of(benchmark, "kind"), kind) != 0)
                        continue;
                measure = measure_of(benchmark);
                if (dot_of(peer, &measure).low > 0 && plot.lines < MAX_LINES)
                        plot.line[plot.lines++] = (struct line){ .name = text_of(peer, "name"),
                                                                 .title = text_of(benchmark, "title"),
                                                                 .count = 1,
                                                                 .points = { dot_of(peer, &measure) } };
        }
        if (plot.lines == 0)
                return;
        (void) snprintf(id.text, sizeof(id.text), "others-%.40s", kind);
        plot.id = id.text;
        plot.description = measure.description;
        plot.x_title = measure.x_title;
        plot.x_unit = measure.unit;
        begin_figure(page, &plot);
        draw(page, &plot, plot_dots);
        begin_dot_table(page, &measure);
        json_array_foreach (page->benchmarks, i, benchmark)
                if (is_single(benchmark) && strcmp(text_of(benchmark, "kind"), kind) == 0)
                        put_dot_row(page, json_array_get(json_object_get(benchmark, "peers"), 0),
                                    text_of(benchmark, "title"), &measure);
        end_table(page);
        end_figure(page, NULL, "");
}
