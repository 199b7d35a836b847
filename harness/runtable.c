/* The tables that `run` prints. */
#include "runtable.h"
#include "ratio.h"
#include "table.h"
#include "util.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const json_t *run_of(const struct session *s, size_t line, size_t column)
{
    return s->plan.rows[line * s->plan.column_count + column].json;
}

static bool is_ok(const json_t *run)
{
    return run && !strcmp(result_text(run, RF_STATUS), RF_STATUS_OK);
}

/* Has times that compare with others. */
static bool is_timed(const json_t *run)
{
    return is_ok(run) && !result_text(run, RF_TIMES);
}

static bool median_of(const json_t *run, double *median)
{
    return is_timed(run) && result_real(json_object_get(run, RF_TICKS_PER_OP),
                                        RF_MEDIAN, median);
}

/* KVM says in its heading what drives it. */
static char *heading(const struct session *s, size_t column)
{
    const struct row_column *c = &s->plan.columns[column];
    const char *name = c->backend->name;
    const struct kvm_facts *k = &s->host.kvm;

    if (k->available && (!strcmp(name, "kvm") || !strcmp(name, "qemu-kvm")))
        return xformat(">%s (%s)", c->label, k->module);
    return xformat(">%s", c->label);
}

/* "1234 ±2%", "~" where noisy; a word where there is no figure. */
static char *figure_cell(const json_t *run)
{
    const json_t *figure = json_object_get(run, RF_TICKS_PER_OP);
    const json_t *interval = json_object_get(figure, RF_CI95);
    double median, low, high;

    if (!run)
        return xstrdup("");
    if (!median_of(run, &median))
        return xstrdup(strcmp(result_text(run, RF_STATUS), RF_STATUS_SKIPPED)
                           ? result_text(run, RF_STATUS)
                           : "-");
    low = json_number_value(json_array_get(interval, 0));
    high = json_number_value(json_array_get(interval, 1));
    return table_measured(median, low, high,
                          json_is_true(json_object_get(run, RF_NOISY)));
}

static char *ratio_cell(const json_t *run, const json_t *native)
{
    struct ratio r;

    if (!is_timed(run) || !is_timed(native) || !ratio_of(run, native, &r))
        return xstrdup("");
    return table_ratio(r.median, r.noisy);
}

static bool in_suite(const struct session *s, size_t line, const char *suite)
{
    return !strcmp(s->plan.lines[line].bench->note.suite, suite);
}

/* One table of a suite. native: the column to divide by, or -1 for figures. */
static void print_matrix(const struct session *s, const char *suite, int native,
                         FILE *out)
{
    size_t n = s->plan.column_count;
    char **cells = xcalloc(n + 2, sizeof(*cells));
    struct table *t;

    cells[0] = xstrdup("BENCHMARK");
    for (size_t j = 0; j < n; j++)
        cells[j + 1] = heading(s, j);
    t = table_new((const char *const *)cells);
    for (size_t i = 0; i < s->plan.line_count; i++) {
        if (!in_suite(s, i, suite))
            continue;
        for (size_t j = 0; j <= n; j++)
            free(cells[j]);
        cells[0] = xstrdup(s->plan.lines[i].label);
        for (size_t j = 0; j < n; j++)
            cells[j + 1] =
                native < 0 ? figure_cell(run_of(s, i, j))
                           : ratio_cell(run_of(s, i, j), run_of(s, i, native));
        table_row(t, (const char *const *)cells);
    }
    table_print(t, out);
    table_free(t);
    for (size_t j = 0; j <= n; j++)
        free(cells[j]);
    free(cells);
}

static int native_column(const struct session *s)
{
    for (size_t j = 0; j < s->plan.column_count; j++)
        if (!strcmp(s->plan.columns[j].backend->name, "native"))
            return j;
    return -1;
}

static bool any_ok(const struct session *s, const char *suite, int column)
{
    for (size_t i = 0; i < s->plan.line_count; i++)
        if (in_suite(s, i, suite) && is_ok(run_of(s, i, column)))
            return true;
    return false;
}

static void print_suites(const struct session *s, FILE *out)
{
    const char *unit = s->options->deterministic ? "instructions" : "TSC ticks";
    int native = native_column(s);
    const char *last = "";

    /* Benchmarks are sorted by suite. */
    for (size_t i = 0; i < s->plan.line_count; i++) {
        const char *suite = s->plan.lines[i].bench->note.suite;

        if (!strcmp(suite, last))
            continue;
        last = suite;
        fprintf(out, "\n%s: %s per operation, median %s 95 %% interval\n",
                suite, unit, table_plus_minus());
        print_matrix(s, suite, -1, out);
        if (native < 0 || !any_ok(s, suite, native))
            continue;
        fprintf(out, "\n%s: times native, batch by batch of the same round\n",
                suite);
        print_matrix(s, suite, native, out);
    }
}

/* What the short headings and marks stand for, where they occur. */
static void print_legend(const struct session *s, FILE *out)
{
    bool noisy = false, kvm = false;

    for (size_t j = 0; j < s->plan.column_count; j++) {
        const char *name = s->plan.columns[j].backend->name;

        kvm |= !strcmp(name, "kvm") || !strcmp(name, "qemu-kvm");
        for (size_t i = 0; i < s->plan.line_count; i++)
            noisy |= json_is_true(json_object_get(run_of(s, i, j), RF_NOISY));
    }
    if (!noisy && !(kvm && s->host.kvm.available))
        return;
    fputc('\n', out);
    if (kvm && s->host.kvm.available)
        fprintf(out, "kvm here: %s\n", s->host.kvm.label);
    if (noisy)
        fputs("~ noisy: not known to 5 %; close other programs, or raise "
              "--samples or --batch-us\n",
              out);
}

/* Whether the row isn't ok, for the same reason. */
static bool shares(const struct session *s, size_t line, size_t column,
                   const json_t *run)
{
    const json_t *other = run_of(s, line, column);

    return other && !is_ok(other) &&
           !strcmp(result_text(other, RF_STATUS),
                   result_text(run, RF_STATUS)) &&
           !strcmp(result_text(other, RF_REASON), result_text(run, RF_REASON));
}

/* The end of the lines of one benchmark that begin at the given one, if all of
 * them share the reason; else the given one's successor. */
static size_t sharing_points(const struct session *s, size_t line,
                             size_t column, const json_t *run)
{
    const struct bench_info *b = s->plan.lines[line].bench;
    size_t i = line;

    if (line && s->plan.lines[line - 1].bench == b)
        return line + 1;
    for (; i < s->plan.line_count && s->plan.lines[i].bench == b; i++)
        if (!shares(s, i, column, run))
            return line + 1;
    return i;
}

/* Rows of one column that share status and reason are one line. */
static void print_reason(const struct session *s, size_t line, size_t column,
                         bool *told, FILE *out)
{
    const json_t *run = run_of(s, line, column);
    const char *comma = "";
    size_t next;

    fprintf(out, "%-8s %s: ", result_text(run, RF_STATUS),
            s->plan.columns[column].label);
    for (size_t i = line; i < s->plan.line_count; i = next) {
        next = i + 1;
        if (!shares(s, i, column, run))
            continue;
        next = sharing_points(s, i, column, run);
        for (size_t k = i; k < next; k++)
            told[k * s->plan.column_count + column] = true;
        fprintf(out, "%s%s", comma,
                next > i + 1 ? s->plan.lines[i].bench->note.name
                             : s->plan.lines[i].label);
        comma = ", ";
    }
    fprintf(out, "\n         %s\n", result_text(run, RF_REASON));
}

static void print_reasons(const struct session *s, FILE *out)
{
    size_t n = s->plan.column_count;
    bool *told = xcalloc(s->plan.line_count * n, sizeof(*told));
    const char *before = "\n";

    for (size_t j = 0; j < n; j++)
        for (size_t i = 0; i < s->plan.line_count; i++) {
            const json_t *run = run_of(s, i, j);

            if (!run || is_ok(run) || told[i * n + j])
                continue;
            fputs(before, out);
            before = "";
            print_reason(s, i, j, told, out);
        }
    free(told);
}

/* Those about single rows are marked in the tables already. */
static void print_warnings(const struct session *s, FILE *out)
{
    const char *before = "\n";
    json_t *warning;
    size_t i;

    json_array_foreach(json_object_get(s->file, RF_WARNINGS), i, warning)
    {
        const char *advice = result_text(warning, RF_ADVICE);

        if (result_text(warning, RF_BENCH))
            continue;
        fprintf(out, "%swarning: %s\n", before, result_text(warning, RF_TEXT));
        before = "";
        if (advice)
            fprintf(out, "         %s\n", advice);
    }
}

void runtable_print(const struct session *s, FILE *out)
{
    print_suites(s, out);
    print_legend(s, out);
    print_reasons(s, out);
    print_warnings(s, out);
}
