/* Questions about the report's model, and how its numbers are written. */
#include "report.h"
#include "util.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static void text_vadd(struct text *t, const char *format, va_list args)
{
    va_list again;
    int len;

    va_copy(again, args);
    len = vsnprintf(NULL, 0, format, again);
    va_end(again);
    t->text = xrealloc(t->text, t->len + len + 1);
    vsnprintf(t->text + t->len, len + 1, format, args);
    t->len += len;
}

void text_add(struct text *t, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    text_vadd(t, format, args);
    va_end(args);
}

void text_list(struct text *t, const char *format, ...)
{
    va_list args;

    if (t->len)
        text_add(t, ", ");
    va_start(args, format);
    text_vadd(t, format, args);
    va_end(args);
}

const struct report_row *report_find(const struct report *r, unsigned bench,
                                     unsigned series)
{
    for (unsigned i = 0; i < r->nrows; i++)
        if (r->rows[i].bench == bench && r->rows[i].series == series)
            return &r->rows[i];
    return NULL;
}

const struct report_row *report_ok(const struct report *r, unsigned bench,
                                   unsigned series)
{
    const struct report_row *row = report_find(r, bench, series);

    return row && row->status == ROW_OK ? row : NULL;
}

double report_paleness(const struct report *r, unsigned series)
{
    unsigned before = 0, all = 0;

    for (unsigned s = 0; s < r->nseries; s++) {
        if (strcmp(r->series[s].variant.backend,
                   r->series[series].variant.backend))
            continue;
        before += s < series;
        all++;
    }
    return all <= 3 ? before * 0.35 : before * 0.75 / (all - 1);
}

const char *report_unit(const struct report *r)
{
    return r->instructions ? "instructions" : "ticks";
}

const char *report_unit_long(const struct report *r)
{
    return r->instructions ? "retired instructions" : "TSC ticks";
}

bool report_has_column(const struct report *r, const char *suite,
                       unsigned series)
{
    for (unsigned i = 0; i < r->nrows; i++)
        if (r->rows[i].series == series && r->rows[i].status != ROW_SKIPPED &&
            !strcmp(r->benches[r->rows[i].bench].suite, suite))
            return true;
    return false;
}

bool report_has_line(const struct report *r, unsigned bench)
{
    for (unsigned s = 0; s < r->nseries; s++)
        if (report_find(r, bench, s) &&
            report_has_column(r, r->benches[bench].suite, s))
            return true;
    return false;
}

const char *report_kvm_label(const struct report *r, unsigned file)
{
    json_t *host = json_object_get(r->files[file].json, RF_HOST);

    for (unsigned i = 0; i < r->nrows; i++) {
        const struct report_series *s = &r->series[r->rows[i].series];

        if (r->rows[i].status == ROW_OK && s->variant.file == file &&
            (!strcmp(s->variant.backend, "kvm") ||
             !strcmp(s->variant.backend, "qemu-kvm")))
            return result_text(json_object_get(host, RF_KVM), RF_LABEL);
    }
    return NULL;
}

const char *report_next_suite(const struct report *r, const char *suite)
{
    unsigned i = 0;

    if (suite) {
        while (i < r->nbenches && strcmp(r->benches[i].suite, suite))
            i++;
        while (i < r->nbenches && !strcmp(r->benches[i].suite, suite))
            i++;
    }
    return i < r->nbenches ? r->benches[i].suite : NULL;
}

bool report_event(const struct report_row *row, const char *member,
                  const char *event, double *value)
{
    return result_real(json_object_get(row->json, member), event, value);
}

bool report_relative(const struct report *r, const struct report_row *row,
                     struct ratio *ratio)
{
    const struct report_series *s = &r->series[row->series];
    const struct report_row *base = NULL;

    if (row->status != ROW_OK || !strcmp(s->variant.backend, "native"))
        return false;
    for (unsigned i = 0; i < r->nseries && !base; i++)
        if (r->series[i].variant.file == s->variant.file &&
            !strcmp(r->series[i].variant.backend, "native"))
            base = report_ok(r, row->bench, i);
    return base && ratio_of(row->json, base->json, ratio);
}

/* ---- Lists of benchmarks ------------------------------------------------- */

static bool same_bench(const struct report *r, unsigned a, unsigned b)
{
    return !strcmp(r->benches[a].name, r->benches[b].name) &&
           !strcmp(r->benches[a].suite, r->benches[b].suite);
}

static void add_percent(struct text *t, double low, double high)
{
    if (high <= 0)
        return;
    text_add(t, " (%.0f", low);
    if (round(low) < round(high))
        text_add(t, " to %.0f", high);
    text_add(t, " %%)");
}

void report_list(const struct report *r, const struct report_pick *picks,
                 const char *after, struct text *t)
{
    after = after ? after : "";
    for (unsigned b = 0; b < r->nbenches; b++) {
        unsigned known = 0, picked = 0, first = r->nbenches;
        double low = INFINITY, high = 0;

        for (unsigned i = 0; i < r->nbenches; i++) {
            if (!picks[i].known || !same_bench(r, i, b))
                continue;
            known++;
            if (!picks[i].picked)
                continue;
            first = i < first ? i : first;
            picked++;
            low = fmin(low, picks[i].percent);
            high = fmax(high, picks[i].percent);
        }
        if (!picks[b].picked || (known > REPORT_LIST_MOST && first != b))
            continue;
        if (known <= REPORT_LIST_MOST) {
            text_list(t, "%s%s", r->benches[b].label, after);
            add_percent(t, picks[b].percent, picks[b].percent);
            continue;
        }
        if (picked == known)
            text_list(t, "all %u points of %s%s", known, r->benches[b].name,
                      after);
        else
            text_list(t, "%u of %u points of %s%s", picked, known,
                      r->benches[b].name, after);
        add_percent(t, low, high);
    }
}

/* ---- Rows with a reason -------------------------------------------------- */

static bool same_reason(const struct report_row *a, const struct report_row *b)
{
    return a->status == b->status && !strcmp(a->reason, b->reason);
}

/* Appends the rows of one suite and series that share the reason; by the
 * suite's name if that is all of them. */
static void list_rows(const struct report *r, const char *suite,
                      unsigned series, const struct report_row *like,
                      struct text *rows)
{
    struct report_pick *picks = xcalloc(r->nbenches, sizeof(*picks));
    const char *label = r->series[series].label;
    unsigned lost = 0, all = 0;

    for (unsigned i = 0; i < r->nrows; i++) {
        const struct report_row *row = &r->rows[i];
        const struct report_bench *b = &r->benches[row->bench];

        if (row->series != series || strcmp(b->suite, suite))
            continue;
        all++;
        picks[row->bench].known = true;
        if (row->status == ROW_OK || !same_reason(row, like))
            continue;
        lost++;
        picks[row->bench].picked = true;
    }
    if (lost > 2 && lost == all)
        text_list(rows, "all %u of %s on %s", lost, suite, label);
    else if (lost) {
        char *after = xformat(" on %s", label);

        report_list(r, picks, after, rows);
        free(after);
    }
    free(picks);
}

void report_missing(const struct report *r,
                    void (*say)(void *opaque, const char *status,
                                const char *reason, const char *rows),
                    void *opaque)
{
    for (unsigned i = 0; i < r->nrows; i++) {
        const struct report_row *row = &r->rows[i];
        struct text rows = {0};
        bool said = row->status == ROW_OK;

        for (unsigned k = 0; k < i && !said; k++)
            said = r->rows[k].status != ROW_OK && same_reason(&r->rows[k], row);
        if (said)
            continue;
        for (unsigned s = 0; s < r->nseries; s++)
            for (const char *suite = report_next_suite(r, NULL); suite;
                 suite = report_next_suite(r, suite))
                list_rows(r, suite, s, row, &rows);
        say(opaque, report_status_names[row->status], row->reason, rows.text);
        free(rows.text);
    }
}

/* ---- Warnings ------------------------------------------------------------ */

#define WARNING_NAMES 8 /* that are listed for a backend; more are counted */

static bool same_text(const json_t *a, const json_t *b, const char *member)
{
    const char *x = result_text(a, member), *y = result_text(b, member);

    return x == y || (x && y && !strcmp(x, y));
}

/* "kvm: in, out; interp: 12 benchmarks": what the warnings of one text are
 * about. Takes them out of the array. */
static void take_warnings(const struct report *r, json_t *all,
                          const json_t *like, struct text *rows)
{
    json_t *places = json_object(), *benches;
    const char *place;
    size_t i = 0, k;

    while (i < json_array_size(all)) {
        json_t *pair = json_array_get(all, i), *warning;
        const char *bench, *backend;
        char *key;

        warning = json_array_get(pair, 1);
        if (!same_text(warning, like, RF_TEXT) ||
            !same_text(warning, like, RF_ADVICE)) {
            i++;
            continue;
        }
        bench = result_text(warning, RF_BENCH);
        backend = result_text(warning, RF_BACKEND);
        key = xformat("%s", backend ? backend : bench ? "all" : "host");
        if (r->nfiles > 1) {
            unsigned f = json_integer_value(json_array_get(pair, 0));
            char *with_file = xformat("%s (%s)", key, r->files[f].name);

            free(key);
            key = with_file;
        }
        if (!json_object_get(places, key))
            json_object_set_new(places, key, json_array());
        if (bench)
            json_array_append_new(json_object_get(places, key),
                                  json_string(bench));
        free(key);
        json_array_remove(all, i);
    }
    json_object_foreach(places, place, benches)
    {
        json_t *bench;

        if (r->nfiles == 1 && !strcmp(place, "host"))
            continue;
        text_add(rows, "%s%s", rows->len ? "; " : "", place);
        if (json_array_size(benches) > WARNING_NAMES) {
            text_add(rows, ": %zu benchmarks", json_array_size(benches));
            continue;
        }
        json_array_foreach(benches, k, bench)
            text_add(rows, "%s%s", k ? ", " : ": ", json_string_value(bench));
    }
    json_decref(places);
}

/* All warnings of the files in one array of [file, warning]. */
static json_t *all_warnings(const struct report *r)
{
    json_t *all = json_array(), *warning;
    size_t i;

    for (unsigned f = 0; f < r->nfiles; f++) {
        json_array_foreach(json_object_get(r->files[f].json, RF_WARNINGS), i,
                           warning)
            json_array_append_new(all, json_pack("[iO]", (int)f, warning));
    }
    return all;
}

void report_warnings(const struct report *r,
                     void (*say)(void *opaque, const char *text,
                                 const char *advice, const char *rows),
                     void *opaque)
{
    json_t *all = all_warnings(r);

    while (json_array_size(all)) {
        json_t *first = json_incref(json_array_get(json_array_get(all, 0), 1));
        struct text rows = {0};

        take_warnings(r, all, first, &rows);
        say(opaque, result_text(first, RF_TEXT), result_text(first, RF_ADVICE),
            rows.text);
        free(rows.text);
        json_decref(first);
    }
    json_decref(all);
}
