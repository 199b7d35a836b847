/* wrmsr: write IA32_PAT with the value it holds. */
#include "loop.h"
#include "msr.h"

_Static_assert(BENCH_MSR == 0x277, "the loop names the MSR");

OP_LOOPS(wrmsr, "mov $0x277, %ecx\n rdmsr", "", "wrmsr", "");

DEFINE_BENCHMARK(wrmsr, "wrmsr", "micro", "WRMSR",
                 "Write of the PAT MSR with its own value", 0,
                 .refuse = msr_refuse, .kernel = wrmsr_kernel,
                 .control = wrmsr_control);
