/* Which benchmarks run on which backends under which policies, and why others
 * don't. */
#include "plan.h"
#include "cmd.h"
#include "life.h"
#include "suggest.h"
#include "util.h"
#include "variant.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const struct plan_suite plan_suites[] = {
    {"micro", "one kind of exit each"},
    {"kcompute", "code in kernel mode that exits nowhere"},
    {"paging", "page faults, page tables, address spaces"},
    {"tradeoff", "page-table writes, switches and touches on a grid"},
    {"compute", "programs that hardly exit"},
    {"io", "disk, network, console, timer"},
    {"mixed", "processes, faults and system calls together"},
    {"paper",
     "what Adams & Agesen measured: their nanobenchmarks and forkwait"},
    {"quick", "a few of each, for a first look (the default)"},
    {NULL, NULL},
};

static const char *const quick_names[] = {"syscall", "in",   "cr8wr",
                                          "pgfault", "sort", "blkread-seq"};

/* forkwait is a macrobenchmark there, so it doesn't carry the paper's flag. */
static bool in_suite(const struct bench_info *b, const char *suite)
{
    if (!strcmp(suite, "paper"))
        return (b->note.flags & TM_BENCH_PAPER) ||
               !strcmp(b->note.name, "forkwait");
    if (strcmp(suite, "quick"))
        return !strcmp(b->note.suite, suite);
    for (size_t i = 0; i < sizeof(quick_names) / sizeof(quick_names[0]); i++)
        if (!strcmp(b->note.name, quick_names[i]))
            return true;
    return false;
}

static void check_suite(const char *name)
{
    const char *names[sizeof(plan_suites) / sizeof(plan_suites[0])];
    size_t n = 0;

    for (; plan_suites[n].name; n++) {
        if (!strcmp(plan_suites[n].name, name))
            return;
        names[n] = plan_suites[n].name;
    }
    names[n] = NULL;
    cli_unknown("suite", name, names);
}

static void check_bench(const struct image *image, const char *name)
{
    size_t n = image->benches.count;
    const char **names;

    if (image_find(image, name))
        return;
    names = xcalloc(n + 1, sizeof(*names));
    for (size_t i = 0; i < n; i++)
        names[i] = image->benches.v[i].note.name;
    cli_unknown("benchmark", name, names);
}

static void check_backend(const char *name)
{
    const char *names[64];
    size_t n = 0;

    if (backend_find(name))
        return;
    for (; backends[n] && n < 63; n++)
        names[n] = backends[n]->name;
    names[n] = NULL;
    cli_unknown("backend", name, names);
}

/* Whether name is an element of a comma-separated list. */
static bool listed(const char *list, const char *name)
{
    size_t len = strlen(name);

    for (const char *p = list; p; p = strchr(p, ',')) {
        p += *p == ',';
        if (!strncmp(p, name, len) && (p[len] == ',' || !p[len]))
            return true;
    }
    return false;
}

/* The elements of a comma-separated list, each once, NULL-terminated. */
static char **split(const char *list)
{
    char *copy = xstrdup(list ? list : ""), *save = NULL, **names = NULL;
    size_t n = 0, k;

    for (char *name = strtok_r(copy, ",", &save); name;
         name = strtok_r(NULL, ",", &save)) {
        for (k = 0; k < n && strcmp(names[k], name);)
            k++;
        if (k < n)
            continue;
        names = xrealloc(names, (n + 2) * sizeof(*names));
        names[n++] = xstrdup(name);
    }
    names = xrealloc(names, (n + 1) * sizeof(*names));
    names[n] = NULL;
    free(copy);
    return names;
}

static void free_names(char **names)
{
    for (char **p = names; *p; p++)
        free(*p);
    free(names);
}

/* The note's grid, with the values that the user wants instead. */
static struct grid wanted_grid(const struct bench_info *b,
                               const struct grid *params)
{
    struct grid g = {0};

    for (size_t i = 0; i < b->grid.count; i++) {
        const struct grid_dial *d = &b->grid.dials[i];
        const struct grid_dial *other =
            params ? grid_find(params, d->name) : NULL;

        grid_add(&g, other ? other : d);
    }
    if (grid_points(&g) > GRID_POINTS_MAX)
        cli_usage("--param: %s would have more than %d points", b->note.name,
                  GRID_POINTS_MAX);
    return g;
}

/* The members of an object, each as "PREFIXkey=value", with separators. */
static char *join_params(const json_t *params, const char *prefix, char between)
{
    char *text = NULL;
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)params, key, value)
    {
        char *more =
            text ? xformat("%s%c%s%s=%s", text, between, prefix, key,
                           json_string_value(value))
                 : xformat("%s%s=%s", prefix, key, json_string_value(value));

        free(text);
        text = more;
    }
    return text;
}

static void add_lines(struct plan *plan, const struct bench_info *b,
                      const struct grid *params)
{
    struct grid g = wanted_grid(b, params);
    size_t n = grid_points(&g);

    plan->lines =
        xrealloc(plan->lines, (plan->line_count + n) * sizeof(*plan->lines));
    for (size_t i = 0; i < n; i++) {
        struct row_line *line = &plan->lines[plan->line_count++];
        char *point;

        line->bench = b;
        line->params = grid_point(&g, i);
        line->words = join_params(line->params, "param.", ' ');
        point = join_params(line->params, "", ' ');
        line->label = xformat("%s%s%s", b->note.name, point ? " " : "",
                              point ? point : "");
        free(point);
    }
    grid_free(&g);
}

/* Every dial that the user names must be one of a chosen benchmark. */
static void check_params(const struct plan *plan, const struct grid *params)
{
    const char **names = NULL;
    size_t n = 0;

    for (size_t i = 0; i < plan->line_count; i++) {
        const struct grid *g = &plan->lines[i].bench->grid;

        names = xrealloc(names, (n + g->count + 1) * sizeof(*names));
        for (size_t k = 0; k < g->count; k++)
            names[n++] = g->dials[k].name;
    }
    for (size_t i = 0; params && i < params->count; i++) {
        size_t k = 0;

        while (k < n && strcmp(names[k], params->dials[i].name))
            k++;
        if (k < n)
            continue;
        if (!n)
            cli_usage("--param: none of the chosen benchmarks has a dial");
        names[n] = NULL;
        cli_unknown("dial of the chosen benchmarks", params->dials[i].name,
                    names);
    }
    free(names);
}

static void choose_lines(struct plan *plan, const struct image *image,
                         const struct plan_request *request)
{
    char **names = split(request->benches), **suites;
    const struct bench_list *all = &image->benches;

    suites = split(request->suites ? request->suites : *names ? "" : "quick");
    for (char **p = names; *p; p++)
        check_bench(image, *p);
    for (char **p = suites; *p; p++)
        check_suite(*p);
    for (size_t i = 0; i < all->count; i++) {
        const struct bench_info *b = &all->v[i];
        bool wanted = listed(request->benches, b->note.name);

        for (char **p = suites; *p && !wanted; p++)
            wanted = !(b->note.flags & TM_BENCH_HIDDEN) && in_suite(b, *p);
        if (wanted)
            add_lines(plan, b, request->params);
    }
    free_names(names);
    free_names(suites);
    check_params(plan, request->params);
}

/* Why this backend can't run anything in this plan, or true. A process backend
 * answers for its binaries only where there are some. */
static bool usable(const struct backend *b, const struct plan_request *request,
                   char why[REASON_MAX])
{
    if (request->deterministic && !(b->caps & CAP_DETERMINISTIC)) {
        set_why(why, "has no deterministic mode");
        return false;
    }
    return !b->probe(why);
}

static void leave_out(struct plan *plan, const struct backend *b,
                      const char *why)
{
    size_t n = plan->left_out_count++;

    plan->left_out = xrealloc(plan->left_out, (n + 1) * sizeof(char *));
    plan->left_out[n] = xformat("%s: %s", b->name, why);
}

/* The policies that any backend knows, NULL-terminated. */
static const char **known_policies(void)
{
    const char **names = xcalloc(1, sizeof(*names));
    size_t n = 0, k;

    for (size_t i = 0; backends[i]; i++)
        for (const char *const *p = backends[i]->policies; p && *p; p++) {
            for (k = 0; k < n && strcmp(names[k], *p);)
                k++;
            if (k < n)
                continue;
            names = xrealloc(names, (n + 2) * sizeof(*names));
            names[n++] = *p;
            names[n] = NULL;
        }
    return names;
}

static char *join_names(const char *const *names)
{
    char *text = xstrdup("");

    for (; *names; names++) {
        char *more = xformat("%s%s%s", text, *text ? ", " : "", *names);

        free(text);
        text = more;
    }
    return text;
}

static void check_policy(const char *name)
{
    const char **names = known_policies();
    const char *nearest = suggest_name(name, names);
    char *all = join_names(names);
    size_t k = 0;

    while (names[k] && strcmp(names[k], name))
        k++;
    if (!names[k])
        cli_usage("unknown paging policy '%s'%s%s%s (known: %s)", name,
                  nearest ? "; did you mean '" : "", nearest ? nearest : "",
                  nearest ? "'?" : "", all);
    free(all);
    free(names);
}

static struct row_column *add_column(struct plan *plan, const struct backend *b,
                                     const char *paging, const char *why)
{
    struct row_column *c;

    plan->columns = xrealloc(plan->columns,
                             (plan->column_count + 1) * sizeof(*plan->columns));
    c = &plan->columns[plan->column_count++];
    memset(c, 0, sizeof(*c));
    c->backend = b;
    c->paging = paging ? xstrdup(paging) : NULL;
    c->reason = *why ? xstrdup(why) : NULL;
    return c;
}

/* A column for each choice of the options that have influence there. */
static void add_choices(struct plan *plan, const struct backend *b,
                        const char *paging, const struct grid *options,
                        const char *why)
{
    struct grid own = {0};

    for (size_t i = 0; options && i < options->count; i++)
        if (variant_takes(b, paging, options->dials[i].name))
            grid_add(&own, &options->dials[i]);
    for (size_t i = 0; i < grid_points(&own); i++) {
        struct row_column *c = add_column(plan, b, paging, why);

        c->params = grid_point(&own, i);
        c->options = join_params(c->params, "", ',');
    }
    grid_free(&own);
}

static bool has_policy(const struct backend *b, const char *policy)
{
    for (const char *const *p = b->policies; *p; p++)
        if (!strcmp(*p, policy))
            return true;
    return false;
}

/* The columns of one backend; why: what keeps it from running at all, or "". */
static void add_columns(struct plan *plan, const struct backend *b,
                        const struct plan_request *request, const char *why)
{
    char **policies = split(b->policies ? request->paging : NULL);

    if (!*policies)
        add_choices(plan, b, NULL, request->options, why);
    for (char **p = policies; *p; p++) {
        char *all, lacks[REASON_MAX];

        if (*why || has_policy(b, *p)) {
            add_choices(plan, b, *p, request->options, why);
            continue;
        }
        all = join_names(b->policies);
        set_why(lacks, "%s has no paging policy '%s'; it has %s", b->name, *p,
                all);
        add_choices(plan, b, *p, NULL, lacks);
        free(all);
    }
    free_names(policies);
}

static void label_columns(struct plan *plan)
{
    size_t n = plan->column_count;
    struct variant *v = xcalloc(n + 1, sizeof(*v));

    for (size_t i = 0; i < n; i++) {
        const struct row_column *c = &plan->columns[i];

        v[i] = (struct variant){c->backend->name, c->paging, c->params, 0};
    }
    for (size_t i = 0; i < n; i++)
        plan->columns[i].label = variant_label(v, n, i);
    free(v);
}

static void choose_columns(struct plan *plan,
                           const struct plan_request *request)
{
    char **names = split(request->backends);
    char **policies = split(request->paging);

    for (char **p = names; *p; p++)
        check_backend(*p);
    for (char **p = policies; *p; p++)
        check_policy(*p);
    for (size_t i = 0; backends[i]; i++) {
        char why[REASON_MAX] = "";
        bool named = listed(request->backends, backends[i]->name);

        if (*names && !named)
            continue;
        if (!usable(backends[i], request, why) && !named)
            leave_out(plan, backends[i], why);
        else
            add_columns(plan, backends[i], request, why);
    }
    free_names(names);
    free_names(policies);
    label_columns(plan);
}

static void plan_row(struct row *row, const struct image *image,
                     const struct row_line *line,
                     const struct row_column *column)
{
    const struct tm_note_bench *note = &line->bench->note;

    row->line = line;
    row->column = column;
    if (column->reason) {
        row_skip(row, column->reason);
    } else if (column->backend->class == BACKEND_PROCESS) {
        char *path = xformat("%s/%s", image->native_dir, note->name);

        if (!(note->flags & TM_BENCH_NATIVE))
            row_skip(row, "needs the guest kernel; no process can do it");
        else if (access(path, X_OK))
            row_skip(row, "its native program isn't built");
        free(path);
    } else if ((note->flags & TM_BENCH_WHOLE_LIFE) &&
               life_refuse(column->backend)) {
        row_skip(row, life_refuse(column->backend));
    }
}

void plan_make(struct plan *plan, const struct image *image,
               const struct plan_request *request)
{
    memset(plan, 0, sizeof(*plan));
    choose_lines(plan, image, request);
    choose_columns(plan, request);
    plan->rows =
        xcalloc(plan->line_count * plan->column_count, sizeof(*plan->rows));
    for (size_t i = 0; i < plan->line_count; i++)
        for (size_t j = 0; j < plan->column_count; j++)
            plan_row(&plan->rows[i * plan->column_count + j], image,
                     &plan->lines[i], &plan->columns[j]);
}

void plan_free(struct plan *plan)
{
    for (size_t i = 0; i < plan->line_count * plan->column_count; i++)
        row_free(&plan->rows[i]);
    for (size_t i = 0; i < plan->line_count; i++) {
        json_decref(plan->lines[i].params);
        free(plan->lines[i].words);
        free(plan->lines[i].label);
    }
    for (size_t i = 0; i < plan->column_count; i++) {
        json_decref(plan->columns[i].params);
        free(plan->columns[i].paging);
        free(plan->columns[i].options);
        free(plan->columns[i].label);
        free(plan->columns[i].reason);
    }
    for (size_t i = 0; i < plan->left_out_count; i++)
        free(plan->left_out[i]);
    free(plan->left_out);
    free(plan->rows);
    free(plan->columns);
    free(plan->lines);
}
