/* in: read the POST port, which the paper's chip set answers with whatever is
 * there; in hardware it leaves the CPU, in a VMM it exits. */
#include "loop.h"

_Static_assert(TM_PORT_POST == 0x80, "the loop names the port");

OP_LOOPS(in, "", "", "in $0x80, %al", "");

DEFINE_BENCHMARK(in, "in", "micro", "port read",
                 "IN from port 0x80: port I/O that leaves the guest",
                 TM_BENCH_PAPER, .kernel = in_kernel, .control = in_control);
