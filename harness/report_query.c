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

const char *report_unit(const struct report *r)
{
    return r->instructions ? "instructions" : "ticks";
}

const char *report_unit_long(const struct report *r)
{
    return r->instructions ? "retired instructions" : "TSC ticks";
}

const char *report_kvm_label(const struct report *r, unsigned file)
{
    json_t *host = json_object_get(r->files[file].json, RF_HOST);

    for (unsigned i = 0; i < r->nrows; i++) {
        const struct report_series *s = &r->series[r->rows[i].series];

        if (r->rows[i].status == ROW_OK && s->file == file &&
            (!strcmp(s->backend, "kvm") || !strcmp(s->backend, "qemu-kvm")))
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
                     struct report_ratio *ratio)
{
    const struct report_series *s = &r->series[row->series];
    const struct report_row *base = NULL;

    if (row->status != ROW_OK || !strcmp(s->backend, "native"))
        return false;
    for (unsigned i = 0; i < r->nseries && !base; i++)
        if (r->series[i].file == s->file &&
            !strcmp(r->series[i].backend, "native"))
            base = report_ok(r, row->bench, i);
    if (!base || base->low <= 0 || row->low <= 0)
        return false;
    *ratio = (struct report_ratio){.median = row->median / base->median,
                                   .low = row->low / base->high,
                                   .high = row->high / base->low,
                                   .noisy = row->noisy || base->noisy};
    return true;
}

char *report_spread(char buf[FIGURE_MAX], const struct report_row *row)
{
    double half = fmax(row->high - row->median, row->median - row->low);
    double percent = 100 * half / row->median;

    if (row->median <= 0)
        buf[0] = '\0';
    else if (percent > 999)
        strcpy(buf, ">999%");
    else
        snprintf(buf, FIGURE_MAX, "%.*f%%", percent < 9.95 ? 1 : 0, percent);
    return buf;
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
            said = r->rows[k].status == row->status &&
                   !strcmp(r->rows[k].reason, row->reason);
        if (said)
            continue;
        for (unsigned k = i; k < r->nrows; k++) {
            const struct report_row *other = &r->rows[k];

            if (other->status == row->status &&
                !strcmp(other->reason, row->reason))
                text_list(&rows, "%s on %s", r->benches[other->bench].label,
                          r->series[other->series].label);
        }
        say(opaque, report_status_names[row->status], row->reason, rows.text);
        free(rows.text);
    }
}
