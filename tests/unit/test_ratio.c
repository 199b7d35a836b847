/* Unit tests of ratios: paired by round, and where that can't be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "harness/ratio.h"
#include "harness/resultfile.h"

/* A row of 10 operations a batch; its summary says 7, from 6 to 8. */
static json_t *row(const char *samples, const char *rounds)
{
    const char *const figure =
        "{\"median\":7,\"mad\":0,\"min\":7,\"ci95\":[6,8]}";
    json_t *run = json_object(), *control = json_array();

    json_object_set_new(run, RF_TICKS_PER_OP, json_loads(figure, 0, NULL));
    json_object_set_new(run, RF_ITERATIONS, json_integer(10));
    json_object_set_new(run, RF_SAMPLES, json_loads(samples, 0, NULL));
    for (size_t i = 0; i < json_array_size(json_object_get(run, RF_SAMPLES));
         i++)
        json_array_append_new(control, json_integer(100));
    json_object_set_new(run, RF_CONTROL, control);
    if (rounds)
        json_object_set_new(run, RF_ROUNDS, json_loads(rounds, 0, NULL));
    return run;
}

static bool ratio(json_t *run, json_t *base, struct ratio *r)
{
    bool ok = ratio_of(run, base, r);

    json_decref(run);
    json_decref(base);
    return ok;
}

/* The host was three times slower in the second round, for both. */
static void a_slow_round_cancels(void **state)
{
    struct ratio r;

    (void)state;
    assert_true(ratio(row("[300,302,298,700,702,698]", "[3,3]"),
                      row("[200,201,200,400,400,399]", "[3,3]"), &r));
    assert_float_equal(r.median, 2, 1e-9);
    assert_true(r.low > 1.97 && r.high < 2.03);
    assert_false(r.noisy);
}

static void rounds_that_disagree_are_noisy(void **state)
{
    struct ratio r;

    (void)state;
    assert_true(ratio(row("[300,300,900,900]", "[2,2]"),
                      row("[200,200,200,200]", "[2,2]"), &r));
    assert_float_equal(r.median, 5, 1e-9);
    assert_float_equal(r.low, 2, 1e-9);
    assert_float_equal(r.high, 8, 1e-9);
    assert_true(r.noisy);
}

static void without_common_rounds_medians_are_divided(void **state)
{
    static const char *const wrong[] = {
        "[2,1]",
        "[-1,5]",
        "[0,4]",
        "[4,0]",
        "[\"a\",4]",
        "[2,2,0]",
        "[4611686018427387904,4611686018427387904,4611686018427387904,"
        "4611686018427387904,4]"};
    const char *const four = "[800,800,800,800]";
    struct ratio r;

    (void)state;
    assert_true(ratio(row(four, NULL), row(four, NULL), &r));
    assert_float_equal(r.median, 1, 1e-9);
    assert_float_equal(r.low, 6.0 / 8, 1e-9);
    assert_float_equal(r.high, 8.0 / 6, 1e-9);
    assert_true(ratio(row(four, "[2,2]"), row(four, "[1,1,2]"), &r));
    assert_float_equal(r.low, 6.0 / 8, 1e-9);
    /* Sizes that don't add up, or are none, are no rounds. */
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_true(ratio(row(four, wrong[i]), row(four, wrong[i]), &r));
        assert_float_equal(r.low, 6.0 / 8, 1e-9);
    }
}

static void what_took_no_time_divides_nothing(void **state)
{
    json_t *run = json_object(), *base = row("[800]", NULL);
    struct ratio r;

    (void)state;
    assert_false(ratio_of(run, base, &r));
    assert_false(ratio_of(base, run, &r));
    json_decref(run);
    json_decref(base);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_slow_round_cancels),
        cmocka_unit_test(rounds_that_disagree_are_noisy),
        cmocka_unit_test(without_common_rounds_medians_are_divided),
        cmocka_unit_test(what_took_no_time_divides_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
