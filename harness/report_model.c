/* Turns result files into the report's benchmarks, series and rows. */
#include "report.h"
#include "image.h"
#include "util.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const char *const report_status_names[] = {
    [ROW_OK] = RF_STATUS_OK,
    [ROW_SKIPPED] = RF_STATUS_SKIPPED,
    [ROW_FAILED] = RF_STATUS_FAILED,
    [ROW_TIMEOUT] = RF_STATUS_TIMEOUT,
};

/* ---- Benchmarks ------------------------------------------------------- */

static char *bench_label(json_t *run)
{
    char *point = variant_point(result_text(run, RF_BACKEND),
                                json_object_get(run, RF_PARAMS));
    char *label = xformat("%s%s", result_text(run, RF_BENCH), point);

    free(point);
    return label;
}

/* Its index, or nbenches. */
static unsigned find_bench(const struct report *r, const char *suite,
                           const char *label)
{
    unsigned i;

    for (i = 0; i < r->nbenches; i++)
        if (!strcmp(r->benches[i].suite, suite) &&
            !strcmp(r->benches[i].label, label))
            break;
    return i;
}

static unsigned add_bench(struct report *r, json_t *run)
{
    const char *suite = result_text(run, RF_SUITE);
    const char *op = result_text(run, RF_OP);
    char *label = bench_label(run);
    unsigned i = find_bench(r, suite, label);
    struct report_bench *b;

    if (i < r->nbenches) {
        free(label);
        if (!r->benches[i].op)
            r->benches[i].op = op;
        return i;
    }
    r->benches = xrealloc(r->benches, (r->nbenches + 1) * sizeof(*b));
    b = &r->benches[r->nbenches];
    *b = (struct report_bench){.suite = suite,
                               .name = result_text(run, RF_BENCH),
                               .op = op,
                               .label = label};
    return r->nbenches++;
}

/* Where config.benchmarks names it, or behind those. */
static unsigned bench_rank(const struct report *r, const struct report_bench *b)
{
    json_t *config = json_object_get(r->files[0].json, RF_CONFIG);
    json_t *name;
    size_t i;

    json_array_foreach(json_object_get(config, RF_BENCHMARKS), i, name)
    {
        const char *text = json_string_value(name);

        if (text && !strcmp(text, b->name))
            return i;
    }
    return i;
}

static bool bench_before(const struct report *r, const struct report_bench *a,
                         const struct report_bench *b)
{
    unsigned x = image_suite_rank(a->suite), y = image_suite_rank(b->suite);

    if (x != y)
        return x < y;
    if (x == IMAGE_SUITES && strcmp(a->suite, b->suite))
        return strcmp(a->suite, b->suite) < 0;
    return bench_rank(r, a) < bench_rank(r, b);
}

/* ---- Series ----------------------------------------------------------- */

static struct variant variant_of(unsigned file, const json_t *run)
{
    return (struct variant){result_text(run, RF_BACKEND),
                            result_text(run, RF_PAGING),
                            json_object_get(run, RF_PARAMS), file};
}

/* A row that isn't ok may not say its paging: then it belongs to the first
 * series of its backend that does. */
static unsigned find_series(struct report *r, unsigned file, const json_t *run)
{
    struct variant v = variant_of(file, run);
    bool lost = strcmp(result_text(run, RF_STATUS), RF_STATUS_OK);

    for (unsigned i = 0; i < r->nseries; i++)
        if (variant_same(&r->series[i].variant, &v))
            return i;
    for (unsigned i = 0; lost && !v.paging && i < r->nseries; i++)
        if (r->series[i].variant.file == file &&
            !strcmp(r->series[i].variant.backend, v.backend))
            return i;
    r->series = xrealloc(r->series, (r->nseries + 1) * sizeof(*r->series));
    r->series[r->nseries] = (struct report_series){.variant = v};
    return r->nseries++;
}

static unsigned backend_rank(const struct report *r, const char *backend)
{
    json_t *config = json_object_get(r->files[0].json, RF_CONFIG);
    json_t *name;
    size_t i;

    json_array_foreach(json_object_get(config, RF_BACKENDS), i, name)
    {
        const char *text = json_string_value(name);

        if (text && !strcmp(text, backend))
            return i;
    }
    for (i = 0; backends[i] && strcmp(backends[i]->name, backend);)
        i++;
    return i + 1000;
}

static bool series_before(const struct report *r, const struct report_series *a,
                          const struct report_series *b)
{
    unsigned x = backend_rank(r, a->variant.backend),
             y = backend_rank(r, b->variant.backend);

    if (x != y)
        return x < y;
    if (strcmp(a->variant.backend, b->variant.backend))
        return strcmp(a->variant.backend, b->variant.backend) < 0;
    return a->variant.file < b->variant.file;
}

/* The file's basename, numbered if others have the same. */
static char *file_label(const struct report *r, unsigned file)
{
    for (unsigned i = 0; i < r->nfiles; i++)
        if (i != file && !strcmp(r->files[i].name, r->files[file].name))
            return xformat("%s", r->files[file].path);
    return xformat("%s", r->files[file].name);
}

static void label_series(struct report *r)
{
    struct variant *all = xcalloc(r->nseries, sizeof(*all));

    for (unsigned i = 0; i < r->nseries; i++)
        all[i] = r->series[i].variant;
    for (unsigned i = 0; i < r->nseries; i++) {
        char *label = variant_label(all, r->nseries, i);

        if (r->nfiles > 1) {
            char *file = file_label(r, all[i].file);
            char *more = xformat("%s (%s)", label, file);

            free(file);
            free(label);
            label = more;
        }
        r->series[i].label = label;
    }
    free(all);
}

/* ---- Rows ------------------------------------------------------------- */

static int read_status(struct report_row *row, char why[REASON_MAX])
{
    const char *status = result_text(row->json, RF_STATUS);

    for (unsigned i = 0; i < 4; i++) {
        if (strcmp(status, report_status_names[i]))
            continue;
        row->status = i;
        row->reason = result_text(row->json, RF_REASON);
        return 0;
    }
    return fail_why(why, -EINVAL, "unknown status \"%.40s\"", status);
}

/* Every member of an object must be a number. */
static int check_numbers(const json_t *run, const char *name,
                         char why[REASON_MAX])
{
    json_t *object = json_object_get(run, name);
    const char *key;
    json_t *value;

    if (!object)
        return 0;
    if (!json_is_object(object))
        return fail_why(why, -EINVAL, "%s is not an object", name);
    json_object_foreach(object, key, value)
    {
        if (!json_is_number(value))
            return fail_why(why, -EINVAL, "%s.%.60s is not a number", name,
                            key);
    }
    return 0;
}

static int read_figures(struct report *r, struct report_row *row,
                        char why[REASON_MAX])
{
    json_t *cost = json_object_get(row->json, RF_TICKS_PER_OP);
    json_t *ci = json_object_get(cost, RF_CI95);
    const char *unit = result_text(row->json, RF_UNIT);
    bool instructions;
    int err;

    if (!result_real(cost, RF_MEDIAN, &row->median))
        return fail_why(why, -EINVAL, "ticks_per_op.median is not a number");
    if (!json_is_number(json_array_get(ci, 0)) ||
        !json_is_number(json_array_get(ci, 1)))
        return fail_why(why, -EINVAL, "ticks_per_op.ci95 is not two numbers");
    row->low = json_number_value(json_array_get(ci, 0));
    row->high = json_number_value(json_array_get(ci, 1));
    result_real(cost, RF_MAD, &row->mad);
    row->noisy = json_is_true(json_object_get(row->json, RF_NOISY));
    instructions = unit && !strcmp(unit, RF_UNIT_INSTRUCTIONS);
    for (unsigned i = 0; i < r->nrows; i++) {
        if (r->rows[i].status != ROW_OK)
            continue;
        if (instructions != r->instructions)
            return fail_why(why, -EINVAL,
                            "other rows have another unit; ticks and "
                            "instructions make separate reports");
        break;
    }
    r->instructions = instructions;
    err = check_numbers(row->json, RF_EVENTS, why);
    if (!err)
        err = check_numbers(row->json, RF_EVENT_TICKS, why);
    if (!err)
        err = check_numbers(row->json, RF_TIME_SPLIT, why);
    return err;
}

static int add_counted(struct report *r, const struct report_row *row,
                       char why[REASON_MAX])
{
    int err = check_numbers(row->json, RF_EVENTS, why);

    if (err)
        return err;
    r->counted = xrealloc(r->counted, (r->ncounted + 1) * sizeof(*row));
    r->counted[r->ncounted++] = *row;
    return 0;
}

/* When all benchmarks are known and in order. */
static void place_counted(struct report *r)
{
    for (unsigned i = 0; i < r->ncounted; i++) {
        json_t *run = r->counted[i].json;
        char *label = bench_label(run);

        r->counted[i].bench = find_bench(r, result_text(run, RF_SUITE), label);
        free(label);
    }
}

static int add_row(struct report *r, unsigned file, json_t *run,
                   char why[REASON_MAX])
{
    struct report_row row = {.json = run, .file = file};
    int err = read_status(&row, why);

    if (!err && result_text(run, RF_TIMES))
        return add_counted(r, &row, why);
    if (!err && row.status == ROW_OK)
        err = read_figures(r, &row, why);
    if (err)
        return err;
    row.bench = add_bench(r, run);
    row.series = find_series(r, file, run);
    for (unsigned i = 0; i < r->nrows; i++) {
        if (r->rows[i].bench == row.bench && r->rows[i].series == row.series)
            return fail_why(why, -EINVAL, "%.60s on %.30s is there twice",
                            r->benches[row.bench].label,
                            r->series[row.series].variant.backend);
    }
    r->rows = xrealloc(r->rows, (r->nrows + 1) * sizeof(row));
    r->rows[r->nrows++] = row;
    return 0;
}

/* Selection sorts: the indices in the rows move with what they point at. */
static void sort_benches(struct report *r)
{
    for (unsigned i = 0; i < r->nbenches; i++) {
        unsigned least = i;
        struct report_bench saved;

        for (unsigned k = i + 1; k < r->nbenches; k++)
            if (bench_before(r, &r->benches[k], &r->benches[least]))
                least = k;
        /* Shift, don't swap: equal ones keep their order. */
        saved = r->benches[least];
        memmove(&r->benches[i + 1], &r->benches[i],
                (least - i) * sizeof(saved));
        r->benches[i] = saved;
        for (unsigned k = 0; k < r->nrows; k++) {
            unsigned *b = &r->rows[k].bench;

            if (*b == least)
                *b = i;
            else if (*b >= i && *b < least)
                ++*b;
        }
    }
}

static void sort_series(struct report *r)
{
    for (unsigned i = 0; i < r->nseries; i++) {
        unsigned least = i;
        struct report_series saved;

        for (unsigned k = i + 1; k < r->nseries; k++)
            if (series_before(r, &r->series[k], &r->series[least]))
                least = k;
        saved = r->series[least];
        memmove(&r->series[i + 1], &r->series[i], (least - i) * sizeof(saved));
        r->series[i] = saved;
        for (unsigned k = 0; k < r->nrows; k++) {
            unsigned *s = &r->rows[k].series;

            if (*s == least)
                *s = i;
            else if (*s >= i && *s < least)
                ++*s;
        }
    }
}

static int add_file(struct report *r, const char *path, char why[REASON_MAX])
{
    const char *slash = strrchr(path, '/');
    unsigned file = r->nfiles;
    char wrong[REASON_MAX];
    json_t *json = result_load(path, why);
    json_t *run;
    size_t i;

    if (!json)
        return -EINVAL;
    r->files = xrealloc(r->files, (file + 1) * sizeof(*r->files));
    r->files[r->nfiles++] = (struct report_file){
        .path = path, .name = slash ? slash + 1 : path, .json = json};
    /* Rows that name their paging first, so that the others find them. */
    for (int named = 1; named >= 0; named--) {
        json_array_foreach(json_object_get(json, RF_RUNS), i, run)
        {
            if (!!result_text(run, RF_PAGING) != named)
                continue;
            if (add_row(r, file, run, wrong))
                return fail_why(why, -EINVAL, "%.100s: runs[%zu]: %.120s", path,
                                i, wrong);
        }
    }
    return 0;
}

int report_load(struct report *r, char *const *paths, unsigned n,
                char why[REASON_MAX])
{
    int err;

    memset(r, 0, sizeof(*r));
    for (unsigned i = 0; i < n; i++) {
        err = add_file(r, paths[i], why);
        if (err)
            return err;
    }
    if (!r->nrows && !r->ncounted)
        return fail_why(why, -EINVAL, "%.200s: holds no rows", paths[0]);
    sort_benches(r);
    sort_series(r);
    label_series(r);
    place_counted(r);
    return 0;
}

void report_free(struct report *r)
{
    for (unsigned i = 0; i < r->nbenches; i++)
        free(r->benches[i].label);
    for (unsigned i = 0; i < r->nseries; i++)
        free(r->series[i].label);
    for (unsigned i = 0; i < r->nfiles; i++)
        json_decref(r->files[i].json);
    free(r->benches);
    free(r->series);
    free(r->rows);
    free(r->counted);
    free(r->files);
    memset(r, 0, sizeof(*r));
}
