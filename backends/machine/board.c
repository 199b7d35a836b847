/* Device creation, address decoding, timers and interrupt routing. */
#include "board.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static void board_claim_ports(struct board *b, const struct addr_range *r)
{
    for (uint64_t p = r->base; p < r->base + r->size; p++)
        b->port_owner[p] = b->count; /* index + 1: count is already past it */
}

static int board_add(struct board *b, const struct device_class *class,
                     char why[REASON_MAX])
{
    struct device *d;
    int r;

    if (b->count == BOARD_DEVICES) {
        snprintf(why, REASON_MAX, "more than %d devices", BOARD_DEVICES);
        return -ENOSPC;
    }
    d = calloc(1, class->size);
    if (!d) {
        snprintf(why, REASON_MAX, "out of memory for device %s", class->name);
        return -ENOMEM;
    }
    d->class = class;
    d->board = b;
    r = class->create ? class->create(d, why) : 0;
    if (r < 0) {
        free(d);
        return r;
    }
    b->device[b->count++] = d;
    board_claim_ports(b, &class->io[0]);
    board_claim_ports(b, &class->io[1]);
    if (class->apic)
        b->apic = d;
    if (class->set_pin)
        b->ioapic = d;
    return 0;
}

int board_create(struct board *b, const struct device_class *const *table,
                 bool irqchip, char why[REASON_MAX])
{
    b->count = 0;
    b->apic = b->ioapic = NULL;
    b->port_owner = calloc(65536, 1);
    if (!b->port_owner) {
        snprintf(why, REASON_MAX, "out of memory for the port map");
        return -ENOMEM;
    }
    for (; *table; table++) {
        int r;

        if ((*table)->irqchip && !irqchip)
            continue;
        r = board_add(b, *table, why);
        if (r < 0) {
            board_destroy(b);
            return r;
        }
    }
    return 0;
}

void board_destroy(struct board *b)
{
    while (b->count) {
        struct device *d = b->device[--b->count];

        if (d->class->destroy)
            d->class->destroy(d);
        free(d);
    }
    b->apic = b->ioapic = NULL;
    free(b->port_owner);
    b->port_owner = NULL;
}

/* ---- Address decoding --------------------------------------------------- */

static struct device *board_port_device(struct board *b, uint16_t port)
{
    unsigned owner = b->port_owner[port];

    return owner ? b->device[owner - 1] : NULL;
}

uint64_t board_io_read(struct board *b, uint16_t port, unsigned size)
{
    struct device *d = board_port_device(b, port);
    uint64_t v = 0;

    if (size > 1 && (!d || size > d->class->io_width)) {
        for (unsigned i = 0; i < size; i++)
            v |= board_io_read(b, port + i, 1) << (8 * i);
        return v;
    }
    if (!d || !d->class->io_read)
        return bus_ones(size);
    return d->class->io_read(d, port, size) & bus_ones(size);
}

void board_io_write(struct board *b, uint16_t port, unsigned size, uint64_t v)
{
    struct device *d = board_port_device(b, port);

    if (size > 1 && (!d || size > d->class->io_width)) {
        for (unsigned i = 0; i < size; i++)
            board_io_write(b, port + i, 1, v >> (8 * i));
        return;
    }
    if (d && d->class->io_write)
        d->class->io_write(d, port, size, v & bus_ones(size));
}

static struct device *board_mmio_device(struct board *b, gpa_t gpa,
                                        unsigned size)
{
    for (unsigned i = 0; i < b->count; i++) {
        const struct addr_range *r = &b->device[i]->class->mmio;

        if (gpa - r->base < r->size && r->size - (gpa - r->base) >= size)
            return b->device[i];
    }
    return NULL;
}

uint64_t board_mmio_read(struct board *b, gpa_t gpa, unsigned size)
{
    struct device *d = board_mmio_device(b, gpa, size);

    if (!d || !d->class->mmio_read)
        return bus_ones(size);
    return d->class->mmio_read(d, gpa, size) & bus_ones(size);
}

void board_mmio_write(struct board *b, gpa_t gpa, unsigned size, uint64_t v)
{
    struct device *d = board_mmio_device(b, gpa, size);

    if (d && d->class->mmio_write)
        d->class->mmio_write(d, gpa, size, v & bus_ones(size));
}

/* ---- Timers ------------------------------------------------------------- */

void board_rearm(struct board *b)
{
    uint64_t first = UINT64_MAX;

    for (unsigned i = 0; i < b->count; i++) {
        struct device *d = b->device[i];
        uint64_t when;

        if (!d->class->deadline)
            continue;
        when = d->class->deadline(d);
        if (when < first)
            first = when;
    }
    b->host->deadline(b->opaque, first);
}

void board_expire(struct board *b)
{
    uint64_t now = board_now(b);

    for (unsigned i = 0; i < b->count; i++) {
        struct device *d = b->device[i];

        if (d->class->expire && d->class->deadline(d) <= now)
            d->class->expire(d, now);
    }
    board_rearm(b);
}

/* ---- Memory ------------------------------------------------------------- */

void board_ram_written(struct board *b, const void *host, uint64_t len)
{
    if (b->host->ram_written && len)
        b->host->ram_written(b->opaque, (const uint8_t *)host - b->ram->host,
                             len);
}

/* ---- Interrupts --------------------------------------------------------- */

void board_set_pin(struct board *b, unsigned pin, bool level)
{
    if (b->host->set_irq_line)
        b->host->set_irq_line(b->opaque, pin, level);
    else if (b->ioapic)
        b->ioapic->class->set_pin(b->ioapic, pin, level);
}

void board_message(struct board *b, uint32_t dest, bool logical, uint8_t vector,
                   bool level)
{
    if (b->apic)
        b->apic->class->apic->message(b->apic, dest, logical, vector, level);
}

void board_eoi(struct board *b, uint8_t vector)
{
    if (b->ioapic)
        b->ioapic->class->eoi(b->ioapic, vector);
}
