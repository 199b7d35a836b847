/* timer-10khz: a process that the timer wakes every 100 microseconds. */
#include "../../guest/lib/bench.h"
#include "ticker.h"

#define PERIOD_US 100

static void tick_kernel(uint64_t n)
{
    ticker_run(n, PERIOD_US);
}

static uint64_t tick_checksum(void)
{
    return ticker_checksum(PERIOD_US);
}

DEFINE_BENCHMARK(timer_10khz, "timer-10khz", "io", "timer tick",
                 "A sleeping process woken at 10 kHz: the period, and delays", 0,
                 .kernel = tick_kernel, .checksum = tick_checksum,
                 .verify = ticker_verify);
