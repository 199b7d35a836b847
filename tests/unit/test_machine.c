/* The run loop: how it ends, sleeps and stops; measured regions; lines. */
#include "machine_fixture.h"

#include "backends/devices/lapic.h"

#include <errno.h>
#include <pthread.h>
#include <time.h>

static void io_out(struct vm *vm, uint16_t port, unsigned size, uint64_t v)
{
    vm->bus->io_write(vm->bus->opaque, port, size, v);
}

static void mmio_out(struct vm *vm, gpa_t gpa, uint32_t v)
{
    vm->bus->mmio_write(vm->bus->opaque, gpa, 4, v);
}

static void lapic_out(struct vm *vm, unsigned reg, uint32_t v)
{
    mmio_out(vm, TM_LAPIC_GPA + reg * 16, v);
}

static int finish(struct vm *vm, struct vm_exit *e)
{
    io_out(vm, TM_PORT_EXIT, 1, TM_EXIT_OK);
    assert_true(vm->attention & ATTN_KICK);
    e->kind = EXIT_HLT_DEAD; /* power-off goes first */
    return 0;
}

static enum machine_end run(const struct machine_config *c,
                            int (*s)(struct vm *, struct vm_exit *),
                            struct machine_result *r)
{
    struct machine *m = create(c);

    script = s;
    machine_run(m, r);
    machine_destroy(m);
    assert_true((r->end == END_OK) == !r->why[0]);
    return r->end;
}

static int do_panic(struct vm *vm, struct vm_exit *e)
{
    io_out(vm, TM_PORT_EXIT, 1, TM_EXIT_PANIC);
    io_out(vm, TM_PORT_EXIT, 1, TM_EXIT_OK); /* too late */
    e->kind = EXIT_KICKED;
    return 0;
}

static int do_shutdown(struct vm *vm, struct vm_exit *e)
{
    (void)vm;
    e->kind = EXIT_SHUTDOWN;
    e->rip = 0x1234;
    return 0;
}

static int do_dead(struct vm *vm, struct vm_exit *e)
{
    (void)vm;
    e->kind = EXIT_HLT_DEAD;
    return 0;
}

static int do_hlt(struct vm *vm, struct vm_exit *e)
{
    (void)vm;
    e->kind = EXIT_HLT;
    return 0;
}

static int do_emulation(struct vm *vm, struct vm_exit *e)
{
    static const uint8_t insn[] = {0x0f, 0x01, 0xd0, 0x90, 0x90};

    (void)vm;
    e->kind = EXIT_EMULATION;
    e->rip = 0xabc;
    memcpy(e->insn, insn, sizeof(insn));
    e->insn_len = sizeof(insn);
    return 0;
}

static int do_fail(struct vm *vm, struct vm_exit *e)
{
    (void)vm;
    snprintf(e->why, sizeof(e->why), "out of luck");
    return -EIO;
}

static void test_ends(void **state)
{
    struct machine_config c = config();
    struct machine_result r;

    (void)state;
    assert_int_equal(run(&c, finish, &r), END_OK);
    assert_int_equal(r.exit_code, TM_EXIT_OK);
    assert_int_equal(r.all.count[EV_EXIT_IO], 1);
    assert_true(r.total_ticks > 0);
    assert_int_equal(run(&c, do_panic, &r), END_PANIC);
    assert_int_equal(r.exit_code, TM_EXIT_PANIC);
    assert_int_equal(run(&c, do_shutdown, &r), END_SHUTDOWN);
    assert_string_equal(r.why, "triple fault at rip 0x1234");
    assert_int_equal(run(&c, do_dead, &r), END_DEAD);
    assert_non_null(strstr(r.why, "interrupts off"));
    assert_int_equal(run(&c, do_hlt, &r), END_DEAD);
    assert_non_null(strstr(r.why, "no timer armed"));
    assert_int_equal(run(&c, do_emulation, &r), END_EMULATION);
    assert_string_equal(
        r.why, "fake: cannot emulate 'xgetbv' (0f 01 d0) at rip 0xabc");
    assert_int_equal(run(&c, do_fail, &r), END_ERROR);
    assert_string_equal(r.why, "fake: out of luck");
}

/* Sleeps until a timer interrupt a virtual second away, then ends. */
static int do_timer_sleep(struct vm *vm, struct vm_exit *e)
{
    if (script_calls == 1) {
        lapic_out(vm, LAPIC_SVR, 0x1ff);
        lapic_out(vm, LAPIC_DIVIDE, 0xb);
        lapic_out(vm, LAPIC_LVT, 0x40);
        lapic_out(vm, LAPIC_INITIAL, vm->deterministic ? 1000000000 : 20000000);
        vm->retired += 100;
        e->kind = EXIT_HLT;
        return 0;
    }
    assert_int_equal(vm->bus->irq_ack(vm->bus->opaque), 0x40);
    lapic_out(vm, LAPIC_EOI, 0);
    return finish(vm, e);
}

static uint64_t ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static void test_idle(void **state)
{
    struct machine_config c = config();
    struct machine_result r;
    struct machine *m;
    uint64_t begin;

    (void)state;
    c.tsc_khz = 0;
    begin = ns();
    assert_int_equal(run(&c, do_timer_sleep, &r), END_OK);
    assert_true(ns() - begin >= 20000000); /* 20 ms of real sleep */
    assert_true(r.all.ticks[EV_EXIT_HLT] < r.total_ticks / 2);

    c.deterministic = true; /* a second, skipped */
    begin = ns();
    m = create(&c);
    script = do_timer_sleep;
    machine_run(m, &r);
    assert_int_equal(r.end, END_OK);
    assert_int_equal(m->bus.now(m), 1000000000);
    assert_int_equal(m->skipped, 1000000000 - 100);
    assert_true(ns() - begin < 900000000);
    assert_int_equal(r.total_ticks, 0);
    for (int i = 0; i < EV_COUNT; i++)
        assert_int_equal(r.all.ticks[i], 0);
    machine_destroy(m);
}

static int do_timer_exit(struct vm *vm, struct vm_exit *e)
{
    if (script_calls == 1) {
        lapic_out(vm, LAPIC_SVR, 0x1ff);
        lapic_out(vm, LAPIC_LVT, 0x40000 | 0x41);
        assert_true(vm->bus->msr_write(vm->bus->opaque, MSR_TSC_DEADLINE,
                                       vm->bus->now(vm->bus->opaque) + 500));
        assert_int_equal(vm->deadline, 500);
        vm->retired = 500;
        e->kind = EXIT_TIMER;
        return 0;
    }
    assert_true(vm->attention & ATTN_IRQ);
    assert_int_equal(vm->bus->irq_ack(vm->bus->opaque), 0x41);
    assert_false(vm->attention & ATTN_IRQ);
    assert_true(vm->deadline == UINT64_MAX);
    return finish(vm, e);
}

static void test_timer_exit(void **state)
{
    struct machine_config c = config();
    struct machine_result r;

    (void)state;
    c.deterministic = true;
    assert_int_equal(run(&c, do_timer_exit, &r), END_OK);
}

/* A masked periodic timer wakes nobody, but does not make a halt dead. */
static int do_sleep_forever(struct vm *vm, struct vm_exit *e)
{
    lapic_out(vm, LAPIC_SVR, 0x1ff);
    lapic_out(vm, LAPIC_TPR, 0xff);
    lapic_out(vm, LAPIC_LVT, 0x20040);
    lapic_out(vm, LAPIC_INITIAL, 1000000);
    e->kind = EXIT_HLT;
    return 0;
}

static void *stop_later(void *m)
{
    usleep(30000);
    machine_stop(m);
    return NULL;
}

static int do_spin(struct vm *vm, struct vm_exit *e)
{
    while (!(vm->attention & ATTN_KICK))
        ;
    e->kind = EXIT_KICKED;
    return 0;
}

static void test_stop(void **state)
{
    static int (*const scripts[])(struct vm *, struct vm_exit *) = {
        do_sleep_forever, do_spin};
    struct machine_config c = config();
    struct machine_result r;
    pthread_t t;

    (void)state;
    for (int i = 0; i < 4; i++) {
        struct machine *m;

        c.deterministic = i >= 2;
        m = create(&c);
        script = scripts[i % 2];
        assert_int_equal(pthread_create(&t, NULL, stop_later, m), 0);
        machine_run(m, &r);
        pthread_join(t, NULL);
        assert_int_equal(r.end, END_STOPPED);
        machine_run(m, &r); /* stays stopped */
        assert_int_equal(r.end, END_STOPPED);
        machine_destroy(m);
    }
}

/* ---- Regions ------------------------------------------------------------- */

static uint32_t rung[16];
static unsigned rings;

static void on_ring(void *opaque, uint32_t value)
{
    assert_ptr_equal(opaque, rung);
    rung[rings++] = value;
}

static int do_regions(struct vm *vm, struct vm_exit *e)
{
    io_out(vm, TM_PORT_POST, 1, 0); /* outside */
    for (int round = 0; round < 3; round++) {
        io_out(vm, TM_PORT_DOORBELL, 4, TM_DB_KERNEL_BEGIN);
        for (int i = 0; i < 10; i++)
            vm->bus->io_read(vm->bus->opaque, TM_PORT_POST, 1);
        mmio_out(vm, TM_VIRTIO_GPA + 0x70, 0);
        io_out(vm, TM_PORT_DOORBELL, 4, TM_DB_KERNEL_END);
        io_out(vm, TM_PORT_POST, 1, 0);
        io_out(vm, TM_PORT_DOORBELL, 4, TM_DB_CONTROL_BEGIN);
        io_out(vm, TM_PORT_DOORBELL, 4, TM_DB_CONTROL_END);
    }
    return finish(vm, e);
}

static void test_regions(void **state)
{
    struct machine_config c = config();
    struct machine_result r;

    (void)state;
    c.doorbell = on_ring;
    c.opaque = rung;
    rings = 0;
    assert_int_equal(run(&c, do_regions, &r), END_OK);
    assert_int_equal(rings, 12);
    assert_int_equal(rung[0], TM_DB_KERNEL_BEGIN);
    assert_int_equal(rung[11], TM_DB_CONTROL_END);
    assert_int_equal(r.kernel_regions, 3);
    assert_int_equal(r.control_regions, 3);
    assert_int_equal(r.kernel.count[EV_EXIT_IO], 30);
    assert_int_equal(r.kernel.count[EV_EXIT_MMIO], 3);
    for (int i = 0; i < EV_COUNT; i++) {
        assert_int_equal(r.control.count[i], 0);
        assert_int_equal(r.control.ticks[i], 0);
    }
    assert_true(r.kernel_vmm_ticks > 0);
    assert_true(r.kernel_vmm_ticks <= r.kernel_ticks);
    assert_true(r.kernel_ticks < r.total_ticks);
    assert_int_equal(r.all.count[EV_EXIT_IO], 30 + 12 + 3 + 1 + 1);
    assert_int_equal(script_syncs, 13);
    assert_string_equal(r.warning, "");
}

static int do_nested(struct vm *vm, struct vm_exit *e)
{
    static const uint32_t values[] = {TM_DB_KERNEL_END,
                                      TM_DB_KERNEL_BEGIN,
                                      TM_DB_CONTROL_BEGIN,
                                      TM_DB_CONTROL_END,
                                      TM_DB_KERNEL_END,
                                      0,
                                      77,
                                      UINT32_MAX};

    for (unsigned i = 0; i < sizeof(values) / sizeof(values[0]); i++)
        io_out(vm, TM_PORT_DOORBELL, 4, values[i]);
    return finish(vm, e);
}

static void test_nested_regions(void **state)
{
    struct machine_config c = config();
    struct machine_result r;

    (void)state;
    assert_int_equal(run(&c, do_nested, &r), END_OK);
    assert_int_equal(r.kernel_regions, 0);
    assert_int_equal(r.control_regions, 1);
    assert_non_null(strstr(r.warning, "had not begun"));
}

/* ---- Lines --------------------------------------------------------------- */

static char lines[4][128];
static size_t lengths[4];
static unsigned line_count;

static void on_line(void *opaque, const char *text, size_t len)
{
    (void)opaque;
    assert_int_equal(text[len], '\0');
    assert_true(line_count < 4);
    lengths[line_count] = len;
    snprintf(lines[line_count++], sizeof(lines[0]), "%.100s", text);
}

static int do_print(struct vm *vm, struct vm_exit *e)
{
    for (const char *p = "one\r\n\n"; *p; p++)
        io_out(vm, TM_COM1_PORT, 1, *p);
    for (int i = 0; i < MACHINE_LINE_MAX + 5; i++)
        io_out(vm, TM_COM1_PORT, 1, 'x');
    for (const char *p = "\npart"; *p; p++)
        io_out(vm, TM_COM1_PORT, 1, *p);
    return finish(vm, e);
}

static void test_lines(void **state)
{
    struct machine_config c = config();
    struct machine_result r;

    (void)state;
    c.line = on_line;
    line_count = 0;
    assert_int_equal(run(&c, do_print, &r), END_OK);
    assert_int_equal(line_count, 4);
    assert_string_equal(lines[0], "one");
    assert_string_equal(lines[1], "");
    assert_int_equal(lengths[2], MACHINE_LINE_MAX);
    assert_string_equal(lines[3], "part");
}
int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_idle),
        cmocka_unit_test(test_timer_exit),
        cmocka_unit_test(test_stop),
        cmocka_unit_test(test_regions),
        cmocka_unit_test(test_nested_regions),
        cmocka_unit_test(test_lines),
    };

    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
