/* A page of its own: no script, nothing loaded from anywhere, light or dark as its reader has it. */
#include <string.h>

#include "benchmark.h"
#include "html.h"

#define MAX_PROBES 256

static const char page_style[] =
        ":root{color-scheme:light dark;--text:#1b1f24;--muted:#59636e;--back:#f6f7f9;--card:#ffffff;"
        "--edge:#d9dee4;--good:#00795a;--bad:#b3261e}"
        "@media(prefers-color-scheme:dark){:root{--text:#e6e9ed;--muted:#a3adb8;--back:#0d1014;--card:#"
        "14181d;"
        "--edge:#2b323a;--good:#35cfa2;--bad:#ff8a80}}"
        "*{box-sizing:border-box}"
        "body{margin:0;background:var(--back);color:var(--text);line-height:1.5;"
        "font-family:system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif}"
        "main{max-width:1000px;margin:0 auto;padding:24px 16px 64px}"
        "h1{font-size:1.7rem;margin:.2em 0 .3em}h2{font-size:1.3rem;margin:2.2em 0 .4em}"
        "h3{font-size:1.02rem;margin:0 0 .3em}h3::first-letter{text-transform:uppercase}p{margin:.3em 0 "
        ".8em}.muted{color:var(--muted)}"
        "section>p{max-width:70ch}"
        ".card{background:var(--card);border:1px solid var(--edge);border-radius:8px;margin:0 0 18px;"
        "padding:14px 16px}"
        "figure.card>p{color:var(--muted);font-size:.92rem}"
        ".scroll{overflow-x:auto}.scroll svg{display:block;width:100%;min-width:600px;height:auto}"
        "dl{display:grid;grid-template-columns:max-content 1fr;gap:2px 16px;margin:0}"
        "dt{color:var(--muted)}dd{margin:0;overflow-wrap:anywhere}"
        "table{border-collapse:collapse;font-size:.88rem;font-variant-numeric:tabular-nums}"
        "th,td{padding:4px 10px 4px 0;text-align:right;white-space:nowrap;border-bottom:1px solid "
        "var(--edge)}"
        "th:first-child,td:first-child,.words th,.words td{text-align:left}.words td{white-space:normal}"
        ".words{width:100%;min-width:600px}.words td:nth-child(2),.words td:nth-child(3){white-space:nowrap}"
        "thead th{color:var(--muted);white-space:normal;font-weight:600;vertical-align:bottom}tbody "
        "th{font-weight:400}"
        ".group th{font-weight:600;padding-top:12px}"
        "summary{cursor:pointer;color:var(--muted);font-size:.92rem;padding:4px 0}"
        "summary:hover{color:var(--text)}"
        "nav a{display:inline-block;margin:0 14px 4px 0}a{color:inherit}"
        ".met{color:var(--good);font-weight:700}.lost{color:var(--bad);font-weight:700}"
        "code{font-family:ui-monospace,'DejaVu Sans Mono',monospace;font-size:.92em}"
        ".legend span{white-space:nowrap;margin-right:14px}.legend{font-size:.95rem}"
        ".legend .key{display:inline-block;width:.75em;height:.75em;border-radius:50%;background:var(--c);"
        "margin-right:.45em}"
        "@media(max-width:560px){dl{grid-template-columns:1fr}dd{margin:0 0 6px}}"
        "@media print{body{background:none}.card{break-inside:avoid}}";

const char *text_of(const json_t *object, const char *key) {
        const char *text = json_string_value(json_object_get(object, key));

        return text ? text : "";
}

void html_begin(FILE *out) {
        (void) fprintf(
                out,
                "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
                "<title>Leat: channels, measured</title>\n<style>%s\n%s</style>\n</head>\n<body>\n<main>\n"
                "<h1>Leat’s channels, measured</h1>\n"
                "<p class=\"muted\">Beside what they could cost, and what others do. All peers of a "
                "benchmark are measured in turns, and every message is checked.</p>\n",
                page_style, plot_style);
}

/* What colours say; marks and dashes say the rest, with names beside them. */
void html_legend(FILE *out) {
        static const struct {
                const char *kind, *text;
        } kinds[] = {
                { "leat", "Leat" },
                { "memory", "shared memory, bare" },
                { "system", "the system’s sockets and pipes" },
                { "inside", "within one process" },
                { "library", "other libraries" },
        };

        (void) fputs("<p class=\"plot legend\">", out);
        for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
                (void) fprintf(out, "<span class=\"%s\"><span class=\"key\"></span>%s</span> ", kinds[i].kind,
                               kinds[i].text);
        (void) fputs("</p>\n<p class=\"muted\">An adaptive wait spins for a while before it sleeps; a "
                     "blocking one "
                     "sleeps at once; a spinning one never does.</p>\n",
                     out);
}

void html_end(FILE *out) {
        (void) fputs("</main>\n</body>\n</html>\n", out);
}

static void put_term(FILE *out, const char *term, const char *text) {
        if (!*text)
                return;
        (void) fprintf(out, "<dt>%s</dt><dd>", term);
        put_text(out, text);
        (void) fputs("</dd>\n", out);
}

/* The probes of a result, so that near and far are told apart: "141 ns (110 to 521)", or "". */
struct probes {
        char text[64];
};

static struct probes probes_of(const json_t *result) {
        struct probes text = { "" };
        double probes[MAX_PROBES];
        struct spread spread;
        json_t *benchmark;
        size_t i, count = 0;

        json_array_foreach (json_object_get(result, "benchmarks"), i, benchmark) {
                const json_t *found = json_object_get(benchmark, "probe_ns");
                double probe = json_number_value(json_object_get(found, "median"));

                if (probe > 0 && count < MAX_PROBES)
                        probes[count++] = probe;
        }
        if (count == 0)
                return text;
        spread = spread_of(probes, (int) count);
        (void) snprintf(text.text, sizeof(text.text), "%.0f ns (%.0f to %.0f)", spread.median, spread.least,
                        spread.most);
        return text;
}

static void put_probes(FILE *out, const json_t *result) {
        struct probes probes = probes_of(result);
        char text[192];

        if (!probes.text[0])
                return;
        (void) snprintf(text, sizeof(text),
                        "%s: the least round trip of a spinning ring; below 150 ns is near", probes.text);
        put_term(out, "probe", text);
}

void conditions_note(const json_t *results, char *ret_text, size_t size) {
        const json_t *result, *conditions;
        size_t i = 0;

        while (i + 1 < json_array_size(results) &&
               json_array_size(json_object_get(json_array_get(results, i), "benchmarks")) == 0)
                i++;
        result = json_array_get(results, i);
        conditions = json_object_get(result, "conditions");
        (void) snprintf(ret_text, size, "%.60s, %lld cores, %.40s, %.10s; %lld rounds of %g s; probe %s%s",
                        text_of(conditions, "processor"),
                        (long long) json_integer_value(json_object_get(conditions, "cores")),
                        text_of(conditions, "kernel"), text_of(conditions, "time"),
                        (long long) json_integer_value(json_object_get(conditions, "rounds")),
                        json_number_value(json_object_get(conditions, "seconds")), probes_of(result).text,
                        json_array_size(results) > 1 ? "; and others" : "");
}

static void put_condition(FILE *out, const json_t *result) {
        const json_t *conditions = json_object_get(result, "conditions");
        char text[128];

        (void) fputs("<dl class=\"card\">\n", out);
        (void) snprintf(text, sizeof(text), "%.60s, %lld cores", text_of(conditions, "machine"),
                        (long long) json_integer_value(json_object_get(conditions, "cores")));
        put_term(out, "processor", text_of(conditions, "processor"));
        put_term(out, "machine", text);
        put_term(out, "kernel", text_of(conditions, "kernel"));
        put_probes(out, result);
        (void) snprintf(text, sizeof(text), "%.20s, unless a benchmark says otherwise",
                        text_of(conditions, "pinning"));
        put_term(out, "pinning", text);
        (void) snprintf(text, sizeof(text), "%lld of %g s each; medians of them",
                        (long long) json_integer_value(json_object_get(conditions, "rounds")),
                        json_number_value(json_object_get(conditions, "seconds")));
        put_term(out, "rounds", text);
        put_term(out, "date", text_of(conditions, "time"));
        put_term(out, "command", text_of(conditions, "command"));
        (void) fputs("</dl>\n", out);
}

void html_conditions(FILE *out, json_t *results) {
        json_t *result;
        size_t i;

        (void) fputs("<section id=\"conditions\">\n", out);
        json_array_foreach (results, i, result)
                put_condition(out, result);
        (void) fputs("</section>\n", out);
}

static void put_cell(FILE *out, const char *text) {
        (void) fputs("<td>", out);
        put_text(out, text);
        (void) fputs("</td>", out);
}

static void put_target(FILE *out, const json_t *target) {
        const char *verdict = text_of(target, "verdict"), *runs = text_of(target, "runs");
        const char *mark = strcmp(verdict, "met") == 0       ? "met"
                           : strcmp(verdict, "not met") == 0 ? "lost"
                                                             : "muted";

        (void) fputs("<tr>", out);
        put_cell(out, text_of(target, "goal"));
        (void) fprintf(out, "<td><span class=\"%s\">", mark);
        put_text(out, verdict);
        (void) fputs("</span></td><td>", out);
        put_text(out, text_of(target, "ratio"));
        (void) fputs("</td><td class=\"muted\">", out);
        put_text(out, runs);
        (void) fputs("</td><td>", out);
        put_text(out, text_of(target, "sides"));
        if (*text_of(target, "remark")) {
                (void) fprintf(out, "%s<span class=\"muted\">", *text_of(target, "sides") ? "; " : "");
                put_text(out, text_of(target, "remark"));
                (void) fputs("</span>", out);
        }
        (void) fputs("</td></tr>\n", out);
}

static void put_target_table(FILE *out, const json_t *targets) {
        const char *measure = "";
        json_t *target;
        size_t i;

        (void) fputs("<div class=\"card scroll\"><table class=\"words\"><thead><tr><th>at least</th>"
                     "<th>verdict</th><th>ratio</th><th>each run</th><th>of</th></tr></thead>\n<tbody>\n",
                     out);
        json_array_foreach (targets, i, target) {
                if (strcmp(measure, text_of(target, "measure")) != 0) {
                        measure = text_of(target, "measure");
                        (void) fputs("<tr class=\"group\"><th colspan=\"5\" scope=\"rowgroup\">", out);
                        put_text(out, measure);
                        (void) fputs(" <small class=\"muted\">probe: ", out);
                        put_text(out, text_of(target, "probes"));
                        (void) fputs("</small></th></tr>\n", out);
                }
                put_target(out, target);
        }
        (void) fputs("</tbody></table></div>\n", out);
}

void html_targets(FILE *out, json_t *results) {
        json_t *result;
        size_t i;

        json_array_foreach (results, i, result) {
                const json_t *targets = json_object_get(result, "targets");

                if (!json_is_array(targets))
                        continue;
                (void) fprintf(
                        out,
                        "<section id=\"targets%zu\">\n<h2>What must be reached</h2>\n"
                        "<p>Ratios within one round, their median over a run’s rounds. A target is met when "
                        "two of three runs meet it. Beside what makes system calls, shared memory is "
                        "judged only while the cores are near each other.</p>\n",
                        i);
                put_target_table(out, targets);
                (void) fputs("</section>\n", out);
        }
}
