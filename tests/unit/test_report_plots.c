/* Tests the data of the report's special plots: nanobenchmarks, mechanisms, the
 * trade-off, profiles. */
#include "report_fixture.h"

#include "harness/report_tradeoff.h"

#define BT(bench, params, median)                                              \
    OK("micro", bench, "bt", median, ",\"paging\":\"trace\",\"params\":" params)

/* Only series of the paper's systems and their successors, bt with no other
 * option than its adaptation. */
static void test_nano_data(void **state)
{
    struct report r;
    struct tsv_sizes sizes = {0};
    char *prefix = xformat("%s/nano", dir), *text;

    (void)state;
    load(&r, BT("in", "{\"bt-adaptive\":\"on\"}", 250) "," BT(
                 "in", "{\"bt-adaptive\":\"off\"}",
                 300) "," BT("in", "{\"bt-unit\":\"4\"}",
                             350) "," OK("micro", "in", "interp", 400,
                                         "") "," OK("micro", "out", "kvm", 450,
                                                    ""));
    assert_int_equal(tsv_nano(&r, "micro", prefix, &sizes), 2);
    text = read_tsv(prefix, "bars");
    assert_string_equal(text, "0\t0.500\t0\t100\t250\t100\t100\t0\t250\n"
                              "0\t1.500\t1\t100\t300\t100\t100\t0\t300\n");
    free(text);
    text = read_tsv(prefix, "notes");
    assert_non_null(strstr(text, "No figure of: kvm\n"));
    free(text);
    report_free(&r);
    load(&r, OK("micro", "in", "kvm", 250, ""));
    assert_int_equal(tsv_nano(&r, "micro", prefix, &sizes), 0);
    report_free(&r);
    free(prefix);
}

/* Each series that lacks one mechanism against bt as it is; rows that differ in
 * two options, and benchmarks without a difference, have no bar. */
static void test_mechanism_data(void **state)
{
    struct report r;
    struct tsv_sizes sizes = {0};
    char *prefix = xformat("%s/mechanisms", dir), *text;
    json_t *figure;

    (void)state;
    load(&r,
         BT("in", "{\"bt-adaptive\":\"on\",\"bt-unit\":\"12\"}", 1) "," BT(
             "in", "{\"bt-adaptive\":\"off\",\"bt-unit\":\"12\"}",
             1) "," BT("in", "{\"bt-adaptive\":\"off\",\"bt-unit\":\"4\"}", 9));
    assert_int_equal(tsv_mechanisms(&r, NULL, prefix, &sizes), 0);
    /* All intervals are 0.9 to 1.1: only another one tells a difference. */
    figure = json_object_get(r.rows[1].json, RF_TICKS_PER_OP);
    json_object_set_new(figure, RF_MEDIAN, json_real(8));
    json_object_set_new(figure, RF_CI95, json_pack("[ff]", 7.0, 9.0));
    assert_int_equal(tsv_mechanisms(&r, NULL, prefix, &sizes), 1);
    text = read_tsv(prefix, "bars");
    assert_non_null(strstr(text, "\t0\t1\t8\t6.36363636\t10\t0\t8.00×\n"));
    free(text);
    text = read_tsv(prefix, "keys");
    assert_string_equal(text, "bt-adaptive\tno adaptation\t0.00\n");
    free(text);
    report_free(&r);
    free(prefix);
}

/* A row of the sweep: its price in per cent of the control, least, median and
 * most. */
struct trade {
    const char *paging;
    unsigned updates, switches, price[3];
    unsigned slow; /* the clock is that much slower, still in its 2nd pair */
    const char *more;
};

/* clang-format off */
/* trace wins where nothing is written, vtlb and nested elsewhere; at one point
 * nobody can tell. "none" is the fastest everywhere and no contender. */
static const struct trade trade_rows[] = {
    {"none",    0, 0, {1, 1, 1},       1, ""},
    {"trace",   0, 0, {95, 100, 105},  3, ""},
    {"vtlb",    0, 0, {240, 250, 260}, 1, ""},
    {"nested",  0, 0, {190, 200, 210}, 1, ""},
    {"trace",  16, 0, {850, 900, 950}, 1, ""},
    {"vtlb",   16, 0, {290, 300, 310}, 1,
     ",\"events\":{\"fault.hidden\":12,\"walk.refs\":480},"
     "\"event_ticks\":{\"fault.hidden\":120}"},
    {"nested", 16, 0, {190, 200, 210}, 2, ""},
    {"trace",   0, 4, {80, 100, 120},  1, ""},
    {"vtlb",    0, 4, {90, 110, 130},  1, ""},
    {"nested",  0, 4, {190, 200, 210}, 1, ""},
    {"trace",  16, 4, {850, 900, 950}, 1, ""},
    {"vtlb",   16, 4, {140, 150, 160}, 1, ""},
    {"nested", 16, 4, {290, 300, 310}, 1, ""},
    {"trace",  64, 0, {850, 900, 950}, 1, ""},
    {"nested", 64, 0, {190, 200, 210}, 1, ""},
};
/* clang-format on */

static void load_trade(struct report *r, const struct trade *rows, unsigned n)
{
    struct text t = {0};

    for (unsigned i = 0; i < n; i++) {
        const struct trade *row = &rows[i];

        text_add(&t,
                 "%s{\"suite\":\"tradeoff\",\"bench\":\"tradeoff\","
                 "\"backend\":\"interp\",\"paging\":\"%s\",\"params\":{"
                 "\"updates\":\"%u\",\"switches\":\"%u\","
                 "\"touches\":\"64\"},\"status\":\"ok\","
                 "\"unit\":\"ticks\",\"iterations\":1,\"ticks_per_op\":"
                 "{\"median\":%u,\"mad\":0,\"min\":0,\"ci95\":[0,1]},"
                 "\"control_per_op\":100,\"samples\":[%u,%u,%u],"
                 "\"control\":[%u,%u,%u]%s}",
                 i ? "," : "", row->paging, row->updates, row->switches,
                 row->price[1] * row->slow, (row->price[0] + 100) * row->slow,
                 (row->price[1] + 100) * 2 * row->slow,
                 (row->price[2] + 100) * row->slow, 100 * row->slow,
                 200 * row->slow, 100 * row->slow, row->more);
    }
    load(r, t.text);
    free(t.text);
}

#define LOAD_TRADE(r)                                                          \
    load_trade(r, trade_rows, sizeof(trade_rows) / sizeof(trade_rows[0]))

static void test_tradeoff(void **state)
{
    struct report r;
    struct tradeoff *maps;
    struct tradeoff_cell *c;
    struct text got = {0};

    (void)state;
    LOAD_TRADE(&r);
    assert_int_equal(tradeoff_find(&r, &maps), 1);
    assert_int_equal(maps->n, 3);
    assert_string_equal(maps->names[0], "trace");
    c = tradeoff_at(maps, 0, 0, 0);
    assert_string_equal(maps->names[c->winner], "trace");
    assert_string_equal(maps->names[c->second], "nested");
    assert_float_equal(c->margin, 2, 1e-9);
    assert_true(c->clear);
    assert_false(tradeoff_at(maps, 0, 1, 0)->clear);
    c = tradeoff_at(maps, 1, 1, 0);
    assert_string_equal(maps->names[c->winner], "vtlb");
    tradeoff_free(maps, 1);

    tradeoff_say(&r, collect_sentence, &got);
    assert_non_null(strstr(
        got.text, "trace wins 1 (2.00 times cheaper than nested, at updates "
                  "0, switches 0, touches 64); "));
    assert_non_null(strstr(
        got.text, "nested wins 2 (within updates 16 to 64, switches 0; at most "
                  "4.50 times cheaper than trace, at updates 64, switches 0, "
                  "touches 64); "));
    assert_non_null(strstr(got.text,
                           "1 is too close to tell; clearly dearer than "
                           "the cheapest are trace at 3, vtlb at 2, "
                           "nested at 3."));
    assert_non_null(strstr(got.text, "with touches 64 it pays from updates 16 "
                                     "on at switches 0, nowhere at switches "
                                     "4."));
    assert_non_null(strstr(got.text, "no row of kvm with nested paging"));
    free(got.text);
    report_free(&r);
}

static void test_tradeoff_data(void **state)
{
    struct report r;
    struct tsv_sizes sizes = {0};
    char *prefix = xformat("%s/map", dir), *text;

    (void)state;
    LOAD_TRADE(&r);
    assert_int_equal(tsv_map(&r, "tradeoff", prefix, &sizes), 1);
    assert_int_equal(sizes.keys, 3);
    text = read_tsv(prefix, "cells");
    assert_string_equal(text, "0\t0\t0\t0\t1\t2.00×\n"
                              "0\t1\t0\t1\t1\t1.50×\n"
                              "0\t2\t0\t1\t1\t4.50×\n"
                              "0\t0\t1\t0\t0\t≈ vtlb\n"
                              "0\t1\t1\t2\t1\t2.00×\n");
    free(text);
    text = read_tsv(prefix, "borders");
    assert_string_equal(text, "0\t0.5\t-0.5\t0\t1\n"
                              "0\t0.5\t0.5\t0\t1\n"
                              "0\t0.5\t0.5\t1\t0\n");
    free(text);
    memset(&sizes, 0, sizeof(sizes));
    assert_int_equal(tsv_cuts(&r, "tradeoff", prefix, &sizes), 2);
    assert_int_equal(sizes.keys, 2);
    text = read_tsv(prefix, "labels");
    /* switches 0 at updates 16: vtlb's own counts behind its time. */
    assert_non_null(strstr(text, "\tvtlb\t3\t3.00×: 12 hidden, 480 refs\n"));
    free(text);
    text = read_tsv(prefix, "bars");
    assert_non_null(strstr(text, "\t0\t0\t1.2\n"));
    assert_non_null(strstr(text, "\t1\t1.2\t3\n"));
    free(text);
    report_free(&r);
    /* One policy is no contest. */
    load_trade(&r, &trade_rows[1], 1);
    assert_int_equal(tsv_map(&r, "tradeoff", prefix, &sizes), 0);
    assert_int_equal(tsv_cuts(&r, "tradeoff", prefix, &sizes), 0);
    report_free(&r);
    free(prefix);
}

#define WORK(suite, bench, paging, events)                                     \
    OK(suite, bench, "interp", 1,                                              \
       ",\"paging\":\"" paging "\",\"events\":{" events "}")

/* Two of a million instructions are two; the row under trace knows of writes to
 * page tables. */
static const char *const work_rows =
    WORK("compute", "sort", "none", "\"insn.retired\":5e5") "," WORK("mixed", "forkwait", "none", "\"insn.retired\":1000,\"guest.syscall\":1,\"ctx.switch\":3") "," WORK(
        "mixed", "forkwait", "trace",
        "\"insn.retired\":1000,\"guest.syscall\":1,\"ctx.switch\":3,"
        "\"fault.trace\":4,\"fault.hidden\":9") "," WORK("io", "console",
                                                         "none",
                                                         "\"insn.retired\":2e6,"
                                                         "\"guest.syscall\":4,"
                                                         "\"exit.io\":140") "," OK("io",
                                                                                   "console",
                                                                                   "bt",
                                                                                   1,
                                                                                   ",\"events\":{\"insn.retired\":7,\"guest.syscall\":7}") "," WORK("micro",
                                                                                                                                                    "in",
                                                                                                                                                    "none",
                                                                                                                                                    "\"insn.retired\":1,\"exit.io\":1");

static void test_profile_data(void **state)
{
    struct report r;
    struct tsv_sizes sizes = {0};
    char *prefix = xformat("%s/profile", dir), *text;

    (void)state;
    load(&r, work_rows);
    assert_int_equal(tsv_profile(&r, NULL, prefix, &sizes), 2);
    text = read_tsv(prefix, "labels");
    assert_non_null(strstr(text, "\tconsole\tinterp/none\t72\t72.0\n"));
    /* Hidden faults are the policy's, not the guest's. */
    assert_non_null(strstr(text, "\tforkwait\tinterp/trace\t8000\t8000\n"));
    free(text);
    text = read_tsv(prefix, "keys");
    assert_non_null(strstr(text, "fault.trace\tpage-table writes\t0\n"));
    free(text);
    text = read_tsv(prefix, "notes");
    assert_non_null(strstr(text, "Fewer than 0.1 of them: sort\n"));
    assert_non_null(strstr(text, "writes aren't counted for: sort, console."));
    free(text);
    report_free(&r);
    free(prefix);
}

static void test_scatter_data(void **state)
{
    struct report r;
    struct tsv_sizes sizes = {0};
    char *prefix = xformat("%s/scatter", dir), *text;

    (void)state;
    load(&r, work_rows);
    assert_int_equal(tsv_scatter(&r, NULL, prefix, &sizes), 3);
    text = read_tsv(prefix, "points");
    /* What is rarer than the axis shows stands at its zero. */
    assert_non_null(strstr(text, "0.0333333\t0.0333333\t0\t0\tsort\n"));
    assert_non_null(strstr(text, "2\t0.0333333\t1\t0\tconsole\n"));
    assert_non_null(strstr(text, "1000\t7000\t2\t0\tforkwait\n"));
    free(text);
    report_free(&r);
    /* Two points are no picture. */
    load(&r, WORK("mixed", "a", "none", "\"insn.retired\":1") "," WORK(
                 "mixed", "b", "none", "\"insn.retired\":1"));
    assert_int_equal(tsv_scatter(&r, NULL, prefix, &sizes), 0);
    report_free(&r);
    free(prefix);
}

/* Points in one place share a label; none covers another. */
static void test_scatter_crowd(void **state)
{
    struct report r;
    struct tsv_sizes sizes = {0};
    struct text rows = {0};
    char *prefix = xformat("%s/crowd", dir), *text;
    unsigned labels = 0;

    (void)state;
    for (int i = 0; i < 9; i++)
        text_add(&rows,
                 "%s{\"suite\":\"compute\",\"bench\":\"c%d\",\"backend\":"
                 "\"interp\",\"paging\":\"none\",\"status\":\"ok\",\"unit\":"
                 "\"ticks\",\"ticks_per_op\":{\"median\":1,\"ci95\":[1,1]},"
                 "\"events\":{\"insn.retired\":1}}",
                 i ? "," : "", i);
    load(&r, rows.text);
    free(rows.text);
    assert_int_equal(tsv_scatter(&r, NULL, prefix, &sizes), 9);
    text = read_tsv(prefix, "points");
    for (char *p = text; (p = strstr(p, "\tc")); p++)
        labels++;
    assert_in_range(labels, 1, 4);
    free(text);
    text = read_tsv(prefix, "notes");
    assert_non_null(strstr(text, "Side by side: c0 +"));
    free(text);
    report_free(&r);
    free(prefix);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nano_data),
        cmocka_unit_test(test_mechanism_data),
        cmocka_unit_test(test_tradeoff),
        cmocka_unit_test(test_tradeoff_data),
        cmocka_unit_test(test_profile_data),
        cmocka_unit_test(test_scatter_data),
        cmocka_unit_test(test_scatter_crowd),
    };

    return cmocka_run_group_tests_name("report_plots", tests, make_dir,
                                       remove_dir);
}
