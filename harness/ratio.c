/* How one row's time relates to another's, round by round. */
#include "ratio.h"
#include "resultfile.h"
#include "util.h"

#include <stdlib.h>

/* A row's net ticks per operation, as measured. */
struct batches {
    double *net;
    struct stats_rounds rounds;
};

void ratio_rounds(const json_t *run, size_t n, struct stats_rounds *rounds)
{
    const json_t *sizes = json_object_get(run, RF_ROUNDS), *size;
    const struct stats_rounds one = {.n = 1, .first = {0, n}};
    struct stats_rounds r = {0};
    size_t i;

    *rounds = one;
    json_array_foreach(sizes, i, size)
    {
        json_int_t count = json_integer_value(size);

        if (i == STATS_ROUNDS_MAX || count < 1 ||
            (size_t)count > n - r.first[i])
            return;
        r.first[i + 1] = r.first[i] + (size_t)count;
        r.n++;
    }
    if (r.n && r.first[r.n] == n)
        *rounds = r;
}

/* False: the file doesn't have them. The caller frees b->net in any case. */
static bool read_batches(const json_t *run, struct batches *b)
{
    const json_t *samples = json_object_get(run, RF_SAMPLES);
    const json_t *control = json_object_get(run, RF_CONTROL);
    size_t n = json_array_size(samples);
    double iterations;

    b->net = NULL;
    if (!n || json_array_size(control) != n ||
        !result_real(run, RF_ITERATIONS, &iterations) || iterations < 1)
        return false;
    b->net = xcalloc(n, sizeof(*b->net));
    for (size_t i = 0; i < n; i++)
        b->net[i] = (json_number_value(json_array_get(samples, i)) -
                     json_number_value(json_array_get(control, i))) /
                    iterations;
    ratio_rounds(run, n, &b->rounds);
    return true;
}

/* Leaves the ratios in a->net. */
static bool pair(struct batches *a, const struct batches *base)
{
    if (a->rounds.n != base->rounds.n || a->rounds.n < 2)
        return false;
    for (unsigned r = 0; r < a->rounds.n; r++) {
        size_t first = base->rounds.first[r];
        double median =
            stats_median(base->net + first, base->rounds.first[r + 1] - first);

        if (median <= 0)
            return false;
        for (size_t i = a->rounds.first[r]; i < a->rounds.first[r + 1]; i++)
            a->net[i] /= median;
    }
    return true;
}

static bool summary_of(const json_t *run, struct ratio *s)
{
    const json_t *figure = json_object_get(run, RF_TICKS_PER_OP);
    const json_t *interval = json_object_get(figure, RF_CI95);

    s->low = json_number_value(json_array_get(interval, 0));
    s->high = json_number_value(json_array_get(interval, 1));
    s->noisy = json_is_true(json_object_get(run, RF_NOISY));
    return result_real(figure, RF_MEDIAN, &s->median) && s->low > 0;
}

static bool of_medians(const json_t *run, const json_t *base, struct ratio *r)
{
    struct ratio a, b;

    if (!summary_of(run, &a) || !summary_of(base, &b))
        return false;
    *r = (struct ratio){.median = a.median / b.median,
                        .low = a.low / b.high,
                        .high = a.high / b.low,
                        .noisy = a.noisy || b.noisy};
    return true;
}

bool ratio_of(const json_t *run, const json_t *base, struct ratio *ratio)
{
    struct batches a, b = {0};
    bool paired;

    paired = read_batches(run, &a) && read_batches(base, &b) && pair(&a, &b);
    if (paired) {
        size_t n = a.rounds.first[a.rounds.n];

        ratio->median = stats_median(a.net, n);
        stats_interval(a.net, &a.rounds, 1, &ratio->low, &ratio->high);
        ratio->noisy = ratio->high - ratio->low > 0.1 * ratio->median;
    }
    free(a.net);
    free(b.net);
    return paired ? ratio->median > 0 : of_medians(run, base, ratio);
}
