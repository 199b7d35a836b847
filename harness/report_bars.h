/* Grouped bars: what a plot of them chooses from the report. */
#ifndef TM_REPORT_BARS_H
#define TM_REPORT_BARS_H

#include "report_tsv.h"

struct bar {
    double value, low, high;
    bool noisy;
};

struct bars {
    const struct report *r;
    const char *suite; /* NULL: all */
    /* Mandatory: the bar of a benchmark of the suite in a series. False: there
     * is none. */
    bool (*get)(const struct bars *p, unsigned bench, unsigned series,
                struct bar *bar);
    const void *opaque;
    /* Optional: what stands for a series in the legend, instead of its label in
     * its backend's colour. */
    void (*put_key)(const struct bars *p, unsigned series, FILE *keys);
    const char *mark; /* behind figures: "×", or NULL */
    double base;      /* where bars begin; 0: at the axis's end */
    double floor;     /* least value that the axis shows; 0: chosen */
    bool families;    /* the micro suite in groups, in columns if it is long */

    /* The rest is the writer's. */
    FILE *bars, *labels;
    unsigned column, count;
    double y[2];
    int *key; /* of each series in the legend; -1: it has no bar */
};

/* Writes the data for plots/bars.gp. notes come below the picture, before what
 * holds for all bars; freed. As tsv_writer. */
int bars_write(struct bars *p, const char *prefix, struct text *notes,
               struct tsv_sizes *sizes);

/* What the row measured: its cost per operation. */
bool bars_get_cost(const struct bars *p, unsigned bench, unsigned series,
                   struct bar *bar);

#endif
