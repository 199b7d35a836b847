/* ud2: an undefined instruction, which many VMMs intercept to emulate what
 * their CPU lacks. The handler resumes behind the instruction. */
#include "loop.h"

extern const char ud2_site[], ud2_resume[];

OP_LOOPS(ud2, "", "", "ud2_site: ud2\n ud2_resume:", "");

static uint64_t expected, handled;

static bool ud2_handler(struct trapframe *tf)
{
    if (tf->rip != (uintptr_t)ud2_site)
        return false;
    tf->rip = (uintptr_t)ud2_resume;
    handled++;
    return true;
}

static const char *ud2_init(void)
{
    expected = handled = 0;
    trap_hook(6, ud2_handler);
    return NULL;
}

static void ud2_run(uint64_t n)
{
    expected += n;
    ud2_kernel(n);
}

static void ud2_cleanup(void)
{
    trap_hook(6, NULL);
}

static const char *ud2_verify(void)
{
    return handled == expected ? NULL : "a UD2 raised no #UD";
}

DEFINE_BENCHMARK(ud2, "ud2", "micro", "undefined instruction",
                 "#UD taken in ring 0 and returned from", 0, .init = ud2_init,
                 .kernel = ud2_run, .control = ud2_control,
                 .cleanup = ud2_cleanup, .verify = ud2_verify);
