/* Unit tests of the perf_event counters. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "harness/perf.h"

#include <math.h>
#include <string.h>
#include <sys/mman.h>

#define PAGES 200

static void touch_pages(void)
{
    char *p = mmap(NULL, PAGES * 4096, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    assert_ptr_not_equal(p, MAP_FAILED);
    madvise(p, PAGES * 4096, MADV_NOHUGEPAGE);
    for (int i = 0; i < PAGES; i++)
        ((volatile char *)p)[i * 4096] = 1;
    munmap(p, PAGES * 4096);
}

static void counts_only_while_enabled(void **state)
{
    char why[REASON_MAX], dropped[64];
    struct perf_counters c = {0};
    double values[PERF_MAX];
    struct perf_set set;

    (void)state;
    assert_int_equal(perf_choose(&set, "page-faults,task-clock", why), 0);
    if (perf_drop_unusable(&set, dropped, sizeof(dropped), why)) {
        print_message("skipped: %s: %s\n", dropped, why);
        perf_free(&set);
        skip();
    }
    perf_open(&set, 0, false, &c);
    touch_pages();
    perf_enable(&c, true);
    touch_pages();
    perf_enable(&c, false);
    touch_pages();
    perf_read(&c, values);
    assert_true(values[0] >= PAGES && values[0] < 2 * PAGES);
    assert_true(values[1] > 0);
    perf_close(&c);
    perf_free(&set);
}

static void unknown_names(void **state)
{
    char why[REASON_MAX];
    struct perf_set set;

    (void)state;
    assert_true(perf_choose(&set, "page-faults,nonsense-xyz", why) < 0);
    assert_non_null(strstr(why, "nonsense-xyz"));
    assert_int_equal(set.count, 0);
    assert_true(perf_choose(&set, "a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a", why) <
                0);
}

static void an_absent_counter_has_no_value(void **state)
{
    struct perf_counters c = {.count = 1, .fd = {-1}};
    double values[PERF_MAX];

    (void)state;
    perf_enable(&c, true);
    perf_read(&c, values);
    assert_true(isnan(values[0]));
}

static void pmu_gives_a_reason(void **state)
{
    char why[REASON_MAX] = "";

    (void)state;
    if (!perf_pmu_available(why))
        assert_true(strlen(why) > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_only_while_enabled),
        cmocka_unit_test(unknown_names),
        cmocka_unit_test(an_absent_counter_has_no_value),
        cmocka_unit_test(pmu_gives_a_reason),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
