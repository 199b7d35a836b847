/* A board without a vCPU: the test is its host and turns its clock. */
#ifndef TM_BOARD_FIXTURE_H
#define TM_BOARD_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "backends/devices/devices.h"

#include <string.h>

#define FIXTURE_RAM (4ull << 20)
#define FIXTURE_TSC_KHZ 2000000 /* two ticks a nanosecond */

struct fixture {
    struct board board;
    struct guest_ram ram;
    uint64_t now, deadline;
    bool attention;
    int off; /* power-off code, or -1 */
    uint32_t rung;
    char serial[256];
    size_t serial_len;
    uint64_t written; /* bytes of RAM that devices said they wrote */
    gpa_t written_last;
};

static uint64_t fixture_now(void *opaque)
{
    return ((struct fixture *)opaque)->now;
}

static void fixture_attention(void *opaque, bool deliverable)
{
    ((struct fixture *)opaque)->attention = deliverable;
}

static void fixture_deadline(void *opaque, uint64_t when)
{
    ((struct fixture *)opaque)->deadline = when;
}

static void fixture_power_off(void *opaque, int code)
{
    ((struct fixture *)opaque)->off = code;
}

static void fixture_doorbell(void *opaque, uint32_t value)
{
    ((struct fixture *)opaque)->rung = value;
}

static void fixture_serial(void *opaque, uint8_t byte)
{
    struct fixture *f = opaque;

    if (f->serial_len < sizeof(f->serial) - 1)
        f->serial[f->serial_len++] = byte;
}

static void fixture_ram_written(void *opaque, gpa_t gpa, uint64_t len)
{
    struct fixture *f = opaque;

    assert_non_null(ram_ptr(&f->ram, gpa, len));
    f->written += len;
    f->written_last = gpa;
}

static const struct board_host fixture_host = {
    .now = fixture_now,
    .attention = fixture_attention,
    .deadline = fixture_deadline,
    .power_off = fixture_power_off,
    .doorbell = fixture_doorbell,
    .serial = fixture_serial,
    .ram_written = fixture_ram_written,
};

static inline void fixture_open(struct fixture *f,
                                const struct device_class *const *table)
{
    static uint8_t ram[FIXTURE_RAM] __attribute__((aligned(4096)));
    char why[REASON_MAX] = "";

    memset(f, 0, sizeof(*f));
    memset(ram, 0, sizeof(ram));
    f->ram.host = ram;
    f->ram.size = FIXTURE_RAM;
    f->ram.fd = -1;
    f->now = 1000;
    f->deadline = UINT64_MAX;
    f->off = -1;
    f->board.host = &fixture_host;
    f->board.opaque = f;
    f->board.ram = &f->ram;
    f->board.tsc_khz = FIXTURE_TSC_KHZ;
    if (board_create(&f->board, table, true, why) < 0)
        fail_msg("%s", why);
}

static inline void fixture_close(struct fixture *f)
{
    board_destroy(&f->board);
}

/* Let guest time pass, running the timers that fall due on the way. */
static inline void fixture_advance(struct fixture *f, uint64_t ticks)
{
    const uint64_t to = f->now + ticks;

    while (f->deadline <= to) {
        if (f->deadline > f->now)
            f->now = f->deadline;
        board_expire(&f->board);
    }
    f->now = to;
}

static inline uint32_t mmio_r(struct fixture *f, gpa_t gpa)
{
    return board_mmio_read(&f->board, gpa, 4);
}

static inline void mmio_w(struct fixture *f, gpa_t gpa, uint32_t v)
{
    board_mmio_write(&f->board, gpa, 4, v);
}

static inline int fixture_ack(struct fixture *f)
{
    return f->board.apic->class->apic->ack(f->board.apic);
}

static inline bool fixture_rdmsr(struct fixture *f, uint32_t msr, uint64_t *v)
{
    return f->board.apic->class->apic->msr_read(f->board.apic, msr, v);
}

static inline bool fixture_wrmsr(struct fixture *f, uint32_t msr, uint64_t v)
{
    return f->board.apic->class->apic->msr_write(f->board.apic, msr, v);
}

#endif
