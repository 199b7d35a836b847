/* int3: a breakpoint taken in ring 0 and returned from. */
#include "loop.h"

extern const char int3_resume[];

OP_LOOPS(int3, "", "", "int3\n int3_resume:", "");

static uint64_t expected, handled;

/* #BP is a trap: the saved rip is already behind the instruction. */
static bool int3_handler(struct trapframe *tf)
{
    if (tf->rip != (uintptr_t)int3_resume)
        return false;
    handled++;
    return true;
}

static const char *int3_init(void)
{
    expected = handled = 0;
    trap_hook(3, int3_handler);
    return NULL;
}

static void int3_run(uint64_t n)
{
    expected += n;
    int3_kernel(n);
}

static void int3_cleanup(void)
{
    trap_hook(3, NULL);
}

static const char *int3_verify(void)
{
    return handled == expected ? NULL : "an INT3 raised no #BP";
}

DEFINE_BENCHMARK(int3, "int3", "micro", "breakpoint",
                 "#BP taken in ring 0 and returned from", 0, .init = int3_init,
                 .kernel = int3_run, .control = int3_control,
                 .cleanup = int3_cleanup, .verify = int3_verify);
