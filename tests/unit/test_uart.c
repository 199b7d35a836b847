/* COM1: line status, FIFO, interrupts, loop-back. */
#include "board_fixture.h"

#include "backends/devices/lapic.h"
#include "guest/abi/abi.h"

#define VECTOR 0x64

static const struct device_class *const table[] = {
    &device_lapic, &device_ioapic, &device_uart, NULL};

enum { DATA, IER, IIR, LCR, MCR, LSR, MSR, SCR };

static uint8_t in(struct fixture *f, unsigned reg)
{
    return board_io_read(&f->board, TM_COM1_PORT + reg, 1);
}

static void out(struct fixture *f, unsigned reg, uint8_t v)
{
    board_io_write(&f->board, TM_COM1_PORT + reg, 1, v);
}

static int setup(void **state)
{
    static struct fixture f;

    fixture_open(&f, table);
    mmio_w(&f, TM_LAPIC_GPA + LAPIC_SVR * 16, 0x1ff);
    mmio_w(&f, TM_IOAPIC_GPA, 0x10 + 2 * TM_COM1_IRQ);
    mmio_w(&f, TM_IOAPIC_GPA + 0x10, VECTOR); /* edge */
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    fixture_close(*state);
    return 0;
}

static bool interrupted(struct fixture *f)
{
    int v = fixture_ack(f);

    if (v < 0)
        return false;
    assert_int_equal(v, VECTOR);
    mmio_w(f, TM_LAPIC_GPA + LAPIC_EOI * 16, 0);
    return true;
}

static void test_output(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(in(f, LSR), 0x60);
    for (const char *p = "hello\n"; *p; p++) {
        assert_int_equal(in(f, LSR) & 0x20, 0x20);
        out(f, DATA, *p);
    }
    assert_string_equal(f->serial, "hello\n");
    assert_false(f->attention);
}

static void test_scratch_and_divisor(void **state)
{
    struct fixture *f = *state;

    out(f, SCR, 0xa5);
    assert_int_equal(in(f, SCR), 0xa5);
    out(f, LCR, 0x83);
    out(f, DATA, 1);
    out(f, IER, 2);
    assert_int_equal(in(f, DATA), 1);
    assert_int_equal(in(f, IER), 2);
    assert_int_equal(f->serial_len, 0);
    out(f, LCR, 0x03);
    assert_int_equal(in(f, LCR), 0x03);
    assert_int_equal(in(f, IER), 0);
    /* Reserved bits don't stick. */
    out(f, IER, 0xff);
    assert_int_equal(in(f, IER), 0x0f);
    out(f, MCR, 0xff);
    assert_int_equal(in(f, MCR), 0x1f);
}

static void test_fifo_identity(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(in(f, IIR), 0x01);
    out(f, IIR, 0x07);
    assert_int_equal(in(f, IIR), 0xc1); /* a 16550A */
    out(f, IIR, 0x06); /* without the enable bit nothing is set */
    assert_int_equal(in(f, IIR), 0x01);
}

static void test_transmit_interrupt(void **state)
{
    struct fixture *f = *state;

    out(f, MCR, 0x08);
    out(f, IER, 0x02); /* empty already: at once */
    assert_true(interrupted(f));
    assert_int_equal(in(f, IIR), 0x02);
    assert_int_equal(in(f, IIR), 0x01); /* reading it acknowledged */
    assert_false(interrupted(f));
    for (int i = 0; i < 3; i++) { /* each byte gives an edge */
        out(f, DATA, 'x');
        assert_true(interrupted(f));
    }
    out(f, MCR, 0); /* OUT2 gates the line */
    out(f, DATA, 'x');
    assert_false(interrupted(f));
    assert_string_equal(f->serial, "xxxx");
}

static void test_loopback(void **state)
{
    struct fixture *f = *state;

    out(f, MCR, 0x10);
    out(f, IIR, 0x01);
    for (int i = 0; i < 16; i++)
        out(f, DATA, 'a' + i);
    assert_int_equal(f->serial_len, 0);
    assert_int_equal(in(f, LSR), 0x61);
    out(f, DATA, '!'); /* one too many */
    assert_int_equal(in(f, LSR), 0x63);
    assert_int_equal(in(f, LSR), 0x61); /* reading clears the error */
    for (int i = 0; i < 16; i++)
        assert_int_equal(in(f, DATA), 'a' + i);
    assert_int_equal(in(f, LSR), 0x60);
    assert_int_equal(in(f, DATA), 0);
    /* Without the FIFO there is room for one byte. */
    out(f, IIR, 0);
    out(f, DATA, 'p');
    out(f, DATA, 'q');
    assert_int_equal(in(f, LSR), 0x63);
    assert_int_equal(in(f, DATA), 'p');
}

static void test_receive_identity(void **state)
{
    struct fixture *f = *state;

    out(f, MCR, 0x10);
    out(f, IIR, 0x41); /* trigger at 4 */
    out(f, IER, 0x01);
    out(f, DATA, 'a');
    assert_int_equal(in(f, IIR), 0xcc); /* timeout: below the trigger */
    for (int i = 0; i < 3; i++)
        out(f, DATA, 'b');
    assert_int_equal(in(f, IIR), 0xc4);
    out(f, IIR, 0x43); /* clear */
    assert_int_equal(in(f, IIR), 0xc1);
}

static void test_modem_loopback(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(in(f, MSR), 0xb0);
    out(f, MCR, 0x1f);
    assert_int_equal(in(f, MSR) & 0xf0, 0xf0);
    out(f, MCR, 0x12);
    assert_int_equal(in(f, MSR), 0x1e); /* CTS; DSR, RI, DCD fell */
    assert_int_equal(in(f, MSR), 0x10);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_output),         TEST(test_scratch_and_divisor),
        TEST(test_fifo_identity),  TEST(test_transmit_interrupt),
        TEST(test_loopback),       TEST(test_receive_identity),
        TEST(test_modem_loopback),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
