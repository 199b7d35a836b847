/* The I/O APIC: edges, levels, remote IRR and end of interrupt. */
#include "board_fixture.h"

#include "backends/devices/lapic.h"
#include "guest/abi/abi.h"

#define LAPIC(r) (TM_LAPIC_GPA + (r)*16)

#define RTE_LEVEL 0x8000u
#define RTE_REMOTE 0x4000u
#define RTE_MASKED 0x10000u

static const struct device_class *const table[] = {&device_lapic,
                                                   &device_ioapic, NULL};

static void rte_write(struct fixture *f, unsigned pin, uint64_t v)
{
    mmio_w(f, TM_IOAPIC_GPA, 0x11 + 2 * pin);
    mmio_w(f, TM_IOAPIC_GPA + 0x10, v >> 32);
    mmio_w(f, TM_IOAPIC_GPA, 0x10 + 2 * pin);
    mmio_w(f, TM_IOAPIC_GPA + 0x10, v);
}

static uint32_t rte_read(struct fixture *f, unsigned pin)
{
    mmio_w(f, TM_IOAPIC_GPA, 0x10 + 2 * pin);
    return mmio_r(f, TM_IOAPIC_GPA + 0x10);
}

static void eoi(struct fixture *f)
{
    mmio_w(f, LAPIC(LAPIC_EOI), 0);
}

static int setup(void **state)
{
    static struct fixture f;

    fixture_open(&f, table);
    mmio_w(&f, LAPIC(LAPIC_SVR), 0x1ff);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    fixture_close(*state);
    return 0;
}

static void test_registers(void **state)
{
    struct fixture *f = *state;

    mmio_w(f, TM_IOAPIC_GPA, 1);
    assert_int_equal(mmio_r(f, TM_IOAPIC_GPA + 0x10), 0x170020);
    mmio_w(f, TM_IOAPIC_GPA, 0);
    mmio_w(f, TM_IOAPIC_GPA + 0x10, 0xffffffff);
    assert_int_equal(mmio_r(f, TM_IOAPIC_GPA + 0x10), 0x0f000000);
    for (unsigned pin = 0; pin < 24; pin++)
        assert_int_equal(rte_read(f, pin), RTE_MASKED);
    rte_write(f, 3, UINT64_MAX);
    assert_int_equal(rte_read(f, 3), 0x1afff); /* status bits are read-only */
    mmio_w(f, TM_IOAPIC_GPA, 0x17);
    assert_int_equal(mmio_r(f, TM_IOAPIC_GPA + 0x10), 0xff000000);
    mmio_w(f, TM_IOAPIC_GPA, 0x40); /* behind the table */
    mmio_w(f, TM_IOAPIC_GPA + 0x10, 1);
    assert_int_equal(mmio_r(f, TM_IOAPIC_GPA + 0x10), 0);
}

static void test_edge(void **state)
{
    struct fixture *f = *state;

    board_set_pin(&f->board, 5, true); /* masked: lost */
    rte_write(f, 5, 0x35);
    assert_false(f->attention);
    board_set_pin(&f->board, 5, true); /* no edge */
    assert_false(f->attention);
    board_set_pin(&f->board, 5, false);
    board_set_pin(&f->board, 5, true);
    assert_int_equal(fixture_ack(f), 0x35);
    assert_int_equal(rte_read(f, 5), 0x35);
    board_set_pin(&f->board, 5, false);
    board_set_pin(&f->board, 5, true); /* again, before EOI: pending */
    eoi(f);
    assert_int_equal(fixture_ack(f), 0x35);
    eoi(f); /* the pin is still high, but that is no edge */
    assert_int_equal(fixture_ack(f), -1);
}

static void test_level(void **state)
{
    struct fixture *f = *state;

    board_set_pin(&f->board, 6, true);
    rte_write(f, 6, 0x46 | RTE_LEVEL); /* unmasking sees the level */
    assert_int_equal(fixture_ack(f), 0x46);
    assert_int_equal(rte_read(f, 6) & RTE_REMOTE, RTE_REMOTE);
    assert_int_equal(mmio_r(f, LAPIC(LAPIC_TMR + 2)), 1 << 6);
    board_set_pin(&f->board, 6, true);
    assert_false(f->attention); /* once until EOI */
    eoi(f);
    assert_int_equal(fixture_ack(f), 0x46); /* still asserted */
    board_set_pin(&f->board, 6, false);
    eoi(f);
    assert_int_equal(rte_read(f, 6) & RTE_REMOTE, 0);
    assert_int_equal(fixture_ack(f), -1);
    board_set_pin(&f->board, 6, true);
    assert_int_equal(fixture_ack(f), 0x46);
}

/* The EOI register ends an interrupt without the local APIC. */
static void test_direct_eoi(void **state)
{
    struct fixture *f = *state;

    rte_write(f, 7, 0x47 | RTE_LEVEL);
    board_set_pin(&f->board, 7, true);
    assert_int_equal(rte_read(f, 7) & RTE_REMOTE, RTE_REMOTE);
    board_set_pin(&f->board, 7, false);
    mmio_w(f, TM_IOAPIC_GPA + 0x40, 0x48); /* another's vector */
    assert_int_equal(rte_read(f, 7) & RTE_REMOTE, RTE_REMOTE);
    mmio_w(f, TM_IOAPIC_GPA + 0x40, 0x47);
    assert_int_equal(rte_read(f, 7) & RTE_REMOTE, 0);
}

/* Turning an entry to edge forgets remote IRR. */
static void test_level_to_edge(void **state)
{
    struct fixture *f = *state;

    rte_write(f, 8, 0x48 | RTE_LEVEL);
    board_set_pin(&f->board, 8, true);
    rte_write(f, 8, 0x48);
    assert_int_equal(rte_read(f, 8), 0x48);
}

static void test_destination(void **state)
{
    struct fixture *f = *state;

    rte_write(f, 9, 3ull << 56 | 0x49);
    board_set_pin(&f->board, 9, true);
    assert_false(f->attention);
    rte_write(f, 10, 0xffull << 56 | 0x4a);
    board_set_pin(&f->board, 10, true);
    assert_int_equal(fixture_ack(f), 0x4a);
    eoi(f);
    rte_write(f, 11, 0x44b); /* NMI */
    board_set_pin(&f->board, 11, true);
    assert_false(f->attention);
    rte_write(f, 12, 0x14c); /* lowest priority */
    board_set_pin(&f->board, 12, true);
    assert_int_equal(fixture_ack(f), 0x4c);
}

static void test_no_such_pin(void **state)
{
    struct fixture *f = *state;

    board_set_pin(&f->board, 24, true);
    board_set_pin(&f->board, 1000, true);
    assert_false(f->attention);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_registers),     TEST(test_edge),
        TEST(test_level),         TEST(test_direct_eoi),
        TEST(test_level_to_edge), TEST(test_destination),
        TEST(test_no_such_pin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
