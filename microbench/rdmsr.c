/* rdmsr: read IA32_PAT. */
#include "loop.h"
#include "msr.h"

_Static_assert(BENCH_MSR == 0x277, "the loop names the MSR");

OP_LOOPS(rdmsr, "mov $0x277, %ecx", "", "rdmsr", "");

DEFINE_BENCHMARK(rdmsr, "rdmsr", "micro", "RDMSR", "Read of the PAT MSR", 0,
                 .refuse = msr_refuse, .kernel = rdmsr_kernel,
                 .control = rdmsr_control);
