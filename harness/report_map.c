/* Data of the trade-off's plots: the map of winners, and cuts through it. */
#include "report_tradeoff.h"
#include "report_tsv.h"
#include "table.h"
#include "util.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Opens PREFIX.NAME.tsv for each name. False: all are closed. */
static bool open_all(FILE **files, const char *const *names, unsigned n,
                     const char *prefix)
{
    for (unsigned i = 0; i < n; i++) {
        files[i] = tsv_open(prefix, names[i]);
        if (files[i])
            continue;
        while (i--)
            fclose(files[i]);
        return false;
    }
    return true;
}

static bool close_all(FILE **files, unsigned n)
{
    bool ok = true;

    for (unsigned i = 0; i < n; i++)
        ok &= tsv_close(files[i]);
    return ok;
}

/* ---- The legend: contenders of all maps, by name ---------------------- */

struct legend {
    const char **names, **policies;
    unsigned n;
};

static unsigned legend_key(struct legend *l, const struct report *r,
                           const struct tradeoff *m, unsigned who)
{
    unsigned i = 0;

    while (i < l->n && strcmp(l->names[i], m->names[who]))
        i++;
    if (i < l->n)
        return i;
    l->names = xrealloc(l->names, (i + 1) * sizeof(*l->names));
    l->policies = xrealloc(l->policies, (i + 1) * sizeof(*l->policies));
    l->names[i] = m->names[who];
    l->policies[i] = r->series[m->series[who]].variant.paging;
    l->n++;
    return i;
}

/* Contenders under one policy differ in paleness. */
static bool write_legend(const struct legend *l, const char *prefix)
{
    FILE *f = tsv_open(prefix, "keys");

    if (!f)
        return false;
    for (unsigned i = 0; i < l->n; i++) {
        unsigned before = 0;

        for (unsigned k = 0; k < i; k++)
            before += !strcmp(l->policies[k], l->policies[i]);
        tsv_field(f, l->policies[i]);
        fputc('\t', f);
        tsv_field(f, l->names[i]);
        fprintf(f, "\t%.2f\n", fmin(before * 0.3, 0.75));
    }
    return tsv_close(f);
}

/* ---- The map ---------------------------------------------------------- */

enum { PANELS, CELLS, TICS, BORDERS, MAP_FILES };

/* A line where the winner changes: where those on both sides are no tie. */
static void put_border(FILE *f, unsigned panel, const struct tradeoff_cell *a,
                       const struct tradeoff_cell *b, double x, double y,
                       int dx, int dy)
{
    bool tie = a->winner >= 0 && b->winner >= 0 && a->tied >> b->winner & 1 &&
               b->tied >> a->winner & 1;

    if (a->winner != b->winner && !tie)
        fprintf(f, "%u\t%.1f\t%.1f\t%d\t%d\n", panel, x, y, dx, dy);
}

static void put_panel(const struct report *r, const struct tradeoff *m,
                      unsigned panel, unsigned touch, struct legend *legend,
                      FILE **f)
{
    const struct tradeoff_axis *u = &m->axis[DIAL_UPDATES];
    const struct tradeoff_axis *s = &m->axis[DIAL_SWITCHES];

    for (unsigned x = 0; x < u->n; x++)
        fprintf(f[TICS], "%u\t0\t%u\t%llu\n", panel, x,
                (unsigned long long)u->values[x]);
    for (unsigned y = 0; y < s->n; y++) {
        fprintf(f[TICS], "%u\t1\t%u\t%llu\n", panel, y,
                (unsigned long long)s->values[y]);
        for (unsigned x = 0; x < u->n; x++) {
            const struct tradeoff_cell *c = tradeoff_at(m, x, y, touch);
            char figure[FIGURE_MAX], *tied;

            if (c->winner < 0)
                continue;
            tied = tradeoff_tied(m, c);
            fprintf(f[CELLS], "%u\t%u\t%u\t%u\t%d\t", panel, x, y,
                    legend_key(legend, r, m, c->winner), c->clear);
            if (tied)
                fprintf(f[CELLS], "≈ %s", tied);
            else if (c->margin > 0)
                fprintf(f[CELLS], "%s×", table_figure(c->margin, figure));
            fputc('\n', f[CELLS]);
            free(tied);
            if (x)
                put_border(f[BORDERS], panel, c,
                           tradeoff_at(m, x - 1, y, touch), x - 0.5, y - 0.5, 0,
                           1);
            if (y)
                put_border(f[BORDERS], panel, c,
                           tradeoff_at(m, x, y - 1, touch), x - 0.5, y - 0.5, 1,
                           0);
        }
    }
}

int tsv_map(const struct report *r, const char *suite, const char *prefix,
            struct tsv_sizes *sizes)
{
    static const char *const names[MAP_FILES] = {"panels", "cells", "tics",
                                                 "borders"};
    struct tradeoff *maps;
    unsigned n = tradeoff_find(r, &maps), panel = 0;
    struct legend legend = {0};
    struct text notes = {0};
    FILE *f[MAP_FILES];
    int lines = 0;
    bool ok = n > 0;

    (void)suite;
    if (!n)
        return 0;
    if (!open_all(f, names, MAP_FILES, prefix)) {
        tradeoff_free(maps, n);
        return -EIO;
    }
    for (unsigned i = 0; i < n; i++) {
        const struct tradeoff *m = &maps[i];
        unsigned touches = m->axis[DIAL_TOUCHES].n;

        for (unsigned k = 0; k < touches; k++, panel++) {
            fprintf(f[PANELS], "%u\t%.0f\t%u\t%u\t%u\t", i, sizes->rows, k,
                    m->axis[DIAL_UPDATES].n, m->axis[DIAL_SWITCHES].n);
            tsv_field(f[PANELS], m->name);
            fprintf(f[PANELS], ", touches %llu\n",
                    (unsigned long long)m->axis[DIAL_TOUCHES].values[k]);
            put_panel(r, m, panel, k, &legend, f);
        }
        sizes->columns = touches > sizes->columns ? touches : sizes->columns;
        sizes->rows += m->axis[DIAL_SWITCHES].n;
    }
    sizes->keys = legend.n;
    ok &= close_all(f, MAP_FILES);
    ok &= write_legend(&legend, prefix);
    text_add(&notes, "Colour: the cheapest policy. Figure: how many times as "
                     "much the next best costs. Pale: too close to tell from "
                     "those named, their 95 %% intervals overlap.\n");
    text_add(&notes, "Compared is what updates, switches and touches add to "
                     "1000 steps of computation, each batch against the bare "
                     "steps right after it: the clock's speed cancels.\n");
    text_add(&notes, "The dials are numbers per 1000 steps. "
                     "interp is a model of its policies: its times are those "
                     "of an interpreter.\n");
    lines = tsv_notes(prefix, &notes);
    free(legend.names);
    free(legend.policies);
    tradeoff_free(maps, n);
    if (!ok || lines < 0)
        return -EIO;
    sizes->notes = lines;
    return panel;
}

/* ---- Cuts ------------------------------------------------------------- */

/* What the time is split into, bottom up. */
static const struct part {
    const char *key, *label;
    enum tm_event events[4];
    unsigned n;
} parts[] = {
    {"fault.trace", "trace faults", {EV_FAULT_TRACE, EV_SHADOW_UNSYNC}, 2},
    {"fault.hidden", "hidden faults", {EV_FAULT_HIDDEN}, 1},
    {"ctx.switch",
     "switches",
     {EV_CTX_SWITCH, EV_EXIT_CR, EV_TLB_FLUSH, EV_SHADOW_SYNC},
     4},
    {"exit.invlpg", "INVLPG", {EV_EXIT_INVLPG}, 1},
    {"walk", "walks", {EV_TLB_MISS, EV_WALK_REFS}, 2},
};
#define PARTS (sizeof(parts) / sizeof(parts[0]))

/* What is counted where no time is charged to it, for the words at the end. */
static const struct {
    enum tm_event event;
    const char *word;
} counted[] = {
    {EV_FAULT_TRACE, "trace"}, {EV_FAULT_HIDDEN, "hidden"},
    {EV_CTX_SWITCH, "CR3"},    {EV_EXIT_INVLPG, "INVLPG"},
    {EV_WALK_REFS, "refs"},
};

enum { BARS, LABELS, CUT_PANELS, CUT_FILES };

struct cuts {
    const struct report *r;
    FILE *f[CUT_FILES];
    unsigned panel;
    double y, largest;
    int key[PARTS + 1]; /* in the legend, the last of all else; -1: unused */
};

static double part_ticks(const struct report_row *row, const struct part *p)
{
    double sum = 0, ticks;

    for (unsigned i = 0; i < p->n; i++)
        if (report_event(row, RF_EVENT_TICKS, event_names[p->events[i]],
                         &ticks) &&
            ticks > 0)
            sum += ticks;
    return sum;
}

static void put_counts(FILE *f, const struct report_row *row, double price)
{
    char figure[FIGURE_MAX], between = ':';
    double count;

    fprintf(f, "%s×", table_figure(price, figure));
    for (size_t i = 0; i < sizeof(counted) / sizeof(counted[0]); i++) {
        if (!report_event(row, RF_EVENTS, event_names[counted[i].event],
                          &count) ||
            count < 0.005)
            continue;
        if (count < 99.5)
            snprintf(figure, sizeof(figure), "%.3g", count);
        else
            table_figure(count, figure);
        fprintf(f, "%c %s %s", between, figure, counted[i].word);
        between = ',';
    }
}

/* In times of the bare steps. Ticks of events are means over all batches, the
 * whole is a median: what is more than the whole is cut in proportion. */
static void put_cut_bar(struct cuts *c, const struct report_row *row,
                        double price, const char *point, const char *who)
{
    double part[PARTS + 1], known = 0, from = 0, scale = 1, bare;
    double whole = fmax(price, 0);

    if (!result_real(row->json, RF_CONTROL_PER_OP, &bare) || bare <= 0)
        bare = INFINITY; /* nothing is charged to an event */
    for (unsigned i = 0; i < PARTS; i++)
        known += part[i] = part_ticks(row, &parts[i]) / bare;
    if (known > whole)
        scale = known > 0 ? whole / known : 0;
    part[PARTS] = fmax(whole - known, 0);
    for (unsigned i = 0; i <= PARTS; i++) {
        double to = from + part[i] * (i < PARTS ? scale : 1);

        if (to <= from)
            continue;
        fprintf(c->f[BARS], "%u\t%.3f\t%d\t%.9g\t%.9g\n", c->panel, c->y + 0.5,
                c->key[i], from, to);
        from = to;
    }
    fprintf(c->f[LABELS], "%u\t%.3f\t%s\t", c->panel, c->y + 0.5, point);
    tsv_field(c->f[LABELS], who);
    fprintf(c->f[LABELS], "\t%.9g\t", from);
    put_counts(c->f[LABELS], row, price);
    fputc('\n', c->f[LABELS]);
    c->largest = fmax(c->largest, whole);
    c->y += 1;
}

/* One panel: the dial goes through its values, the others stand in the middle.
 * The top of the next panel. */
static double put_cut(struct cuts *c, const struct tradeoff *m, int dial,
                      double top)
{
    unsigned at[DIALS];

    for (int d = 0; d < DIALS; d++)
        at[d] = m->axis[d].n / 2;
    c->y = c->largest = 0;
    for (unsigned v = 0; v < m->axis[dial].n; v++) {
        unsigned bench, n = 0;
        char *point = xformat("%s: %s %llu", m->name, tradeoff_dials[dial],
                              (unsigned long long)m->axis[dial].values[v]);

        at[dial] = v;
        bench = tradeoff_at(m, at[0], at[1], at[2])->bench;
        for (unsigned i = 0; bench != UINT_MAX && i < m->n; i++) {
            const struct report_row *row = report_ok(c->r, bench, m->series[i]);
            struct tradeoff_price price;

            if (tradeoff_price(row, &price))
                put_cut_bar(c, row, price.median, n++ ? "" : point,
                            m->names[i]);
        }
        c->y += n ? 0.5 : 0;
        free(point);
    }
    if (c->y <= 0 || c->largest <= 0)
        return top;
    fprintf(c->f[CUT_PANELS], "%.3f\t%.3f\t%.9g\n", top, c->y, c->largest);
    c->panel++;
    return top + c->y;
}

/* Numbers the parts that any row of the maps has ticks of. */
static unsigned write_parts(struct cuts *c, const struct tradeoff *maps,
                            unsigned n, const char *prefix)
{
    FILE *f = tsv_open(prefix, "keys");
    unsigned keys = 0;

    if (!f)
        return 0;
    for (unsigned p = 0; p < PARTS; p++) {
        bool used = false;

        for (unsigned i = 0; i < c->r->nrows && !used; i++) {
            const struct report_row *row = &c->r->rows[i];

            if (row->status != ROW_OK || part_ticks(row, &parts[p]) <= 0)
                continue;
            for (unsigned m = 0; m < n; m++)
                for (unsigned k = 0; k < maps[m].n; k++)
                    used |=
                        maps[m].series[k] == row->series &&
                        !strcmp(c->r->benches[row->bench].suite, "tradeoff");
        }
        c->key[p] = used ? (int)keys++ : -1;
        if (used)
            fprintf(f, "%s\t%s\t0\n", parts[p].key, parts[p].label);
    }
    c->key[PARTS] = keys++;
    fputs("guest\tall else\t0\n", f);
    return tsv_close(f) ? keys : 0;
}

int tsv_cuts(const struct report *r, const char *suite, const char *prefix,
             struct tsv_sizes *sizes)
{
    static const char *const names[CUT_FILES] = {"bars", "labels", "panels"};
    struct tradeoff *maps;
    unsigned n = tradeoff_find(r, &maps);
    struct cuts c = {.r = r};
    struct text notes = {0};
    int lines;
    bool ok;

    (void)suite;
    if (!n)
        return 0;
    if (!open_all(c.f, names, CUT_FILES, prefix)) {
        tradeoff_free(maps, n);
        return -EIO;
    }
    sizes->keys = write_parts(&c, maps, n, prefix);
    for (unsigned i = 0; i < n; i++) {
        for (int d = 0; d < DIALS; d++)
            if (maps[i].axis[d].n > 1)
                sizes->rows = put_cut(&c, &maps[i], d, sizes->rows);
        text_add(&notes, "%s, dials that aren't turned:", maps[i].name);
        for (int d = 0; d < DIALS; d++)
            text_add(&notes, "%s %s %llu", d ? "," : "", tradeoff_dials[d],
                     (unsigned long long)maps[i]
                         .axis[d]
                         .values[maps[i].axis[d].n / 2]);
        text_add(&notes, ".\n");
    }
    ok = close_all(c.f, CUT_FILES);
    sizes->columns = c.panel;
    text_add(&notes, "The figure is the whole, then counts per 1000 steps: "
                     "trace faults, hidden faults, CR3 loads, INVLPGs, memory "
                     "references of walks. What no time was charged to is in "
                     "\"all else\" with the guest's own.\n");
    lines = tsv_notes(prefix, &notes);
    tradeoff_free(maps, n);
    if (!ok || !sizes->keys || lines < 0)
        return -EIO;
    sizes->notes = lines;
    return c.panel;
}
