/* The TSC's frequency, from whoever knows it. */
#include "kernel.h"

#define PIT_HZ        1193182
#define PIT_CHANNEL2  0x42
#define PIT_COMMAND   0x43
#define PIT_MODE0_CH2 0xb0 /* channel 2, both bytes, interrupt on count */
#define PORT_B        0x61
#define PORT_B_GATE2  0x01
#define PORT_B_SPEAKER 0x02
#define PORT_B_OUT2   0x20
#define SPAN_MS       10

static uint64_t khz_from_cpuid(void)
{
    uint32_t max = cpuid(0, 0).eax;
    struct cpuid_regs r;

    if (max >= 0x15) {
        r = cpuid(0x15, 0);
        if (r.eax && r.ebx && r.ecx)
            return (uint64_t)r.ecx * r.ebx / r.eax / 1000;
    }
    /* Leaf 16h is the nominal frequency, which is the TSC's where it is
     * invariant. */
    if (max >= 0x16 && cpu->invtsc)
        return (uint64_t)(cpuid(0x16, 0).eax & 0xffff) * 1000;
    return 0;
}

/* Counts channel 2 down once; 0 where there is no PIT. */
static uint64_t khz_from_pit(void)
{
    uint16_t count = PIT_HZ * SPAN_MS / 1000;
    uint8_t port_b = inb(PORT_B);
    uint64_t begin, ticks;

    if (port_b == 0xff)
        return 0;
    outb(PORT_B, (uint8_t)((port_b & ~PORT_B_SPEAKER) | PORT_B_GATE2));
    outb(PIT_COMMAND, PIT_MODE0_CH2);
    outb(PIT_CHANNEL2, (uint8_t)count);
    outb(PIT_CHANNEL2, (uint8_t)(count >> 8));
    if (inb(PORT_B) & PORT_B_OUT2)
        return 0; /* it must be low while it counts */
    begin = rdtsc();
    do {
        ticks = rdtsc() - begin;
    } while (!(inb(PORT_B) & PORT_B_OUT2) && ticks < 1ull << 36);
    outb(PORT_B, port_b);
    return ticks < 1ull << 36 ? ticks / SPAN_MS : 0;
}

uint64_t tsc_measure_khz(void)
{
    uint64_t khz = cmdline_u64(boot_cmdline, "tsc_khz", 0);

    if (!khz)
        khz = khz_from_cpuid();
    if (!khz)
        khz = khz_from_pit();
    if (!khz)
        panic("TSC frequency unknown and no PIT: give tsc_khz=N");
    return khz;
}
