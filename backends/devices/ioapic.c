/* The I/O APIC: 24 pins, edge and level (82093AA data sheet).
 *
 * A pin is "asserted" or not; the polarity bit is kept but means nothing here. */
#include "devices.h"
#include "guest/abi/abi.h"

#define IOAPIC_PINS 24
#define IOAPIC_VERSION 0x20 /* has the EOI register */

#define REG_SELECT 0x00
#define REG_WINDOW 0x10
#define REG_EOI 0x40

#define INDEX_ID 0x00
#define INDEX_VERSION 0x01
#define INDEX_ARB 0x02
#define INDEX_TABLE 0x10 /* two words an entry */

/* Entry:  63..56  16    15       14          13        12    11       10..8  7..0
 *         dest    mask  trigger  remote IRR  polarity  sent  logical  mode   vector
 */
#define RTE_VECTOR(e) ((uint8_t)(e))
#define RTE_MODE(e) ((e) >> 8 & 7)
#define RTE_LOGICAL(e) ((e) >> 11 & 1)
#define RTE_REMOTE 0x4000ull
#define RTE_LEVEL 0x8000ull
#define RTE_MASKED 0x10000ull
#define RTE_WRITABLE 0xff0000000001afffull
#define RTE_DEST(e) ((e) >> 56)

struct ioapic {
    struct device dev;
    uint8_t select;
    uint32_t id;
    uint32_t asserted; /* a bit a pin */
    uint64_t entry[IOAPIC_PINS];
};

static void ioapic_deliver(struct ioapic *io, unsigned pin)
{
    const uint64_t e = io->entry[pin];

    if (RTE_MODE(e) > 1) /* SMI, NMI, INIT, ExtINT: nobody takes them */
        return;
    if (e & RTE_LEVEL)
        io->entry[pin] |= RTE_REMOTE;
    board_message(io->dev.board, RTE_DEST(e), RTE_LOGICAL(e), RTE_VECTOR(e),
                  e & RTE_LEVEL);
}

/* A level that nobody is working on yet is sent. */
static void ioapic_service_level(struct ioapic *io, unsigned pin)
{
    const uint64_t e = io->entry[pin];

    if ((e & RTE_LEVEL) && !(e & (RTE_MASKED | RTE_REMOTE)) &&
        (io->asserted >> pin & 1))
        ioapic_deliver(io, pin);
}

static void ioapic_set_pin(struct device *d, unsigned pin, bool level)
{
    struct ioapic *io = (struct ioapic *)d;
    bool was;

    if (pin >= IOAPIC_PINS)
        return;
    was = io->asserted >> pin & 1;
    io->asserted = (io->asserted & ~(1u << pin)) | (uint32_t)level << pin;
    if (io->entry[pin] & RTE_LEVEL)
        ioapic_service_level(io, pin);
    else if (level && !was && !(io->entry[pin] & RTE_MASKED))
        ioapic_deliver(io, pin); /* an edge at a masked pin is lost */
}

static void ioapic_eoi(struct device *d, uint8_t vector)
{
    struct ioapic *io = (struct ioapic *)d;

    for (unsigned pin = 0; pin < IOAPIC_PINS; pin++) {
        if (!(io->entry[pin] & RTE_REMOTE) ||
            RTE_VECTOR(io->entry[pin]) != vector)
            continue;
        io->entry[pin] &= ~RTE_REMOTE;
        ioapic_service_level(io, pin);
    }
}

static uint32_t ioapic_read_index(const struct ioapic *io)
{
    unsigned i = io->select;

    if (i == INDEX_ID || i == INDEX_ARB)
        return io->id;
    if (i == INDEX_VERSION)
        return IOAPIC_VERSION | (IOAPIC_PINS - 1) << 16;
    if (i >= INDEX_TABLE && i < INDEX_TABLE + 2 * IOAPIC_PINS)
        return io->entry[(i - INDEX_TABLE) / 2] >> (i & 1 ? 32 : 0);
    return 0;
}

static void ioapic_write_index(struct ioapic *io, uint32_t v)
{
    unsigned i = io->select, pin, shift;
    uint64_t mask;

    if (i == INDEX_ID)
        io->id = v & 0x0f000000;
    if (i < INDEX_TABLE || i >= INDEX_TABLE + 2 * IOAPIC_PINS)
        return;
    pin = (i - INDEX_TABLE) / 2;
    shift = i & 1 ? 32 : 0;
    mask = RTE_WRITABLE & 0xffffffffull << shift;
    io->entry[pin] = (io->entry[pin] & ~mask) | ((uint64_t)v << shift & mask);
    if (!(io->entry[pin] & RTE_LEVEL))
        io->entry[pin] &= ~RTE_REMOTE;
    ioapic_service_level(io, pin);
}

static uint64_t ioapic_mmio_read(struct device *d, gpa_t addr, unsigned size)
{
    struct ioapic *io = (struct ioapic *)d;

    (void)size;
    switch (addr - TM_IOAPIC_GPA) {
    case REG_SELECT:
        return io->select;
    case REG_WINDOW:
        return ioapic_read_index(io);
    default:
        return 0;
    }
}

static void ioapic_mmio_write(struct device *d, gpa_t addr, unsigned size,
                              uint64_t v)
{
    struct ioapic *io = (struct ioapic *)d;

    (void)size;
    switch (addr - TM_IOAPIC_GPA) {
    case REG_SELECT:
        io->select = v;
        break;
    case REG_WINDOW:
        ioapic_write_index(io, v);
        break;
    case REG_EOI:
        ioapic_eoi(d, v);
        break;
    }
}

static int ioapic_create(struct device *d, char why[REASON_MAX])
{
    struct ioapic *io = (struct ioapic *)d;

    (void)why;
    for (int i = 0; i < IOAPIC_PINS; i++)
        io->entry[i] = RTE_MASKED;
    return 0;
}

const struct device_class device_ioapic = {
    .name = "ioapic",
    .size = sizeof(struct ioapic),
    .mmio = {TM_IOAPIC_GPA, 0x1000},
    .irqchip = true,
    .create = ioapic_create,
    .mmio_read = ioapic_mmio_read,
    .mmio_write = ioapic_mmio_write,
    .set_pin = ioapic_set_pin,
    .eoi = ioapic_eoi,
};
