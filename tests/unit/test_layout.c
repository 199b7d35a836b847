/* A guest that uses addresses which the host can't give it: direct says so, bt
 * executes what touches them with the interpreter. */
#include "backends/machine/machine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define RAM_SIZE (16ull << 20)
#define TABLES 0x200000ull /* above vm.mmap_min_addr */
#define CODE 0x400000ull
#define DATA 0x600000ull
#define FAR_SLOT 160ull /* top-level entry of 0x500000000000: no window's */

/* mov $0x500000600000, %rbx; incq (%rbx); mov (%rbx), %rax; ud2 */
static const uint8_t far_access[] = {
    0x48, 0xbb, 0x00, 0x00, 0x60, 0x00, 0x00, 0x50, 0x00,
    0x00, 0x48, 0xff, 0x03, 0x48, 0x8b, 0x03, 0x0f, 0x0b,
};

/* Runs the code up to UD2 or a failure. False: not here. */
static bool run(const char *name, int cpl, struct vm_exit *e,
                struct x86_state *s, uint64_t *data)
{
    const struct backend *backend = backend_find(name);
    char why[REASON_MAX] = "";
    struct machine *m = NULL;
    struct vm *vm;

    assert_non_null(backend);
    if (!backend->probe(why))
        m = machine_create_bare(backend, RAM_SIZE, false, why);
    if (!m) { /* no such host, or a sanitizer's own memory is in the way */
        print_message("%s\n", why);
        return false;
    }
    vm = machine_vm(m);
    vm->trap_exceptions = true;
    memset(s, 0, sizeof(*s));
    machine_long_mode(m, s, TABLES, cpl);
    s->rip = CODE;
    memcpy(vm->ram->host + CODE, far_access, sizeof(far_access));
    memcpy(vm->ram->host + DATA, &(uint64_t){41}, 8);
    /* The same gigabytes once more. */
    memcpy(vm->ram->host + TABLES + FAR_SLOT * 8, vm->ram->host + TABLES, 8);
    assert_int_equal(backend->set_state(vm, s), 0);
    backend->run(vm, e);
    backend->get_state(vm, s);
    memcpy(data, vm->ram->host + DATA, 8);
    machine_destroy(m);
    return true;
}

static void expect_done(const char *name)
{
    struct x86_state s;
    struct vm_exit e;
    uint64_t data;

    for (int cpl = 0; cpl <= 3; cpl += 3) {
        if (!run(name, cpl, &e, &s, &data))
            skip();
        assert_int_equal(e.kind, EXIT_EXCEPTION);
        assert_int_equal(e.vector, VEC_UD);
        assert_int_equal(s.rip, CODE + sizeof(far_access) - 2);
        assert_int_equal(s.gpr[RAX], 42);
        assert_int_equal(data, 42);
    }
}

static void test_interp(void **state)
{
    (void)state;
    expect_done("interp");
}

static void test_bt(void **state)
{
    (void)state;
    expect_done("bt");
}

static void test_direct(void **state)
{
    struct x86_state s;
    struct vm_exit e;
    uint64_t data;

    (void)state;
    for (int cpl = 0; cpl <= 3; cpl += 3) {
        if (!run("direct", cpl, &e, &s, &data))
            skip();
        assert_int_equal(e.kind, EXIT_ERROR);
        assert_non_null(strstr(e.why, "unsupported layout"));
        assert_non_null(strstr(e.why, "0x500000600000"));
        assert_int_equal(s.rip, CODE + 10);
        assert_int_equal(data, 41);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_interp),
        cmocka_unit_test(test_bt),
        cmocka_unit_test(test_direct),
    };

    return cmocka_run_group_tests_name("layout", tests, NULL, NULL);
}
