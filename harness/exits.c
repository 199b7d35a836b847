/* The table of a hypervisor's exits, from the rows of a result file. */
#include "exits.h"
#include "report.h"
#include "resultfile.h"
#include "table.h"
#include "util.h"
#include "variant.h"

#include <stdlib.h>
#include <string.h>

const char exits_legend[] =
    "Exits per operation, then their kinds; the control's are subtracted. Host "
    "interrupts are left out: they follow the host's clock.\nPage-table work: "
    "the guest's own faults (true), filled shadow entries (hidden), writes to "
    "traced tables (trace), and shadow tables made, left out of sync, brought "
    "in sync and dropped.";

const char exits_unsync[] =
    "KVM lets a leaf table go out of sync at the first store after a flush: of "
    "many stores to one table (ptemod) one exits, each to another table "
    "(trace-fault) does.";

/* Below this, a count is a stray event and not the operation's. */
#define SMALL 0.005

static double event_of(const json_t *run, const char *name)
{
    double value = 0;

    result_real(json_object_get(run, RF_EVENTS), name, &value);
    return value;
}

/* Figures as counts: "0", "1", "0.0312", "15.2". */
static void add_count(struct text *t, double value)
{
    if (value < SMALL)
        text_add(t, "0");
    else
        text_add(t, "%.3g", value);
}

/* Those of a prefix that are worth a word, as "pf 15, cr 3"; how many. */
static unsigned add_kinds(struct text *t, const json_t *run, const char *prefix,
                          const char *first)
{
    static const char *const not_kinds[] = {"exit.total", "exit.interrupt",
                                            "exit.emulated", "exit.signal"};
    size_t len = strlen(prefix);
    unsigned n = 0;

    for (int ev = 0; ev < EV_COUNT; ev++) {
        double value = event_of(run, event_names[ev]);
        bool kind = !strncmp(event_names[ev], prefix, len);

        for (size_t i = 0; i < sizeof(not_kinds) / sizeof(not_kinds[0]); i++)
            kind &= strcmp(event_names[ev], not_kinds[i]) != 0;
        if (!kind || value < SMALL)
            continue;
        text_add(t, "%s%s ", n++ ? ", " : first, event_names[ev] + len);
        add_count(t, value);
    }
    return n;
}

static char *cell_of(const json_t *run)
{
    const char *status = result_text(run, RF_STATUS);
    struct text t = {0}, kinds = {0};

    if (strcmp(status, RF_STATUS_OK))
        return xstrdup(status);
    if (add_kinds(&kinds, run, "exit.", "") == 1)
        return kinds.text;
    add_count(&t,
              event_of(run, "exit.total") - event_of(run, "exit.interrupt"));
    if (kinds.len)
        text_add(&t, ": %s", kinds.text);
    free(kinds.text);
    return t.text;
}

static char *work_of(const json_t *run)
{
    struct text t = {0};

    add_kinds(&t, run, "fault.", "");
    add_kinds(&t, run, "shadow.", t.len ? "; " : "");
    return t.text ? t.text : xstrdup("");
}

static bool counts_exits(const json_t *file, const json_t *run)
{
    const json_t *kvm = json_object_get(json_object_get(file, RF_HOST), RF_KVM);
    const char *module = result_text(kvm, RF_MODULE);
    const char *trace =
        result_text(json_object_get(run, RF_PARAMS), "kvm-trace");

    if (strcmp(result_text(run, RF_BACKEND), "kvm") ||
        !result_text(run, RF_PAGING) || !module || !trace ||
        strcmp(trace, "on"))
        return false;
    return !strcmp(module, "kvm_amd") || !strcmp(module, "kvm_intel");
}

static unsigned find_column(struct exits *e, const char *paging)
{
    unsigned i;

    for (i = 0; i < e->ncolumns && strcmp(e->columns[i], paging);)
        i++;
    if (i < e->ncolumns)
        return i;
    e->columns = xrealloc(e->columns, (i + 1) * sizeof(*e->columns));
    e->columns[e->ncolumns++] = xstrdup(paging);
    for (unsigned k = 0; k < e->nlines; k++) {
        e->lines[k].cell =
            xrealloc(e->lines[k].cell, e->ncolumns * sizeof(char *));
        e->lines[k].cell[i] = NULL;
    }
    return i;
}

static struct exits_line *find_line(struct exits *e, const json_t *run)
{
    char *point = variant_point("kvm", json_object_get(run, RF_PARAMS));
    char *bench = xformat("%s%s", result_text(run, RF_BENCH), point);
    struct exits_line *line;

    free(point);
    for (unsigned i = 0; i < e->nlines; i++) {
        if (strcmp(e->lines[i].bench, bench))
            continue;
        free(bench);
        return &e->lines[i];
    }
    e->lines = xrealloc(e->lines, (e->nlines + 1) * sizeof(*e->lines));
    line = &e->lines[e->nlines++];
    *line = (struct exits_line){
        .bench = bench,
        .cell = xcalloc(e->ncolumns ? e->ncolumns : 1, sizeof(char *)),
        .work = xstrdup(""),
    };
    return line;
}

void exits_collect(struct exits *e, const json_t *file)
{
    json_t *run;
    size_t i;

    memset(e, 0, sizeof(*e));
    e->label = result_text(
        json_object_get(json_object_get(file, RF_HOST), RF_KVM), RF_LABEL);
    json_array_foreach(json_object_get(file, RF_RUNS), i, run)
    {
        struct exits_line *line;
        unsigned column;

        if (!counts_exits(file, run))
            continue;
        column = find_column(e, result_text(run, RF_PAGING));
        line = find_line(e, run);
        free(line->cell[column]);
        line->cell[column] = cell_of(run);
        if (strcmp(e->columns[column], "shadow"))
            continue;
        free(line->work);
        line->work = work_of(run);
        e->unsync |= event_of(run, "shadow.unsync") > 0.5;
    }
}

void exits_free(struct exits *e)
{
    for (unsigned i = 0; i < e->nlines; i++) {
        for (unsigned c = 0; c < e->ncolumns; c++)
            free(e->lines[i].cell[c]);
        free(e->lines[i].cell);
        free(e->lines[i].bench);
        free(e->lines[i].work);
    }
    for (unsigned c = 0; c < e->ncolumns; c++)
        free(e->columns[c]);
    free(e->columns);
    free(e->lines);
    memset(e, 0, sizeof(*e));
}

void exits_print(const struct exits *e, FILE *out)
{
    const char **cells = xcalloc(e->ncolumns + 3, sizeof(*cells));
    struct table *t;

    if (!e->nlines) {
        free(cells);
        return;
    }
    fprintf(out, "\nExits of %s\n", e->label ? e->label : "KVM");
    cells[0] = "benchmark";
    for (unsigned c = 0; c < e->ncolumns; c++)
        cells[c + 1] = e->columns[c];
    cells[e->ncolumns + 1] = "page-table work under shadow";
    t = table_new(cells);
    for (unsigned i = 0; i < e->nlines; i++) {
        const struct exits_line *line = &e->lines[i];

        cells[0] = line->bench;
        for (unsigned c = 0; c < e->ncolumns; c++)
            cells[c + 1] = line->cell[c] ? line->cell[c] : "-";
        cells[e->ncolumns + 1] = line->work;
        table_row(t, cells);
    }
    table_print(t, out);
    table_free(t);
    fprintf(out, "%s\n", exits_legend);
    if (e->unsync)
        fprintf(out, "%s\n", exits_unsync);
    free(cells);
}
