/* The vCPU's side of the board: counts each access and charges its ticks. */
#include "internal.h"

static uint64_t bus_begin(struct machine *m, enum tm_event ev)
{
    m->vm->events.count[ev]++;
    m->uncharged = false;
    return machine_timed(m) ? __rdtsc() : 0;
}

static void bus_end(struct machine *m, enum tm_event ev, uint64_t begin)
{
    if (machine_timed(m) && !m->uncharged)
        m->vm->events.ticks[ev] += __rdtsc() - begin;
}

static uint64_t bus_io_read(void *opaque, uint16_t port, unsigned size)
{
    struct machine *m = opaque;
    uint64_t begin = bus_begin(m, EV_EXIT_IO);
    uint64_t v = board_io_read(&m->board, port, size);

    bus_end(m, EV_EXIT_IO, begin);
    return v;
}

static void bus_io_write(void *opaque, uint16_t port, unsigned size, uint64_t v)
{
    struct machine *m = opaque;
    uint64_t begin = bus_begin(m, EV_EXIT_IO);

    board_io_write(&m->board, port, size, v);
    bus_end(m, EV_EXIT_IO, begin);
}

static uint64_t bus_mmio_read(void *opaque, gpa_t gpa, unsigned size)
{
    struct machine *m = opaque;
    uint64_t begin = bus_begin(m, EV_EXIT_MMIO);
    uint64_t v = board_mmio_read(&m->board, gpa, size);

    bus_end(m, EV_EXIT_MMIO, begin);
    return v;
}

static void bus_mmio_write(void *opaque, gpa_t gpa, unsigned size, uint64_t v)
{
    struct machine *m = opaque;
    uint64_t begin = bus_begin(m, EV_EXIT_MMIO);

    board_mmio_write(&m->board, gpa, size, v);
    bus_end(m, EV_EXIT_MMIO, begin);
}

/* The backend counts exit.msr: it sees every RDMSR and WRMSR, the bus only those
 * of the APIC. */
static bool bus_msr_read(void *opaque, uint32_t msr, uint64_t *v)
{
    struct device *apic = ((struct machine *)opaque)->board.apic;

    return apic && apic->class->apic->msr_read(apic, msr, v);
}

static bool bus_msr_write(void *opaque, uint32_t msr, uint64_t v)
{
    struct device *apic = ((struct machine *)opaque)->board.apic;

    return apic && apic->class->apic->msr_write(apic, msr, v);
}

static uint64_t bus_get_tpr(void *opaque)
{
    struct device *apic = ((struct machine *)opaque)->board.apic;

    return apic ? apic->class->apic->get_tpr(apic) : 0;
}

static void bus_set_tpr(void *opaque, uint64_t cr8)
{
    struct device *apic = ((struct machine *)opaque)->board.apic;

    if (apic)
        apic->class->apic->set_tpr(apic, cr8);
}

static int bus_irq_ack(void *opaque)
{
    struct device *apic = ((struct machine *)opaque)->board.apic;

    return apic ? apic->class->apic->ack(apic) : -1;
}

const struct vm_bus machine_bus = {
    .io_read = bus_io_read,
    .io_write = bus_io_write,
    .mmio_read = bus_mmio_read,
    .mmio_write = bus_mmio_write,
    .msr_read = bus_msr_read,
    .msr_write = bus_msr_write,
    .get_tpr = bus_get_tpr,
    .set_tpr = bus_set_tpr,
    .irq_ack = bus_irq_ack,
    .now = clock_now,
};
