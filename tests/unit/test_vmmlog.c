/* Unit tests of what is read from another VMM's standard error. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "harness/vmmlog.h"

#include <string.h>

static void last_line_wins(void **state)
{
    struct vmm_log log = {0};
    const char *text = "one\ntwo\n\nthr", *rest = "ee\x1b[1m\n\n";

    (void)state;
    vmmlog_take(&log, text, strlen(text));
    assert_string_equal(log.last, "two");
    vmmlog_take(&log, rest, strlen(rest));
    vmmlog_end(&log);
    assert_string_equal(log.last, "three [1m");
    assert_false(log.stopped);
}

static void unfinished_and_endless_lines(void **state)
{
    struct vmm_log log = {0};

    (void)state;
    for (int i = 0; i < 100000; i++)
        vmmlog_take(&log, "x", 1);
    vmmlog_end(&log);
    assert_int_equal(strlen(log.last), sizeof(log.last) - 1);
    assert_false(log.stopped);
}

static void kvm_that_gave_up(void **state)
{
    static const char text[] =
        "KVM internal error. Suberror: 1\n"
        "emulation failure\n"
        "RAX=0000000000000001 RBX=0000000000000002\n"
        "RIP=ffffffff80008480 RFL=00000202 [-------] CPL=0\n";
    static const char code[] = "Code=00 0f 1f 40 00 <cc> 48 ff cf\n";
    struct vmm_log log = {0};

    (void)state;
    vmmlog_take(&log, code, strlen(code)); /* means nothing by itself */
    assert_false(log.stopped);
    vmmlog_take(&log, text, strlen(text));
    assert_false(log.stopped);
    vmmlog_take(&log, code, strlen(code));
    assert_true(log.stopped);
    assert_string_equal(log.reason, "KVM can't emulate the instruction at "
                                    "0xffffffff80008480: cc 48 ff cf");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(last_line_wins),
        cmocka_unit_test(unfinished_and_endless_lines),
        cmocka_unit_test(kvm_that_gave_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
