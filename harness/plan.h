/* Which benchmarks run on which backends, and why others don't. */
#ifndef TM_PLAN_H
#define TM_PLAN_H

#include "image.h"
#include "row.h"

/* What the user asked for; lists are comma-separated or NULL. */
struct plan_request {
    const char *backends, *benches, *suites;
    const char *paging; /* policy, or NULL */
    bool deterministic;
};

struct plan {
    const struct backend **backends; /* in table order */
    size_t backend_count;
    const struct bench_info **benches; /* in table order */
    size_t bench_count;
    struct row *rows; /* bench-major: rows[bench * backend_count + backend] */
    char **left_out;  /* "NAME: reason" of backends that weren't asked for by
                         name  and aren't available */
    size_t left_out_count;
};

/* Unknown names end the program through cli_unknown. Rows that can't run are
 * ROW_SKIPPED with their reason already. */
void plan_make(struct plan *plan, const struct image *image,
               const struct plan_request *request);
void plan_free(struct plan *plan);

/* The suites by name, with what they hold, for help and errors. */
struct plan_suite {
    const char *name, *summary;
};
extern const struct plan_suite plan_suites[]; /* ends with a NULL name */

#endif
