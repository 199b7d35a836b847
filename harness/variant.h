/* What tells the rows of one benchmark on one backend apart, and its words. */
#ifndef TM_VARIANT_H
#define TM_VARIANT_H

#include "../backends/backend.h"

#include <jansson.h>

/* A backend under one paging policy with one choice of its options: a column of
 * the tables, a series of the plots. All borrowed. */
struct variant {
    const char *backend;
    const char *paging;   /* or NULL */
    const json_t *params; /* of the row; or NULL. Dials of the benchmark in it
                             are no part of the variant */
    unsigned file;        /* rows of several files are not the same column */
};

/* Whether a member of a row's params is an option of the backend ("bt-unit",
 * "paging-prefill") and not a dial of the benchmark. */
bool variant_owns(const char *backend, const char *key);

/* Whether the backend, under this policy (NULL: its default), takes an option
 * of that name. */
bool variant_takes(const struct backend *b, const char *paging,
                   const char *key);

/* Whether each option of the backend, except the one named (or NULL), has its
 * default. */
bool variant_usual(const struct variant *v, const char *except);

/* The one option that doesn't have its default; words (NULL: not wanted) gets
 * what it says, malloc'ed. NULL: there is none, or more than one. */
const char *variant_odd(const struct variant *v, char **words);

/* Whether both are the same column. */
bool variant_same(const struct variant *a, const struct variant *b);

/* "bt", "bt/unsync", "bt, no adaptation": variant i of n, told apart from the
 * others of its backend and file, and no more than that; options that are as
 * usual go without saying. malloc'ed. */
char *variant_label(const struct variant *all, size_t n, size_t i);

/* Whether two rows' params put the benchmark at the same point of its grid. */
bool variant_same_point(const char *backend_a, const json_t *a,
                        const char *backend_b, const json_t *b);

/* The point in words, " updates=16 switches=0", or "". malloc'ed. */
char *variant_point(const char *backend, const json_t *params);

#endif
