/* The three-way trade-off: which paging policy wins where, and by how much. */
#include "report_tradeoff.h"
#include "ratio.h"
#include "util.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *const tradeoff_dials[DIALS] = {"updates", "switches", "touches"};

/* Where a row of the suite stands, or false. */
static bool dials_of(const struct report_row *row, uint64_t at[DIALS])
{
    const json_t *params = json_object_get(row->json, RF_PARAMS);

    for (int d = 0; d < DIALS; d++) {
        const char *text = result_text(params, tradeoff_dials[d]);

        if (!text || !parse_number(text, 0, INT64_MAX, &at[d]))
            return false;
    }
    return true;
}

bool tradeoff_price(const struct report_row *row, struct tradeoff_price *price)
{
    const json_t *samples, *control;
    struct stats_rounds rounds;
    double *ratio;
    size_t n;

    if (!row || row->status != ROW_OK)
        return false;
    samples = json_object_get(row->json, RF_SAMPLES);
    control = json_object_get(row->json, RF_CONTROL);
    n = json_array_size(samples);
    if (!n || json_array_size(control) != n)
        return false;
    ratio = xcalloc(n, sizeof(*ratio));
    for (size_t i = 0; i < n; i++) {
        double s = json_number_value(json_array_get(samples, i));
        double c = json_number_value(json_array_get(control, i));

        if (c <= 0) {
            free(ratio);
            return false;
        }
        ratio[i] = (s - c) / c;
    }
    ratio_rounds(row->json, n, &rounds);
    price->median = stats_median(ratio, n);
    stats_interval(ratio, &rounds, 1, &price->low, &price->high);
    free(ratio);
    return true;
}

static bool in_suite(const struct report *r, const struct report_row *row)
{
    return !strcmp(r->benches[row->bench].suite, "tradeoff");
}

/* ---- Building --------------------------------------------------------- */

static void add_value(struct tradeoff_axis *a, uint64_t value)
{
    unsigned i = 0;

    while (i < a->n && a->values[i] < value)
        i++;
    if (i < a->n && a->values[i] == value)
        return;
    a->values = xrealloc(a->values, (a->n + 1) * sizeof(*a->values));
    memmove(&a->values[i + 1], &a->values[i], (a->n - i) * sizeof(*a->values));
    a->values[i] = value;
    a->n++;
}

static unsigned index_of(const struct tradeoff_axis *a, uint64_t value)
{
    unsigned i = 0;

    while (i < a->n && a->values[i] != value)
        i++;
    return i;
}

struct tradeoff_cell *tradeoff_at(const struct tradeoff *m, unsigned update,
                                  unsigned swap, unsigned touch)
{
    const struct tradeoff_axis *a = m->axis;

    return &m->cells[(touch * a[DIAL_SWITCHES].n + swap) * a[DIAL_UPDATES].n +
                     update];
}

/* The label without its backend, which the map names: "bt/trace" is trace. */
static char *short_name(const struct report_series *s)
{
    size_t len = strlen(s->variant.backend);
    const char *rest = s->label + len;
    const char *file = strstr(s->label, " (");
    int n = file ? (int)(file - rest) : (int)strlen(rest);

    if (n > 1 && *rest == '/')
        return xformat("%.*s", n - 1, rest + 1);
    if (n > 2 && *rest == ',')
        return xformat("%.*s", n - 2, rest + 2);
    return xstrdup(s->variant.paging ? s->variant.paging : s->label);
}

static bool contends(const struct report *r, unsigned series)
{
    const char *paging = r->series[series].variant.paging;
    uint64_t at[DIALS];

    if (!paging || !strcmp(paging, "none"))
        return false;
    for (unsigned i = 0; i < r->nrows; i++)
        if (r->rows[i].series == series && r->rows[i].status == ROW_OK &&
            in_suite(r, &r->rows[i]) && dials_of(&r->rows[i], at))
            return true;
    return false;
}

static void judge(const struct report *r, const struct tradeoff *m,
                  struct tradeoff_cell *cell)
{
    struct tradeoff_price price[TRADEOFF_MOST];
    double best = INFINITY, next = INFINITY;

    cell->winner = cell->second = -1;
    for (unsigned i = 0; i < m->n && cell->bench != UINT_MAX; i++) {
        const struct report_row *row = report_ok(r, cell->bench, m->series[i]);

        if (!tradeoff_price(row, &price[i]))
            continue;
        cell->measured |= 1ull << i;
        if (price[i].median < best) {
            next = best;
            cell->second = cell->winner;
            best = price[i].median;
            cell->winner = i;
        } else if (price[i].median < next) {
            next = price[i].median;
            cell->second = i;
        }
    }
    if (cell->second < 0)
        return;
    if (price[cell->winner].low > 0)
        cell->margin = next / best;
    for (unsigned i = 0; i < m->n; i++)
        if (cell->measured >> i & 1 && price[i].low <= price[cell->winner].high)
            cell->tied |= 1ull << i;
    cell->clear = cell->tied == 1ull << cell->winner;
}

char *tradeoff_tied(const struct tradeoff *m, const struct tradeoff_cell *c)
{
    struct text t = {0};

    for (unsigned i = 0; i < m->n; i++)
        if (c->tied >> i & 1 && (int)i != c->winner)
            text_list(&t, "%s", m->names[i]);
    if (c->tied != c->measured || !t.text || !strchr(t.text, ','))
        return t.text;
    free(t.text);
    return xstrdup("all");
}

static void fill(const struct report *r, struct tradeoff *m)
{
    unsigned cells = 1;
    uint64_t at[DIALS];

    for (int pass = 0; pass < 2; pass++) {
        for (unsigned i = 0; i < r->nrows; i++) {
            const struct report_row *row = &r->rows[i];
            const struct variant *v = &r->series[row->series].variant;

            if (v->file != m->file || strcmp(v->backend, m->backend) ||
                row->status != ROW_OK || !in_suite(r, row) ||
                !dials_of(row, at))
                continue;
            for (int d = 0; d < DIALS && !pass; d++)
                add_value(&m->axis[d], at[d]);
            if (pass)
                tradeoff_at(m, index_of(&m->axis[0], at[0]),
                            index_of(&m->axis[1], at[1]),
                            index_of(&m->axis[2], at[2]))
                    ->bench = row->bench;
        }
        if (pass)
            continue;
        for (int d = 0; d < DIALS; d++)
            cells *= m->axis[d].n;
        m->cells = xcalloc(cells, sizeof(*m->cells));
        for (unsigned i = 0; i < cells; i++)
            m->cells[i].bench = UINT_MAX;
    }
    for (unsigned i = 0; i < cells; i++)
        judge(r, m, &m->cells[i]);
}

static void free_map(struct tradeoff *m)
{
    for (unsigned i = 0; i < m->n; i++)
        free(m->names[i]);
    for (int d = 0; d < DIALS; d++)
        free(m->axis[d].values);
    free(m->names);
    free(m->name);
    free(m->series);
    free(m->cells);
}

unsigned tradeoff_find(const struct report *r, struct tradeoff **maps)
{
    unsigned n = 0;

    *maps = NULL;
    /* Series of one backend and file stand together. */
    for (unsigned s = 0, end; s < r->nseries; s = end) {
        const struct variant *v = &r->series[s].variant;
        struct tradeoff m = {.file = v->file, .backend = v->backend};

        for (end = s;
             end < r->nseries && r->series[end].variant.file == v->file &&
             !strcmp(r->series[end].variant.backend, v->backend);
             end++) {
            if (m.n == TRADEOFF_MOST || !contends(r, end))
                continue;
            m.series = xrealloc(m.series, (m.n + 1) * sizeof(*m.series));
            m.names = xrealloc(m.names, (m.n + 1) * sizeof(*m.names));
            m.names[m.n] = short_name(&r->series[end]);
            m.series[m.n++] = end;
        }
        if (m.n < 2) {
            free_map(&m);
            continue;
        }
        m.name = r->nfiles > 1
                     ? xformat("%s (%s)", m.backend, r->files[m.file].name)
                     : xstrdup(m.backend);
        fill(r, &m);
        *maps = xrealloc(*maps, (n + 1) * sizeof(**maps));
        (*maps)[n++] = m;
    }
    return n;
}

void tradeoff_free(struct tradeoff *maps, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        free_map(&maps[i]);
    free(maps);
}
