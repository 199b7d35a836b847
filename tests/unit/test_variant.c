/* Unit tests of variants: what is a column's, what a benchmark's; labels. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "harness/variant.h"

#include <stdlib.h>
#include <string.h>

static const char *const policies[] = {"trace", "vtlb", "nested", NULL};
static const struct backend bt = {.name = "bt", .policies = policies};
static const struct backend interp = {.name = "interp", .policies = policies};
static const struct backend kvm = {.name = "kvm"};

static void options_have_owners(void **state)
{
    (void)state;
    assert_true(variant_owns("bt", "bt-unit"));
    assert_true(variant_owns("interp", "paging-prefill"));
    assert_false(variant_owns("b", "bt-unit"));
    assert_false(variant_owns("bt", "updates"));
    assert_true(variant_takes(&bt, NULL, "bt-unit"));
    assert_false(variant_takes(&kvm, NULL, "bt-unit"));
    assert_false(variant_takes(&kvm, NULL, "paging-prefill"));
    /* A knob that the policy doesn't have makes no rows. */
    assert_true(variant_takes(&bt, NULL, "paging-prefill"));
    assert_false(variant_takes(&bt, "vtlb", "paging-prefill"));
    assert_true(variant_takes(&bt, "vtlb", "paging-fault-around"));
    assert_true(variant_takes(&interp, "trace", "paging-walk-cache"));
    assert_false(variant_takes(&bt, "trace", "paging-walk-cache"));
    assert_true(variant_takes(&interp, "nested", "paging-nested-large"));
    assert_false(variant_takes(&interp, "trace", "paging-nested-large"));
}

#define COUNT 6
static void labels_say_what_differs(void **state)
{
    static const char *const params[COUNT] = {
        "{\"bt-adaptive\":\"on\",\"bt-unit\":\"12\",\"updates\":\"16\"}",
        "{\"bt-adaptive\":\"off\",\"bt-unit\":\"12\"}",
        "{}",
        "{\"paging-prefill\":\"on\"}",
        "{\"bt-adaptive\":\"off\"}",
        "{\"bt-odd\":7}",
    };
    struct variant v[COUNT] = {
        {"bt", "trace", NULL, 0},   {"bt", "trace", NULL, 0},
        {"kvm", "shadow", NULL, 0}, {"interp", "none", NULL, 0},
        {"bt", "vtlb", NULL, 1},    {"bt", "trace", NULL, 1},
    };
    json_t *loaded[COUNT];
    static const char *const labels[COUNT] = {
        "bt",     "bt, no adaptation",      "kvm",
        "interp", "bt/vtlb, no adaptation", "bt/trace, odd=7"};

    (void)state;
    for (int i = 0; i < COUNT; i++)
        v[i].params = loaded[i] = json_loads(params[i], 0, NULL);
    for (int i = 0; i < COUNT; i++) {
        char *label = variant_label(v, COUNT, i);

        assert_string_equal(label, labels[i]);
        free(label);
    }
    assert_false(variant_same(&v[0], &v[1]));
    assert_true(variant_same(&v[0], &v[0]));
    v[1].params = v[0].params;
    assert_true(variant_same(&v[0], &v[1]));
    v[1].file = 1;
    assert_false(variant_same(&v[0], &v[1]));
    for (int i = 0; i < COUNT; i++)
        json_decref(loaded[i]);
}

static bool same_point(const char *one, const char *other)
{
    json_t *a = json_loads(one, 0, NULL), *b = json_loads(other, 0, NULL);
    bool same = variant_same_point("bt", a, "interp", b);

    json_decref(a);
    json_decref(b);
    return same;
}

static void points_are_the_benchmarks(void **state)
{
    json_t *params = json_loads(
        "{\"updates\":\"16\",\"bt-unit\":\"4\",\"pages\":3}", 0, NULL);
    char *text = variant_point("bt", params);

    (void)state;
    assert_string_equal(text, " updates=16 pages=3");
    free(text);
    json_decref(params);
    assert_true(same_point("{\"u\":\"1\",\"bt-unit\":\"4\"}",
                           "{\"u\":\"1\",\"paging-prefill\":\"on\"}"));
    assert_false(same_point("{\"u\":\"1\"}", "{\"u\":\"2\"}"));
    assert_false(same_point("{\"u\":\"1\"}", "{}"));
    assert_false(same_point("{}", "{\"u\":\"1\"}"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_have_owners),
        cmocka_unit_test(labels_say_what_differs),
        cmocka_unit_test(points_are_the_benchmarks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
