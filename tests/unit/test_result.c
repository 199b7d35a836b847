/* Unit tests of the result file and of what a row makes of its samples. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "harness/resultfile.h"
#include "harness/row.h"
#include "harness/util.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64];

static int make_dir(void **state)
{
    (void)state;
    strcpy(dir, "/tmp/test_result.XXXXXX");
    return !mkdtemp(dir);
}

static int remove_dir(void **state)
{
    char *command = xformat("rm -rf '%s'", dir);
    int err = system(command);

    (void)state;
    free(command);
    return err;
}

static char *in_dir(const char *name, const char *text)
{
    char *path = xformat("%s/%s", dir, name);
    FILE *f = text ? fopen(path, "w") : NULL;

    if (f) {
        fputs(text, f);
        fclose(f);
    }
    return path;
}

static json_t *sample_file(void)
{
    json_t *file = result_new();

    json_array_append_new(json_object_get(file, RF_RUNS),
                          json_pack("{s:s, s:s, s:s, s:s, s:f}", RF_BENCH, "in",
                                    RF_SUITE, "micro", RF_BACKEND, "kvm",
                                    RF_STATUS, "ok", RF_NS_PER_OP, 1.25));
    result_warn(file, "text", "advice", NULL, "kvm");
    return file;
}

static void written_file_reads_back(void **state)
{
    json_t *file = sample_file(), *back;
    char why[REASON_MAX] = "", *path = in_dir("r.json", NULL);
    struct stat st;

    (void)state;
    assert_int_equal(result_save(file, path, why), 0);
    back = result_load(path, why);
    assert_non_null(back);
    assert_true(json_equal(file, back));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0600, 0600);
    json_decref(file);
    json_decref(back);
    free(path);
}

static void failed_write_keeps_the_old_file(void **state)
{
    json_t *file = sample_file(), *back;
    char why[REASON_MAX] = "", *path = in_dir("old.json", NULL);
    char *gone = in_dir("missing/r.json", NULL);

    (void)state;
    assert_int_equal(result_save(file, path, why), 0);
    assert_true(result_save(file, gone, why) < 0);
    assert_non_null(strstr(why, "missing/r.json"));
    /* A device is written in place, and what it says is passed on. */
    assert_int_equal(result_save(file, "/dev/full", why), -ENOSPC);
    back = result_load(path, why);
    assert_non_null(back);
    json_decref(back);
    json_decref(file);
    free(path);
    free(gone);
}

/* Somebody else's file moves no cursor. */
static void texts_obey_nobody(void **state)
{
    char why[REASON_MAX] = "";
    char *path =
        in_dir("evil.json",
               "{\"schema\":\"trapmark-results/1\",\"tool\":{},"
               "\"host\":{\"kernel\":\"a\\u001b[31mb\\u009bc\\n\\u00e9\"},"
               "\"config\":{\"backends\":[\"x\\u0007\"]},\"runs\":[],"
               "\"warnings\":[]}");
    json_t *file = result_load(path, why), *o = json_object();
    const json_t *config = json_object_get(file, RF_CONFIG);

    (void)state;
    assert_non_null(file);
    assert_string_equal(result_text(json_object_get(file, RF_HOST), "kernel"),
                        "a?[31mb??c?\303\251");
    assert_string_equal(json_string_value(json_array_get(
                            json_object_get(config, "backends"), 0)),
                        "x?");
    result_set_text(o, "bell", "\a!");
    assert_string_equal(result_text(o, "bell"), "?!");
    json_decref(o);
    json_decref(file);
    free(path);
}

static void assert_refused(const char *text, const char *reason)
{
    char why[REASON_MAX] = "", *path = in_dir("bad.json", text);

    assert_null(result_load(path, why));
    if (!strstr(why, reason))
        fail_msg("'%s' doesn't say '%s'", why, reason);
    free(path);
}

static void bad_files_are_refused(void **state)
{
    char why[REASON_MAX];

    (void)state;
    assert_null(result_load("/nonexistent.json", why));
    assert_non_null(strstr(why, "No such file"));
    assert_refused("", "line 1");
    assert_refused("{\"schema\":\n\"trap", "line 2");
    assert_refused("[]", "not a Trapmark result file");
    assert_refused("{\"schema\": 1}", "not a Trapmark result file");
    assert_refused("{\"schema\": \"trapmark-results/9\"}",
                   "trapmark-results/9");
    assert_refused("{\"schema\": \"trapmark-results/1\", \"tool\": {},"
                   " \"host\": {}, \"config\": {}, \"warnings\": []}",
                   "\"runs\"");
    assert_refused("{\"schema\": \"trapmark-results/1\", \"tool\": {},"
                   " \"host\": {}, \"config\": {}, \"warnings\": [],"
                   " \"runs\": [{\"bench\": \"in\", \"suite\": \"micro\","
                   " \"backend\": \"kvm\", \"status\": \"failed\"}]}",
                   "runs[0]");
}

static void numbers_that_are_none_stay_absent(void **state)
{
    json_t *o = json_object();
    double value;

    (void)state;
    result_set_real(o, "nan", NAN);
    result_set_real(o, "inf", INFINITY);
    result_set_real(o, "one", 1);
    result_set_text(o, "empty", "");
    result_set_text(o, "null", NULL);
    result_set_text(o, "latin", "caf\351");
    assert_int_equal(json_object_size(o), 2);
    assert_true(result_real(o, "one", &value));
    assert_false(result_real(o, "nan", &value));
    assert_string_equal(result_text(o, "latin"), "caf?");
    json_decref(o);
}

/* ---- Rows ------------------------------------------------------------- */

static const char *no_paging(void)
{
    return "none";
}

static const struct backend backend = {.name = "interp", .paging = no_paging};
static const struct bench_info bench = {
    .note = {.name = "in", .suite = "micro", .op = "port read"}};
static json_t *no_params(void)
{
    static json_t *none;

    if (!none)
        none = json_object();
    return none;
}

static struct row new_row(void)
{
    static struct row_line line = {.bench = &bench};
    static struct row_column column = {.backend = &backend};

    line.params = column.params = no_params();
    return (struct row){.line = &line, .column = &column};
}

static const struct perf_set no_perf;
static const struct row_options options = {
    .seed = 1, .tsc_khz = 2000000, .perf = &no_perf};

static struct runner_result round_of(uint64_t sample, uint64_t control)
{
    struct runner_result r = {.status = ROW_OK, .iterations = 100, .count = 3};

    r.samples = xcalloc(3, sizeof(*r.samples));
    r.control = xcalloc(3, sizeof(*r.control));
    for (int i = 0; i < 3; i++) {
        r.samples[i] = sample;
        r.control[i] = control;
    }
    return r;
}

static void add(struct row *row, struct runner_result r)
{
    row_add(row, &r);
    runner_result_free(&r);
}

static void control_is_subtracted(void **state)
{
    struct row row = new_row();
    double value;

    (void)state;
    add(&row, round_of(5000, 1000));
    add(&row, round_of(5000, 1000));
    row_finish(&row, &options);
    assert_string_equal(result_text(row.json, RF_STATUS), "ok");
    assert_int_equal(json_array_size(json_object_get(row.json, RF_SAMPLES)), 6);
    assert_true(result_real(json_object_get(row.json, RF_TICKS_PER_OP),
                            RF_MEDIAN, &value));
    assert_float_equal(value, 40, 0);
    assert_true(result_real(row.json, RF_CONTROL_PER_OP, &value));
    assert_float_equal(value, 10, 0);
    assert_true(result_real(row.json, RF_NS_PER_OP, &value));
    assert_float_equal(value, 20, 0);
    assert_true(json_is_false(json_object_get(row.json, RF_NOISY)));
    assert_null(json_object_get(row.json, RF_EVENTS));
    assert_null(json_object_get(row.json, RF_PERF));
    assert_null(json_object_get(row.json, RF_CHECKSUM));
    row_free(&row);
}

static void events_are_per_operation(void **state)
{
    struct row row = new_row();
    struct runner_result r = round_of(5000, 1000);
    struct machine_result *m = &r.machine;
    json_t *events;
    double value;

    (void)state;
    r.have_machine = true;
    m->kernel_regions = 3;
    m->control_regions = 3;
    m->kernel.count[EV_EXIT_IO] = 330; /* 300 operations */
    m->control.count[EV_EXIT_IO] = 30;
    m->kernel.count[EV_INTERRUPT] = 1; /* fewer than in the control */
    m->control.count[EV_INTERRUPT] = 2;
    m->kernel.ticks[EV_EXIT_IO] = 6000;
    m->kernel_ticks = 15000;
    m->kernel_vmm_ticks = 6000;
    row_add(&row, &r);
    runner_result_free(&r);
    row_finish(&row, &options);
    events = json_object_get(row.json, RF_EVENTS);
    assert_int_equal(json_object_size(events), 2);
    assert_true(result_real(events, "exit.io", &value));
    assert_float_equal(value, 1, 1e-9);
    assert_true(result_real(events, "interrupt", &value));
    assert_float_equal(value, 0, 0);
    assert_true(result_real(json_object_get(row.json, RF_CONTROL_EVENTS),
                            "exit.io", &value));
    assert_float_equal(value, 0.1, 1e-9);
    assert_true(result_real(json_object_get(row.json, RF_EVENT_TICKS),
                            "exit.io", &value));
    assert_float_equal(value, 20, 1e-9);
    assert_true(result_real(json_object_get(row.json, RF_TIME_SPLIT), RF_GUEST,
                            &value));
    assert_float_equal(value, 30, 1e-9);
    row_free(&row);
}

static void failed_round_ends_the_row(void **state)
{
    struct row row = new_row();
    struct runner_result bad = {.status = ROW_TIMEOUT, .reason = "stuck"};

    (void)state;
    add(&row, round_of(5000, 1000));
    assert_false(row.done);
    row_add(&row, &bad);
    assert_true(row.done);
    row_finish(&row, &options);
    assert_string_equal(result_text(row.json, RF_STATUS), "timeout");
    assert_string_equal(result_text(row.json, RF_REASON), "stuck");
    assert_null(json_object_get(row.json, RF_SAMPLES));
    row_free(&row);
}

static void rows_know_their_own(void **state)
{
    struct row_line line = {.bench = &bench};
    struct row_column column = {.backend = &backend, .paging = "vtlb"};
    struct row row = {.line = &line, .column = &column};
    json_t *run;

    (void)state;
    line.params = json_pack("{s:s}", "size", "2");
    column.params = json_pack("{s:s}", "paging-fault-around", "16");
    add(&row, round_of(5000, 1000));
    row_finish(&row, &options);
    assert_string_equal(result_text(row.json, RF_PAGING), "vtlb");
    run = json_deep_copy(row.json);
    assert_int_equal(json_object_size(json_object_get(run, RF_PARAMS)), 2);
    assert_true(row_is(&row, run));
    /* Another point, other options, another policy: another row. */
    json_object_set_new(json_object_get(run, RF_PARAMS), "size",
                        json_string("1"));
    assert_false(row_is(&row, run));
    json_decref(run);
    run = json_deep_copy(row.json);
    json_object_del(json_object_get(run, RF_PARAMS), "paging-fault-around");
    assert_false(row_is(&row, run));
    json_decref(run);
    run = json_deep_copy(row.json);
    result_set_text(run, RF_PAGING, "trace");
    assert_false(row_is(&row, run));
    json_decref(run);
    row_free(&row);
    json_decref(line.params);
    json_decref(column.params);
}

static json_t *summed(const char *name, const char *checksum)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:f}", RF_BENCH, "sort", RF_BACKEND,
                     name, RF_STATUS, "ok", RF_CHECKSUM, checksum, RF_NS_PER_OP,
                     1.0);
}

static void status_is(const json_t *runs, size_t i, const char *status)
{
    assert_string_equal(result_text(json_array_get(runs, i), RF_STATUS),
                        status);
}

static void wrong_checksums_fail(void **state)
{
    json_t *runs = json_array(), *bad;

    (void)state;
    json_array_append_new(runs, summed("native", "aaaaaaaaaaaaaaaa"));
    json_array_append_new(runs, summed("kvm", "bbbbbbbbbbbbbbbb"));
    json_array_append_new(runs, summed("qemu-tcg", "aaaaaaaaaaaaaaaa"));
    assert_int_equal(rows_check_checksums(runs), 1); /* by majority */
    status_is(runs, 0, "ok");
    status_is(runs, 1, "failed");
    bad = json_array_get(runs, 1);
    assert_string_equal(result_text(bad, RF_REASON),
                        "checksum bbbbbbbbbbbbbbbb differs from native's "
                        "aaaaaaaaaaaaaaaa");
    assert_null(json_object_get(bad, RF_NS_PER_OP));

    /* interp is right against any majority. */
    json_array_append_new(runs, summed("interp", "cccccccccccccccc"));
    assert_int_equal(rows_check_checksums(runs), 2);
    status_is(runs, 0, "failed");
    status_is(runs, 3, "ok");
    json_decref(runs);
}

static json_t *summed_at(const char *name, const char *checksum,
                         const char *size)
{
    json_t *run = summed(name, checksum);

    json_object_set_new(run, RF_PARAMS, json_pack("{s:s}", "size", size));
    return run;
}

/* Another point of the grid is other work. */
static void checksums_are_compared_by_point(void **state)
{
    json_t *runs = json_array();

    (void)state;
    json_array_append_new(runs, summed_at("interp", "aaaaaaaaaaaaaaaa", "1"));
    json_array_append_new(runs, summed_at("interp", "bbbbbbbbbbbbbbbb", "2"));
    json_array_append_new(runs, summed_at("kvm", "aaaaaaaaaaaaaaaa", "1"));
    json_array_append_new(runs, summed_at("kvm", "aaaaaaaaaaaaaaaa", "2"));
    assert_int_equal(rows_check_checksums(runs), 1);
    status_is(runs, 2, "ok");
    status_is(runs, 3, "failed");
    json_decref(runs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(written_file_reads_back),
        cmocka_unit_test(failed_write_keeps_the_old_file),
        cmocka_unit_test(bad_files_are_refused),
        cmocka_unit_test(numbers_that_are_none_stay_absent),
        cmocka_unit_test(texts_obey_nobody),
        cmocka_unit_test(control_is_subtracted),
        cmocka_unit_test(events_are_per_operation),
        cmocka_unit_test(failed_round_ends_the_row),
        cmocka_unit_test(rows_know_their_own),
        cmocka_unit_test(wrong_checksums_fail),
        cmocka_unit_test(checksums_are_compared_by_point),
    };

    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
