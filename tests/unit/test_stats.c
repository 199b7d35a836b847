/* Unit tests of the statistics: known samples, known answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "harness/stats.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

static const struct stats_rounds fifty = {1, {0, 50}};

static void median_of_odd_and_even(void **state)
{
    const double odd[] = {9, 1, 5}, even[] = {4, 1, 3, 2}, one[] = {7};

    (void)state;
    assert_float_equal(stats_median(odd, N(odd)), 5, 0);
    assert_float_equal(stats_median(even, N(even)), 2.5, 0);
    assert_float_equal(stats_median(one, 1), 7, 0);
    assert_float_equal(odd[0], 9, 0); /* left alone */
}

static void mad_ignores_an_outlier(void **state)
{
    const double v[] = {10, 11, 9, 10, 1000};

    (void)state;
    assert_float_equal(stats_mad(v, N(v)), 1, 0);
}

static void interval_holds_the_median(void **state)
{
    double v[50], low, high, low2, high2;

    (void)state;
    for (int i = 0; i < 50; i++)
        v[i] = 100 + (i * 37) % 50;
    stats_interval(v, &fifty, 1, &low, &high);
    assert_true(low <= stats_median(v, N(v)));
    assert_true(high >= stats_median(v, N(v)));
    /* Of 50 values, order statistics 18 and 33 bound the median at 95 %. */
    assert_in_range((int)low, 114, 121);
    assert_in_range((int)high, 128, 135);
    stats_interval(v, &fifty, 1, &low2, &high2);
    assert_float_equal(low, low2, 0);
    assert_float_equal(high, high2, 0);
}

static void interval_of_equal_values_is_a_point(void **state)
{
    const double v[] = {3, 3, 3, 3, 3};
    const struct stats_rounds all = {1, {0, 5}}, one = {1, {0, 1}},
                              two = {2, {0, 2, 5}};
    double low, high;

    (void)state;
    stats_interval(v, &all, 1, &low, &high);
    assert_float_equal(low, 3, 0);
    assert_float_equal(high, 3, 0);
    stats_interval(v, &one, 1, &low, &high);
    assert_float_equal(low, 3, 0);
    stats_interval(v, &two, 1, &low, &high);
    assert_float_equal(high, 3, 0);
}

/* 48 values, most of them near 100: as good as known, were they independent.
 * But two processes of eight had it otherwise, and any eight may have four of
 * these. */
static void interval_knows_of_rounds(void **state)
{
    const struct stats_rounds one = {1, {0, 48}};
    struct stats_rounds eight = {.n = 8};
    double v[48], low, high;

    (void)state;
    for (int i = 0; i < 48; i++)
        v[i] = (i / 6 % 4 == 1 ? 200 : 100) + i % 6;
    for (unsigned r = 0; r < 8; r++)
        eight.first[r + 1] = 6 * (r + 1);
    stats_interval(v, &one, 1, &low, &high);
    assert_true(low >= 100 && high <= 105);
    stats_interval(v, &eight, 1, &low, &high);
    assert_true(low >= 100 && low <= 105);
    assert_true(high >= 150);
}

static void modes_are_told_apart(void **state)
{
    const double two[] = {100, 101, 99, 100, 150, 151, 149, 150};
    const double three[] = {10, 10.1, 9.9, 20, 20.1, 19.9, 30, 30.1, 29.9};
    double mode[STATS_MODES_MAX];

    (void)state;
    assert_int_equal(stats_modes(two, N(two), mode), 2);
    assert_float_equal(mode[0], 100, 0.6);
    assert_float_equal(mode[1], 150, 0.6);
    assert_int_equal(stats_modes(three, N(three), mode), 3);
    assert_float_equal(mode[2], 30, 0.2);
}

static void one_mode_stays_one(void **state)
{
    const double close[] = {100, 101, 102, 103, 104, 105};
    const double outlier[] = {100, 101, 99, 100, 101, 99, 100, 500};
    double even[40], mode[STATS_MODES_MAX];

    (void)state;
    for (int i = 0; i < 40; i++)
        even[i] = 100 + 10 * i;
    assert_int_equal(stats_modes(close, N(close), mode), 1);
    assert_int_equal(stats_modes(outlier, N(outlier), mode), 1);
    assert_int_equal(stats_modes(even, N(even), mode), 1);
    assert_int_equal(stats_modes(close, 1, mode), 1);
}

static void noise_is_relative_with_a_floor(void **state)
{
    struct stats_summary s = {.median = 1000, .ci_low = 990, .ci_high = 1010};

    (void)state;
    assert_false(stats_noisy(&s, 0));
    assert_true(stats_noisy(&s, 60)); /* the control varies */
    s.ci_high = 1200;
    assert_true(stats_noisy(&s, 0));
    s = (struct stats_summary){.median = 0.1, .ci_low = -0.5, .ci_high = 0.7};
    assert_false(stats_noisy(&s, 0));
    s.ci_high = 3;
    assert_true(stats_noisy(&s, 0));
}

static void summary_takes_the_least(void **state)
{
    const double v[] = {5, -2, 9, 5};
    const struct stats_rounds rounds = {2, {0, 2, 4}};
    struct stats_summary s;

    (void)state;
    stats_summarise(v, &rounds, 1, &s);
    assert_float_equal(s.min, -2, 0);
    assert_float_equal(s.median, 5, 0);
    assert_float_equal(s.mad, 2, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(median_of_odd_and_even),
        cmocka_unit_test(mad_ignores_an_outlier),
        cmocka_unit_test(interval_holds_the_median),
        cmocka_unit_test(interval_of_equal_values_is_a_point),
        cmocka_unit_test(interval_knows_of_rounds),
        cmocka_unit_test(modes_are_told_apart),
        cmocka_unit_test(one_mode_stays_one),
        cmocka_unit_test(noise_is_relative_with_a_floor),
        cmocka_unit_test(summary_takes_the_least),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
