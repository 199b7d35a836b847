/* rdtsc: read the time-stamp counter, without fences, back to back. */
#include "loop.h"

OP_LOOPS(rdtsc, "", "", "rdtsc", "");

DEFINE_BENCHMARK(rdtsc, "rdtsc", "micro", "RDTSC",
                 "Read of the time-stamp counter, unfenced", 0,
                 .kernel = rdtsc_kernel, .control = rdtsc_control);
