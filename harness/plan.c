/* Which benchmarks run on which backends, and why others don't. */
#include "plan.h"
#include "cmd.h"
#include "util.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const struct plan_suite plan_suites[] = {
    {"micro", "one kind of exit each"},
    {"kcompute", "code in kernel mode that exits nowhere"},
    {"compute", "programs that hardly exit"},
    {"io", "disk reads"},
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

static char **split(const char *list)
{
    char *copy = xstrdup(list ? list : ""), *save = NULL, **names = NULL;
    size_t n = 0;

    for (char *name = strtok_r(copy, ",", &save); name;
         name = strtok_r(NULL, ",", &save)) {
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

static void choose_benches(struct plan *plan, const struct image *image,
                           const struct plan_request *request)
{
    char **names = split(request->benches), **suites;
    const struct bench_list *all = &image->benches;

    suites = split(request->suites ? request->suites : *names ? "" : "quick");
    for (char **p = names; *p; p++)
        check_bench(image, *p);
    for (char **p = suites; *p; p++)
        check_suite(*p);
    plan->benches = xcalloc(all->count, sizeof(*plan->benches));
    for (size_t i = 0; i < all->count; i++) {
        const struct bench_info *b = &all->v[i];
        bool wanted = listed(request->benches, b->note.name);

        for (char **p = suites; *p && !wanted; p++)
            wanted = !(b->note.flags & TM_BENCH_HIDDEN) && in_suite(b, *p);
        if (wanted)
            plan->benches[plan->bench_count++] = b;
    }
    free_names(names);
    free_names(suites);
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

/* Fills reasons[i] for the backends that were asked for but can't run. */
static void choose_backends(struct plan *plan,
                            const struct plan_request *request,
                            char (*reasons)[REASON_MAX])
{
    char **names = split(request->backends);

    for (char **p = names; *p; p++)
        check_backend(*p);
    plan->backends = xcalloc(64, sizeof(*plan->backends));
    for (size_t i = 0; backends[i] && i < 64; i++) {
        char why[REASON_MAX] = "";
        bool named = listed(request->backends, backends[i]->name);

        if (*names && !named)
            continue;
        if (!usable(backends[i], request, why)) {
            if (!named) {
                leave_out(plan, backends[i], why);
                continue;
            }
            memcpy(reasons[plan->backend_count], why, REASON_MAX);
        }
        plan->backends[plan->backend_count++] = backends[i];
    }
    free_names(names);
}

static void plan_row(struct row *row, const struct image *image,
                     const struct bench_info *bench,
                     const struct backend *backend,
                     const struct plan_request *request, const char *reason)
{
    row->bench = bench;
    row->backend = backend;
    if (*reason) {
        row_skip(row, reason);
    } else if (request->paging && backend->class != BACKEND_VCPU &&
               strcmp(request->paging, backend->paging())) {
        row_skip(row, "offers no choice of paging");
    } else if (backend->class == BACKEND_PROCESS) {
        char *path = xformat("%s/%s", image->native_dir, bench->note.name);

        if (!(bench->note.flags & TM_BENCH_NATIVE))
            row_skip(row, "needs the guest kernel; no process can do it");
        else if (access(path, X_OK))
            row_skip(row, "its native program isn't built");
        free(path);
    }
}

void plan_make(struct plan *plan, const struct image *image,
               const struct plan_request *request)
{
    char(*reasons)[REASON_MAX] = xcalloc(64, sizeof(*reasons));

    memset(plan, 0, sizeof(*plan));
    choose_benches(plan, image, request);
    choose_backends(plan, request, reasons);
    plan->rows =
        xcalloc(plan->bench_count * plan->backend_count, sizeof(*plan->rows));
    for (size_t i = 0; i < plan->bench_count; i++)
        for (size_t j = 0; j < plan->backend_count; j++)
            plan_row(&plan->rows[i * plan->backend_count + j], image,
                     plan->benches[i], plan->backends[j], request, reasons[j]);
    free(reasons);
}

void plan_free(struct plan *plan)
{
    for (size_t i = 0; i < plan->bench_count * plan->backend_count; i++)
        row_free(&plan->rows[i]);
    for (size_t i = 0; i < plan->left_out_count; i++)
        free(plan->left_out[i]);
    free(plan->left_out);
    free(plan->rows);
    free(plan->backends);
    free(plan->benches);
}
