/* hypercall: VMMCALL or VMCALL, by the CPU's vendor, with a number that every
 * VMM rejects at once: the shortest way out of the guest and back. */
#include "loop.h"

_Static_assert(TM_HYPERCALL_NOP == 0x746d, "the loops name the number");

/* The result comes back in eax, so it is loaded every time. */
OP_LOOPS(vmmcall, "", "mov $0x746d, %eax", "vmmcall", "");
OP_LOOPS(vmcall, "", "mov $0x746d, %eax", "vmcall", "");

static void hypercall_kernel(uint64_t n)
{
    if (cpu->amd)
        vmmcall_kernel(n);
    else
        vmcall_kernel(n);
}

static void hypercall_control(uint64_t n)
{
    if (cpu->amd)
        vmmcall_control(n);
    else
        vmcall_control(n);
}

static void hypercall_once(void *arg)
{
    (void)arg;
    hypercall_kernel(1);
}

/* #UD: there is no VMM, or none that takes calls. #PF: the VMM wants to replace
 * the instruction by the other vendor's, in text that is read-only. */
static const char *hypercall_refuse(void)
{
    switch (try_op(hypercall_once, NULL)) {
    case -1:
        return NULL;
    case 6:
        return cpu->amd ? "VMMCALL raises #UD here" : "VMCALL raises #UD here";
    case 13:
        return cpu->amd ? "VMMCALL raises #GP here" : "VMCALL raises #GP here";
    case 14:
        return cpu->amd ? "VMMCALL raises #PF here" : "VMCALL raises #PF here";
    default:
        return "the hypercall instruction faults";
    }
}

DEFINE_BENCHMARK(hypercall, "hypercall", "micro", "hypercall",
                 "Hypercall with an unknown number: the bare exit", 0,
                 .refuse = hypercall_refuse, .kernel = hypercall_kernel,
                 .control = hypercall_control);
