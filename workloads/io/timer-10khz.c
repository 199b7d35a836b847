/* timer-10khz: a process that the timer wakes every 100 microseconds. */
#include "../../guest/lib/bench.h"
#include "ticker.h"

const uint64_t ticker_period_us = 100;

DEFINE_BENCHMARK(timer_10khz, "timer-10khz", "io", "timer tick",
                 "A sleeping process woken at 10 kHz: the period, and delays",
                 0, .kernel = ticker_kernel, .checksum = ticker_checksum,
                 .verify = ticker_verify);
