/* cpuid: leaf 0, which exits on every hardware VMM. */
#include "loop.h"

/* CPUID overwrites rbx, which belongs to the caller, and ecx, which selects a
 * sub-leaf that leaf 0 ignores. */
OP_LOOPS(cpuid, "push %rbx", "xor %eax, %eax", "cpuid", "pop %rbx");

DEFINE_BENCHMARK(cpuid, "cpuid", "micro", "CPUID",
                 "CPUID leaf 0: an exit that no VMM under VT can avoid", 0,
                 .kernel = cpuid_kernel, .control = cpuid_control);
