/* cr3-write: load CR3 with the value it holds: what a context switch costs the
 * MMU, without the switch. Refilling the TLB for the loop's own page belongs to
 * the operation, as it would in a switch. */
#include "loop.h"

OP_LOOPS(cr3_write, "mov %cr3, %rax", "", "mov %rax, %cr3", "");

DEFINE_BENCHMARK(cr3_write, "cr3-write", "micro", "CR3 load",
                 "Load of CR3 with its own value: flush and address switch", 0,
                 .kernel = cr3_write_kernel, .control = cr3_write_control);
