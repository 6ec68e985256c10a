/* What all plots share: escaped text, ticks and their labels, marks and colours. A peer's kind has a colour
 * that people tell apart who see few; which one it is of that kind its mark, its dashes and its name beside
 * it say. */
#include <math.h>
#include <string.h>

#include "svg.h"

/* Colours by Okabe and Ito, darker or lighter than theirs where they must stand out from paper. */
const char plot_style[] =
        ".plot{--ink:#1b1f24;--soft:#59636e;--grid:#e3e6ea;--paper:#ffffff;--leat:#0066b3;--memory:#1b1f24;"
        "--system:#c04d00;--inside:#00795a;--library:#a0417f;--rest:#6b7280;"
        "font-family:system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif;font-size:12.5px}"
        "@media(prefers-color-scheme:dark){.plot{--ink:#e6e9ed;--soft:#a3adb8;--grid:#2b323a;--paper:#14181d;"
        "--leat:#5cb8ff;--memory:#e6e9ed;--system:#ff9a5a;--inside:#35cfa2;--library:#ec9acb;--rest:#9aa4b0}}"
        ".plot text{fill:var(--ink)}.plot .soft{fill:var(--soft)}.plot .paper{fill:var(--paper)}"
        ".plot .grid{stroke:var(--grid);fill:none}.plot .minor{stroke:var(--grid);fill:none;opacity:.55}"
        ".plot .leat{--c:var(--leat)}.plot .memory{--c:var(--memory)}.plot .system{--c:var(--system)}"
        ".plot .inside{--c:var(--inside)}.plot .library{--c:var(--library)}.plot .rest{--c:var(--rest)}"
        ".plot .line{stroke:var(--c);fill:none;stroke-width:1.6;stroke-linejoin:round}"
        ".plot .strong{stroke-width:3.2}.plot .leader{stroke:var(--c);fill:none;stroke-width:.8;opacity:.55}"
        ".plot .full{fill:var(--c);stroke:var(--c)}.plot .open{fill:var(--paper);stroke:var(--c)}"
        ".plot .mark{stroke-width:1.4}.plot .whisker{stroke:var(--c);stroke-width:2;opacity:.6}"
        ".plot .main{font-weight:600}.plot .title{font-weight:600;font-size:16px}"
        ".plot .note{fill:var(--soft);font-size:11px}";

void put_text(FILE *out, const char *text) {
        for (; *text; text++)
                switch (*text) {
                case '&':
                        (void) fputs("&amp;", out);
                        break;
                case '<':
                        (void) fputs("&lt;", out);
                        break;
                case '>':
                        (void) fputs("&gt;", out);
                        break;
                case '"':
                        (void) fputs("&quot;", out);
                        break;
                case '\'':
                        (void) fputs("&#39;", out);
                        break;
                default:
                        /* Control characters are no characters of XML. */
                        (void) fputc((unsigned char) *text < ' ' ? ' ' : *text, out);
                }
}

static struct label scaled(double value, double step, const char *const *units, int count) {
        struct label label;
        int i = 0;

        for (; i + 1 < count && value >= step * 0.9995; i++)
                value /= step;
        (void) snprintf(label.text, sizeof(label.text), value >= 99.95 ? "%.0f%s" : "%.3g%s", value,
                        units[i]);
        return label;
}

struct label label_of(double value, enum unit unit) {
        static const char *const counts[] = { "", " k", " M", " G" };
        static const char *const bytes[] = { " B", " KiB", " MiB", " GiB" };
        static const char *const per_second[] = { " B/s", " kB/s", " MB/s", " GB/s", " TB/s" };
        static const char *const ns[] = { " ns", " µs", " ms", " s" };
        struct label label;

        switch (unit) {
        case UNIT_RATE:
                return scaled(value, 1000, counts, 4);
        case UNIT_BYTES:
                return scaled(value, 1024, bytes, 4);
        case UNIT_PER_SEC:
                return scaled(value, 1000, per_second, 5);
        case UNIT_NS:
                return scaled(value, 1000, ns, 4);
        case UNIT_PART:
                (void) snprintf(label.text, sizeof(label.text), "%.3g %%", 100 * value);
                return label;
        case UNIT_TAIL:
                (void) snprintf(label.text, sizeof(label.text), "%.6g %%", 100 * (1 - pow(10, -value)));
                return label;
        default:
                (void) snprintf(label.text, sizeof(label.text), "%.6g", value);
                return label;
        }
}

/* Whether a name is `name`, or begins with it and a dash. */
static bool is_of(const char *peer, const char *name) {
        size_t length = strlen(name);

        return strncmp(peer, name, length) == 0 && (peer[length] == 0 || peer[length] == '-');
}

struct style style_of(const char *peer) {
        static const struct {
                const char *name, *kind;
                char mark;
        } known[] = {
                { "leat", "leat", 'o' },          { "kernel", "leat", 'd' },
                { "bridge", "leat", 'v' },        { "bare", "memory", 'o' },
                { "pool", "memory", 'd' },        { "seqpacket", "system", 'o' },
                { "stream", "system", 's' },      { "pipe", "system", 't' },
                { "tcp", "system", 'd' },         { "mutex", "inside", 'o' },
                { "gasyncqueue", "inside", 's' }, { "nng", "library", 'o' },
                { "zeromq", "library", 's' },     { "nanomsg", "library", 't' },
                { "iceoryx", "library", 'd' },    { "boost", "library", 'x' },
                { "sd", "library", 'v' },
        };
        static const struct {
                const char *ending, *dashes;
                char mark;
        } variants[] = {
                { "-lane", "7 3", 's' },    { "-socket", "2 3", 't' }, { "-spin", "7 3", 's' },
                { "-futex", "2 3", 't' },   { "-4m", "7 3", 0 },       { "-polling", "7 3", 0 },
                { "-spin-16", "7 3", 's' }, { "-each", "7 3", 0 },
        };
        struct style style = { "rest", "", 'o', false, false };

        for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
                if (is_of(peer, known[i].name)) {
                        style.kind = known[i].kind;
                        style.mark = known[i].mark;
                }
        for (size_t i = 0; i < sizeof(variants) / sizeof(*variants); i++) {
                size_t length = strlen(peer), ending = strlen(variants[i].ending);

                if (length <= ending || strcmp(peer + length - ending, variants[i].ending) != 0)
                        continue;
                style.dashes = variants[i].dashes;
                style.open = true;
                if (variants[i].mark)
                        style.mark = variants[i].mark;
        }
        style.strong = strcmp(style.kind, "leat") == 0 && !style.open;
        return style;
}

void put_mark(FILE *out, const struct style *style, double x, double y, double size) {
        double d = size * 1.15;

        (void) fprintf(out, "<path class=\"mark %s\" d=\"", style->open ? "open" : "full");
        switch (style->mark) {
        case 's':
                (void) fprintf(out, "M%.1f %.1fh%.1fv%.1fh-%.1fz", x - size * .9, y - size * .9, size * 1.8,
                               size * 1.8, size * 1.8);
                break;
        case 't':
                (void) fprintf(out, "M%.1f %.1fl%.1f %.1fh-%.1fz", x, y - d, d, 2 * size, 2 * d);
                break;
        case 'v':
                (void) fprintf(out, "M%.1f %.1fl%.1f -%.1fh-%.1fz", x, y + d, d, 2 * size, 2 * d);
                break;
        case 'd':
                (void) fprintf(out, "M%.1f %.1fl%.1f %.1fl-%.1f %.1fl-%.1f -%.1fz", x, y - d, d, d, d, d, d,
                               d);
                break;
        case 'x':
                (void) fprintf(out, "M%.1f %.1fl%.1f %.1fm0 -%.1fl-%.1f %.1f", x - size, y - size, 2 * size,
                               2 * size, 2 * size, 2 * size, 2 * size);
                break;
        default:
                (void) fprintf(out, "M%.1f %.1fa%.1f %.1f 0 1 0 %.1f 0a%.1f %.1f 0 1 0 -%.1f 0z", x - size, y,
                               size, size, 2 * size, size, size, 2 * size);
        }
        (void) fputs("\"/>", out);
}

void put_label(FILE *out, double x, double y, const char *anchor, const char *kind, const char *text) {
        (void) fprintf(out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\" class=\"%s\">", x, y, anchor,
                       kind);
        put_text(out, text);
        (void) fputs("</text>\n", out);
}

/* In a file of its own, a title above and its conditions below; a page has both elsewhere. */
#define HEAD 34.0
#define FOOT 20.0

void begin_svg(FILE *out, const struct plot *plot, double width, double height) {
        double top = plot->note ? -HEAD : 0;

        if (plot->note)
                height += HEAD + FOOT;
        (void) fprintf(
                out, "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"plot\" viewBox=\"0 %.0f %.0f %.0f\" ",
                top, width, height);
        if (plot->note)
                (void) fprintf(out, "width=\"%.0f\" height=\"%.0f\" ", width, height);
        (void) fprintf(out, "role=\"img\" aria-labelledby=\"%s-title %s-desc\">\n<title id=\"%s-title\">",
                       plot->id, plot->id, plot->id);
        put_text(out, plot->title);
        (void) fprintf(out, "</title>\n<desc id=\"%s-desc\">", plot->id);
        put_text(out, plot->description);
        (void) fputs("</desc>\n", out);
        if (plot->note)
                (void) fprintf(out, "<style>%s</style>\n", plot_style);
        (void) fprintf(out, "<rect class=\"paper\" y=\"%.0f\" width=\"%.0f\" height=\"%.0f\"/>\n", top, width,
                       height);
        if (!plot->note)
                return;
        put_label(out, 8, top + 22, "start", "title", plot->title);
        put_label(out, 8, top + height - 8, "start", "note", plot->note);
}

/* 1, 2 and 5 times a power of ten. */
static double next_tick(double tick) {
        double power = pow(10, floor(log10(tick) + 1e-9)), digit = tick / power;

        return digit < 1.5 ? 2 * power : digit < 3 ? 5 * power : 10 * power;
}

struct axis axis_of(double least, double most) {
        struct axis axis = { .count = 0 };
        double power = pow(10, floor(log10(least)));

        axis.least = least >= 5 * power ? 5 * power : least >= 2 * power ? 2 * power : power;
        axis.most = axis.least;
        while (axis.most < most * 0.9999)
                axis.most = next_tick(axis.most);
        if (axis.most <= axis.least)
                axis.most = next_tick(axis.least);
        axis.wide = log10(axis.most / axis.least) > 2.2;
        for (double tick = axis.least; tick <= axis.most * 1.0001 && axis.count < MAX_TICKS;
             tick = next_tick(tick)) {
                double digit = log10(tick) - floor(log10(tick) + 1e-9);

                axis.ticks[axis.count] = tick;
                axis.named[axis.count++] = !axis.wide || fabs(digit) < 1e-6;
        }
        return axis;
}

double place_on(const struct axis *axis, double value, double from, double to) {
        double part = log(value / axis->least) / log(axis->most / axis->least);

        return from + (part < 0 ? 0 : part > 1 ? 1 : part) * (to - from);
}
