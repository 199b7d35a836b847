/* Unit tests of the nearest name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "harness/suggest.h"

static void distances(void **state)
{
    (void)state;
    assert_int_equal(edit_distance("", ""), 0);
    assert_int_equal(edit_distance("abc", ""), 3);
    assert_int_equal(edit_distance("kvm", "kvm"), 0);
    assert_int_equal(edit_distance("KVM", "kvm"), 0);
    assert_int_equal(edit_distance("syscal", "syscall"), 1);
    assert_int_equal(edit_distance("kitten", "sitting"), 3);
    assert_int_equal(edit_distance("rnu", "run"), 1); /* neighbours swapped */
    assert_int_equal(edit_distance("run", "rnu"), 1);
}

static void nearest(void **state)
{
    static const char *const names[] = {"syscall", "in",          "out",
                                        "pgfault", "ptemod-same", NULL};

    (void)state;
    assert_string_equal(suggest_name("syscal", names), "syscall");
    assert_string_equal(suggest_name("pagefault", names), "pgfault");
    assert_string_equal(suggest_name("ptemod", names), "ptemod-same");
    assert_null(suggest_name("zzzzzzzz", names));
    assert_null(suggest_name("", names));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(distances),
        cmocka_unit_test(nearest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
