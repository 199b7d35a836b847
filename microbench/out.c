/* out: write the scratch register of COM1, a device that every VMM models. */
#include "loop.h"

_Static_assert(TM_COM1_PORT + 7 == 0x3ff, "the loop names the port");

OP_LOOPS(out, "mov $0x3ff, %edx\n mov $0x5a, %eax", "", "out %al, %dx", "");

DEFINE_BENCHMARK(out, "out", "micro", "port write",
                 "OUT to the UART's scratch register: a device in the VMM", 0,
                 .kernel = out_kernel, .control = out_control);
