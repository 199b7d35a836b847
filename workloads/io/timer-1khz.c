/* timer-1khz: a process that the timer wakes every 1000 microseconds. */
#include "../../guest/lib/bench.h"
#include "ticker.h"

const uint64_t ticker_period_us = 1000;

DEFINE_BENCHMARK(timer_1khz, "timer-1khz", "io", "timer tick",
                 "A sleeping process woken at 1 kHz: the period, and delays", 0,
                 .kernel = ticker_kernel, .checksum = ticker_checksum,
                 .verify = ticker_verify);
