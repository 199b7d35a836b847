/* Statistics of small samples: medians, spread, intervals, modes. */
#include "stats.h"
#include "util.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define RESAMPLES 2000

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double *sorted_copy(const double *values, size_t n)
{
    double *copy = xcalloc(n, sizeof(*copy));

    memcpy(copy, values, n * sizeof(*copy));
    qsort(copy, n, sizeof(*copy), compare);
    return copy;
}

static double middle(const double *sorted, size_t n)
{
    if (n % 2)
        return sorted[n / 2];
    return (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
}

double stats_median(const double *values, size_t n)
{
    double *v = sorted_copy(values, n);
    double median = middle(v, n);

    free(v);
    return median;
}

double stats_mad(const double *values, size_t n)
{
    double median = stats_median(values, n), mad;
    double *away = xcalloc(n, sizeof(*away));

    for (size_t i = 0; i < n; i++)
        away[i] = fabs(values[i] - median);
    mad = stats_median(away, n);
    free(away);
    return mad;
}

/* splitmix64 */
static uint64_t next_random(uint64_t *state)
{
    uint64_t x = *state += 0x9e3779b97f4a7c15ull;

    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
    return x ^ (x >> 31);
}

static size_t draw(uint64_t *random, size_t n)
{
    return (size_t)((unsigned __int128)next_random(random) * n >> 64);
}

/* A value and where it came from. */
struct ranked {
    double value;
    size_t from;
};

static int compare_ranked(const void *a, const void *b)
{
    return compare(&((const struct ranked *)a)->value,
                   &((const struct ranked *)b)->value);
}

/* As many rounds as there are, drawn with replacement, and from each as many of
 * its values. The median needs no copy of them: with the values sorted, it is
 * enough to count how often each was drawn. */
static double resampled_median(const struct ranked *sorted, const size_t *rank,
                               const struct stats_rounds *r, unsigned *drawn,
                               uint64_t *random)
{
    size_t n = 0, low, high, seen = 0;
    double a = 0;

    memset(drawn, 0, r->first[r->n] * sizeof(*drawn));
    for (unsigned i = 0; i < r->n; i++) {
        size_t round = r->n > 1 ? draw(random, r->n) : 0;
        size_t first = r->first[round], size = r->first[round + 1] - first;

        for (size_t k = 0; k < size; k++)
            drawn[rank[first + draw(random, size)]]++;
        n += size;
    }
    low = (n - 1) / 2;
    high = n / 2;
    for (size_t i = 0;; i++) {
        if (seen <= low && low < seen + drawn[i])
            a = sorted[i].value;
        if (seen <= high && high < seen + drawn[i])
            return (a + sorted[i].value) / 2;
        seen += drawn[i];
    }
}

void stats_interval(const double *values, const struct stats_rounds *r,
                    uint64_t seed, double *low, double *high)
{
    size_t n = r->first[r->n];
    struct ranked *sorted = xcalloc(n, sizeof(*sorted));
    size_t *rank = xcalloc(n, sizeof(*rank));
    double *medians = xcalloc(RESAMPLES, sizeof(*medians));
    unsigned *drawn = xcalloc(n, sizeof(*drawn));

    for (size_t i = 0; i < n; i++)
        sorted[i] = (struct ranked){values[i], i};
    qsort(sorted, n, sizeof(*sorted), compare_ranked);
    for (size_t i = 0; i < n; i++)
        rank[sorted[i].from] = i;
    for (int i = 0; i < RESAMPLES; i++)
        medians[i] = resampled_median(sorted, rank, r, drawn, &seed);
    qsort(medians, RESAMPLES, sizeof(*medians), compare);
    *low = medians[RESAMPLES * 25 / 1000];
    *high = medians[RESAMPLES * 975 / 1000 - 1];
    free(drawn);
    free(medians);
    free(rank);
    free(sorted);
}

/* The widest gap between neighbours in [first, last) that is wide against the
 * usual distance of neighbours there and leaves enough values on both sides:
 * the index behind it, or 0. */
static size_t find_split(const double *v, size_t first, size_t last,
                         size_t least, double floor)
{
    size_t n = last - first, split = 0;
    double *gaps, widest = floor;

    if (n < 2 * least)
        return 0;
    gaps = xcalloc(n - 1, sizeof(*gaps));
    for (size_t i = 0; i < n - 1; i++)
        gaps[i] = v[first + i + 1] - v[first + i];
    if (8 * stats_median(gaps, n - 1) > widest)
        widest = 8 * stats_median(gaps, n - 1);
    for (size_t i = least - 1; i + least < n; i++)
        if (gaps[i] > widest) {
            widest = gaps[i];
            split = first + i + 1;
        }
    free(gaps);
    return split;
}

unsigned stats_modes(const double *values, size_t n,
                     double mode[STATS_MODES_MAX])
{
    double *v = sorted_copy(values, n);
    size_t least = n * 15 / 100 < 3 ? 3 : n * 15 / 100;
    double floor = fabs(middle(v, n)) * 0.05;
    size_t edge[STATS_MODES_MAX + 1] = {0, n};
    unsigned groups = 1;

    for (unsigned g = 0; g < groups && groups < STATS_MODES_MAX;) {
        size_t at = find_split(v, edge[g], edge[g + 1], least, floor);

        if (!at) {
            g++;
            continue;
        }
        memmove(&edge[g + 2], &edge[g + 1], (groups - g) * sizeof(edge[0]));
        edge[g + 1] = at;
        groups++;
    }
    for (unsigned g = 0; g < groups; g++)
        mode[g] = middle(v + edge[g], edge[g + 1] - edge[g]);
    free(v);
    return groups;
}

void stats_summarise(const double *values, const struct stats_rounds *rounds,
                     uint64_t seed, struct stats_summary *s)
{
    size_t n = rounds->first[rounds->n];

    s->median = stats_median(values, n);
    s->mad = stats_mad(values, n);
    s->min = values[0];
    for (size_t i = 1; i < n; i++)
        if (values[i] < s->min)
            s->min = values[i];
    stats_interval(values, rounds, seed, &s->ci_low, &s->ci_high);
    s->modes = stats_modes(values, n, s->mode);
}

bool stats_noisy(const struct stats_summary *s, double control_mad)
{
    double half = (s->ci_high - s->ci_low) / 2;
    double allowed = fabs(s->median) * 0.05;

    if (allowed < STATS_FLOOR)
        allowed = STATS_FLOOR;
    return half > allowed || control_mad > allowed;
}
