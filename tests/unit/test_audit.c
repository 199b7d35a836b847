/* Unit tests of the audit's judging: what the guest reported, what it means. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "harness/audit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct audit_log log_;

static bool feed(const char *text)
{
    return audit_line(&log_, text, strlen(text));
}

static int setup(void **state)
{
    (void)state;
    memset(&log_, 0, sizeof(log_));
    return 0;
}

static void begin(int index, const char *insn, const char *group, int ring)
{
    char text[200];

    snprintf(text, sizeof(text),
             "{\"tm\":\"audit\",\"step\":\"begin\",\"index\":%d,\"insn\":\"%s\""
             ",\"group\":\"%s\",\"ring\":%d}",
             index, insn, group, ring);
    assert_true(feed(text));
}

static void end(int index, int want_vector, int vector, const char *want,
                const char *got)
{
    char text[400];

    snprintf(text, sizeof(text),
             "{\"tm\":\"audit\",\"step\":\"end\",\"index\":%d,\"want_vector\":"
             "%d,\"vector\":%d,\"want\":\"%s\",\"got\":\"%s\"}",
             index, want_vector, vector, want, got);
    assert_true(feed(text));
}

/* The verdict on one test with these figures. */
static enum audit_verdict judge(int want_vector, int vector, const char *want,
                                const char *got, char detail[REASON_MAX])
{
    begin(0, "sgdt", "classic", 0);
    end(0, want_vector, vector, want, got);
    return audit_judge(&log_.cells[0], detail);
}

static void values_are_compared(void **state)
{
    char detail[REASON_MAX];

    (void)state;
    assert_int_equal(judge(-1, -1, "a=0x1", "a=0x1", detail), AUDIT_PRESERVED);
    assert_string_equal(detail, "");
    assert_int_equal(judge(-1, -1, "a=0x1", "a=0x2", detail), AUDIT_WRONG);
    assert_string_equal(detail, "a=0x2, should have been a=0x1");
}

static void exceptions_are_compared(void **state)
{
    char detail[REASON_MAX];

    (void)state;
    assert_int_equal(judge(13, 13, "", "", detail), AUDIT_PRESERVED);
    assert_int_equal(judge(-1, 13, "", "", detail), AUDIT_TRAPPED);
    assert_string_equal(detail, "#GP, where the manual demands no exception");
    assert_int_equal(judge(13, 6, "", "", detail), AUDIT_TRAPPED);
    assert_string_equal(detail, "#UD instead of #GP");
    assert_int_equal(judge(6, -1, "", "value=0x7", detail), AUDIT_WRONG);
    assert_string_equal(detail, "value=0x7, should have been #UD");
    assert_int_equal(judge(0, 21, "", "", detail), AUDIT_TRAPPED);
    assert_string_equal(detail, "vector 21 instead of #DE");
}

/* A want that isn't met doesn't count where the exception was the right one. */
static void demanded_exception_needs_no_value(void **state)
{
    char detail[REASON_MAX];

    (void)state;
    assert_int_equal(judge(6, 6, "a=0x1", "", detail), AUDIT_PRESERVED);
}

static void unfinished_tests(void **state)
{
    char detail[REASON_MAX];

    (void)state;
    assert_int_equal(audit_unfinished(&log_), -1);
    begin(0, "sgdt", "classic", 0);
    end(0, -1, -1, "", "");
    begin(3, "sidt", "classic", 3);
    assert_int_equal(log_.count, 4);
    assert_int_equal(audit_unfinished(&log_), 3);
    assert_int_equal(audit_judge(&log_.cells[3], detail), AUDIT_UNKNOWN);
    snprintf(log_.cells[3].problem, REASON_MAX, "it crashed");
    assert_int_equal(audit_unfinished(&log_), -1);
    assert_int_equal(audit_judge(&log_.cells[3], detail), AUDIT_UNKNOWN);
    assert_string_equal(detail, "it crashed");
    /* Between the two nothing was begun. */
    assert_int_equal(audit_judge(&log_.cells[1], detail), AUDIT_UNKNOWN);
}

static void guest_tells_of_a_problem(void **state)
{
    char detail[REASON_MAX];

    (void)state;
    begin(0, "sldt", "classic", 0);
    assert_true(feed("{\"tm\":\"audit\",\"step\":\"end\",\"index\":0,"
                     "\"problem\":\"LLDT\\u0007 failed\"}"));
    assert_int_equal(audit_judge(&log_.cells[0], detail), AUDIT_UNKNOWN);
    assert_string_equal(detail, "LLDT  failed");
    assert_int_equal(audit_unfinished(&log_), -1);
}

static void bad_lines_are_ignored(void **state)
{
    static const char *const lines[] = {
        "",
        "[]",
        "{\"tm\":\"hello\"}",
        "{\"tm\":\"audit\"}",
        "{\"tm\":\"audit\",\"step\":\"begin\",\"index\":0}",
        "{\"tm\":\"audit\",\"step\":\"begin\",\"index\":-1,\"insn\":\"a\","
        "\"group\":\"b\",\"ring\":0}",
        "{\"tm\":\"audit\",\"step\":\"begin\",\"index\":256,\"insn\":\"a\","
        "\"group\":\"b\",\"ring\":0}",
        "{\"tm\":\"audit\",\"step\":\"begin\",\"index\":0,\"insn\":\"a\","
        "\"group\":\"b\",\"ring\":1}",
        "{\"tm\":\"audit\",\"step\":\"end\",\"index\":0,\"want_vector\":-1,"
        "\"vector\":-1,\"want\":\"\",\"got\":\"\"}", /* never begun */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        assert_false(feed(lines[i]));
    assert_int_equal(log_.count, 0);
    begin(0, "sgdt", "classic", 0);
    assert_false(feed("{\"tm\":\"audit\",\"step\":\"end\",\"index\":0}"));
    assert_int_equal(audit_unfinished(&log_), 0);
}

static void sums_and_names(void **state)
{
    struct audit_summary sum;
    char *names;

    (void)state;
    begin(0, "sgdt", "classic", 0);
    end(0, -1, -1, "a=0x1", "a=0x2");
    begin(1, "sgdt", "classic", 3);
    end(1, -1, -1, "a=0x1", "a=0x1");
    begin(2, "mov to %fs", "classic", 0);
    end(2, -1, -1, "a=0x1", "a=0x2");
    begin(3, "mov to %fs", "classic", 3);
    end(3, -1, 13, "", "");
    begin(4, "int n", "classic", 3);
    end(4, 13, 13, "", "");
    begin(5, "xgetbv", "modern", 3);
    end(5, 6, -1, "", "value=0x7");
    begin(6, "str", "classic", 3);
    audit_sum(&log_, &sum);
    assert_int_equal(sum.made, 6);
    assert_int_equal(sum.verdicts[AUDIT_PRESERVED], 2);
    assert_int_equal(sum.verdicts[AUDIT_WRONG], 3);
    assert_int_equal(sum.verdicts[AUDIT_TRAPPED], 1);
    assert_int_equal(sum.verdicts[AUDIT_UNKNOWN], 1);
    assert_int_equal(sum.wrong[0], 2);
    assert_int_equal(sum.wrong[1], 1);
    assert_int_equal(sum.classic_ring0, 2);
    assert_string_equal(sum.names[0], "sgdt, mov to %fs");
    assert_string_equal(sum.names[1], "xgetbv");
    audit_sum_free(&sum);
    assert_int_equal(audit_unprivileged(&log_, &names), 2);
    assert_string_equal(names, "sgdt, mov to %fs");
    free(names);
}

static void conclusion_says(unsigned count, const char *words, bool yes)
{
    static const struct backend backend = {.name = "b", .summary = "a test"};
    struct audit_summary sum;
    char *text;

    log_.count = count;
    audit_sum(&log_, &sum);
    text = audit_conclusion(&backend, &sum, NULL);
    if (yes)
        assert_non_null(strstr(text, words));
    else
        assert_null(strstr(text, words));
    free(text);
    audit_sum_free(&sum);
}

static void conclusions(void **state)
{
    (void)state;
    begin(0, "sgdt", "classic", 0);
    end(0, -1, -1, "a=0x1", "a=0x1");
    begin(1, "rdfsbase", "modern", 0);
    end(1, 6, -1, "", "a=0x1");
    begin(2, "popf", "classic", 0);
    end(2, -1, -1, "a=0x1", "a=0x2");
    conclusion_says(1, "b (a test): 1 of 1 tests preserved", true);
    conclusion_says(1, "can't tell it from the machine", true);
    conclusion_says(2, "can't tell it from the machine", false);
    conclusion_says(2, "Not classically virtualizable", false);
    conclusion_says(2, "but not from rdfsbase", true);
    conclusion_says(3, "Not classically virtualizable", true);
    conclusion_says(3, "executed rdfsbase, popf;", true);
}

static void umip_shows(void **state)
{
    static const char *const covered[] = {"sgdt", "sidt", "sldt", "smsw",
                                          "str"};

    (void)state;
    for (int i = 0; i < 5; i++) {
        begin(i, covered[i], "classic", 3);
        end(i, -1, -1, "a=0x1", "a=0x1");
    }
    assert_false(audit_shows_umip(&log_)); /* nothing to compare them with */
    begin(5, "lar", "classic", 3);
    end(5, -1, -1, "a=0x1", "a=0x2");
    assert_true(audit_shows_umip(&log_));
    end(2, -1, -1, "a=0x1", "a=0x2");
    assert_false(audit_shows_umip(&log_));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(values_are_compared, setup),
        cmocka_unit_test_setup(exceptions_are_compared, setup),
        cmocka_unit_test_setup(demanded_exception_needs_no_value, setup),
        cmocka_unit_test_setup(unfinished_tests, setup),
        cmocka_unit_test_setup(guest_tells_of_a_problem, setup),
        cmocka_unit_test_setup(bad_lines_are_ignored, setup),
        cmocka_unit_test_setup(sums_and_names, setup),
        cmocka_unit_test_setup(conclusions, setup),
        cmocka_unit_test_setup(umip_shows, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
