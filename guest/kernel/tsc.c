/* The TSC's frequency, from whoever knows it. */
#include "kernel.h"

#define PIT_HZ 1193182
#define PIT_CHANNEL0 0x40
#define PIT_COMMAND 0x43
#define PIT_MODE0 0x30 /* channel 0, both bytes, interrupt on count */
#define PIT_LATCH 0x00 /* channel 0 */
#define SPAN_COUNTS (PIT_HZ / 100) /* 10 ms */
#define TRIES 1000000

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

static uint16_t pit_count(uint64_t *tsc)
{
    uint8_t lo;

    outb(PIT_COMMAND, PIT_LATCH);
    *tsc = rdtsc();
    lo = inb(PIT_CHANNEL0);
    return (uint16_t)(lo | inb(PIT_CHANNEL0) << 8);
}

/* Lets channel 0 count down for a while: it needs no gate and its interrupt is
 * routed nowhere. 0 where there is no PIT. */
static uint64_t khz_from_pit(void)
{
    uint64_t begin, end = 0;
    uint16_t first, passed = 0;

    outb(PIT_COMMAND, PIT_MODE0);
    outb(PIT_CHANNEL0, 0xff);
    outb(PIT_CHANNEL0, 0xff);
    first = pit_count(&begin);
    for (int i = 0; i < TRIES && passed < SPAN_COUNTS; i++)
        passed = (uint16_t)(first - pit_count(&end));
    if (passed < SPAN_COUNTS)
        return 0;
    return (end - begin) * PIT_HZ / 1000 / passed;
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
