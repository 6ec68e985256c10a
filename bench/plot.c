/* Lines and dots. Names stand beside what they name, pushed apart where they would lie on each other. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "svg.h"

#define WIDTH     800.0
#define LEFT      64.0
#define RIGHT     (WIDTH - 244.0) /* Beyond it are the names. */
#define TOP       34.0
#define NAME_STEP 16.5
#define NEAR      60.0
#define HEIGHT    380.0

#define DOT_RIGHT (WIDTH - 92.0) /* Beyond it are the values. */
#define LETTER    7.3            /* About so wide is one, in bold. */
#define DOT_STEP  25.0

/* Percentiles: 50 %, 90 %, 99 % and so on. */
static const double tails[] = { 0.30103, 1, 2, 3, 4, 5, 6 };
#define N_TAILS (sizeof(tails) / sizeof(*tails))

struct picture {
        const struct plot *plot;
        FILE *out;
        struct axis y;
        double x_least, x_most, left, bottom;
};

static bool is_tail(const struct plot *plot) {
        return plot->x_unit == UNIT_TAIL;
}

static double x_place(const struct picture *picture, double x) {
        double least = picture->x_least, most = picture->x_most, part;

        if (is_tail(picture->plot))
                part = (x - least) / (most - least);
        else
                part = most > least ? log(x / least) / log(most / least) : 0.5;
        return LEFT + 10 + part * (RIGHT - LEFT - 20);
}

static double y_place(const struct picture *picture, double y) {
        return place_on(&picture->y, y, picture->bottom, TOP);
}

static void measure(struct picture *picture) {
        const struct plot *plot = picture->plot;
        double y_least = INFINITY, y_most = 0;

        picture->x_least = INFINITY;
        picture->x_most = 0;
        for (int i = 0; i < plot->lines; i++)
                for (int j = 0; j < plot->line[i].count; j++) {
                        const struct point *point = &plot->line[i].points[j];

                        picture->x_least = fmin(picture->x_least, point->x);
                        picture->x_most = fmax(picture->x_most, point->x);
                        y_least = fmin(y_least, point->y);
                        y_most = fmax(y_most, point->y);
                }
        if (is_tail(plot)) {
                picture->x_least = 0;
                picture->x_most = fmax(picture->x_most * 1.02, 1);
        }
        picture->y = axis_of(y_least, y_most);
}

static void put_x_tick(const struct picture *picture, double value, const char *text) {
        double x = x_place(picture, value);

        (void) fprintf(picture->out, "<path class=\"grid\" d=\"M%.1f %.1fV%.1f\"/>\n", x, TOP,
                       picture->bottom);
        put_label(picture->out, x, picture->bottom + 17, "middle", "soft", text);
}

static int by_value(const void *a, const void *b) {
        double x = *(const double *) a, y = *(const double *) b;

        return (x > y) - (x < y);
}

/* A tick for each value that was measured. */
static void put_x_ticks(const struct picture *picture) {
        const struct plot *plot = picture->plot;
        double values[MAX_LINES * MAX_POINTS];
        int count = 0;

        if (is_tail(plot)) {
                for (size_t i = 0; i < N_TAILS && tails[i] <= picture->x_most; i++)
                        put_x_tick(picture, tails[i], label_of(tails[i], UNIT_TAIL).text);
                return;
        }
        for (int i = 0; i < plot->lines; i++)
                for (int j = 0; j < plot->line[i].count; j++)
                        values[count++] = plot->line[i].points[j].x;
        qsort(values, (size_t) count, sizeof(*values), by_value);
        for (int i = 0; i < count; i++)
                if (i == 0 || values[i] > values[i - 1])
                        put_x_tick(picture, values[i], label_of(values[i], plot->x_unit).text);
}

static void put_axes(const struct picture *picture) {
        const struct plot *plot = picture->plot;

        for (int i = 0; i < picture->y.count; i++) {
                double y = y_place(picture, picture->y.ticks[i]);

                (void) fprintf(picture->out, "<path class=\"%s\" d=\"M%.1f %.1fH%.1f\"/>\n",
                               picture->y.named[i] ? "grid" : "minor", LEFT, y, RIGHT);
                if (picture->y.named[i])
                        put_label(picture->out, LEFT - 7, y + 4, "end", "soft",
                                  label_of(picture->y.ticks[i], plot->y_unit).text);
        }
        put_x_ticks(picture);
        put_label(picture->out, 8, 18, "start", "main", plot->y_title);
        put_label(picture->out, RIGHT, picture->bottom + 37, "end", "main", plot->x_title);
}

/* Each value that was measured; of a distribution, which has many, the first beyond a percentile that is
 * named. */
static bool has_mark(const struct plot *plot, const struct line *line, int i) {
        if (!is_tail(plot))
                return true;
        for (size_t j = 0; j < N_TAILS; j++)
                if (line->points[i].x >= tails[j] && i > 0 && line->points[i - 1].x < tails[j])
                        return true;
        return false;
}

static void put_line(const struct picture *picture, const struct line *line) {
        struct style style = style_of(line->name);

        (void) fprintf(picture->out, "<g class=\"%s\"><path class=\"line%s\"", style.kind,
                       style.strong ? " strong" : "");
        if (style.dashes[0])
                (void) fprintf(picture->out, " stroke-dasharray=\"%s\"", style.dashes);
        (void) fputs(" d=\"", picture->out);
        for (int i = 0; i < line->count; i++)
                (void) fprintf(picture->out, "%c%.1f %.1f", i == 0 ? 'M' : 'L',
                               x_place(picture, line->points[i].x), y_place(picture, line->points[i].y));
        (void) fputs("\"/>", picture->out);
        for (int i = 0; i < line->count; i++)
                if (has_mark(picture->plot, line, i))
                        put_mark(picture->out, &style, x_place(picture, line->points[i].x),
                                 y_place(picture, line->points[i].y), style.strong ? 4 : 3);
        (void) fputs("</g>\n", picture->out);
}

/* A name at the right, with a thin line to the end of what it names, if that is near; it begins where that
 * ends, or where the median of a distribution is. */
struct name {
        const struct line *line;
        double x, y, at;
};

static int by_height(const void *a, const void *b) {
        const struct name *x = a, *y = b;

        return (x->y > y->y) - (x->y < y->y);
}

/* Downwards each at least a step below the one before, and then upwards again if the last fell out of the
 * picture. */
static void spread_names(struct name *names, int count, double top, double bottom) {
        double at = top;

        for (int i = 0; i < count; i++) {
                names[i].at = fmax(names[i].y, at);
                at = names[i].at + NAME_STEP;
        }
        at = bottom;
        for (int i = count - 1; i >= 0; i--) {
                names[i].at = fmin(names[i].at, at);
                at = names[i].at - NAME_STEP;
        }
}

static void put_names(const struct picture *picture) {
        const struct plot *plot = picture->plot;
        struct name names[MAX_LINES];
        int count = 0;

        for (int i = 0; i < plot->lines; i++) {
                const struct line *line = &plot->line[i];
                int at = line->count - 1;

                while (is_tail(plot) && at > 0 && line->points[at].x > tails[0])
                        at--;
                if (at >= 0)
                        names[count++] = (struct name){ line, x_place(picture, line->points[at].x),
                                                        y_place(picture, line->points[at].y), 0 };
        }
        qsort(names, (size_t) count, sizeof(*names), by_height);
        spread_names(names, count, TOP - 4, picture->bottom + 4);
        for (int i = 0; i < count; i++) {
                struct style style = style_of(names[i].line->name);

                (void) fprintf(picture->out, "<g class=\"%s\">", style.kind);
                if (names[i].x > RIGHT - NEAR)
                        (void) fprintf(picture->out,
                                       "<path class=\"leader\" d=\"M%.1f %.1fL%.1f %.1fH%.1f\"/>",
                                       names[i].x + 5, names[i].y, RIGHT + 10, names[i].at, RIGHT + 16);
                put_mark(picture->out, &style, RIGHT + 22, names[i].at, style.strong ? 4 : 3);
                put_label(picture->out, RIGHT + 31, names[i].at + 4, "start", style.strong ? "main" : "",
                          names[i].line->title);
                (void) fputs("</g>\n", picture->out);
        }
}

void plot_lines(const struct plot *plot, FILE *out) {
        double height = fmax(HEIGHT, plot->lines * NAME_STEP - 8);
        struct picture picture = { .plot = plot, .out = out, .bottom = TOP + height };

        measure(&picture);
        begin_svg(out, plot, WIDTH, TOP + height + 48);
        put_axes(&picture);
        for (int strong = 0; strong < 2; strong++) /* Which lie above the others. */
                for (int i = plot->lines - 1; i >= 0; i--)
                        if (style_of(plot->line[i].name).strong == strong)
                                put_line(&picture, &plot->line[i]);
        put_names(&picture);
        (void) fputs("</svg>\n", out);
}

static void put_dot(const struct picture *picture, const struct line *line, double y, double right) {
        const struct point *point = &line->points[0];
        struct style style = style_of(line->name);
        double x = place_on(&picture->y, point->x, picture->left, right);

        put_label(picture->out, picture->left - 14, y + 4, "end", style.strong ? "main" : "", line->title);
        (void) fprintf(picture->out, "<g class=\"%s\"><path class=\"whisker\" d=\"M%.1f %.1fH%.1f\"/>",
                       style.kind, place_on(&picture->y, point->low, picture->left, right), y,
                       place_on(&picture->y, point->high, picture->left, right));
        put_mark(picture->out, &style, x, y, style.strong ? 6 : 4.5);
        (void) fputs("</g>\n", picture->out);
        put_label(picture->out, right + 12, y + 4, "start", style.strong ? "main" : "",
                  label_of(point->x, picture->plot->x_unit).text);
}

/* Room for the longest name. */
static double name_width(const struct plot *plot) {
        size_t longest = 12;

        for (int i = 0; i < plot->lines; i++)
                if (strlen(plot->line[i].title) > longest)
                        longest = strlen(plot->line[i].title);
        return fmin((double) longest * LETTER + 26, WIDTH / 2);
}

void plot_dots(const struct plot *plot, FILE *out) {
        struct picture picture = { .plot = plot, .out = out, .bottom = TOP - 12 + plot->lines * DOT_STEP };
        double least = INFINITY, most = 0;

        for (int i = 0; i < plot->lines; i++) {
                least = fmin(least, fmin(plot->line[i].points[0].x, plot->line[i].points[0].low));
                most = fmax(most, fmax(plot->line[i].points[0].x, plot->line[i].points[0].high));
        }
        picture.y = axis_of(least, most);
        picture.left = name_width(plot);
        begin_svg(out, plot, WIDTH, picture.bottom + 46);
        for (int i = 0; i < picture.y.count; i++) {
                double x = place_on(&picture.y, picture.y.ticks[i], picture.left, DOT_RIGHT);

                (void) fprintf(out, "<path class=\"%s\" d=\"M%.1f %.1fV%.1f\"/>\n",
                               picture.y.named[i] ? "grid" : "minor", x, TOP - 16, picture.bottom);
                if (picture.y.named[i])
                        put_label(out, x, picture.bottom + 17, "middle", "soft",
                                  label_of(picture.y.ticks[i], plot->x_unit).text);
        }
        for (int i = 0; i < plot->lines; i++)
                put_dot(&picture, &plot->line[i], TOP + i * DOT_STEP, DOT_RIGHT);
        put_label(out, DOT_RIGHT, picture.bottom + 36, "end", "main", plot->x_title);
        (void) fputs("</svg>\n", out);
}
