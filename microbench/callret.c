/* callret: call an empty function and return from it: no exit anywhere, but a
 * binary translator must look the return address up. */
#include "loop.h"

__asm__(".pushsection .text.callret_empty,\"ax\",@progbits\n"
        ".p2align 6\n"
        ".type callret_empty, @function\n"
        "callret_empty: ret\n"
        ".size callret_empty, . - callret_empty\n"
        ".popsection");

OP_LOOPS(callret, "", "", "call callret_empty", "");

DEFINE_BENCHMARK(callret, "callret", "micro", "call and return",
                 "Call and return of an empty function", TM_BENCH_PAPER,
                 .kernel = callret_kernel, .control = callret_control);
