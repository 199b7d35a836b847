/* divzero: a division by zero, taken as #DE and returned from: a fault that has
 * nothing to do with memory. The handler resumes behind the instruction. */
#include "loop.h"

extern const char divzero_site[], divzero_resume[];

OP_LOOPS(divzero, "xor %ecx, %ecx", "xor %edx, %edx",
         "divzero_site: div %ecx\n divzero_resume:", "");

static uint64_t expected, handled;

static bool divzero_handler(struct trapframe *tf)
{
    if (tf->rip != (uintptr_t)divzero_site)
        return false;
    tf->rip = (uintptr_t)divzero_resume;
    handled++;
    return true;
}

static const char *divzero_init(void)
{
    expected = handled = 0;
    trap_hook(0, divzero_handler);
    return NULL;
}

static void divzero_run(uint64_t n)
{
    expected += n;
    divzero_kernel(n);
}

static void divzero_cleanup(void)
{
    trap_hook(0, NULL);
}

static const char *divzero_verify(void)
{
    return handled == expected ? NULL : "a division raised no #DE";
}

DEFINE_BENCHMARK(divzero, "divzero", "micro", "division fault",
                 "#DE taken and returned from, without the MMU", TM_BENCH_PAPER,
                 .init = divzero_init, .kernel = divzero_run,
                 .control = divzero_control, .cleanup = divzero_cleanup,
                 .verify = divzero_verify);
