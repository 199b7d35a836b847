/* Data of the grouped bars: cost per operation, time relative to native. */
#include "report_bars.h"
#include "table.h"
#include "util.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Heights in bars. */
#define GROUP_GAP 0.6
#define HEADING 1.6
#define COLUMN_ROWS 34 /* more than these make two columns of families, */
#define LONG_ROWS 120  /* and more than these of any benchmarks */

/* Benchmarks whose costs are worth comparing stand together. A name that ends
 * with '*' is a prefix. */
static const struct {
    const char *title;
    const char *names[12];
} families[] = {
    {"Devices and the VMM", {"in", "out", "mmio-*", "hypercall", "hlt-timer"}},
    {"Processor state",
     {"cr8wr", "cpuid", "rdtsc", "rdmsr", "wrmsr", "cli-sti", "pushf-popf"}},
    {"Memory management", {"pgfault", "ptemod*", "cr3-write", "invlpg"}},
    {"Control transfers",
     {"syscall", "callret", "divzero", "int3", "ud2", "iret-*"}},
};
#define FAMILIES (sizeof(families) / sizeof(families[0]))

static bool name_matches(const char *pattern, const char *name)
{
    size_t len = strlen(pattern);

    if (len && pattern[len - 1] == '*')
        return !strncmp(pattern, name, len - 1);
    return !strcmp(pattern, name);
}

/* The family's index; FAMILIES for those in none. */
static unsigned family_of(const struct report_bench *b)
{
    if (strcmp(b->suite, "micro"))
        return FAMILIES;
    for (unsigned i = 0; i < FAMILIES; i++)
        for (unsigned k = 0; k < 12 && families[i].names[k]; k++)
            if (name_matches(families[i].names[k], b->name))
                return i;
    return FAMILIES;
}

static bool get_bar(const struct bars *p, unsigned bench, unsigned series,
                    struct bar *bar)
{
    if (p->suite && strcmp(p->r->benches[bench].suite, p->suite))
        return false;
    return p->get(p, bench, series, bar);
}

/* How many bars the benchmark has. */
static unsigned count_bars(const struct bars *p, unsigned bench)
{
    struct bar bar;
    unsigned n = 0;

    for (unsigned s = 0; s < p->r->nseries; s++)
        n += get_bar(p, bench, s, &bar) && bar.value >= p->floor;
    return n;
}

static void put_label(struct bars *p, double y, const char *text, bool heading)
{
    fprintf(p->labels, "%u\t%.3f\t", p->column, y);
    tsv_field(p->labels, text);
    fprintf(p->labels, "\t%d\n", heading);
}

static void put_bench(struct bars *p, unsigned bench)
{
    const struct report *r = p->r;
    double *y = &p->y[p->column], top = *y;
    struct bar bar;
    char figure[FIGURE_MAX];

    for (unsigned s = 0; s < r->nseries; s++) {
        if (!get_bar(p, bench, s, &bar) || bar.value < p->floor)
            continue;
        fprintf(p->bars, "%u\t%.3f\t%d\t%.9g\t%.9g\t%.9g\t%.9g\t%d\t%s%s\n",
                p->column, *y + 0.5, p->key[s],
                p->base > 0 ? p->base : p->floor, bar.value,
                fmax(bar.low, p->floor), fmax(bar.high, p->floor), bar.noisy,
                table_figure(bar.value, figure), p->mark ? p->mark : "");
        *y += 1;
        p->count++;
    }
    if (*y > top) {
        put_label(p, (*y + top) / 2, r->benches[bench].label, false);
        *y += GROUP_GAP;
    }
}

static unsigned group_of(const struct bars *p, unsigned bench)
{
    return p->families ? family_of(&p->r->benches[bench]) : FAMILIES;
}

static double family_height(const struct bars *p, unsigned family)
{
    double height = 0;

    for (unsigned b = 0; b < p->r->nbenches; b++) {
        if (group_of(p, b) != family)
            continue;
        if (count_bars(p, b))
            height += count_bars(p, b) + GROUP_GAP;
    }
    return height > 0 && p->families ? height + HEADING : height;
}

/* Families, or benchmarks where there are none, fill the left column until it
 * holds half of all. */
static void put_families(struct bars *p, unsigned *columns)
{
    double total = 0;

    for (unsigned f = 0; f <= FAMILIES; f++)
        total += family_height(p, f);
    *columns = total > (p->families ? COLUMN_ROWS : LONG_ROWS) ? 2 : 1;
    for (unsigned f = 0; f <= FAMILIES; f++) {
        double height = family_height(p, f);

        if (height <= 0)
            continue;
        if (*columns == 2 && p->families && p->y[0] + height / 2 > total / 2)
            p->column = 1;
        if (p->families) {
            put_label(p, p->y[p->column] + 0.8,
                      f < FAMILIES ? families[f].title : "Others", true);
            p->y[p->column] += HEADING;
        }
        for (unsigned b = 0; b < p->r->nbenches; b++) {
            if (group_of(p, b) != f)
                continue;
            if (*columns == 2 && !p->families && p->y[0] >= total / 2)
                p->column = 1;
            put_bench(p, b);
        }
    }
}

/* Numbers the series that have a bar. Returns how many. */
static unsigned find_keys(struct bars *p)
{
    const struct report *r = p->r;
    struct bar bar;
    unsigned n = 0;

    for (unsigned s = 0; s < r->nseries; s++) {
        bool used = false;

        for (unsigned b = 0; b < r->nbenches && !used; b++)
            used = get_bar(p, b, s, &bar) && bar.value >= p->floor;
        p->key[s] = used ? (int)n++ : -1;
    }
    return n;
}

static int put_keys(const struct bars *p, const char *prefix)
{
    FILE *f = tsv_open(prefix, "keys");

    if (!f)
        return -errno;
    for (unsigned s = 0; s < p->r->nseries; s++) {
        if (p->key[s] < 0)
            continue;
        if (p->put_key) {
            p->put_key(p, s, f);
            continue;
        }
        tsv_field(f, p->r->series[s].variant.backend);
        fputc('\t', f);
        tsv_field(f, p->r->series[s].label);
        fprintf(f, "\t%.2f\n", report_paleness(p->r, s));
    }
    return tsv_close(f) ? 0 : -EIO;
}

/* Logarithmic axes begin at a power of ten below the least bar, and not below
 * 0.1: less than a tenth of a tick is not a cost. */
static double axis_floor(const struct bars *p)
{
    double least = INFINITY;
    struct bar bar;

    for (unsigned b = 0; b < p->r->nbenches; b++) {
        for (unsigned s = 0; s < p->r->nseries; s++)
            if (get_bar(p, b, s, &bar) && bar.value >= 0.1)
                least = fmin(least, bar.value);
    }
    return isfinite(least) ? fmax(0.1, pow(10, floor(log10(least * 0.999))))
                           : 0.1;
}

/* What lies below the axis's end. */
static void note_unseen(const struct bars *p, struct text *notes)
{
    const struct report *r = p->r;
    struct text list = {0};

    for (unsigned s = 0; s < r->nseries; s++) {
        struct report_pick *picks = xcalloc(r->nbenches, sizeof(*picks));
        struct bar bar;

        for (unsigned b = 0; b < r->nbenches; b++) {
            picks[b].known = get_bar(p, b, s, &bar);
            picks[b].picked = picks[b].known && bar.value < p->floor;
        }
        tsv_note_series(r, s, picks, &list);
        free(picks);
    }
    tsv_note(notes,
             "Too cheap for a logarithmic axis after subtracting the control, "
             "on ",
             &list);
}

int bars_write(struct bars *p, const char *prefix, struct text *notes,
               struct tsv_sizes *sizes)
{
    bool ok;
    int err;

    if (p->floor <= 0)
        p->floor = axis_floor(p);
    p->key = xcalloc(p->r->nseries, sizeof(*p->key));
    sizes->keys = find_keys(p);
    p->bars = tsv_open(prefix, "bars");
    p->labels = tsv_open(prefix, "labels");
    if (!p->bars || !p->labels) {
        err = -errno;
        if (p->bars)
            fclose(p->bars);
        free(p->key);
        free(notes->text);
        return err;
    }
    put_families(p, &sizes->columns);
    ok = tsv_close(p->bars);
    ok &= tsv_close(p->labels);
    note_unseen(p, notes);
    text_add(notes, "Thin lines: 95 %% interval of the median. Hatched: "
                    "noisy.\n");
    ok &= !put_keys(p, prefix);
    free(p->key);
    err = tsv_notes(prefix, notes);
    if (err < 0 || !ok)
        return -EIO;
    sizes->rows = fmax(p->y[0], p->y[1]);
    sizes->notes = err;
    return p->count;
}

bool bars_get_cost(const struct bars *p, unsigned bench, unsigned series,
                   struct bar *bar)
{
    const struct report_row *row = report_ok(p->r, bench, series);

    if (row)
        *bar = (struct bar){row->median, row->low, row->high, row->noisy};
    return row;
}

static bool get_relative(const struct bars *p, unsigned bench, unsigned series,
                         struct bar *bar)
{
    const struct report_row *row = report_ok(p->r, bench, series);
    struct ratio ratio;

    if (!row || !report_relative(p->r, row, &ratio))
        return false;
    *bar = (struct bar){ratio.median, ratio.low, ratio.high, ratio.noisy};
    return true;
}

static int write_suite(struct bars *p, const char *prefix,
                       struct tsv_sizes *sizes)
{
    struct text notes = {0};

    tsv_note_kvm(p->r, &notes);
    tsv_note_missing(p->r, p->suite, &notes);
    return bars_write(p, prefix, &notes, sizes);
}

int tsv_cost(const struct report *r, const char *suite, const char *prefix,
             struct tsv_sizes *sizes)
{
    struct bars p = {.r = r,
                     .suite = suite,
                     .get = bars_get_cost,
                     .families = !strcmp(suite, "micro")};

    /* It has a map of its own; as bars it is too long to read. */
    return strcmp(suite, "tradeoff") ? write_suite(&p, prefix, sizes) : 0;
}

int tsv_relative(const struct report *r, const char *suite, const char *prefix,
                 struct tsv_sizes *sizes)
{
    struct bars p = {.r = r,
                     .suite = suite,
                     .get = get_relative,
                     .mark = "×",
                     .base = 1,
                     .floor = 0.001};

    return write_suite(&p, prefix, sizes);
}
