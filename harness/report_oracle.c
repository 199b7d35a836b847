/* The exit oracle on the rows of a report: what interp's predict, and how that
 * compares with what kvm's counted. */
#include "report_oracle.h"
#include "oracle.h"
#include "table.h"
#include "util.h"

#include <stdlib.h>
#include <string.h>

void sheet_free(struct sheet *s)
{
    for (unsigned i = 0; i < s->columns * s->rows; i++)
        free(s->cell[i]);
    free(s->cell);
    *s = (struct sheet){0};
}

/* Takes the cells over. */
static void sheet_add(struct sheet *s, char *const *cells)
{
    s->cell = xrealloc(s->cell, (s->rows + 1) * s->columns * sizeof(*s->cell));
    memcpy(s->cell + s->rows * s->columns, cells, s->columns * sizeof(*cells));
    s->rows++;
}

static char *figure(double value)
{
    char text[16];

    return xstrdup(table_figure(value, text));
}

static void read_events(const struct report_row *row, double *events)
{
    for (int e = 0; e < EV_COUNT; e++)
        if (!report_event(row, RF_EVENTS, event_names[e], &events[e]))
            events[e] = 0;
}

static bool has_paging(const struct report_row *row, const char *paging)
{
    const char *p = result_text(row->json, RF_PAGING);

    return p && !strcmp(p, paging);
}

/* How well a row of interp under a policy tells about the technology; 0: not at
 * all. KVM's shadow paging fills 8 entries around a fault. */
static int fitness(const struct report_row *row, enum oracle_tech tech)
{
    const char *wanted = oracle_techs[tech].paging;
    const char *around = result_text(json_object_get(row->json, RF_PARAMS),
                                     "paging-fault-around");

    if (!strcmp(wanted, "nested"))
        return has_paging(row, "nested") ? 2 : has_paging(row, "none");
    if (!has_paging(row, wanted))
        return 0;
    return around && !strcmp(around, "8") ? 2 : 1;
}

/* The row of interp that tells most about the technology, or NULL. */
static const struct report_row *source(const struct report *r, unsigned bench,
                                       enum oracle_tech tech)
{
    const struct report_row *found = NULL;
    int best = 0;

    for (unsigned s = 0; s < r->nseries; s++) {
        const struct report_row *row = report_ok(r, bench, s);

        if (!row || strcmp(r->series[s].variant.backend, "interp") ||
            fitness(row, tech) <= best)
            continue;
        best = fitness(row, tech);
        found = row;
    }
    return found;
}

/* ---- Predictions --------------------------------------------------------- */

static bool asked_for(const struct report *r)
{
    for (unsigned i = 0; i < r->nrows; i++)
        if (r->rows[i].status == ROW_OK &&
            !strcmp(r->series[r->rows[i].series].variant.backend, "interp") &&
            (has_paging(&r->rows[i], "nested") ||
             has_paging(&r->rows[i], "unsync")))
            return true;
    return false;
}

struct sheet report_predicted(const struct report *r)
{
    struct sheet s = {.columns = 1 + ORACLE_TECHS};
    char *cells[1 + ORACLE_TECHS];

    if (!asked_for(r))
        return s;
    cells[0] = xstrdup("benchmark");
    for (int t = 0; t < ORACLE_TECHS; t++)
        cells[1 + t] = xformat(">%s", oracle_techs[t].name);
    sheet_add(&s, cells);
    for (unsigned b = 0; b < r->nbenches; b++) {
        bool any = false;

        for (int t = 0; t < ORACLE_TECHS; t++) {
            const struct report_row *row = source(r, b, (enum oracle_tech)t);
            double events[EV_COUNT], exits[EV_COUNT];

            cells[1 + t] = NULL;
            if (!row)
                continue;
            read_events(row, events);
            oracle_predict((enum oracle_tech)t, events, exits);
            cells[1 + t] = figure(exits[EV_EXIT_TOTAL]);
            any = true;
        }
        if (!any)
            continue;
        cells[0] = xstrdup(r->benches[b].label);
        for (int t = 0; t < ORACLE_TECHS; t++)
            if (!cells[1 + t])
                cells[1 + t] = xstrdup("-");
        sheet_add(&s, cells);
    }
    return s;
}

/* ---- Comparison ---------------------------------------------------------- */

/* What an ok row of kvm ran on; false: neither VT-x nor SVM, or exits not
 * counted.
 */
static bool technology(const struct report *r, const struct report_row *row,
                       enum oracle_tech *tech)
{
    json_t *host = json_object_get(r->files[row->file].json, RF_HOST);
    const char *module = result_text(json_object_get(host, RF_KVM), RF_MODULE);
    bool nested = has_paging(row, "nested");
    double total;

    if (row->status != ROW_OK || !module ||
        strcmp(result_text(row->json, RF_BACKEND), "kvm") ||
        !(nested || has_paging(row, "shadow")) ||
        !(report_event(row, RF_EVENTS, event_names[EV_EXIT_TOTAL], &total) ||
          result_text(row->json, RF_TIMES))) /* of the lab: none is 0 */
        return false;
    if (!strcmp(module, "kvm_amd"))
        *tech = nested ? ORACLE_NPT : ORACLE_SVM_SHADOW;
    else if (!strcmp(module, "kvm_intel"))
        *tech = nested ? ORACLE_EPT : ORACLE_VTX_SHADOW;
    else
        return false;
    return true;
}

/* Of next to nothing, no share is told. */
static char *difference(const struct oracle_verdict *v)
{
    if (v->agrees && v->difference > v->tolerance)
        return xstrdup("≤ 0.01");
    return xformat("%.1f %%%s", 100 * v->difference, v->agrees ? "" : " !");
}

/* The line that explains a difference; "" where there is none to explain. */
static char *explain(const struct oracle_verdict *v)
{
    char p[16], c[16];

    if (v->agrees)
        return xstrdup("");
    if (!v->by_reason)
        return xstrdup("not explained: the exits weren't counted by reason");
    table_figure(v->reason_predicted, p);
    table_figure(v->reason_counted, c);
    if (v->cause)
        return xformat("%s %s, counted %s: %s", event_names[v->reason], p, c,
                       v->cause);
    return xformat("not explained: %s %s, counted %s", event_names[v->reason],
                   p, c);
}

struct tally {
    unsigned rows, agree, unexplained;
};

static void compare_row(const struct report *r, const struct report_row *row,
                        struct sheet *s, struct tally tallies[2])
{
    double events[EV_COUNT], counted[EV_COUNT];
    const struct report_row *from;
    struct oracle_verdict v;
    struct tally *tally;
    enum oracle_tech tech;
    char *cells[6];

    if (!row || !technology(r, row, &tech))
        return;
    from = source(r, row->bench, tech);
    if (!from)
        return;
    read_events(from, events);
    read_events(row, counted);
    v = oracle_compare(tech, events, counted);
    cells[0] = xstrdup(r->benches[row->bench].label);
    cells[1] = xstrdup(oracle_techs[tech].name);
    cells[2] = figure(v.predicted);
    cells[3] = figure(v.counted);
    cells[4] = difference(&v);
    cells[5] = explain(&v);
    tally = &tallies[tech == ORACLE_SVM_SHADOW || tech == ORACLE_VTX_SHADOW];
    tally->rows++;
    tally->agree += v.agrees;
    tally->unexplained += !strncmp(cells[5], "not explained", 13);
    sheet_add(s, cells);
}

struct sheet report_compared(const struct report *r, char **summary)
{
    static const char *const headings[] = {"benchmark",   "technology",
                                           ">predicted",  ">counted",
                                           ">difference", "because"};
    struct sheet s = {.columns = 6};
    struct tally tallies[2] = {{0}};
    struct text text = {0};
    char *cells[6];

    for (int i = 0; i < 6; i++)
        cells[i] = xstrdup(headings[i]);
    sheet_add(&s, cells);
    for (unsigned b = 0; b < r->nbenches; b++) {
        for (unsigned i = 0; i < r->nseries; i++)
            compare_row(r, report_ok(r, b, i), &s, tallies);
        for (unsigned i = 0; i < r->ncounted; i++)
            if (r->counted[i].bench == b)
                compare_row(r, &r->counted[i], &s, tallies);
    }
    *summary = NULL;
    if (s.rows == 1) {
        sheet_free(&s);
        return s;
    }
    for (int k = 0; k < 2; k++) {
        const struct tally *t = &tallies[k];

        if (t->rows)
            text_list(&text,
                      "%s: %u of %u agree within %d %%, %u not explained",
                      k ? "shadow" : "nested", t->agree, t->rows, k ? 15 : 2,
                      t->unexplained);
    }
    *summary = text.text;
    return s;
}
