/* Unit tests of grids: what is read, what is refused, and the points. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "harness/grid.h"

#include <stdlib.h>
#include <string.h>

static void point_is(const struct grid *g, size_t i, const char *expected)
{
    json_t *point = grid_point(g, i);
    char *text = json_dumps(point, JSON_COMPACT);

    assert_string_equal(text, expected);
    free(text);
    json_decref(point);
}

static void points_turn_like_an_odometer(void **state)
{
    struct grid g = {0}, copy = {0};
    char why[REASON_MAX], *text;

    (void)state;
    assert_int_equal(grid_points(&g), 1);
    point_is(&g, 0, "{}");
    assert_int_equal(grid_parse(&g, "updates=0,16,256 switches=0,4", why), 0);
    assert_int_equal(grid_points(&g), 6);
    point_is(&g, 0, "{\"updates\":\"0\",\"switches\":\"0\"}");
    point_is(&g, 1, "{\"updates\":\"0\",\"switches\":\"4\"}");
    point_is(&g, 5, "{\"updates\":\"256\",\"switches\":\"4\"}");
    grid_add(&copy, grid_find(&g, "switches"));
    assert_int_equal(grid_parse(&copy, " more=1 ", why), 0);
    text = grid_text(&copy);
    assert_string_equal(text, "switches=0,4 more=1");
    free(text);
    grid_free(&g);
    grid_free(&copy);
}

static void refused(const char *text, const char *reason)
{
    struct grid g = {0};
    char why[REASON_MAX] = "";

    assert_int_not_equal(grid_parse(&g, text, why), 0);
    if (!strstr(why, reason))
        fail_msg("'%s': '%s' doesn't say '%s'", text, why, reason);
    grid_free(&g);
}

static void malformed_grids(void **state)
{
    (void)state;
    refused("updates", "not NAME=NUMBER");
    refused("=1", "not NAME=NUMBER");
    refused("Updates=1", "not NAME=NUMBER");
    refused("a=1 b", "'b' is not");
    refused("a-name-that-is-longer-than-any-dial=1", "not NAME=NUMBER");
    refused("a=", "value ''");
    refused("a=1,", "value ''");
    refused("a=,1", "value ''");
    refused("a=-1", "not a number");
    refused("a=01", "not a number");
    refused("a=1x", "not a number");
    refused("a=99999999999999999999", "not a number");
    refused("a=1,2,1", "1 twice");
    refused("a=1 a=2", "a is there twice");
    refused("a=1,2,3,4,5,6,7,8 b=1,2,3,4,5,6,7,8 c=1,2,3,4,5,6,7,8 "
            "d=1,2,3,4,5,6,7,8 e=1,2",
            "more than 4096 points");
}

static void set_values(void **state)
{
    struct grid g = {0};
    char *text;

    (void)state;
    assert_true(grid_set(&g, "bt-adaptive", "on,off,on"));
    assert_true(grid_set(&g, "bt-unit", "4"));
    assert_true(grid_set(&g, "bt-unit", "8,12"));
    text = grid_text(&g);
    assert_string_equal(text, "bt-adaptive=on,off bt-unit=8,12");
    free(text);
    assert_false(grid_set(&g, "bt-unit", ""));
    assert_false(grid_set(&g, "bt-unit", "1,,2"));
    assert_false(grid_set(&g, "bt-unit", "1,"));
    grid_free(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(points_turn_like_an_odometer),
        cmocka_unit_test(malformed_grids),
        cmocka_unit_test(set_values),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
