/* The vCPU of the backend "direct". */
#ifndef TM_DIRECT_H
#define TM_DIRECT_H

#include "../host/host.h"
#include "../interp/step.h"
#include "../mmu/shadow.h"

/* One of the last traps, for the report of a crash. */
struct direct_trace {
    uint64_t rip, address;
    uint8_t kind, vector, cpl;
};
#define DIRECT_TRACES 16

struct direct {
    struct vm vm;
    struct host_cpu host __attribute__((aligned(64)));
    /* The virtual CPU. Its FPU registers are host.regs.fx while run() is
     * active; everything else is here whenever no guest code runs. RFLAGS.IF
     * and IOPL exist only here. */
    struct x86_state st;
    struct shadow *shadow;
    struct interp_stepper *stepper;
    struct direct_trace traces[DIRECT_TRACES];
    unsigned traced;
};

static inline unsigned direct_cpl(const struct direct *d)
{
    return SEG_DPL(d->st.seg[SS].attr) | (d->st.seg[CS].sel & 3u);
}

static inline struct walk_regs direct_walk_regs(const struct direct *d)
{
    return (struct walk_regs){d->st.cr0, d->st.cr3, d->st.cr4, d->st.efer};
}

/* emulate.c: 0: go on; 1: leave run() with *exit; or negative errno. */

/* Execute one instruction with the interpreter. */
int direct_step(struct direct *d, struct vm_exit *exit);
/* Deliver an exception, or (vector < 0) an interrupt. */
int direct_deliver(struct direct *d, int vector, bool trap, bool has_error,
                   uint32_t error, struct vm_exit *exit);

/* fast.c: the common cases within ring 0, with nothing unusual about them.
 * False: nothing was done, let the interpreter do it. */
bool direct_fast_deliver(struct direct *d, unsigned vector, bool trap,
                         bool has_error, uint32_t error);
bool direct_fast_iret(struct direct *d);

/* trap.c: what host_enter() came back with, d->st being up to date. */
int direct_trap(struct direct *d, struct vm_exit *exit);

#endif
