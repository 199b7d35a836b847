/* Address decoding, splitting, one-port devices, timers' clocks. */
#include "board_fixture.h"

#include "guest/abi/abi.h"

static int setup(void **state)
{
    static struct fixture f;

    fixture_open(&f, device_table);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    fixture_close(*state);
    return 0;
}

static uint64_t in(struct fixture *f, uint16_t port, unsigned size)
{
    return board_io_read(&f->board, port, size);
}

static void out(struct fixture *f, uint16_t port, unsigned size, uint64_t v)
{
    board_io_write(&f->board, port, size, v);
}

static void test_nobody_home(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(in(f, 0x1234, 1), 0xff);
    assert_int_equal(in(f, 0x1234, 2), 0xffff);
    assert_int_equal(in(f, 0x1234, 4), 0xffffffff);
    assert_int_equal(in(f, 0xffff, 4), 0xffffffff); /* wraps around */
    out(f, 0xffff, 4, 0);
    assert_int_equal(board_mmio_read(&f->board, 0xf0000000, 4), 0xffffffff);
    assert_true(board_mmio_read(&f->board, UINT64_MAX, 8) == UINT64_MAX);
    assert_int_equal(board_mmio_read(&f->board, 0xf0000000, 1), 0xff);
    board_mmio_write(&f->board, UINT64_MAX - 3, 8, 1);
    /* Across the end of a device: nobody. */
    assert_true(board_mmio_read(&f->board, TM_LAPIC_GPA + 0xffc, 8) ==
                UINT64_MAX);
}

static void test_split(void **state)
{
    struct fixture *f = *state;

    out(f, TM_PORT_POST, 1, 0x5a);
    assert_int_equal(in(f, TM_PORT_POST, 1), 0x5a);
    assert_int_equal(in(f, TM_PORT_POST, 4), 0xffffff5a);
    assert_int_equal(in(f, TM_PORT_POST - 1, 2), 0x5aff);
    out(f, TM_PORT_POST - 1, 4, 0x11223344);
    assert_int_equal(in(f, TM_PORT_POST, 1), 0x33);
    /* A word to the scratch register's neighbour reaches it. */
    out(f, TM_COM1_PORT + 6, 2, 0xab00);
    assert_int_equal(in(f, TM_COM1_PORT + 7, 1), 0xab);
}

static void test_exit_and_doorbell(void **state)
{
    struct fixture *f = *state;

    out(f, TM_PORT_DOORBELL, 4, TM_DB_CONTROL_END);
    assert_int_equal(f->rung, TM_DB_CONTROL_END);
    assert_int_equal(f->off, -1);
    out(f, TM_PORT_EXIT, 1, TM_EXIT_PANIC);
    assert_int_equal(f->off, TM_EXIT_PANIC);
}

static void test_pmtimer(void **state)
{
    struct fixture *f = *state;
    uint32_t before = in(f, 0x608, 4);

    fixture_advance(f, FIXTURE_TSC_KHZ * 1000ull);
    assert_in_range((in(f, 0x608, 4) - before) & 0xffffff, 3579544, 3579546);
    fixture_advance(f, 10 * FIXTURE_TSC_KHZ * 1000ull);
    assert_int_equal(in(f, 0x608, 4) >> 24, 0); /* 24 bits */
    assert_int_equal(in(f, 0x609, 1), in(f, 0x608, 4) >> 8 & 0xff);
}

/* How a guest measures its TSC: channel 2, mode 0, OUT in port 0x61. */
static void test_pit_calibration(void **state)
{
    struct fixture *f = *state;
    uint64_t begin;

    out(f, 0x61, 1, 0x01);
    out(f, 0x43, 1, 0xb0);
    out(f, 0x42, 1, 11932 & 0xff);
    out(f, 0x42, 1, 11932 >> 8); /* 10 ms */
    begin = f->now;
    while (!(in(f, 0x61, 1) & 0x20))
        f->now += 100;
    assert_in_range(f->now - begin, 20000000, 20001200);
    assert_int_equal(in(f, 0x61, 1) & 0x0f, 0x01);
}

static void test_pit_gate(void **state)
{
    struct fixture *f = *state;

    out(f, 0x61, 1, 0x01);
    out(f, 0x43, 1, 0xb0);
    out(f, 0x42, 1, 0);
    out(f, 0x42, 1, 0x10);       /* 4096 clocks: 3.43 ms */
    fixture_advance(f, 4000000); /* 2 ms */
    out(f, 0x61, 1, 0x00);
    fixture_advance(f, 100000000);
    assert_int_equal(in(f, 0x61, 1) & 0x20, 0);
    out(f, 0x61, 1, 0x01);
    fixture_advance(f, 2860000);
    assert_int_equal(in(f, 0x61, 1) & 0x20, 0);
    fixture_advance(f, 10000);
    assert_int_equal(in(f, 0x61, 1) & 0x20, 0x20);
}

static void test_pit_counter(void **state)
{
    struct fixture *f = *state;
    unsigned low, first, second;

    out(f, 0x43, 1, 0x34); /* channel 0, mode 2 */
    out(f, 0x40, 1, 0xe8);
    out(f, 0x40, 1, 0x03);            /* 1000 clocks */
    fixture_advance(f, 2000000 / 10); /* 100 us: 119 clocks */
    out(f, 0x43, 1, 0x00);            /* latch */
    fixture_advance(f, 2000000 / 10);
    low = in(f, 0x40, 1);
    first = low | in(f, 0x40, 1) << 8;
    assert_int_equal(first, 1000 - 119);
    low = in(f, 0x40, 1);
    second = low | in(f, 0x40, 1) << 8;
    assert_int_equal(second, 1000 - 238);
    out(f, 0x43, 1, 0xe2); /* read back channel 0's status */
    assert_int_equal(in(f, 0x40, 1), 0xb4);
}

static void test_pit_tick(void **state)
{
    struct fixture *f = *state;
    int ticks = 0;

    mmio_w(f, TM_LAPIC_GPA + 0xf0, 0x1ff);
    mmio_w(f, TM_IOAPIC_GPA, 0x14);
    mmio_w(f, TM_IOAPIC_GPA + 0x10, 0x50);
    out(f, 0x43, 1, 0x34);
    out(f, 0x40, 1, 11932 & 0xff);
    out(f, 0x40, 1, 11932 >> 8);
    for (int i = 0; i < 1050; i++) { /* ms */
        fixture_advance(f, 2000000);
        if (fixture_ack(f) < 0)
            continue;
        ticks++;
        mmio_w(f, TM_LAPIC_GPA + 0xb0, 0);
    }
    assert_in_range(ticks, 104, 105);
    out(f, 0x43, 1, 0x30); /* a new command stops it */
    assert_true(f->deadline == UINT64_MAX);
}

static void test_no_irqchip(void **state)
{
    struct board b = {.host = &fixture_host,
                      .opaque = *state,
                      .ram = &((struct fixture *)*state)->ram,
                      .tsc_khz = FIXTURE_TSC_KHZ};
    char why[REASON_MAX];

    assert_int_equal(board_create(&b, device_table, false, why), 0);
    assert_null(b.apic);
    assert_null(b.ioapic);
    assert_int_equal(board_mmio_read(&b, TM_LAPIC_GPA + 0x30, 4), 0xffffffff);
    assert_int_equal(board_io_read(&b, TM_COM1_PORT + 5, 1), 0x60);
    board_destroy(&b);
}

static void test_bad_disk(void **state)
{
    struct board b = {.host = &fixture_host,
                      .opaque = *state,
                      .ram = &((struct fixture *)*state)->ram,
                      .tsc_khz = FIXTURE_TSC_KHZ,
                      .disk = "/nonexistent"};
    char why[REASON_MAX];

    assert_int_equal(board_create(&b, device_table, true, why), -2);
    assert_non_null(strstr(why, "/nonexistent"));
    assert_int_equal(b.count, 0);
    b.disk = "/dev";
    assert_true(board_create(&b, device_table, true, why) < 0);
    b.disk = __FILE__; /* or unreadable, where the source isn't there */
    assert_true(board_create(&b, device_table, true, why) < 0);
}

/* Anything may be written anywhere; time still passes and nothing breaks. */
static void test_noise(void **state)
{
    static const uint16_t ports[] = {0x40,  0x41,  0x42,  0x43,  0x61,
                                     0x80,  0x3f8, 0x3f9, 0x3fa, 0x3fb,
                                     0x3fc, 0x3fd, 0x608};
    static const gpa_t bases[] = {TM_LAPIC_GPA, TM_IOAPIC_GPA, TM_VIRTIO_GPA};
    struct fixture *f = *state;
    uint64_t x = 1, v;

    for (int i = 0; i < 300000; i++) {
        uint16_t port;
        gpa_t gpa;

        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        port = ports[x % (sizeof(ports) / sizeof(ports[0]))];
        gpa = bases[x % 3] + (x >> 8) % 0x410 / 16 * 16;
        switch (x >> 32 & 7) {
        case 0:
            out(f, port, 1, x >> 40);
            break;
        case 1:
            in(f, port, 1 << (x >> 40) % 3);
            break;
        case 2:
            mmio_w(f, gpa, x >> (x >> 40) % 60);
            break;
        case 3:
            mmio_r(f, gpa);
            break;
        case 4:
            board_set_pin(&f->board, x >> 40 & 31, x >> 45 & 1);
            break;
        case 5:
            fixture_advance(f, x >> 40 & 0xffff);
            break;
        case 6:
            f->board.apic->class->apic->msr_write(
                f->board.apic, (x & 1) ? MSR_TSC_DEADLINE : 0x800 + (x & 0x3f),
                f->now + (x >> 40 & 0xfffff));
            f->board.apic->class->apic->msr_read(f->board.apic,
                                                 0x800 + (x & 63), &v);
            break;
        case 7:
            f->board.apic->class->apic->ack(f->board.apic);
        }
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_nobody_home),
        TEST(test_split),
        TEST(test_exit_and_doorbell),
        TEST(test_pmtimer),
        TEST(test_pit_calibration),
        TEST(test_pit_gate),
        TEST(test_pit_counter),
        TEST(test_pit_tick),
        TEST(test_no_irqchip),
        TEST(test_bad_disk),
        TEST(test_noise),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
