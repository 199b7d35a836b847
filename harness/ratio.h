/* How one row's time relates to another's, round by round. */
#ifndef TM_RATIO_H
#define TM_RATIO_H

#include "stats.h"

#include <jansson.h>
#include <stdbool.h>

struct ratio {
    double median, low, high; /* the interval is one of 95 % */
    bool noisy;
};

/* Two ok members of runs[] of one file. Within a round all rows of a line run
 * after each other, so a host that is slow for some seconds is slow for both:
 * each batch of run is divided by the median of base's batches in the same
 * round. Where the rows have no rounds in common, it is the ratio of their
 * medians, and the interval what their intervals allow. False: base takes no
 * time that could be divided by. */
bool ratio_of(const json_t *run, const json_t *base, struct ratio *ratio);

/* Which of the row's n samples were taken in one process; all of them, where the
 * file's sizes of rounds don't make sense. */
void ratio_rounds(const json_t *run, size_t n, struct stats_rounds *rounds);

#endif
