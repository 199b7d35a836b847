/* Lazy x87 and SSE state: the registers belong to one process, the next one
 * that touches them takes them by #NM. */
#include "kernel.h"

/* Some hosts interpret ring 0 and know no FXSAVE there. So nothing is saved or
 * restored until a second process uses the FPU; FNINIT is enough for the first,
 * MXCSR has its reset value then. A host that ignores CR0.TS (kvm_pvm does)
 * never raises #NM: its processes share one set of registers. */
static struct proc *owner;
static bool used, ts_set = true;

static const struct {
    uint16_t fcw, fsw, ftw, fop;
    uint64_t fip, fdp;
    uint32_t mxcsr, mxcsr_mask;
    uint8_t registers[480];
} initial __attribute__((aligned(16))) = {.fcw = 0x37f, .mxcsr = 0x1f80};
_Static_assert(sizeof(initial) == sizeof(struct fpu_area), "FXSAVE image");

void fpu_take(struct proc *p)
{
    const void *image = p->fpu_saved ? (const void *)&p->fpu : &initial;

    clts();
    ts_set = false;
    if (owner == p)
        return;
    if (owner) {
        __asm__ volatile("fxsave64 %0" : "=m"(owner->fpu));
        owner->fpu_saved = true;
    }
    if (used)
        __asm__ volatile("fxrstor64 %0" ::"m"(*(const struct fpu_area *)image));
    else
        __asm__ volatile("fninit");
    used = true;
    owner = p;
}

void fpu_switch(struct proc *p)
{
    bool want = owner != p;

    if (want == ts_set)
        return;
    ts_set = want;
    if (want)
        write_cr0(read_cr0() | X86_CR0_TS);
    else
        clts();
}

void fpu_drop(struct proc *p)
{
    p->fpu_saved = false;
    if (owner != p)
        return;
    owner = NULL;
    fpu_switch(p);
}
