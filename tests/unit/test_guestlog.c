/* Unit tests of what the harness makes of a guest's report lines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "harness/guestlog.h"

#include <string.h>

static void say(struct guest_log *log, const char *text)
{
    guestlog_line(log, text, strlen(text));
}

static void good_run(void **state)
{
    struct guest_log log;

    (void)state;
    guestlog_init(&log, "in");
    say(&log, "SeaBIOS (version 1)");
    say(&log, "{\"tm\":\"hello\",\"abi\":2,\"boot\":\"pvh\",\"tsc_khz\":1}");
    say(&log, "{\"tm\":\"start\",\"bench\":\"in\"}");
    assert_string_equal(log.doing, "running in");
    say(&log, "{\"tm\":\"result\",\"bench\":\"in\",\"status\":\"ok\","
              "\"iterations\":8,\"samples\":[1,2],\"control\":[3,4],"
              "\"checksum\":\"0123456789abcdef\"}");
    say(&log, "{\"tm\":\"bye\"}");
    assert_true(log.ok && log.hello && log.bye);
    assert_int_equal(log.iterations, 8);
    assert_int_equal(log.count, 2);
    assert_int_equal(log.control[1], 4);
    assert_string_equal(log.checksum, "0123456789abcdef");
    guestlog_free(&log);
}

static void fails(const char *line, const char *reason)
{
    struct guest_log log;

    guestlog_init(&log, "in");
    say(&log, line);
    assert_false(log.ok);
    assert_true(log.have_result || log.panic);
    if (!strstr(log.reason, reason))
        fail_msg("'%s' doesn't say '%s'", log.reason, reason);
    guestlog_free(&log);
}

#define RESULT "{\"tm\":\"result\",\"bench\":\"in\",\"status\":"

static void bad_lines_fail_the_row(void **state)
{
    (void)state;
    fails("{\"tm\":\"result\",", "not JSON");
    fails("{\"tm\":\"hello\",\"abi\":7}", "another ABI");
    fails("{\"tm\":\"result\",\"bench\":\"out\",\"status\":\"ok\"}",
          "wasn't asked for");
    fails(RESULT "\"ok\",\"iterations\":0,\"samples\":[1],\"control\":[1]}",
          "no iterations");
    fails(RESULT "\"ok\",\"iterations\":1,\"samples\":[1,2],\"control\":[1]}",
          "one length");
    fails(RESULT "\"ok\",\"iterations\":1,\"samples\":[-1],\"control\":[1]}",
          "arrays of ticks");
    fails(RESULT "\"ok\",\"iterations\":1,\"samples\":[1],\"control\":[1],"
                 "\"checksum\":\"xyz\"}",
          "16 hex digits");
    fails(RESULT "\"failed\",\"reason\":\"no disk\"}", "no disk");
    fails(RESULT "\"failed\",\"reason\":\"a\\u001b[2Jb\"}", "a [2Jb");
    fails("{\"tm\":\"panic\",\"reason\":\"#GP\"}", "#GP");
}

static void skipped_is_no_failure(void **state)
{
    struct guest_log log;

    (void)state;
    guestlog_init(&log, "in");
    say(&log, RESULT "\"skipped\",\"reason\":\"no such instruction\"}");
    assert_true(log.skipped);
    assert_string_equal(log.reason, "no such instruction");
    guestlog_free(&log);
}

/* A crash fails nothing by itself; the first one is kept. */
static void crashes_are_kept(void **state)
{
    struct guest_log log;

    (void)state;
    guestlog_init(&log, "in");
    say(&log, "{\"tm\":\"crash\",\"reason\":\"#UD at 0x1\\tin cc\"}");
    say(&log, "{\"tm\":\"crash\",\"reason\":\"#GP\"}");
    assert_false(log.have_result || log.panic);
    assert_string_equal(log.crash, "#UD at 0x1 in cc");
    say(&log, RESULT "\"ok\",\"iterations\":1,\"samples\":[1],"
                     "\"control\":[1]}");
    assert_true(log.ok);
    guestlog_free(&log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_run),
        cmocka_unit_test(bad_lines_fail_the_row),
        cmocka_unit_test(skipped_is_no_failure),
        cmocka_unit_test(crashes_are_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
