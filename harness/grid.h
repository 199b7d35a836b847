/* Named dials with a list of values each, and the points of their grid. */
#ifndef TM_GRID_H
#define TM_GRID_H

#include "../backends/backend.h"

#include <jansson.h>

#define GRID_NAME_MAX 32
#define GRID_POINTS_MAX 4096

struct grid_dial {
    char name[GRID_NAME_MAX];
    char **values; /* all different; at least one */
    size_t count;
};

struct grid {
    struct grid_dial *dials;
    size_t count;
};

/* Reads "updates=0,16,256 switches=0,4" (abi.h): names of [a-z0-9-], decimal
 * values without leading zeros, no dial and no value twice, at most
 * GRID_POINTS_MAX points. Appends to g. -EINVAL with why, which says what is
 * wrong but not where it was written. */
int grid_parse(struct grid *g, const char *text, char why[REASON_MAX]);

/* Gives a dial its values, a comma-separated list; those it had are forgotten.
 * A value that is there twice counts once. False: the list or an element of it
 * is empty, or the name is too long. */
bool grid_set(struct grid *g, const char *name, const char *values);

/* Appends a copy. */
void grid_add(struct grid *g, const struct grid_dial *d);

/* NULL: no such dial. */
const struct grid_dial *grid_find(const struct grid *g, const char *name);

/* How many points there are; 1 without dials. */
size_t grid_points(const struct grid *g);
/* Point i as {"updates": "16", ...}, the last dial turning fastest. */
json_t *grid_point(const struct grid *g, size_t i);

/* "updates=0,16 switches=0,4", malloc'ed; "" without dials. */
char *grid_text(const struct grid *g);

/* g becomes empty. */
void grid_free(struct grid *g);

#endif
