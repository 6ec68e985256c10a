/* Plots as SVG: lines over two axes, or one dot a row. Nothing of them depends on anything else in a page. */
#ifndef LEAT_BENCH_PLOT_H
#define LEAT_BENCH_PLOT_H

#include <stdbool.h>
#include <stdio.h>

enum unit {
        UNIT_NONE,    /* 1 2 4 … */
        UNIT_RATE,    /* Of messages or operations: k, M, G. */
        UNIT_BYTES,   /* B, KiB, MiB. */
        UNIT_PER_SEC, /* Bytes a second: kB/s, MB/s, GB/s. */
        UNIT_NS,      /* ns, us, ms. */
        UNIT_PART,    /* A part of a whole, in percent. */
        UNIT_TAIL     /* A percentile, whose distance to 100 % is what counts. */
};

struct point {
        double x, y, low, high; /* Low and high: the ends of a dot's whisker. */
};

#define MAX_POINTS 224
#define MAX_LINES  32

struct line {
        const char *name, *title; /* The name of a peer decides about colour, dashes and mark. */
        const char *remark;       /* Beside the title in tables. */
        int count;
        struct point points[MAX_POINTS];
};

struct plot {
        const char *id, *title, *description; /* Title and description are read to who cannot see it. */
        const char *x_title, *y_title;
        enum unit x_unit, y_unit;
        const char *note; /* Of a plot in a file of its own: under what conditions it came about. Otherwise
                       * NULL. */
        int lines;
        struct line *line;
};

/* Text for HTML and XML. */
void put_text(FILE *out, const char *text);

/* A value with its unit, short enough for a tick. */
struct label {
        char text[32];
};
struct label label_of(double value, enum unit unit);

/* The rules that plots need; the page, or a plot's own file, has them once. */
extern const char plot_style[];

/* y against x, both in logarithmic steps. */
void plot_lines(const struct plot *plot, FILE *out);

/* One dot a line, along x; of each line the first point. */
void plot_dots(const struct plot *plot, FILE *out);

#endif
