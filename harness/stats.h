/* Statistics of small samples: medians, spread, intervals, modes. */
#ifndef TM_STATS_H
#define TM_STATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STATS_MODES_MAX 4

struct stats_summary {
    double median, mad, min;
    double ci_low, ci_high;       /* 95 % bootstrap interval of the median */
    unsigned modes;               /* 1: unimodal, as far as can be seen */
    double mode[STATS_MODES_MAX]; /* medians of the groups, ascending */
};

/* Of n >= 1 finite values, which are left alone. Even n: the mean of the two
 * in the middle. */
double stats_median(const double *values, size_t n);

/* Median absolute deviation from the median, unscaled. */
double stats_mad(const double *values, size_t n);

/* Which values were measured in one process: those of round i are
 * values[first[i]] to values[first[i + 1] - 1]; first[n] is how many there are
 * in all. n >= 1, no round is empty. */
#define STATS_ROUNDS_MAX 64
struct stats_rounds {
    unsigned n;
    size_t first[STATS_ROUNDS_MAX + 1];
};

/* 95 % percentile bootstrap interval of the median, in two stages: where the
 * pages of a process lie and what the predictors have learnt differs from round
 * to round, and the values of one round share it (Kalibera and Jones, "Rigorous
 * Benchmarking in Reasonable Time", ISMM 2013). The same values and seed give
 * the same interval. */
void stats_interval(const double *values, const struct stats_rounds *rounds,
                    uint64_t seed, double *low, double *high);

/* Splits the values into groups wherever neighbours are further apart than 5 %
 * of the median and 8 times the usual distance; a group holds at least 3 values
 * and 15 % of all. Returns the number of groups. */
unsigned stats_modes(const double *values, size_t n,
                     double mode[STATS_MODES_MAX]);

void stats_summarise(const double *values, const struct stats_rounds *rounds,
                     uint64_t seed, struct stats_summary *s);

/* Whether a figure per operation can't be relied on to about 5 %: the interval,
 * or the MAD of what was subtracted, is wide against the median. Below
 * STATS_FLOOR ticks per operation nothing is called noisy. */
#define STATS_FLOOR 1.0
bool stats_noisy(const struct stats_summary *s, double control_mad);

#endif
