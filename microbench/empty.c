/* empty: no operation at all; what is left is the harness's own error. */
#include "loop.h"

OP_LOOPS(empty, "", "", "", "");

DEFINE_BENCHMARK(empty, "empty", "micro", "empty operation",
                 "Nothing: a sound harness shows less than 2 ticks", 0,
                 .kernel = empty_kernel, .control = empty_control);
