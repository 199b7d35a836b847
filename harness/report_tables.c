/* The report's tables on a terminal or in a pipe. */
#include "exits.h"
#include "report.h"
#include "report_oracle.h"
#include "report_profile.h"
#include "report_tradeoff.h"
#include "table.h"
#include "util.h"

#include <stdlib.h>
#include <string.h>

static char *cell(const struct report *r, unsigned bench, unsigned series)
{
    const struct report_row *row = report_find(r, bench, series);

    if (!row)
        return xstrdup("-");
    if (row->status != ROW_OK)
        return xstrdup(report_status_names[row->status]);
    return table_measured(row->median, row->low, row->high, row->noisy);
}

static char *relative_cell(const struct report *r, unsigned bench,
                           unsigned series)
{
    const struct report_row *row = report_ok(r, bench, series);
    struct ratio ratio;

    if (!row || !report_relative(r, row, &ratio))
        return xstrdup("-");
    return table_ratio(ratio.median, ratio.noisy);
}

/* Whether the series has a ratio in the suite. */
static bool has_ratio(const struct report *r, const char *suite,
                      unsigned series)
{
    struct ratio ratio;

    for (unsigned i = 0; i < r->nrows; i++)
        if (r->rows[i].series == series &&
            !strcmp(r->benches[r->rows[i].bench].suite, suite) &&
            report_relative(r, &r->rows[i], &ratio))
            return true;
    return false;
}

static void free_cells(char **cells)
{
    for (; *cells; cells++) {
        free(*cells);
        *cells = NULL;
    }
}

/* Benchmarks down, series across; with relative, ratios instead of figures. */
static void suite_table(const struct report *r, const char *suite,
                        bool relative, FILE *out)
{
    unsigned *columns = xcalloc(r->nseries, sizeof(*columns)), n = 0;
    char **cells = xcalloc(r->nseries + 3, sizeof(*cells));
    struct table *t;

    for (unsigned s = 0; s < r->nseries; s++)
        if (relative ? has_ratio(r, suite, s) : report_has_column(r, suite, s))
            columns[n++] = s;
    if (!n)
        goto done;
    if (relative)
        fprintf(out, "\n%s: times native, batch by batch of the same round\n",
                suite);
    else
        fprintf(out,
                "\n%s: %s per operation, control subtracted "
                "(median and 95 %% interval)\n",
                suite, report_unit_long(r));
    cells[0] = xstrdup("benchmark");
    for (unsigned i = 0; i < n; i++)
        cells[i + 1] = xformat(">%s", r->series[columns[i]].label);
    cells[n + 1] = relative ? NULL : xstrdup("one operation");
    t = table_new((const char *const *)cells);
    for (unsigned b = 0; b < r->nbenches; b++) {
        if (strcmp(r->benches[b].suite, suite) || !report_has_line(r, b))
            continue;
        free_cells(cells);
        cells[0] = xstrdup(r->benches[b].label);
        for (unsigned i = 0; i < n; i++)
            cells[i + 1] = relative ? relative_cell(r, b, columns[i])
                                    : cell(r, b, columns[i]);
        if (!relative)
            cells[n + 1] = xstrdup(r->benches[b].op ? r->benches[b].op : "");
        table_row(t, (const char *const *)cells);
    }
    table_print(t, out);
    table_free(t);
    free_cells(cells);
done:
    free(cells);
    free(columns);
}

struct section {
    FILE *out;
    const char *title;
    bool open;
};

static void section_open(struct section *s)
{
    if (!s->open)
        fprintf(s->out, "\n%s\n", s->title);
    s->open = true;
}

static void print_missing(void *opaque, const char *status, const char *reason,
                          const char *rows)
{
    struct section *s = opaque;

    section_open(s);
    fprintf(s->out, "  %s: %s\n    %s\n", status, reason, rows);
}

static void print_sentence(void *opaque, const char *sentence)
{
    fprintf(opaque, "  %s\n", sentence);
}

static void print_warning(void *opaque, const char *text, const char *advice,
                          const char *rows)
{
    struct section *s = opaque;

    section_open(s);
    fprintf(s->out, "  %s\n", text);
    if (rows)
        fprintf(s->out, "    %s\n", rows);
    if (advice)
        fprintf(s->out, "    advice: %s\n", advice);
}

static void print_sheet(struct sheet *s, FILE *out)
{
    char **headings = xcalloc(s->columns + 1, sizeof(*headings));
    struct table *t;

    memcpy(headings, s->cell, s->columns * sizeof(*headings));
    t = table_new((const char *const *)headings);
    for (unsigned i = 1; i < s->rows; i++)
        table_row(t, (const char *const *)s->cell + i * s->columns);
    table_print(t, out);
    table_free(t);
    free(headings);
    sheet_free(s);
}

static void print_oracle(const struct report *r, FILE *out)
{
    char *summary;
    struct sheet predicted = report_predicted(r);
    struct sheet compared = report_compared(r, &summary);

    if (predicted.rows > 1) {
        fputs("\nExits per operation that each technology would take, from "
              "what interp counted\n",
              out);
        print_sheet(&predicted, out);
    }
    if (compared.rows > 1) {
        fprintf(out,
                "\nExits per operation, predicted and counted (without the "
                "host's own interrupts)\n%s\n",
                summary);
        print_sheet(&compared, out);
    }
    free(summary);
}

void report_tables(const struct report *r, FILE *out)
{
    struct section missing = {.out = out, .title = "Not measured"};
    struct section warnings = {.out = out, .title = "Warnings"};
    bool noisy = false;

    fputs("Summary\n", out);
    report_summary(r, print_sentence, out);
    for (const char *s = report_next_suite(r, NULL); s;
         s = report_next_suite(r, s)) {
        suite_table(r, s, false, out);
        suite_table(r, s, true, out);
    }
    tradeoff_tables(r, out);
    profile_table(r, out);
    for (unsigned i = 0; i < r->nrows; i++)
        noisy |= r->rows[i].noisy;
    if (noisy)
        fputs("\n~ noisy: not known to 5 %, or the control varies as much\n",
              out);
    for (unsigned i = 0; i < r->nfiles; i++) {
        struct exits exits;

        exits_collect(&exits, r->files[i].json);
        exits_print(&exits, out);
        exits_free(&exits);
    }
    print_oracle(r, out);
    report_missing(r, print_missing, &missing);
    report_warnings(r, print_warning, &warnings);
}
