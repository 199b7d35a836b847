/* cr8wr: write 0 to CR8, the task priority, with no interrupt pending. */
#include "loop.h"

OP_LOOPS(cr8wr, "xor %eax, %eax", "", "mov %rax, %cr8", "");

DEFINE_BENCHMARK(cr8wr, "cr8wr", "micro", "CR8 write",
                 "Write of the task priority register, nothing pending",
                 TM_BENCH_PAPER, .kernel = cr8wr_kernel,
                 .control = cr8wr_control);
