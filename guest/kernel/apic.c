/* The local APIC, by MSR or by MMIO, its timer, and the I/O APIC. */
#include "kernel.h"

#define APIC_BASE_EXTD (1u << 10)
#define APIC_BASE_ENABLE (1u << 11)

#define LAPIC_ID 0x020
#define LAPIC_TPR 0x080
#define LAPIC_EOI 0x0b0
#define LAPIC_SVR 0x0f0
#define LAPIC_LVT_TIMER 0x320
#define LAPIC_LVT_LINT0 0x350
#define LAPIC_INITIAL 0x380
#define LAPIC_CURRENT 0x390
#define LAPIC_DIVIDE 0x3e0
#define SVR_ENABLE 0x100
#define SPURIOUS_VECTOR 0xff
#define LVT_MASKED (1u << 16)
#define LVT_DEADLINE (1u << 18) /* bits 18..17 = 10 */
#define DIVIDE_BY_1 0x0b
#define INITIAL_MAX 0xffffffffu

#define IOAPIC_SELECT 0x00
#define IOAPIC_WINDOW 0x10
#define IOAPIC_REDIRECTION 0x10 /* + 2 * pin */

#define PIC1_MASK 0x21
#define PIC2_MASK 0xa1

static bool x2apic;
static uint64_t count_per_tick; /* of the timer, in 32.32 fixed point */

volatile void *mmio_ptr(uint64_t gpa)
{
    return (volatile void *)(boot_info.mmio_base + gpa);
}

static uint32_t lapic_read(uint32_t reg)
{
    if (x2apic)
        return (uint32_t)rdmsr(MSR_X2APIC_BASE + (reg >> 4));
    return *(volatile uint32_t *)mmio_ptr(TM_LAPIC_GPA + reg);
}

static void lapic_write(uint32_t reg, uint32_t v)
{
    if (x2apic)
        wrmsr(MSR_X2APIC_BASE + (reg >> 4), v);
    else
        *(volatile uint32_t *)mmio_ptr(TM_LAPIC_GPA + reg) = v;
}

void lapic_eoi(void)
{
    lapic_write(LAPIC_EOI, 0);
}

void apic_init(void)
{
    uint64_t base = rdmsr(MSR_APIC_BASE);

    if (cpu->x2apic && !(base & APIC_BASE_EXTD)) {
        wrmsr(MSR_APIC_BASE, base | APIC_BASE_ENABLE);
        wrmsr(MSR_APIC_BASE, base | APIC_BASE_ENABLE | APIC_BASE_EXTD);
    } else if (!(base & APIC_BASE_ENABLE)) {
        wrmsr(MSR_APIC_BASE, base | APIC_BASE_ENABLE);
    }
    x2apic = cpu->x2apic || (base & APIC_BASE_EXTD);
    /* The 8259s, if there are any, stay quiet. */
    outb(PIC1_MASK, 0xff);
    outb(PIC2_MASK, 0xff);
    lapic_write(LAPIC_LVT_LINT0, LVT_MASKED);
    lapic_write(LAPIC_TPR, 0);
    lapic_write(LAPIC_SVR, SVR_ENABLE | SPURIOUS_VECTOR);
}

static void ioapic_write(uint32_t reg, uint32_t v)
{
    *(volatile uint32_t *)mmio_ptr(TM_IOAPIC_GPA + IOAPIC_SELECT) = reg;
    *(volatile uint32_t *)mmio_ptr(TM_IOAPIC_GPA + IOAPIC_WINDOW) = v;
}

/* Edge-triggered, active high, to this CPU. Edge suffices for virtio-mmio: the
 * handler acknowledges first and looks at the ring afterwards. */
void ioapic_route(unsigned pin, int vector)
{
    uint32_t id = lapic_read(LAPIC_ID);

    if (!x2apic)
        id >>= 24;
    ioapic_write(IOAPIC_REDIRECTION + 2 * pin + 1, id << 24);
    ioapic_write(IOAPIC_REDIRECTION + 2 * pin, (uint32_t)vector);
}

/* How fast the count runs against the TSC. */
static void calibrate(void)
{
    uint64_t span = cpu->tsc_khz / 4, begin, ticks; /* 250 us */
    uint32_t counted;

    lapic_write(LAPIC_INITIAL, INITIAL_MAX);
    begin = rdtsc();
    do {
        cpu_pause();
        ticks = rdtsc() - begin;
    } while (ticks < span);
    counted = INITIAL_MAX - lapic_read(LAPIC_CURRENT);
    lapic_write(LAPIC_INITIAL, 0);
    count_per_tick = ((uint64_t)counted << 32) / ticks;
    if (!count_per_tick)
        panic("the local APIC timer does not count");
}

void lapic_timer_setup(int vector)
{
    if (cpu->tsc_deadline) {
        lapic_write(LAPIC_LVT_TIMER, LVT_DEADLINE | (uint32_t)vector);
        /* Order a memory-mapped LVT write before the first deadline. */
        lapic_read(LAPIC_LVT_TIMER);
        return;
    }
    lapic_write(LAPIC_DIVIDE, DIVIDE_BY_1);
    lapic_write(LAPIC_LVT_TIMER, LVT_MASKED | (uint32_t)vector);
    calibrate();
    lapic_write(LAPIC_LVT_TIMER, (uint32_t)vector);
}

void lapic_timer_arm(uint64_t deadline_tsc, uint64_t now)
{
    uint64_t ticks, count;

    if (cpu->tsc_deadline) {
        wrmsr(MSR_TSC_DEADLINE, deadline_tsc ? deadline_tsc : 1);
        return;
    }
    ticks = deadline_tsc > now ? deadline_tsc - now : 0;
    if (ticks > INITIAL_MAX)
        ticks = INITIAL_MAX; /* early is harmless: it is armed again */
    count = (ticks * count_per_tick) >> 32;
    if (count > INITIAL_MAX)
        count = INITIAL_MAX;
    lapic_write(LAPIC_INITIAL, count ? (uint32_t)count : 1);
}

void lapic_timer_stop(void)
{
    if (cpu->tsc_deadline)
        wrmsr(MSR_TSC_DEADLINE, 0);
    else
        lapic_write(LAPIC_INITIAL, 0);
}
