/* Waking at fixed intervals by the kernel's one-shot timer. */
#include "ticker.h"
#include "../../guest/lib/bench.h"
#include "../../guest/lib/lib.h"
#include "../../guest/user/user.h"

static uint64_t early, punctual;

void ticker_kernel(uint64_t n)
{
    uint64_t khz = cmdline_u64(user_cmdline, "tsc_khz", 0);
    uint64_t period = ticker_period_us * khz / 1000, next = rdtsc_fenced();

    for (uint64_t tick = 0; tick < n; tick++) {
        uint64_t now = rdtsc_fenced();

        next += period;
        /* Rounded up: to sleep at all, and never to wake early. */
        if (next > now)
            sys_sleep_us(((next - now) * 1000 + khz - 1) / khz);
        else
            next = now; /* late: the ticks after this one move */
        if (rdtsc_fenced() < next)
            early++;
        else
            punctual++;
    }
}

uint64_t ticker_checksum(void)
{
    ticker_kernel(8);
    return mix64(ticker_period_us, punctual);
}

const char *ticker_verify(void)
{
    return early ? "a sleep ended before its time" : NULL;
}
