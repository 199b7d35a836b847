/* pushf-popf: save and restore RFLAGS in ring 0; one operation is the pair. */
#include "loop.h"

OP_LOOPS(pushf_popf, "", "", "pushfq\n popfq", "");

DEFINE_BENCHMARK(pushf_popf, "pushf-popf", "micro", "PUSHF and POPF",
                 "Save and restore of RFLAGS, sensitive but unprivileged", 0,
                 .kernel = pushf_popf_kernel, .control = pushf_popf_control);
