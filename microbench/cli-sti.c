/* cli-sti: mask and unmask interrupts; one operation is the pair. */
#include "loop.h"

OP_LOOPS(cli_sti, "", "", "cli\n sti", "");

DEFINE_BENCHMARK(cli_sti, "cli-sti", "micro", "CLI and STI",
                 "Mask and unmask interrupts, as every kernel lock does", 0,
                 .kernel = cli_sti_kernel, .control = cli_sti_control);
