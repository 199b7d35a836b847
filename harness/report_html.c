/* The report's page: one HTML file without anything external. */
#include "report_html.h"
#include "exits.h"
#include "report_oracle.h"
#include "report_tradeoff.h"
#include "table.h"
#include "util.h"

#include <stdlib.h>
#include <string.h>

static const char style[] =
    ":root{color-scheme:light dark;--fg:#1b1b1b;--bg:#fff;--soft:#666;"
    "--line:#d9d9d9;--head:#f3f4f6;--bad:#a4262c;--warn:#8a5a00}"
    "@media(prefers-color-scheme:dark){:root{--fg:#e6e6e6;--bg:#16181c;"
    "--soft:#a0a4ab;--line:#3a3d43;--head:#23262b;--bad:#ff8f8f;"
    "--warn:#e6b450}}"
    "body{font:15px/1.5 system-ui,sans-serif;color:var(--fg);"
    "background:var(--bg);margin:0 auto;padding:1em 1.2em 4em;"
    "max-width:1230px}"
    "h1{font-size:1.6em;margin:.6em 0 .2em}"
    "h2{font-size:1.25em;margin:2em 0 .5em;border-bottom:1px solid "
    "var(--line);padding-bottom:.2em}"
    "h3{font-size:1em;margin:1.4em 0 .4em}"
    "table{border-collapse:collapse;font-size:.9em}"
    "th,td{padding:.22em .7em;text-align:left;vertical-align:top;"
    "border-bottom:1px solid var(--line)}"
    "th{background:var(--head);font-weight:600}"
    "td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;"
    "white-space:nowrap}"
    "td small{color:var(--soft);display:block;font-size:.85em}"
    ".wide{overflow-x:auto}.soft{color:var(--soft)}.bad{color:var(--bad)}"
    ".warn{color:var(--warn)}"
    "figure{margin:1em 0;background:#fff;border:1px solid var(--line);"
    "border-radius:4px;padding:4px}"
    "figure svg{display:block;width:100%;height:auto;color:#000}"
    "details{margin:.3em 0}summary{cursor:pointer}"
    "dl.inline{display:grid;grid-template-columns:max-content 1fr;"
    "gap:.1em 1em;margin:.5em 0}dl.inline dd{margin:0}"
    "dt{font-weight:600}code{font-size:.95em}"
    "a{color:inherit}"
    "@media print{details{display:block}}";

/* ---- Figures ---------------------------------------------------------- */

/* gnuplot gives the same ids to things in every picture: in one page they
 * need a prefix of their own. */
static void put_svg(FILE *out, const struct report_plot *plot, unsigned index)
{
    static const char *const before_id[] = {"id='", "id=\"", "url(#", "href='#",
                                            "href=\"#"};
    static const char title[] = "<title>Gnuplot</title>";
    const char *p = strstr(plot->svg, "<svg");

    while (p && *p) {
        size_t skip = 0;

        if (!strncmp(p, title, sizeof(title) - 1)) {
            p += sizeof(title) - 1;
            continue;
        }
        for (size_t i = 0; i < sizeof(before_id) / sizeof(before_id[0]); i++) {
            size_t len = strlen(before_id[i]);

            if (!strncmp(p, before_id[i], len))
                skip = len;
        }
        if (skip) {
            fprintf(out, "%.*sp%u-", (int)skip, p, index);
            p += skip;
        } else {
            fputc(*p++, out);
        }
    }
}

/* The plots of a suite; NULL: those that belong to none. */
static void put_plots(FILE *out, const struct report_plots *plots,
                      const char *suite)
{
    for (unsigned i = 0; i < plots->n; i++) {
        const struct report_plot *p = &plots->plot[i];

        if (!p->svg || !p->suite != !suite ||
            (suite && strcmp(p->suite, suite)))
            continue;
        fputs("<figure role=\"img\" aria-label=\"", out);
        html_text(out, p->title);
        fputs("\">\n", out);
        put_svg(out, p, i);
        fputs("</figure>\n", out);
    }
}

/* ---- Tables ----------------------------------------------------------- */

static void put_cell(FILE *out, const struct report *r,
                     const struct report_row *row)
{
    char figure[FIGURE_MAX], low[FIGURE_MAX], high[FIGURE_MAX];
    struct ratio ratio;

    if (!row) {
        fputs("<td class=\"n soft\">–</td>", out);
        return;
    }
    if (row->status != ROW_OK) {
        fputs("<td class=\"n bad\" title=\"", out);
        html_text(out, row->reason);
        fprintf(out, "\">%s</td>", report_status_names[row->status]);
        return;
    }
    fprintf(out, "<td class=\"n%s\">%s%s<small>%s – %s",
            row->noisy ? " warn" : "", table_figure(row->median, figure),
            row->noisy ? " noisy" : "", table_figure(row->low, low),
            table_figure(row->high, high));
    if (report_relative(r, row, &ratio))
        fprintf(out, "<br>%s × native", table_figure(ratio.median, figure));
    fputs("</small></td>", out);
}

static void put_suite(FILE *out, const struct report *r, const char *suite)
{
    fputs("<div class=\"wide\"><table>\n<tr><th>benchmark</th>", out);
    for (unsigned s = 0; s < r->nseries; s++)
        if (report_has_column(r, suite, s))
            html_tagged(out, "<th class=\"n\">", r->series[s].label, "</th>");
    fputs("<th>one operation</th></tr>\n", out);
    for (unsigned b = 0; b < r->nbenches; b++) {
        if (strcmp(r->benches[b].suite, suite) || !report_has_line(r, b))
            continue;
        html_tagged(out, "<tr><td>", r->benches[b].label, "</td>");
        for (unsigned s = 0; s < r->nseries; s++)
            if (report_has_column(r, suite, s))
                put_cell(out, r, report_find(r, b, s));
        html_tagged(out, "<td>", r->benches[b].op ? r->benches[b].op : "",
                    "</td></tr>\n");
    }
    fputs("</table></div>\n", out);
}

/* ---- Events ----------------------------------------------------------- */

/* The names that occur in any row of the benchmark, in the order of events.h;
 * those that this program doesn't know come last. The caller frees the array.
 */
static const char **find_events(const struct report *r, unsigned bench)
{
    const char **names = xcalloc(EV_COUNT + 1, sizeof(*names));
    unsigned n = 0, known;
    const char *key;
    json_t *value;

    for (int ev = 0; ev < EV_COUNT; ev++) {
        for (unsigned i = 0; i < r->nrows; i++) {
            double count;

            if (r->rows[i].bench != bench ||
                !report_event(&r->rows[i], RF_EVENTS, event_names[ev], &count))
                continue;
            names[n++] = event_names[ev];
            break;
        }
    }
    for (unsigned i = 0; i < r->nrows; i++) {
        if (r->rows[i].bench != bench)
            continue;
        json_object_foreach(json_object_get(r->rows[i].json, RF_EVENTS), key,
                            value)
        {
            for (known = 0; known < n && strcmp(names[known], key);)
                known++;
            if (known < n)
                continue;
            names = xrealloc(names, (n + 2) * sizeof(*names));
            names[n++] = key;
            names[n] = NULL;
        }
    }
    return names;
}

static void put_event(FILE *out, const struct report_row *row, const char *name)
{
    char figure[FIGURE_MAX];
    double count, ticks;

    if (!row || !report_event(row, RF_EVENTS, name, &count)) {
        fputs("<td class=\"n soft\">–</td>", out);
        return;
    }
    fprintf(out, "<td class=\"n\">%s", table_figure(count, figure));
    if (report_event(row, RF_EVENT_TICKS, name, &ticks))
        fprintf(out, "<small>%s ticks</small>", table_figure(ticks, figure));
    fputs("</td>", out);
}

static void put_bench_events(FILE *out, const struct report *r, unsigned bench)
{
    const char **names = find_events(r, bench);
    bool *used = xcalloc(r->nseries, sizeof(*used));

    for (unsigned s = 0; s < r->nseries; s++) {
        const struct report_row *row = report_ok(r, bench, s);

        used[s] = row && json_object_get(row->json, RF_EVENTS);
    }
    if (names[0]) {
        html_tagged(out, "<details><summary>", r->benches[bench].label,
                    "</summary><div class=\"wide\"><table><tr><th>event</th>");
        for (unsigned s = 0; s < r->nseries; s++)
            if (used[s])
                html_tagged(out, "<th class=\"n\">", r->series[s].label,
                            "</th>");
        fputs("<th>meaning</th></tr>\n", out);
        for (const char **name = names; *name; name++) {
            int ev = event_find(*name);

            html_tagged(out, "<tr><td><code>", *name, "</code></td>");
            for (unsigned s = 0; s < r->nseries; s++)
                if (used[s])
                    put_event(out, report_ok(r, bench, s), *name);
            html_tagged(out, "<td>", ev < 0 ? "" : event_meanings[ev],
                        "</td></tr>\n");
        }
        fputs("</table></div></details>\n", out);
    }
    free(used);
    free(names);
}

/* ---- The rest --------------------------------------------------------- */

static void put_exits(FILE *out, const struct report_file *file)
{
    struct exits e;

    exits_collect(&e, file->json);
    if (e.nlines) {
        html_tagged(out, "<h3>Exits of ", e.label ? e.label : "KVM", "</h3>\n");
        html_tagged(out, "<p class=\"soft\">", exits_legend, "</p>\n");
        if (e.unsync)
            html_tagged(out, "<p class=\"soft\">", exits_unsync, "</p>\n");
        fputs("<div class=\"wide\"><table><tr><th>benchmark</th>", out);
        for (unsigned c = 0; c < e.ncolumns; c++)
            html_tagged(out, "<th>", e.columns[c], "</th>");
        fputs("<th>page-table work under shadow</th></tr>\n", out);
    }
    for (unsigned i = 0; i < e.nlines; i++) {
        const struct exits_line *line = &e.lines[i];

        html_tagged(out, "<tr><td>", line->bench, "</td>");
        for (unsigned c = 0; c < e.ncolumns; c++)
            html_tagged(out, "<td>", line->cell[c] ? line->cell[c] : "–",
                        "</td>");
        html_tagged(out, "<td>", line->work, "</td></tr>\n");
    }
    if (e.nlines)
        fputs("</table></div>\n", out);
    exits_free(&e);
}

static void put_sentence(void *opaque, const char *sentence)
{
    html_tagged(opaque, "<li>", sentence, "</li>\n");
}

static void put_missing(void *opaque, const char *status, const char *reason,
                        const char *rows)
{
    html_tagged(opaque, "<tr><td class=\"bad\">", status, "</td>");
    html_tagged(opaque, "<td>", reason, "</td>");
    html_tagged(opaque, "<td>", rows, "</td></tr>\n");
}

static void put_warning(void *opaque, const char *text, const char *advice,
                        const char *rows)
{
    html_tagged(opaque, "<li><span class=\"warn\">", text, "</span>");
    if (rows)
        html_tagged(opaque, " <span class=\"soft\">", rows, "</span>");
    if (advice)
        html_tagged(opaque, "<br>Advice: ", advice, "");
    fputs("</li>\n", opaque);
}

static void put_reading(FILE *out, const struct report *r)
{
    fputs("<h2 id=\"reading\">How to read it</h2>\n<ul>\n", out);
    if (r->instructions)
        fputs("<li>The unit is <b>retired guest instructions</b>: the run was "
              "deterministic, time is the count of instructions, and equal "
              "runs give equal numbers. Nothing here is a duration.</li>\n",
              out);
    else
        fputs("<li>A <b>tick</b> is one tick of the time-stamp counter, read "
              "inside the guest (native rows: inside the process). It is not "
              "a core clock cycle. The TSC's rate is given above.</li>\n",
              out);
    fputs("<li>Every benchmark alternates with a <b>control</b>: the same loop "
          "without the operation. Its cost is subtracted sample by sample, so "
          "a cheap operation may come out near 0 or below.</li>\n"
          "<li>Figures are <b>medians</b>; the small range is the 95 % "
          "bootstrap interval of the median. <b>Noisy</b>: the interval is "
          "wide against the median, or the control is unstable; don't rely on "
          "such a figure to better than its interval.</li>\n"
          "<li><b>Events</b> are counts per operation, the control's "
          "subtracted. Ticks below a count are what the VMM spent on that kind "
          "per operation, where it measured that.</li>\n"
          "<li>A <b>–</b> was not measured here. It is never a 0.</li>\n"
          "</ul>\n<details><summary>What each event means</summary>"
          "<dl class=\"inline\">\n",
          out);
    for (int ev = 0; ev < EV_COUNT; ev++) {
        html_tagged(out, "<dt><code>", event_names[ev], "</code></dt>");
        html_tagged(out, "<dd>", event_meanings[ev], "</dd>\n");
    }
    fputs("</dl></details>\n", out);
}

static void put_sheet(FILE *out, struct sheet *s)
{
    fputs("<div class=\"wide\"><table>\n", out);
    for (unsigned i = 0; i < s->rows; i++) {
        fputs("<tr>", out);
        for (unsigned k = 0; k < s->columns; k++) {
            bool number = s->cell[k][0] == '>';
            const char *text = s->cell[i * s->columns + k];

            if (!i)
                html_tagged(out, "<th>", text + number, "</th>");
            else
                html_tagged(out, number ? "<td class=\"n\">" : "<td>", text,
                            "</td>");
        }
        fputs("</tr>\n", out);
    }
    fputs("</table></div>\n", out);
    sheet_free(s);
}

static void put_oracle(FILE *out, const struct report *r)
{
    char *summary;
    struct sheet predicted = report_predicted(r);
    struct sheet compared = report_compared(r, &summary);

    if (predicted.rows > 1) {
        fputs("<h2 id=\"oracle\">Exits each technology would take</h2>\n"
              "<p class=\"soft\">Per operation, from what interp "
              "counted.</p>\n",
              out);
        put_sheet(out, &predicted);
    }
    if (compared.rows > 1) {
        fputs("<h2 id=\"compared\">Exits predicted and counted</h2>\n", out);
        html_tagged(out,
                    "<p class=\"soft\">Per operation, without the host's own "
                    "interrupts; ",
                    summary, ".</p>\n");
        put_sheet(out, &compared);
    }
    free(summary);
}

static bool all_ok(const struct report *r)
{
    for (unsigned i = 0; i < r->nrows; i++)
        if (r->rows[i].status != ROW_OK)
            return false;
    return true;
}

static bool any_warning(const struct report *r)
{
    for (unsigned i = 0; i < r->nfiles; i++)
        if (json_array_size(json_object_get(r->files[i].json, RF_WARNINGS)))
            return true;
    return false;
}

void report_html(const struct report *r, const struct report_plots *plots,
                 const char *dir, FILE *out)
{
    fputs("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
          "<meta name=\"viewport\" content=\"width=device-width\">\n"
          "<title>Trapmark report</title>\n<style>",
          out);
    fputs(style, out);
    fputs("</style></head><body>\n<h1>Trapmark report</h1>\n", out);
    for (unsigned i = 0; i < r->nfiles; i++)
        html_host(out, &r->files[i], dir);
    fputs("<h2 id=\"summary\">Summary</h2>\n<ul>\n", out);
    report_summary(r, put_sentence, out);
    fputs("</ul>\n", out);
    if (plots->why[0])
        html_tagged(out, "<p class=\"warn\">", plots->why, "</p>\n");
    for (const char *s = report_next_suite(r, NULL); s;
         s = report_next_suite(r, s)) {
        fputs("<h2 id=\"", out);
        html_text(out, s);
        html_tagged(out, "\">Suite ", s, "</h2>\n");
        fprintf(out,
                "<p class=\"soft\">%s per operation, control subtracted: "
                "median and 95 %% interval.</p>\n",
                report_unit_long(r));
        put_plots(out, plots, s);
        if (!strcmp(s, "tradeoff")) {
            fputs("<ul>\n", out);
            tradeoff_say(r, put_sentence, out);
            fputs("</ul>\n", out);
        }
        put_suite(out, r, s);
    }
    fputs("<h2 id=\"events\">Exits, faults and time in the VMM</h2>\n", out);
    put_plots(out, plots, NULL);
    for (unsigned i = 0; i < r->nfiles; i++)
        put_exits(out, &r->files[i]);
    fputs("<h3>Events per operation, by benchmark</h3>\n", out);
    for (unsigned b = 0; b < r->nbenches; b++)
        put_bench_events(out, r, b);
    put_oracle(out, r);
    if (!all_ok(r)) {
        fputs("<h2 id=\"missing\">Not measured</h2>\n<div class=\"wide\">"
              "<table><tr><th>status</th><th>reason</th><th>rows</th></tr>\n",
              out);
        report_missing(r, put_missing, out);
        fputs("</table></div>\n", out);
    }
    if (any_warning(r)) {
        fputs("<h2 id=\"warnings\">Warnings</h2>\n<ul>\n", out);
        report_warnings(r, put_warning, out);
        fputs("</ul>\n", out);
    }
    put_reading(out, r);
    fputs("</body></html>\n", out);
}
