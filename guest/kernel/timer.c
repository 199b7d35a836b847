/* The one-shot timer: armed only for a deadline that somebody has. */
#include "kernel.h"

#define NEVER UINT64_MAX

static uint64_t armed_for = NEVER, taken;

static void timer_interrupt(void)
{
    taken++;
    armed_for = NEVER;
    lapic_eoi();
    proc_tick(rdtsc());
}

void timer_init(void)
{
    irq_handle(VEC_TIMER, timer_interrupt);
    lapic_timer_setup(VEC_TIMER);
}

void timer_want(uint64_t deadline)
{
    if (deadline >= armed_for)
        return;
    armed_for = deadline;
    lapic_timer_arm(deadline, rdtsc());
}

uint64_t timer_arm_in(uint64_t ticks)
{
    uint64_t now = rdtsc();

    armed_for = now + ticks;
    lapic_timer_arm(armed_for, now);
    return now + ticks;
}

void timer_disarm(void)
{
    armed_for = NEVER;
    lapic_timer_stop();
}

uint64_t timer_interrupts(void)
{
    return taken;
}

uint64_t us_to_ticks(uint64_t us)
{
    return us / 1000 * cpu->tsc_khz + us % 1000 * cpu->tsc_khz / 1000;
}
