/* What the data say, in sentences that are derived from nothing else. */
#include "report.h"
#include "table.h"
#include "util.h"

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

static void say_counts(const struct report *r, sayer *say, void *opaque)
{
    unsigned count[4] = {0}, noisy = 0;
    struct text t = {0};

    for (unsigned i = 0; i < r->nrows; i++) {
        count[r->rows[i].status]++;
        noisy += r->rows[i].noisy;
    }
    if (!r->nrows) {
        text_add(&t,
                 "%u rows have counts, and no times that compare with others.",
                 r->ncounted);
        say_text(&t, say, opaque);
        return;
    }
    text_add(&t, "%u of %u rows are measured", count[ROW_OK], r->nrows);
    if (noisy)
        text_add(&t, ", %u of them noisy", noisy);
    for (unsigned i = ROW_SKIPPED; i <= ROW_TIMEOUT; i++)
        if (count[i])
            text_add(&t, "; %u %s", count[i],
                     i == ROW_TIMEOUT ? "timed out" : report_status_names[i]);
    text_add(&t, ".");
    say_text(&t, say, opaque);
}

static void say_interrupted(const struct report *r, sayer *say, void *opaque)
{
    for (unsigned i = 0; i < r->nfiles; i++) {
        json_t *config = json_object_get(r->files[i].json, RF_CONFIG);
        struct text t = {0};

        if (json_is_true(json_object_get(config, RF_INTERRUPTED)))
            text_add(&t, "%s: the run was interrupted before its last row.",
                     r->files[i].name);
        say_text(&t, say, opaque);
    }
}

/* The KVM of each file, in the words of its own probe. */
static void say_kvm(const struct report *r, sayer *say, void *opaque)
{
    for (unsigned i = 0; i < r->nfiles; i++) {
        json_t *host = json_object_get(r->files[i].json, RF_HOST);
        json_t *kvm = json_object_get(host, RF_KVM);
        const char *ring0 = result_text(kvm, RF_RING0);
        const char *label = report_kvm_label(r, i);
        struct text t = {0};
        double ratio;

        if (!label)
            continue;
        if (r->nfiles > 1)
            text_add(&t, "%s: ", r->files[i].name);
        text_add(&t, "KVM here is \"%s\"", label);
        if (ring0 && !strcmp(ring0, "emulated")) {
            text_add(&t, ": guest ring 0 does not run on the processor");
            if (result_real(kvm, RF_RING0_RATIO, &ratio))
                text_add(&t,
                         " (a ring-0 loop takes %.0f times as long as the "
                         "same loop in ring 3)",
                         ratio);
            text_add(&t, ", so these figures say nothing about processors "
                         "that run guest kernels themselves");
        }
        text_add(&t, ".");
        say_text(&t, say, opaque);
    }
}

static void say_relative(const struct report *r, unsigned series, sayer *say,
                         void *opaque)
{
    double sum = 0, least = INFINITY, most = 0;
    struct text t = {0};
    char mean[FIGURE_MAX], low[FIGURE_MAX], high[FIGURE_MAX];
    unsigned n = 0;

    for (unsigned i = 0; i < r->nrows; i++) {
        struct ratio ratio;

        if (r->rows[i].series != series ||
            strcmp(r->benches[r->rows[i].bench].suite, "compute") ||
            !report_relative(r, &r->rows[i], &ratio))
            continue;
        sum += log(ratio.median);
        least = fmin(least, ratio.median);
        most = fmax(most, ratio.median);
        n++;
    }
    if (!n)
        return;
    table_figure(exp(sum / n), mean);
    table_figure(least, low);
    table_figure(most, high);
    text_add(&t, "Compute workloads take %s times the native time on %s", mean,
             r->series[series].label);
    if (n > 1)
        text_add(&t, " (geometric mean of %u, from %s to %s)", n, low, high);
    text_add(&t, ".");
    say_text(&t, say, opaque);
}

static void say_extremes(const struct report *r, unsigned series, sayer *say,
                         void *opaque)
{
    const struct report_row *least = NULL, *most = NULL;
    struct text t = {0};
    char low[FIGURE_MAX], high[FIGURE_MAX];

    for (unsigned i = 0; i < r->nrows; i++) {
        const struct report_row *row = &r->rows[i];

        /* Not what can't be told from the control. */
        if (row->series != series || row->status != ROW_OK || row->low <= 0 ||
            strcmp(r->benches[row->bench].suite, "micro"))
            continue;
        if (!least || row->median < least->median)
            least = row;
        if (!most || row->median > most->median)
            most = row;
    }
    if (!least || least == most)
        return;
    table_figure(least->median, low);
    table_figure(most->median, high);
    text_add(&t, "On %s microbenchmarks cost from %s %s (%s) to %s (%s).",
             r->series[series].label, low, report_unit(r),
             r->benches[least->bench].label, high,
             r->benches[most->bench].label);
    say_text(&t, say, opaque);
}

/* Whether the known ones all are points of one, which the list then counts. */
static bool one_benchmark(const struct report *r,
                          const struct report_pick *picks)
{
    const char *name = NULL;
    unsigned n = 0;

    for (unsigned b = 0; b < r->nbenches; b++) {
        if (!picks[b].known)
            continue;
        if (name && strcmp(name, r->benches[b].name))
            return false;
        name = r->benches[b].name;
        n++;
    }
    return n > REPORT_LIST_MOST;
}

/* Which rows spend most of their time in the VMM's handlers. */
static void say_vmm_bound(const struct report *r, unsigned series, sayer *say,
                          void *opaque)
{
    struct report_pick *picks = xcalloc(r->nbenches, sizeof(*picks));
    struct text list = {0}, t = {0};
    unsigned known = 0, bound = 0;

    for (unsigned i = 0; i < r->nrows; i++) {
        const struct report_row *row = &r->rows[i];
        json_t *split = json_object_get(row->json, RF_TIME_SPLIT);
        double guest, vmm;

        if (row->series != series || row->status != ROW_OK ||
            !result_real(split, RF_GUEST, &guest) ||
            !result_real(split, RF_VMM, &vmm))
            continue;
        known++;
        bound += vmm > guest;
        picks[row->bench] =
            (struct report_pick){true, vmm > guest, 100 * vmm / (guest + vmm)};
    }
    report_list(r, picks, NULL, &list);
    if (bound) {
        text_add(&t,
                 "On %s more than half of the time goes to the VMM's event "
                 "handlers in ",
                 r->series[series].label);
        if (!one_benchmark(r, picks))
            text_add(&t, "%u of %u rows: ", bound, known);
        text_add(&t, "%s.", list.text);
    }
    free(picks);
    free(list.text);
    say_text(&t, say, opaque);
}

/* Whether every backend that ran a workload computed the same. */
static void say_checksums(const struct report *r, sayer *say, void *opaque)
{
    struct report_pick *picks = xcalloc(r->nbenches, sizeof(*picks));
    struct text differ = {0}, t = {0};
    unsigned agree = 0;

    for (unsigned b = 0; b < r->nbenches; b++) {
        const char *first = NULL;

        for (unsigned i = 0; i < r->nrows; i++) {
            const char *sum = result_text(r->rows[i].json, RF_CHECKSUM);

            if (r->rows[i].bench != b || r->rows[i].status != ROW_OK || !sum)
                continue;
            if (first) {
                picks[b].known = true;
                picks[b].picked |= strcmp(first, sum) != 0;
            } else {
                first = sum;
            }
        }
        agree += picks[b].known && !picks[b].picked;
    }
    report_list(r, picks, NULL, &differ);
    if (differ.len)
        text_add(&t,
                 "CHECKSUMS DIFFER between backends in %s: one of them "
                 "computes something else.%s",
                 differ.text, agree ? " " : "");
    if (agree)
        text_add(&t,
                 "%s of %u workload%s agree on all backends that ran "
                 "%s.",
                 differ.len ? "The checksums" : "Checksums", agree,
                 agree == 1 ? "" : "s", agree == 1 ? "it" : "them");
    free(picks);
    free(differ.text);
    say_text(&t, say, opaque);
}

void report_summary(const struct report *r, sayer *say, void *opaque)
{
    say_counts(r, say, opaque);
    say_interrupted(r, say, opaque);
    if (r->instructions)
        say(opaque, "This is a deterministic run: the unit is retired guest "
                    "instructions, and nothing here is a time.");
    say_kvm(r, say, opaque);
    for (unsigned i = 0; i < r->nseries; i++)
        say_relative(r, i, say, opaque);
    for (unsigned i = 0; i < r->nseries; i++)
        say_extremes(r, i, say, opaque);
    for (unsigned i = 0; i < r->nseries; i++)
        say_vmm_bound(r, i, say, opaque);
    say_checksums(r, say, opaque);
}
