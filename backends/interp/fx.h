/* Who owns the host's x87 and SSE registers: the guest or the host's C code. */
#ifndef TM_INTERP_FX_H
#define TM_INTERP_FX_H

#include "cpu.h"

/* Lazy: guest code that uses no FPU never pays for the switch. run() enters with
 * the host as owner and returns so; handlers call fx_enter() before a thunk and
 * fx_leave() before any function that isn't compiled with -mgeneral-regs-only. */

static inline void fx_enter(struct icpu *c)
{
    if (c->fx_live)
        return;
    asm volatile("stmxcsr %0\n\tfxrstor64 %1"
                 : "=m"(c->host_mxcsr)
                 : "m"(c->fx)
                 : "memory");
    c->fx_live = true;
}

static inline void fx_leave(struct icpu *c)
{
    if (!c->fx_live)
        return;
    asm volatile("fxsave64 %0\n\tfninit\n\tldmxcsr %1"
                 : "=m"(c->fx)
                 : "m"(c->host_mxcsr)
                 : "memory");
    c->fx_live = c->fx_ready = false;
}

/* After anything that may have changed MXCSR, CR0 or CR4. */
static inline void fx_set_ready(struct icpu *c)
{
    uint32_t mxcsr = 0;

    if (c->fx_live)
        asm volatile("stmxcsr %0" : "=m"(mxcsr));
    c->fx_ready = c->fx_live && !c->no_fpu && (mxcsr & 0x1f80) == 0x1f80;
}

#endif
