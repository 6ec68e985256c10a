/* The parts that plots are made of. */
#ifndef LEAT_BENCH_SVG_H
#define LEAT_BENCH_SVG_H

#include <stdbool.h>

#include "plot.h"

#define MAX_TICKS 64

/* A logarithmic axis; ticks without a name only have a line. */
struct axis {
        double least, most;
        bool wide; /* Over some powers of ten, so that only these are named. */
        int count;
        double ticks[MAX_TICKS];
        bool named[MAX_TICKS];
};

/* Around values that are all above zero. */
struct axis axis_of(double least, double most);

/* Where a value is between two places of the picture; what is beyond the axis is at its end. */
double place_on(const struct axis *axis, double value, double from, double to);

struct style {
        const char *kind, *dashes; /* The kind is a class of plot_style. */
        char mark;                 /* A circle, square, triangle (up and down: t, v), diamond or cross. */
        bool open, strong;
};
struct style style_of(const char *peer);

void begin_svg(FILE *out, const struct plot *plot, double width, double height);
void put_mark(FILE *out, const struct style *style, double x, double y, double size);
void put_label(FILE *out, double x, double y, const char *anchor, const char *kind, const char *text);

#endif
