/* x87 and SSE state, switched eagerly: each process finds its own registers. */
#include "kernel.h"

/* Lazy switching by CR0.TS would save an FXSAVE and an FXRSTOR a switch, but
 * there is a host that never raises #NM for it (kvm_pvm), where processes would
 * then share one set of registers; and operating systems have stopped doing
 * it. The kernel itself touches no such register, so init needs no state. */
static struct proc *owner; /* whose registers the CPU holds; NULL: nobody's */

static const struct {
    uint16_t fcw, fsw, ftw, fop;
    uint64_t fip, fdp;
    uint32_t mxcsr, mxcsr_mask;
    uint8_t registers[480];
} initial __attribute__((aligned(16))) = {.fcw = 0x37f, .mxcsr = 0x1f80};
_Static_assert(sizeof(initial) == sizeof(struct fpu_area), "FXSAVE image");

static void save(struct fpu_area *area)
{
    __asm__ volatile("fxsave64 %0" : "=m"(*area));
}

static void load(const void *area)
{
    __asm__ volatile("fxrstor64 %0" ::"m"(*(const struct fpu_area *)area));
}

void fpu_switch(struct proc *p)
{
    if (!p->pid || owner == p)
        return;
    if (owner)
        save(&owner->fpu);
    load(p->fpu_used ? (const void *)&p->fpu : &initial);
    p->fpu_used = true;
    owner = p;
}

void fpu_fork(struct proc *child)
{
    save(&child->fpu); /* the caller runs, so the registers are its own */
    child->fpu_used = true;
}

void fpu_drop(struct proc *p)
{
    p->fpu_used = false;
    if (owner == p)
        owner = NULL;
}
