/* What the trade-off's maps say: tables, and sentences made from the numbers.
 */
#include "report_tradeoff.h"
#include "table.h"
#include "util.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef void sayer(void *opaque, const char *sentence);

static void say_text(struct text *t, sayer *say, void *opaque)
{
    if (t->len)
        say(opaque, t->text);
    free(t->text);
    *t = (struct text){0};
}

static unsigned cell_count(const struct tradeoff *m)
{
    return m->axis[0].n * m->axis[1].n * m->axis[2].n;
}

/* The indices of cell i. */
static void where(const struct tradeoff *m, unsigned i, unsigned at[DIALS])
{
    for (int d = 0; d < DIALS; d++) {
        at[d] = i % m->axis[d].n;
        i /= m->axis[d].n;
    }
}

static void add_range(struct text *t, const struct tradeoff *m, int dial,
                      unsigned low, unsigned high)
{
    const struct tradeoff_axis *a = &m->axis[dial];

    if (a->n < 2)
        return;
    text_add(t, "%s%s ", t->len ? ", " : "", tradeoff_dials[dial]);
    if (low == 0 && high == a->n - 1)
        text_add(t, "any");
    else if (low == high)
        text_add(t, "%llu", (unsigned long long)a->values[low]);
    else
        text_add(t, "%llu to %llu", (unsigned long long)a->values[low],
                 (unsigned long long)a->values[high]);
}

/* Where one contender wins clearly, and where by most. False: nowhere. */
static bool add_wins(struct text *t, const struct tradeoff *m, unsigned who)
{
    unsigned low[DIALS], high[DIALS] = {0}, at[DIALS], n = 0;
    const struct tradeoff_cell *best = NULL;
    struct text range = {0}, peak = {0};
    char figure[FIGURE_MAX];

    for (int d = 0; d < DIALS; d++)
        low[d] = UINT_MAX;
    for (unsigned i = 0; i < cell_count(m); i++) {
        const struct tradeoff_cell *c = &m->cells[i];

        if (c->winner != (int)who || !c->clear)
            continue;
        where(m, i, at);
        for (int d = 0; d < DIALS; d++) {
            low[d] = at[d] < low[d] ? at[d] : low[d];
            high[d] = at[d] > high[d] ? at[d] : high[d];
        }
        n++;
        if (!best || c->margin > best->margin)
            best = c;
    }
    if (!n)
        return false;
    for (int d = 0; d < DIALS; d++)
        add_range(&range, m, d, low[d], high[d]);
    where(m, best - m->cells, at);
    for (int d = 0; d < DIALS; d++)
        text_add(&peak, "%s%s %llu", d ? ", " : "", tradeoff_dials[d],
                 (unsigned long long)m->axis[d].values[at[d]]);
    text_add(t, "%s wins %u (", m->names[who], n);
    if (n > 1)
        text_add(t, "within %s%s", range.text ? range.text : "all of them",
                 best->margin > 0 ? "; at most " : "");
    if (best->margin > 0)
        text_add(t, "%s times cheaper than %s, ",
                 table_figure(best->margin, figure), m->names[best->second]);
    if (n == 1 || best->margin > 0)
        text_add(t, "at %s", peak.text);
    text_add(t, ")");
    free(range.text);
    free(peak.text);
    return true;
}

/* At how many points each contender is clearly dearer than the cheapest. */
static void add_beaten(struct text *t, const struct tradeoff *m)
{
    struct text list = {0};

    for (unsigned i = 0; i < m->n; i++) {
        unsigned n = 0;

        for (unsigned k = 0; k < cell_count(m); k++)
            n += m->cells[k].second >= 0 &&
                 (m->cells[k].measured & ~m->cells[k].tied) >> i & 1;
        if (n)
            text_list(&list, "%s at %u", m->names[i], n);
    }
    if (list.len)
        text_add(t, "; clearly dearer than the cheapest are %s", list.text);
    free(list.text);
}

static void say_map(const struct tradeoff *m, sayer *say, void *opaque)
{
    struct text t = {0}, never = {0}, all = {0};
    unsigned unclear = 0, alone = 0, wins = 0;

    for (unsigned i = 0; i < m->n; i++)
        text_list(&all, "%s", m->names[i]);
    for (unsigned i = 0; i < cell_count(m); i++) {
        const struct tradeoff_cell *c = &m->cells[i];

        alone += c->winner >= 0 && c->second < 0;
        unclear += c->second >= 0 && !c->clear;
    }
    text_add(&t,
             "Paging policies on %s (%s), at %u points of page-table updates, "
             "context switches and touches in 1000 steps, by what these cost "
             "in times of the steps' own time: ",
             m->name, all.text, cell_count(m));
    for (unsigned i = 0; i < m->n; i++) {
        size_t before = t.len;

        if (wins)
            text_add(&t, "; ");
        if (add_wins(&t, m, i)) {
            wins++;
            continue;
        }
        t.len = before;
        t.text[before] = '\0';
        text_list(&never, "%s", m->names[i]);
    }
    if (unclear)
        text_add(&t, "%s%u %s too close to tell", wins ? "; " : "", unclear,
                 unclear == 1 ? "is" : "are");
    if (alone)
        text_add(&t, "; %u have one policy only", alone);
    if (never.len)
        text_add(&t, "; %s win%s nowhere clearly", never.text,
                 strchr(never.text, ',') ? "" : "s");
    add_beaten(&t, m);
    text_add(&t, ".");
    free(never.text);
    free(all.text);
    say_text(&t, say, opaque);
}

/* ---- Where nested paging starts to pay -------------------------------- */

static bool is_nested(const struct report *r, unsigned series)
{
    const char *paging = r->series[series].variant.paging;

    return paging && !strcmp(paging, "nested");
}

/* Of the map's shadow policies the cheapest at a point; its median is INFINITY
 * where there is none. */
static struct tradeoff_price
best_shadow(const struct report *r, const struct tradeoff *m, unsigned bench)
{
    struct tradeoff_price best = {.median = INFINITY};

    for (unsigned i = 0; i < m->n; i++) {
        struct tradeoff_price price;

        if (!is_nested(r, m->series[i]) &&
            tradeoff_price(report_ok(r, bench, m->series[i]), &price) &&
            price.median < best.median)
            best = price;
    }
    return best;
}

/* From which number of updates on nested is the cheaper one, beyond both
 * intervals. The axis's n: nowhere; -1: unknown. */
static int pays_from(const struct report *r, const struct tradeoff *m,
                     unsigned nested, unsigned swap, unsigned touch)
{
    const struct tradeoff_axis *a = &m->axis[DIAL_UPDATES];
    int from = a->n, known = 0;

    for (int u = a->n - 1; u >= 0; u--) {
        unsigned bench = tradeoff_at(m, u, swap, touch)->bench;
        struct tradeoff_price price, shadow;

        if (bench == UINT_MAX)
            continue;
        shadow = best_shadow(r, m, bench);
        if (!isfinite(shadow.median) ||
            !tradeoff_price(report_ok(r, bench, nested), &price))
            continue;
        known = 1;
        if (price.high >= shadow.low)
            break;
        from = u;
    }
    return known ? from : -1;
}

static void say_payoff(const struct report *r, const struct tradeoff *m,
                       unsigned nested, sayer *say, void *opaque)
{
    const struct tradeoff_axis *updates = &m->axis[DIAL_UPDATES];
    struct text t = {0};
    bool model = !strcmp(r->series[nested].variant.backend, "interp");

    text_add(&t,
             "Nested paging (%s) against the best shadow policy of %s, where "
             "their 95 %% intervals don't overlap",
             r->series[nested].label, m->name);
    if (model)
        text_add(&t, ", a model in which walks, faults and exits all are "
                     "software");
    for (unsigned k = 0; k < m->axis[DIAL_TOUCHES].n; k++) {
        text_add(&t, "%s with touches %llu it pays ", k ? ";" : ":",
                 (unsigned long long)m->axis[DIAL_TOUCHES].values[k]);
        for (unsigned s = 0; s < m->axis[DIAL_SWITCHES].n; s++) {
            int from = pays_from(r, m, nested, s, k);
            unsigned long long at = m->axis[DIAL_SWITCHES].values[s];

            text_add(&t, s ? ", " : "");
            if (from < 0)
                text_add(&t, "(not measured) at switches %llu", at);
            else if (from == (int)updates->n)
                text_add(&t, "nowhere at switches %llu", at);
            else if (!from)
                text_add(&t, "everywhere at switches %llu", at);
            else
                text_add(&t, "from updates %llu on at switches %llu",
                         (unsigned long long)updates->values[from], at);
        }
    }
    text_add(&t, ".");
    say_text(&t, say, opaque);
}

/* Nested paging in hardware: kvm's, where it is nested. */
static int find_hardware(const struct report *r)
{
    for (unsigned i = 0; i < r->nrows; i++)
        if (r->rows[i].status == ROW_OK && is_nested(r, r->rows[i].series) &&
            !strcmp(r->benches[r->rows[i].bench].suite, "tradeoff") &&
            !strcmp(r->series[r->rows[i].series].variant.backend, "kvm"))
            return r->rows[i].series;
    return -1;
}

static bool any_row(const struct report *r)
{
    for (unsigned b = 0; b < r->nbenches; b++)
        if (!strcmp(r->benches[b].suite, "tradeoff"))
            return true;
    return false;
}

void tradeoff_say(const struct report *r, sayer *say, void *opaque)
{
    struct tradeoff *maps;
    unsigned n = tradeoff_find(r, &maps);
    int hardware = find_hardware(r);
    struct text t = {0};

    for (unsigned i = 0; i < n; i++) {
        say_map(&maps[i], say, opaque);
        for (unsigned k = 0; k < maps[i].n; k++)
            if (is_nested(r, maps[i].series[k]) && maps[i].n > 1)
                say_payoff(r, &maps[i], maps[i].series[k], say, opaque);
        if (hardware >= 0 && r->series[hardware].variant.file == maps[i].file &&
            strcmp(maps[i].backend, "kvm"))
            say_payoff(r, &maps[i], hardware, say, opaque);
    }
    if (hardware < 0 && any_row(r)) {
        const char *label = report_kvm_label(r, 0);

        text_add(&t, "From where on nested paging in hardware would pay on "
                     "this host isn't known: no row of kvm with nested paging "
                     "is here");
        if (label)
            text_add(&t, " (%s)", label);
        text_add(&t, "; trapmark lab counts its exits, and prices nothing.");
        say_text(&t, say, opaque);
    }
    tradeoff_free(maps, n);
}

/* ---- Tables ----------------------------------------------------------- */

static char *cell_text(const struct tradeoff *m, const struct tradeoff_cell *c)
{
    char figure[FIGURE_MAX], *tied, *text;

    if (c->winner < 0)
        return xstrdup("-");
    tied = tradeoff_tied(m, c);
    if (tied)
        text = xformat("%s ~ %s", m->names[c->winner], tied);
    else if (c->margin > 0)
        text = xformat("%s %sx", m->names[c->winner],
                       table_figure(c->margin, figure));
    else
        text = xstrdup(m->names[c->winner]);
    free(tied);
    return text;
}

static void print_map(const struct tradeoff *m, FILE *out)
{
    const struct tradeoff_axis *a = m->axis;
    unsigned n = a[DIAL_UPDATES].n;
    char **cells = xcalloc(n + 3, sizeof(*cells));
    struct table *t;

    cells[0] = xstrdup(">touches");
    cells[1] = xstrdup(">switches");
    for (unsigned u = 0; u < n; u++)
        cells[u + 2] = xformat("updates %llu",
                               (unsigned long long)a[DIAL_UPDATES].values[u]);
    t = table_new((const char *const *)cells);
    for (unsigned k = 0; k < a[DIAL_TOUCHES].n; k++)
        for (unsigned s = 0; s < a[DIAL_SWITCHES].n; s++) {
            for (unsigned i = 0; i < n + 2; i++)
                free(cells[i]);
            cells[0] =
                xformat("%llu", (unsigned long long)a[DIAL_TOUCHES].values[k]);
            cells[1] =
                xformat("%llu", (unsigned long long)a[DIAL_SWITCHES].values[s]);
            for (unsigned u = 0; u < n; u++)
                cells[u + 2] = cell_text(m, tradeoff_at(m, u, s, k));
            table_row(t, (const char *const *)cells);
        }
    fprintf(out,
            "\ntradeoff on %s: the cheapest policy, and how many times "
            "the next best costs,\nor which others it can't be told from (~); "
            "each batch against the same steps without paging right after "
            "it\n",
            m->name);
    table_print(t, out);
    table_free(t);
    for (unsigned i = 0; i < n + 2; i++)
        free(cells[i]);
    free(cells);
}

static void print_sentence(void *opaque, const char *sentence)
{
    fprintf(opaque, "  %s\n", sentence);
}

void tradeoff_tables(const struct report *r, FILE *out)
{
    struct tradeoff *maps;
    unsigned n = tradeoff_find(r, &maps);

    for (unsigned i = 0; i < n; i++)
        print_map(&maps[i], out);
    tradeoff_free(maps, n);
    if (!any_row(r))
        return;
    fputs("\nWhere each policy wins\n", out);
    tradeoff_say(r, print_sentence, out);
}
