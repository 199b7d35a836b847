/* Which benchmarks run on which backends under which policies, and why others
 * don't. */
#ifndef TM_PLAN_H
#define TM_PLAN_H

#include "image.h"
#include "row.h"

/* What the user asked for; lists are comma-separated or NULL. */
struct plan_request {
    const char *backends, *benches, *suites;
    const char *paging;         /* policies */
    const struct grid *options; /* of backends, with their values; or NULL */
    const struct grid *params; /* other values for benchmarks' dials; or NULL */
    bool deterministic;
};

struct plan {
    struct row_column *columns; /* in table order */
    size_t column_count;
    struct row_line *lines; /* in table order */
    size_t line_count;
    struct row *rows; /* rows[line * column_count + column] */
    char **left_out;  /* "NAME: reason" of backends that weren't asked for by
                         name  and aren't available */
    size_t left_out_count;
};

/* A row for each point of a benchmark's grid, on each backend, under each
 * policy and each choice of its options. Unknown names end the program through
 * cli_unknown. Rows that can't run are ROW_SKIPPED with their reason already. A
 * backend without a choice of policies has one column under its own. */
void plan_make(struct plan *plan, const struct image *image,
               const struct plan_request *request);
void plan_free(struct plan *plan);

/* The suites by name, with what they hold, for help and errors. */
struct plan_suite {
    const char *name, *summary;
};
extern const struct plan_suite plan_suites[]; /* ends with a NULL name */

#endif
