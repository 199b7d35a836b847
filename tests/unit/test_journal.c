/* Unit tests of the journal: append, resume, damage, wrong files, full disks.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "harness/journal.h"
#include "harness/util.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char dir[64];
static char output[128], beside[160];

static int make_dir(void **state)
{
    char *temp;
    int err;

    (void)state;
    strcpy(dir, "/tmp/test_journal.XXXXXX");
    if (!mkdtemp(dir))
        return 1;
    temp = xformat("%s/tmp", dir);
    setenv("TMPDIR", temp, 1);
    free(temp);
    snprintf(output, sizeof(output), "%s/r.json", dir);
    snprintf(beside, sizeof(beside), "%s.journal", output);
    temp = xformat("mkdir '%s/tmp'", dir);
    err = system(temp);
    free(temp);
    return err;
}

static int remove_dir(void **state)
{
    char *command = xformat("rm -rf '%s'", dir);
    int err = system(command);

    (void)state;
    free(command);
    return err;
}

static json_t *row(int n)
{
    return json_pack("{s:i}", "row", n);
}

/* Opens, and asserts how many rows were there. */
static struct journal *open_with(uint64_t hash, bool resume, size_t rows)
{
    json_t *old = json_array();
    char why[REASON_MAX] = "";
    int err;
    struct journal *j = journal_open(output, hash, resume, old, &err, why);

    assert_non_null(j);
    assert_int_equal(err, 0);
    assert_int_equal(json_array_size(old), rows);
    json_decref(old);
    return j;
}

static void open_refused(uint64_t hash, bool resume, const char *reason)
{
    json_t *old = json_array();
    char why[REASON_MAX] = "";
    int err;

    assert_null(journal_open(output, hash, resume, old, &err, why));
    assert_int_equal(err, -EEXIST);
    assert_non_null(strstr(why, reason));
    json_decref(old);
}

static void append(struct journal *j, int n)
{
    json_t *r = row(n);

    assert_int_equal(journal_append(j, r), 0);
    json_decref(r);
}

static void resume_finds_the_rows(void **state)
{
    struct journal *j = open_with(1, false, 0);

    (void)state;
    assert_string_equal(journal_path(j), beside);
    append(j, 1);
    append(j, 2);
    journal_close(j, false);
    j = open_with(1, true, 2);
    append(j, 3);
    journal_close(j, false);
    journal_close(open_with(1, true, 3), false);
    journal_close(open_with(1, false, 0), false); /* afresh */
    j = open_with(1, true, 0);
    journal_close(j, true);
    assert_int_equal(access(beside, F_OK), -1);
}

static void cut_line_is_dropped(void **state)
{
    struct journal *j = open_with(1, false, 0);
    FILE *f;

    (void)state;
    append(j, 1);
    journal_close(j, false);
    f = fopen(beside, "a");
    fputs("{\"row\":2, \"sam", f);
    fclose(f);
    j = open_with(1, true, 1);
    append(j, 2); /* goes to where the cut line was */
    journal_close(j, false);
    journal_close(open_with(1, true, 2), true);
}

static void foreign_files_are_left_alone(void **state)
{
    char line[64] = "";
    FILE *f = fopen(beside, "w");

    (void)state;
    fputs("my diary\n", f);
    fclose(f);
    open_refused(1, true, "not a Trapmark journal");
    open_refused(1, false, "not a Trapmark journal");
    assert_true(file_line(beside, line, sizeof(line)));
    assert_string_equal(line, "my diary");
    unlink(beside);
}

static void other_configuration_is_refused(void **state)
{
    (void)state;
    journal_close(open_with(1, false, 0), false);
    open_refused(2, true, "other options");
    journal_close(open_with(2, false, 0), true);
}

/* Where nothing can be put beside the output the journal is in $TMPDIR, and is
 * found again there. */
static void falls_back_to_tmpdir(void **state)
{
    struct journal *j;

    (void)state;
    snprintf(output, sizeof(output), "%s/missing/r.json", dir);
    j = open_with(1, false, 0);
    assert_true(journal_moved(j));
    assert_non_null(strstr(journal_path(j), "/tmp/trapmark-"));
    append(j, 1);
    journal_close(j, false);
    j = open_with(1, true, 1);
    assert_true(journal_moved(j));
    journal_close(j, true);
    setenv("TMPDIR", "/nonexistent", 1);
    j = open_with(1, false, 0);
    assert_null(journal_path(j));
    journal_close(j, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resume_finds_the_rows),
        cmocka_unit_test(cut_line_is_dropped),
        cmocka_unit_test(foreign_files_are_left_alone),
        cmocka_unit_test(other_configuration_is_refused),
        cmocka_unit_test(falls_back_to_tmpdir),
    };

    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
