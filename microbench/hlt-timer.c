/* hlt-timer: arm the timer, HLT, be woken by its interrupt.
 *
 * One operation is the whole sleep: it is reported as it is, with the time that
 * was asked for in it, and no control is subtracted but an empty loop. What
 * lies above SLEEP_US is the cost of arming, sleeping, waking and the
 * interrupt. */
#include "loop.h"

#define SLEEP_US 50

static uint64_t sleep_ticks;

static const char *hlt_timer_init(void)
{
    sleep_ticks = cpu->tsc_khz * SLEEP_US / 1000;
    return sleep_ticks ? NULL : "the TSC frequency is unknown";
}

static void hlt_timer_kernel(uint64_t n)
{
    while (n--) {
        uint64_t before = timer_interrupts();

        cli();
        timer_arm_in(sleep_ticks);
        while (timer_interrupts() == before) {
            sti_hlt();
            cli();
        }
        sti();
    }
}

static void hlt_timer_cleanup(void)
{
    timer_disarm();
}

DEFINE_BENCHMARK(
    hlt_timer, "hlt-timer", "micro", "sleep of 50 us",
    "Timer, HLT, interrupt: the whole sleep, 50 us of it asked for", 0,
    .init = hlt_timer_init, .kernel = hlt_timer_kernel,
    .cleanup = hlt_timer_cleanup);
