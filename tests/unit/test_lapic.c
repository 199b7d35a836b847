/* The local APIC: priorities, timers, xAPIC and x2APIC rules. */
#include "board_fixture.h"

#include "backends/devices/lapic.h"
#include "guest/abi/abi.h"

#define REG(r) (TM_LAPIC_GPA + (r)*16)

static const struct device_class *const table[] = {&device_lapic,
                                                   &device_ioapic, NULL};

static int setup(void **state)
{
    static struct fixture f;

    fixture_open(&f, table);
    mmio_w(&f, REG(LAPIC_SVR), 0x1ff);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    fixture_close(*state);
    return 0;
}

static void self_ipi(struct fixture *f, uint8_t vector)
{
    mmio_w(f, REG(LAPIC_ICR), 0x40000 | vector);
}

static void test_priority(void **state)
{
    struct fixture *f = *state;

    assert_false(f->attention);
    assert_int_equal(fixture_ack(f), -1);
    self_ipi(f, 0x41);
    self_ipi(f, 0x93);
    self_ipi(f, 0x92);
    assert_true(f->attention);
    assert_int_equal(fixture_ack(f), 0x93);
    /* Same class as the one in service: waits. */
    assert_false(f->attention);
    assert_int_equal(fixture_ack(f), -1);
    assert_int_equal(mmio_r(f, REG(LAPIC_PPR)), 0x90);
    assert_int_equal(mmio_r(f, REG(LAPIC_ISR + 4)), 1 << 0x13);
    mmio_w(f, REG(LAPIC_EOI), 0);
    assert_int_equal(fixture_ack(f), 0x92);
    mmio_w(f, REG(LAPIC_EOI), 0);
    assert_int_equal(fixture_ack(f), 0x41);
    mmio_w(f, REG(LAPIC_EOI), 0);
    assert_false(f->attention);
}

static void test_nesting(void **state)
{
    struct fixture *f = *state;

    self_ipi(f, 0x41);
    assert_int_equal(fixture_ack(f), 0x41);
    self_ipi(f, 0x51); /* a higher class preempts */
    assert_int_equal(fixture_ack(f), 0x51);
    self_ipi(f, 0x41); /* pending while in service */
    mmio_w(f, REG(LAPIC_EOI), 0);
    assert_int_equal(fixture_ack(f), -1);
    mmio_w(f, REG(LAPIC_EOI), 0);
    assert_int_equal(fixture_ack(f), 0x41);
}

static void test_tpr(void **state)
{
    struct fixture *f = *state;
    struct device *d = f->board.apic;

    d->class->apic->set_tpr(d, 4);
    assert_int_equal(mmio_r(f, REG(LAPIC_TPR)), 0x40);
    self_ipi(f, 0x4f);
    assert_false(f->attention);
    assert_int_equal(fixture_ack(f), -1);
    mmio_w(f, REG(LAPIC_TPR), 0x3f);
    assert_int_equal(d->class->apic->get_tpr(d), 3);
    assert_true(f->attention);
    d->class->apic->set_tpr(d, 15);
    assert_false(f->attention);
    d->class->apic->set_tpr(d, 0);
    assert_int_equal(fixture_ack(f), 0x4f);
}

static void test_disabled(void **state)
{
    struct fixture *f = *state;

    mmio_w(f, REG(LAPIC_SVR), 0xff);
    assert_int_equal(mmio_r(f, REG(LAPIC_LVT)) & LVT_MASKED, LVT_MASKED);
    mmio_w(f, REG(LAPIC_LVT), 0x40);
    assert_int_equal(mmio_r(f, REG(LAPIC_LVT)), 0x40 | LVT_MASKED);
    self_ipi(f, 0x41);
    assert_false(f->attention);
}

static void test_illegal_vector(void **state)
{
    struct fixture *f = *state;

    mmio_w(f, REG(LAPIC_LVT + LVT_ERROR), 0x70);
    self_ipi(f, 5);
    assert_int_equal(mmio_r(f, REG(LAPIC_ESR)), 0);
    mmio_w(f, REG(LAPIC_ESR), 0);
    assert_int_equal(mmio_r(f, REG(LAPIC_ESR)), 0x20);
    assert_int_equal(fixture_ack(f), 0x70);
    mmio_w(f, REG(LAPIC_ESR), 0);
    assert_int_equal(mmio_r(f, REG(LAPIC_ESR)), 0);
}

static void test_ipi_destinations(void **state)
{
    struct fixture *f = *state;

    mmio_w(f, REG(LAPIC_ICR), 0xc0041); /* all but self */
    assert_false(f->attention);
    mmio_w(f, REG(LAPIC_ICR_HIGH), 7 << 24);
    mmio_w(f, REG(LAPIC_ICR), 0x41); /* somebody else */
    assert_false(f->attention);
    mmio_w(f, REG(LAPIC_ICR_HIGH), 0);
    mmio_w(f, REG(LAPIC_ICR), 0x41);
    assert_int_equal(fixture_ack(f), 0x41);
    mmio_w(f, REG(LAPIC_EOI), 0);
    mmio_w(f, REG(LAPIC_LDR), 2 << 24);
    mmio_w(f, REG(LAPIC_ICR_HIGH), 4 << 24);
    mmio_w(f, REG(LAPIC_ICR), 0x842); /* flat logical, no match */
    assert_false(f->attention);
    mmio_w(f, REG(LAPIC_ICR_HIGH), 6u << 24);
    mmio_w(f, REG(LAPIC_ICR), 0x842);
    assert_int_equal(fixture_ack(f), 0x42);
    mmio_w(f, REG(LAPIC_EOI), 0);
    mmio_w(f, REG(LAPIC_ICR), 0x80441); /* all including self, NMI: nobody */
    assert_false(f->attention);
}

/* The bus runs at 1 GHz and the clock at two ticks a nanosecond. */
static void test_oneshot(void **state)
{
    struct fixture *f = *state;

    mmio_w(f, REG(LAPIC_DIVIDE), 0xb); /* by 1 */
    mmio_w(f, REG(LAPIC_LVT), 0x30);
    mmio_w(f, REG(LAPIC_INITIAL), 1000);
    assert_int_equal(f->deadline, 1000 + 2000);
    fixture_advance(f, 500);
    assert_int_equal(mmio_r(f, REG(LAPIC_CURRENT)), 750);
    fixture_advance(f, 1499);
    assert_false(f->attention);
    fixture_advance(f, 1);
    assert_true(f->attention);
    assert_int_equal(fixture_ack(f), 0x30);
    assert_int_equal(mmio_r(f, REG(LAPIC_CURRENT)), 0);
    assert_true(f->deadline == UINT64_MAX);
    mmio_w(f, REG(LAPIC_EOI), 0);
    fixture_advance(f, 100000);
    assert_false(f->attention);
}

static void test_divide(void **state)
{
    static const struct {
        uint32_t code, by;
    } rows[] = {{0, 2},  {1, 4},  {2, 8},    {3, 16},
                {8, 32}, {9, 64}, {10, 128}, {11, 1}};
    struct fixture *f = *state;

    mmio_w(f, REG(LAPIC_LVT), 0x30);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        mmio_w(f, REG(LAPIC_DIVIDE), rows[i].code);
        mmio_w(f, REG(LAPIC_INITIAL), 1000);
        assert_int_equal(f->deadline - f->now, 2000 * rows[i].by);
        assert_int_equal(mmio_r(f, REG(LAPIC_DIVIDE)), rows[i].code);
    }
}

/* A new divisor takes the count along. */
static void test_divide_running(void **state)
{
    struct fixture *f = *state;

    mmio_w(f, REG(LAPIC_DIVIDE), 0xb);
    mmio_w(f, REG(LAPIC_LVT), 0x30);
    mmio_w(f, REG(LAPIC_INITIAL), 1000);
    fixture_advance(f, 1000);
    mmio_w(f, REG(LAPIC_DIVIDE), 0); /* 500 left, by 2 */
    assert_int_equal(mmio_r(f, REG(LAPIC_CURRENT)), 500);
    assert_int_equal(f->deadline - f->now, 2000);
}

static void test_periodic(void **state)
{
    struct fixture *f = *state;
    int fired = 0;

    mmio_w(f, REG(LAPIC_DIVIDE), 0xb);
    mmio_w(f, REG(LAPIC_LVT), 0x20030);
    mmio_w(f, REG(LAPIC_INITIAL), 50000); /* 100000 ticks */
    for (int i = 0; i < 1000; i++) {
        fixture_advance(f, 1001);
        if (fixture_ack(f) < 0)
            continue;
        fired++;
        mmio_w(f, REG(LAPIC_EOI), 0);
    }
    assert_int_equal(fired, 10);
    /* Nobody was there for seven periods: one interrupt, phase kept. */
    f->now = 1000 + 1700000 + 12345;
    board_expire(&f->board);
    assert_int_equal(f->deadline, 1000 + 1800000);
    assert_int_equal(fixture_ack(f), 0x30);
    /* Initial count 0 stops it. */
    mmio_w(f, REG(LAPIC_INITIAL), 0);
    assert_true(f->deadline == UINT64_MAX);
}

static void test_periodic_floor(void **state)
{
    struct fixture *f = *state;

    mmio_w(f, REG(LAPIC_DIVIDE), 0xb);
    mmio_w(f, REG(LAPIC_LVT), 0x20030);
    mmio_w(f, REG(LAPIC_INITIAL), 1);
    assert_int_equal(f->deadline - f->now, 20000); /* 10 us */
}

static void test_masked_timer(void **state)
{
    struct fixture *f = *state;

    mmio_w(f, REG(LAPIC_DIVIDE), 0xb);
    mmio_w(f, REG(LAPIC_LVT), 0x30 | LVT_MASKED);
    mmio_w(f, REG(LAPIC_INITIAL), 1000);
    assert_true(f->deadline == UINT64_MAX);
    fixture_advance(f, 1000);
    assert_int_equal(mmio_r(f, REG(LAPIC_CURRENT)), 500); /* counts anyway */
    mmio_w(f, REG(LAPIC_LVT), 0x30);
    assert_int_equal(f->deadline - f->now, 1000);
    mmio_w(f, REG(LAPIC_LVT), 0x30 | LVT_MASKED);
    fixture_advance(f, 5000);
    mmio_w(f, REG(LAPIC_LVT), 0x30); /* ran out while masked: lost */
    assert_true(f->deadline == UINT64_MAX);
    assert_false(f->attention);
}

static void test_tsc_deadline(void **state)
{
    struct fixture *f = *state;
    uint64_t v;

    assert_true(fixture_wrmsr(f, MSR_TSC_DEADLINE, 5000)); /* wrong mode */
    assert_true(f->deadline == UINT64_MAX);
    mmio_w(f, REG(LAPIC_LVT), 0x40031);
    mmio_w(f, REG(LAPIC_INITIAL), 1000); /* ignored in this mode */
    assert_true(f->deadline == UINT64_MAX);
    assert_int_equal(mmio_r(f, REG(LAPIC_INITIAL)), 0);

    assert_true(fixture_wrmsr(f, MSR_TSC_DEADLINE, 5000));
    assert_int_equal(f->deadline, 5000);
    assert_true(fixture_rdmsr(f, MSR_TSC_DEADLINE, &v));
    assert_int_equal(v, 5000);
    assert_int_equal(mmio_r(f, REG(LAPIC_CURRENT)), 0);
    fixture_advance(f, 4000);
    assert_int_equal(fixture_ack(f), 0x31);
    mmio_w(f, REG(LAPIC_EOI), 0);
    assert_true(fixture_rdmsr(f, MSR_TSC_DEADLINE, &v));
    assert_int_equal(v, 0);

    assert_true(fixture_wrmsr(f, MSR_TSC_DEADLINE, 1)); /* long ago */
    assert_int_equal(fixture_ack(f), 0x31);
    mmio_w(f, REG(LAPIC_EOI), 0);

    assert_true(fixture_wrmsr(f, MSR_TSC_DEADLINE, 9000));
    assert_true(fixture_wrmsr(f, MSR_TSC_DEADLINE, 0)); /* disarm */
    assert_true(f->deadline == UINT64_MAX);
    assert_true(fixture_wrmsr(f, MSR_TSC_DEADLINE, 9000));
    mmio_w(f, REG(LAPIC_LVT), 0x31); /* leaving the mode disarms */
    assert_true(f->deadline == UINT64_MAX);
}

static void test_x2apic_modes(void **state)
{
    struct fixture *f = *state;
    const uint64_t base = TM_LAPIC_GPA | 0x900;
    uint64_t v;

    assert_true(fixture_rdmsr(f, MSR_APIC_BASE, &v));
    assert_int_equal(v, base);
    assert_false(fixture_rdmsr(f, MSR_X2APIC + LAPIC_VERSION, &v));
    assert_false(fixture_wrmsr(f, MSR_APIC_BASE, base | 1));
    assert_false(fixture_wrmsr(f, MSR_APIC_BASE, base ^ 0x800 ^ 0x400));
    assert_false(fixture_wrmsr(f, MSR_APIC_BASE, base + 0x1000));
    assert_true(fixture_wrmsr(f, MSR_APIC_BASE, base | 0x400));
    assert_false(fixture_wrmsr(f, MSR_APIC_BASE, base)); /* no way back */
    assert_int_equal(mmio_r(f, REG(LAPIC_VERSION)), 0xffffffff);
    assert_true(fixture_rdmsr(f, MSR_X2APIC + LAPIC_VERSION, &v));
    assert_int_equal(v, 0x50014);
    assert_true(fixture_wrmsr(f, MSR_APIC_BASE, base & ~0x800ull));
    /* off: xAPIC */
    assert_false(fixture_wrmsr(f, MSR_APIC_BASE, base | 0x400));
    assert_true(fixture_wrmsr(f, MSR_APIC_BASE, base));
    assert_int_equal(mmio_r(f, REG(LAPIC_SVR)), 0xff); /* as after reset */
}

static void test_x2apic_registers(void **state)
{
    struct fixture *f = *state;
    uint64_t v;

    assert_true(fixture_wrmsr(f, MSR_APIC_BASE, TM_LAPIC_GPA | 0xd00));
    assert_true(fixture_wrmsr(f, MSR_X2APIC + LAPIC_SELF_IPI, 0x55));
    assert_int_equal(fixture_ack(f), 0x55);
    assert_false(fixture_wrmsr(f, MSR_X2APIC + LAPIC_EOI, 1));
    assert_true(fixture_wrmsr(f, MSR_X2APIC + LAPIC_EOI, 0));
    assert_false(fixture_rdmsr(f, MSR_X2APIC + LAPIC_EOI, &v));
    assert_false(fixture_rdmsr(f, MSR_X2APIC + LAPIC_SELF_IPI, &v));
    assert_false(fixture_rdmsr(f, MSR_X2APIC + LAPIC_DFR, &v));
    assert_false(fixture_rdmsr(f, MSR_X2APIC + LAPIC_ICR_HIGH, &v));
    assert_false(fixture_wrmsr(f, MSR_X2APIC + LAPIC_ID, 0));
    assert_false(fixture_wrmsr(f, MSR_X2APIC + LAPIC_LDR, 0));
    assert_false(fixture_wrmsr(f, MSR_X2APIC + LAPIC_TPR, 0x100));
    assert_false(fixture_rdmsr(f, MSR_X2APIC + 0x40, &v));
    assert_true(fixture_rdmsr(f, MSR_X2APIC + LAPIC_LDR, &v));
    assert_int_equal(v, 1);
    /* ICR is one 64-bit register: logical cluster 0, CPU 0. */
    assert_true(fixture_wrmsr(f, MSR_X2APIC + LAPIC_ICR, 1ull << 32 | 0x856));
    assert_true(fixture_rdmsr(f, MSR_X2APIC + LAPIC_ICR, &v));
    assert_true(v == (1ull << 32 | 0x856));
    assert_int_equal(fixture_ack(f), 0x56);
}

static void test_unaligned(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(board_mmio_read(&f->board, REG(LAPIC_SVR) + 4, 4), 0);
    assert_int_equal(board_mmio_read(&f->board, REG(LAPIC_SVR), 8), 0);
    board_mmio_write(&f->board, REG(LAPIC_SVR), 1, 0);
    assert_int_equal(mmio_r(f, REG(LAPIC_SVR)), 0x1ff);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_priority),
        TEST(test_nesting),
        TEST(test_tpr),
        TEST(test_disabled),
        TEST(test_illegal_vector),
        TEST(test_ipi_destinations),
        TEST(test_oneshot),
        TEST(test_divide),
        TEST(test_divide_running),
        TEST(test_periodic),
        TEST(test_periodic_floor),
        TEST(test_masked_timer),
        TEST(test_tsc_deadline),
        TEST(test_x2apic_modes),
        TEST(test_x2apic_registers),
        TEST(test_unaligned),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
