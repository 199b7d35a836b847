/* Tests the report: the model, what it derives, the data of the plots. */
#include "report_fixture.h"

#include "harness/report_html.h"

#define MAX_FILES 2

static void refuse(const char *runs, const char *expected)
{
    struct report r;
    char why[REASON_MAX] = "";
    char *path = write_file("bad.json", runs);

    assert_int_not_equal(report_load(&r, &path, 1, why), 0);
    assert_non_null(strstr(why, "bad.json"));
    if (!strstr(why, expected))
        fail_msg("\"%s\" lacks \"%s\"", why, expected);
    assert_null(strchr(why, '\n'));
    report_free(&r);
    free(path);
}

static void test_order(void **state)
{
    struct report r;

    (void)state;
    load(&r,
         OK("zoo", "x", "interp", 1, "") "," OK(
             "micro", "out", "interp", 1,
             "") "," OK("micro", "in", "kvm", 1,
                        "") "," OK("compute", "sort", "native", 1,
                                   "") "," LOST("out", "kvm", "failed", "why"));
    assert_int_equal(r.nbenches, 4);
    assert_string_equal(r.benches[0].label, "in");
    assert_string_equal(r.benches[1].label, "out");
    assert_string_equal(r.benches[2].label, "sort");
    assert_string_equal(r.benches[3].label, "x");
    assert_int_equal(r.nseries, 3);
    assert_string_equal(r.series[0].label, "native");
    assert_string_equal(r.series[1].label, "kvm");
    assert_string_equal(r.series[2].label, "interp");
    assert_string_equal(report_next_suite(&r, NULL), "micro");
    assert_string_equal(report_next_suite(&r, "micro"), "compute");
    assert_string_equal(report_next_suite(&r, "compute"), "zoo");
    assert_null(report_next_suite(&r, "zoo"));
    /* The rows followed what they point at. */
    assert_non_null(report_ok(&r, 0, 1));
    assert_null(report_find(&r, 0, 2));
    assert_int_equal(report_find(&r, 1, 1)->status, ROW_FAILED);
    assert_null(report_ok(&r, 1, 1));
    report_free(&r);
}

static void test_series_labels(void **state)
{
    struct report r;
    char why[REASON_MAX];
    char *paths[MAX_FILES];

    (void)state;
    load(
        &r,
        OK("micro", "in", "interp", 1, ",\"paging\":\"vtlb\"") "," OK(
            "micro", "in", "interp", 2,
            ",\"paging\":\"trace\"") "," OK("micro", "in", "kvm", 3,
                                            ",\"paging\":\"shadow\"") "," LOST("out",
                                                                               "kvm",
                                                                               "timeout",
                                                                               "slow"));
    assert_int_equal(r.nseries, 3);
    assert_string_equal(r.series[0].label, "kvm");
    assert_string_equal(r.series[1].label, "interp/vtlb");
    assert_string_equal(r.series[2].label, "interp/trace");
    assert_int_equal(report_find(&r, 1, 0)->status, ROW_TIMEOUT);
    report_free(&r);

    paths[0] = write_file("a.json", OK("micro", "in", "kvm", 1, ""));
    paths[1] = write_file("b.json", OK("micro", "in", "kvm", 2, ""));
    assert_int_equal(report_load(&r, paths, 2, why), 0);
    assert_int_equal(r.nbenches, 1);
    assert_string_equal(r.series[0].label, "kvm (a.json)");
    assert_string_equal(r.series[1].label, "kvm (b.json)");
    report_free(&r);
    free(paths[0]);
    free(paths[1]);
}

static void test_params(void **state)
{
    struct report r;

    (void)state;
    load(&r, OK("micro", "in", "kvm", 1, ",\"params\":{\"pages\":16}") "," OK(
                 "micro", "in", "kvm", 2, ",\"params\":{\"pages\":256}"));
    assert_int_equal(r.nbenches, 2);
    assert_string_equal(r.benches[0].label, "in pages=16");
    assert_string_equal(r.benches[1].label, "in pages=256");
    report_free(&r);
}

/* Options of the backend are series, dials of the benchmark are lines. */
static void test_variants(void **state)
{
    struct report r;

    (void)state;
    load(
        &r,
        OK("micro", "in", "bt", 1, ",\"params\":{\"bt-adaptive\":\"on\",\"size\":\"1\"}") "," OK(
            "micro", "in", "bt", 2,
            ",\"params\":{\"bt-adaptive\":\"off\",\"size\":\"1\"}") "," OK("mic"
                                                                           "ro",
                                                                           "in",
                                                                           "int"
                                                                           "er"
                                                                           "p",
                                                                           3,
                                                                           ",\""
                                                                           "par"
                                                                           "ams"
                                                                           "\":"
                                                                           "{\""
                                                                           "siz"
                                                                           "e\""
                                                                           ":\""
                                                                           "1\""
                                                                           "}"));
    assert_int_equal(r.nbenches, 1);
    assert_string_equal(r.benches[0].label, "in size=1");
    assert_int_equal(r.nseries, 3);
    assert_string_equal(r.series[0].label, "interp");
    assert_string_equal(r.series[1].label, "bt");
    assert_string_equal(r.series[2].label, "bt, no adaptation");
    assert_float_equal(report_ok(&r, 0, 2)->median, 2, 0);
    report_free(&r);
}

static void test_refusals(void **state)
{
    (void)state;
    refuse("", "no rows");
    refuse(OK("micro", "in", "kvm", 1, "") "," OK("micro", "in", "kvm", 2, ""),
           "runs[1]: in on kvm is there twice");
    refuse("{\"suite\":\"micro\",\"bench\":\"in\",\"backend\":\"kvm\","
           "\"status\":\"ok\"}",
           "runs[0]: ticks_per_op.median");
    refuse(OK("micro", "in", "kvm", 1, ",\"events\":{\"exit.io\":\"one\"}"),
           "events.exit.io is not a number");
    refuse(LOST("in", "kvm", "odd", "why"), "unknown status \"odd\"");
    refuse(
        OK("micro", "in", "kvm", 1,
           "") ","
               "{\"suite\":\"micro\",\"bench\":\"out\",\"backend\":\"kvm\","
               "\"status\":\"ok\",\"unit\":\"instructions\",\"ticks_per_op\":"
               "{\"median\":1,\"ci95\":[1,1]}}",
        "another unit");
    refuse("{", "line 1, column");
}

static void test_relative(void **state)
{
    struct report r;
    struct ratio ratio;

    (void)state;
    load(&r, OK("compute", "sort", "native", 1, "") "," OK(
                 "compute", "sort", "interp", 12,
                 ",\"noisy\":true") "," OK("compute", "x", "interp", 12, ""));
    assert_true(report_relative(&r, report_ok(&r, 0, 1), &ratio));
    assert_float_equal(ratio.median, 12, 1e-9);
    assert_float_equal(ratio.low, 0.9 / 1.1, 1e-9);
    assert_float_equal(ratio.high, 1.1 / 0.9, 1e-9);
    assert_true(ratio.noisy);
    assert_false(report_relative(&r, report_ok(&r, 0, 0), &ratio));
    assert_false(report_relative(&r, report_ok(&r, 1, 1), &ratio));
    report_free(&r);
}

static void collect_missing(void *opaque, const char *status,
                            const char *reason, const char *rows)
{
    text_add(opaque, "%s|%s|%s\n", status, reason, rows);
}

static void test_missing(void **state)
{
    struct report r;
    struct text got = {0};

    (void)state;
    load(&r,
         LOST("in", "kvm", "failed", "one") "," LOST(
             "in", "interp", "skipped",
             "two") "," LOST("out", "kvm", "failed",
                             "one") "," OK("micro", "out", "interp", 1, ""));
    report_missing(&r, collect_missing, &got);
    assert_string_equal(got.text, "failed|one|in on kvm, out on kvm\n"
                                  "skipped|two|in on interp\n");
    free(got.text);
    report_free(&r);
}

/* A suite that is wholly lost for one reason is named by its name, and needs no
 * column. */
static void test_missing_suite(void **state)
{
    struct report r;
    struct text got = {0};

    (void)state;
    load(&r, LOST("in", "kvm", "skipped", "one") "," LOST(
                 "out", "kvm", "skipped",
                 "one") "," LOST("x", "kvm", "skipped",
                                 "one") "," OK("micro", "in", "interp", 1, ""));
    report_missing(&r, collect_missing, &got);
    assert_string_equal(got.text, "skipped|one|all 3 of micro on kvm\n");
    assert_false(report_has_column(&r, "micro", 0));
    assert_true(report_has_column(&r, "micro", 1));
    free(got.text);
    report_free(&r);
}

/* Points of one benchmark that share a reason are counted, a few are named. */
#define POINT(u, status)                                                       \
    "{\"suite\":\"tradeoff\",\"bench\":\"tradeoff\",\"backend\":\"bt\","       \
    "\"params\":{\"updates\":\"" u "\"}," status "}"
#define POINT_LOST "\"status\":\"failed\",\"reason\":\"one\""
#define POINT_OK(vmm)                                                          \
    "\"status\":\"ok\",\"unit\":\"ticks\",\"ticks_per_op\":{\"median\":1,"     \
    "\"mad\":0,\"min\":0,\"ci95\":[1,1]},\"time_split\":{\"guest\":100,"       \
    "\"vmm\":" #vmm "}"

static void test_points(void **state)
{
    struct report r;
    struct text got = {0};

    (void)state;
    load(&r, POINT("1", POINT_LOST) "," POINT("2", POINT_LOST) "," POINT(
                 "3", POINT_OK(50)) "," POINT("4", POINT_OK(150)));
    report_missing(&r, collect_missing, &got);
    assert_string_equal(got.text,
                        "failed|one|2 of 4 points of tradeoff on bt\n");
    report_summary(&r, collect_sentence, &got);
    assert_non_null(strstr(got.text, "event handlers in 1 of 2 rows: tradeoff "
                                     "updates=4 (60 %)."));
    report_free(&r);
    load(&r, POINT("1", POINT_OK(300)) "," POINT("2", POINT_OK(1)) "," POINT(
                 "3", POINT_OK(50)) "," POINT("4", POINT_OK(150)));
    report_summary(&r, collect_sentence, &got);
    assert_non_null(strstr(got.text, "event handlers in 2 of 4 points of "
                                     "tradeoff (60 to 75 %)."));
    free(got.text);
    report_free(&r);
}

static void collect_warning(void *opaque, const char *text, const char *advice,
                            const char *rows)
{
    text_add(opaque, "%s|%s|%s\n", text, advice ? advice : "",
             rows ? rows : "");
}

static void test_warnings(void **state)
{
    struct report r;
    char why[REASON_MAX];
    char *path =
        write_warned("w.json", OK("micro", "in", "kvm", 1, ""),
                     "{\"text\":\"a\",\"advice\":\"b\",\"bench\":\"in\","
                     "\"backend\":\"kvm\"},"
                     "{\"text\":\"c\"},{\"text\":\"a\",\"bench\":\"y\"},"
                     "{\"text\":\"a\",\"advice\":\"b\",\"bench\":\"out\","
                     "\"backend\":\"kvm\"}");
    struct text got = {0};

    (void)state;
    assert_int_equal(report_load(&r, &path, 1, why), 0);
    report_warnings(&r, collect_warning, &got);
    assert_string_equal(got.text, "a|b|kvm: in, out\nc||\na||all: y\n");
    free(got.text);
    report_free(&r);
    free(path);
}

#define SUM(bench, backend, sum)                                               \
    OK("compute", bench, backend, 1, ",\"checksum\":\"" sum "\"")

static void test_checksums(void **state)
{
    struct report r;
    struct text got = {0};

    (void)state;
    /* clang-format off */
    load(&r, SUM("sort", "kvm", "aa") "," SUM("sort", "interp", "ab") ","
             SUM("fft", "kvm", "cc") "," SUM("fft", "interp", "cc"));
    /* clang-format on */
    report_summary(&r, collect_sentence, &got);
    assert_non_null(
        strstr(got.text, "CHECKSUMS DIFFER between backends in sort"));
    assert_non_null(
        strstr(got.text, "The checksums of 1 workload agree on all"));
    free(got.text);
    report_free(&r);
}

static void test_escaping(void **state)
{
    char *text = NULL;
    size_t len;
    FILE *f = open_memstream(&text, &len);

    (void)state;
    html_text(f, "a<b>&\"c\"'d'");
    fclose(f);
    assert_string_equal(text, "a&lt;b&gt;&amp;&quot;c&quot;&#39;d&#39;");
    free(text);
    f = open_memstream(&text, &len);
    tsv_field(f, "a\tb\n\"c\"");
    fclose(f);
    assert_string_equal(text, "a b 'c'");
    free(text);
}

static void test_cost_data(void **state)
{
    struct report r;
    struct tsv_sizes sizes = {0};
    char *prefix = xformat("%s/cost", dir), *text;

    (void)state;
    load(&r, OK("micro", "in", "kvm", 250,
                "") "," OK("micro", "out", "kvm", -0.5,
                           "") "," LOST("in", "interp", "failed", "why"));
    assert_int_equal(tsv_cost(&r, "micro", prefix, &sizes), 1);
    assert_int_equal(sizes.keys, 1);
    text = read_tsv(prefix, "bars");
    /* column y key from to low high noisy text: the axis begins at 100. */
    assert_string_equal(text, "0\t2.100\t0\t100\t250\t100\t100\t0\t250\n");
    free(text);
    text = read_tsv(prefix, "notes");
    assert_non_null(strstr(text, "Failed on interp: in\n"));
    assert_non_null(strstr(text, "control, on kvm: out\n"));
    free(text);
    assert_int_equal(tsv_cost(&r, "compute", prefix, &sizes), 0);
    report_free(&r);
    free(prefix);
}

static void test_exit_data(void **state)
{
    struct report r;
    struct tsv_sizes sizes = {0};
    char *prefix = xformat("%s/exits", dir), *text;

    (void)state;
    load(
        &r,
        OK("micro", "in", "kvm", 1,
           ",\"events\":{\"exit.io\":1,\"exit.total\":1.5,"
           "\"exit.emulated\":9,\"insn.retired\":7}") "," OK("micro", "out",
                                                             "kvm", 1,
                                                             ",\"events\":{"
                                                             "\"exit.io\":"
                                                             "70}") "," OK("m"
                                                                           "i"
                                                                           "c"
                                                                           "r"
                                                                           "o",
                                                                           "i"
                                                                           "n",
                                                                           "i"
                                                                           "n"
                                                                           "t"
                                                                           "e"
                                                                           "r"
                                                                           "p",
                                                                           1,
                                                                           ","
                                                                           "\"e"
                                                                           "ven"
                                                                           "ts"
                                                                           "\":"
                                                                           "{\""
                                                                           "exi"
                                                                           "t."
                                                                           "io"
                                                                           "\":"
                                                                           "0"
                                                                           "}"));
    assert_int_equal(tsv_exits(&r, NULL, prefix, &sizes), 2);
    assert_int_equal(sizes.columns, 2); /* panels: up to 5, more */
    assert_int_equal(sizes.keys, 2);
    text = read_tsv(prefix, "bars");
    assert_string_equal(text, "0\t0.500\t0\t0\t1\n"
                              "0\t0.500\t1\t1\t1.5\n"
                              "1\t0.500\t0\t0\t70\n");
    free(text);
    text = read_tsv(prefix, "keys");
    assert_string_equal(text, "exit.io\texit.io\t0\n"
                              "unattributed\tunattributed\t0\n");
    free(text);
    report_free(&r);
    free(prefix);
}

/* More faults, or events of a kind, than exits: met while emulating. */
static void test_faults_without_exits(void **state)
{
    struct report r;
    struct tsv_sizes sizes = {0};
    char *prefix = xformat("%s/faults", dir), *text;

    (void)state;
    load(&r, OK("micro", "in", "kvm", 1,
                ",\"events\":{\"exit.io\":1,\"exit.total\":3,"
                "\"fault.trace\":40}") "," OK("micro", "out", "kvm", 1,
                                              ",\"events\":{\"exit.total\":2,"
                                              "\"fault.trace\":2}"));
    assert_int_equal(tsv_exits(&r, NULL, prefix, &sizes), 2);
    text = read_tsv(prefix, "bars");
    assert_string_equal(text, "0\t0.500\t0\t0\t1\n"
                              "0\t0.500\t2\t1\t3\n"
                              "0\t2.000\t1\t0\t2\n");
    free(text);
    report_free(&r);
    free(prefix);
}

static void test_split_data(void **state)
{
    struct report r;
    struct tsv_sizes sizes = {0};
    char *prefix = xformat("%s/split", dir), *text;

    (void)state;
    load(&r,
         OK("micro", "in", "kvm", 1,
            ",\"event_ticks\":{\"exit.io\":30},"
            "\"time_split\":{\"guest\":160,\"vmm\":40}") "," OK("micro", "out",
                                                                "kvm", 1,
                                                                ",\"event_"
                                                                "ticks\":{"
                                                                "\"exit.io\":"
                                                                "3}"));
    assert_int_equal(tsv_split(&r, NULL, prefix, &sizes), 1);
    text = read_tsv(prefix, "bars");
    assert_string_equal(text, "0\t0.500\t0\t0\t80\n"
                              "0\t0.500\t1\t80\t95\n"
                              "0\t0.500\t2\t95\t100\n");
    free(text);
    report_free(&r);
    free(prefix);
}

/* The schema names the same events as the program. */
static void test_schema_events(void **state)
{
    json_t *schema = json_load_file("results/schema.json", 0, NULL);
    json_t *events, *name;
    size_t i;

    (void)state;
    assert_non_null(schema);
    events = json_object_get(
        json_object_get(json_object_get(schema, "$defs"), "event"), "enum");
    assert_int_equal(json_array_size(events), EV_COUNT);
    json_array_foreach(events, i, name)
        assert_int_equal(event_find(json_string_value(name)), i);
    json_decref(schema);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_series_labels),
        cmocka_unit_test(test_params),
        cmocka_unit_test(test_variants),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_relative),
        cmocka_unit_test(test_missing),
        cmocka_unit_test(test_missing_suite),
        cmocka_unit_test(test_points),
        cmocka_unit_test(test_warnings),
        cmocka_unit_test(test_checksums),
        cmocka_unit_test(test_escaping),
        cmocka_unit_test(test_cost_data),
        cmocka_unit_test(test_exit_data),
        cmocka_unit_test(test_faults_without_exits),
        cmocka_unit_test(test_split_data),
        cmocka_unit_test(test_schema_events),
    };

    return cmocka_run_group_tests_name("report", tests, make_dir, remove_dir);
}
