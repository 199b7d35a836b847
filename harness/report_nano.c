/* Data of two plots: the paper's nanobenchmarks, and what bt's mechanisms buy.
 */
#include "report_bars.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Less of a difference isn't worth a bar. */
#define DIFFERENCE 1.05

/* ---- Nanobenchmarks --------------------------------------------------- */

static bool is_nano(const struct report_bench *b)
{
    static const char *const names[] = {
        "syscall", "in",          "cr8wr",       "callret",    "pgfault",
        "divzero", "ptemod-same", "ptemod-p2np", "ptemod-np2p"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (!strcmp(b->name, names[i]))
            return true;
    return false;
}

/* The paper's systems and their successors, each as it is meant to be; bt also
 * without its adaptation. */
static bool is_nano_series(const struct variant *v)
{
    static const char *const names[] = {"native", "direct", "bt", "kvm"};
    const struct backend *b = backend_find(v->backend);
    bool named = false;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        named |= !strcmp(v->backend, names[i]);
    if (b && b->policies && v->paging && strcmp(v->paging, b->policies[0]))
        return false;
    return named && variant_usual(v, "bt-adaptive");
}

static bool get_nano(const struct bars *p, unsigned bench, unsigned series,
                     struct bar *bar)
{
    return is_nano(&p->r->benches[bench]) &&
           is_nano_series(&p->r->series[series].variant) &&
           bars_get_cost(p, bench, series, bar);
}

int tsv_nano(const struct report *r, const char *suite, const char *prefix,
             struct tsv_sizes *sizes)
{
    struct bars p = {.r = r, .suite = suite, .get = get_nano};
    struct text notes = {0}, none = {0};
    unsigned drawn = 0;
    struct bar bar;

    for (unsigned s = 0; s < r->nseries; s++) {
        unsigned n = 0;

        for (unsigned b = 0; b < r->nbenches; b++)
            n += get_nano(&p, b, s, &bar);
        drawn += n > 0;
        if (!n && is_nano_series(&r->series[s].variant))
            text_list(&none, "%s", r->series[s].label);
    }
    /* One series is in the plot of the suite. */
    if (drawn < 2) {
        free(none.text);
        return 0;
    }
    tsv_note_kvm(r, &notes);
    tsv_note(&notes, "No figure of: ", &none);
    return bars_write(&p, prefix, &notes, sizes);
}

/* ---- Mechanisms of bt ------------------------------------------------- */

/* What a series of bt that lacks one mechanism is compared with: bt as it is
 * meant to be, in the same file and under the same policy. NULL: there is none,
 * or it is no such series. */
static const struct report_row *usual_row(const struct report *r,
                                          unsigned bench, unsigned series)
{
    const struct variant *v = &r->series[series].variant;

    if (strcmp(v->backend, "bt") || !variant_odd(v, NULL))
        return NULL;
    for (unsigned s = 0; s < r->nseries; s++) {
        const struct variant *other = &r->series[s].variant;

        if (other->file == v->file && !strcmp(other->backend, "bt") &&
            variant_usual(other, NULL) &&
            (other->paging == v->paging ||
             (other->paging && v->paging && !strcmp(other->paging, v->paging))))
            return report_ok(r, bench, s);
    }
    return NULL;
}

/* How many times the usual time it takes without a mechanism. */
static bool get_factor(const struct report *r, unsigned bench, unsigned series,
                       struct bar *bar)
{
    const struct report_row *row = report_ok(r, bench, series);
    const struct report_row *usual = usual_row(r, bench, series);
    struct ratio ratio;

    /* What can't be told from the control has no ratio. */
    if (!row || !usual || row->low <= 0 || usual->low <= 0 ||
        !ratio_of(row->json, usual->json, &ratio))
        return false;
    *bar = (struct bar){ratio.median, ratio.low, ratio.high, ratio.noisy};
    return true;
}

static bool differs(const struct report *r, unsigned bench)
{
    struct bar bar;

    for (unsigned s = 0; s < r->nseries; s++)
        if (get_factor(r, bench, s, &bar) &&
            (bar.low > DIFFERENCE || bar.high < 1 / DIFFERENCE))
            return true;
    return false;
}

static bool get_mechanism(const struct bars *p, unsigned bench, unsigned series,
                          struct bar *bar)
{
    const bool *wanted = p->opaque;

    return wanted[bench] && get_factor(p->r, bench, series, bar);
}

/* The option gives the colour. */
static void put_mechanism_key(const struct bars *p, unsigned series, FILE *keys)
{
    const struct report *r = p->r;
    char *words;
    const char *option = variant_odd(&r->series[series].variant, &words);
    unsigned before = 0;

    for (unsigned s = 0; s < series; s++) {
        const char *other = variant_odd(&r->series[s].variant, NULL);

        before += p->key[s] >= 0 && other && !strcmp(other, option);
    }
    fprintf(keys, "%s\t%s\t%.2f\n", option, words,
            before * 0.3 < 0.75 ? before * 0.3 : 0.75);
    free(words);
}

int tsv_mechanisms(const struct report *r, const char *suite,
                   const char *prefix, struct tsv_sizes *sizes)
{
    bool *wanted = calloc(r->nbenches + 1, sizeof(*wanted));
    struct bars p = {.r = r,
                     .get = get_mechanism,
                     .opaque = wanted,
                     .put_key = put_mechanism_key,
                     .mark = "×",
                     .base = 1,
                     .floor = 0.001};
    struct text notes = {0}, alike = {0};
    struct bar bar;
    unsigned n = 0;
    int err = 0;

    (void)suite;
    if (!wanted)
        return -ENOMEM;
    for (unsigned b = 0; b < r->nbenches; b++) {
        bool any = false;

        for (unsigned s = 0; s < r->nseries; s++)
            any |= get_factor(r, b, s, &bar);
        wanted[b] = any && differs(r, b);
        n += wanted[b];
        if (any && !wanted[b])
            text_list(&alike, "%s", r->benches[b].label);
    }
    if (n) {
        tsv_note(&notes,
                 "No bar, as their intervals leave less than 5 % of "
                 "difference: ",
                 &alike);
        err = bars_write(&p, prefix, &notes, sizes);
    }
    free(alike.text);
    free(wanted);
    return err;
}
