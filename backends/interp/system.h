/* What system instructions share. */
#ifndef TM_INTERP_SYSTEM_H
#define TM_INTERP_SYSTEM_H

#include "event.h"
#include "mem.h"
#include "select.h"

/* System instructions are slow anyway, so they all have one shape: they begin
 * with sync_before(c, i), after which every helper takes NULL for i, and end with
 * done(), which leaves the block. Between the two they may return with an
 * exception pending. */
static inline void done(struct icpu *c, const struct insn *i)
{
    c->rip += i->len;
    c->budget--;
}

/* #GP(0) unless at CPL 0. */
static inline bool privileged(struct icpu *c)
{
    if (c->cpl == 0)
        return true;
    raise_error(c, NULL, VEC_GP, 0);
    return false;
}

static inline void count(struct icpu *c, enum tm_event ev)
{
    c->vm.events.count[ev]++;
}

/* A general register of the instruction: i->reg, by i->scale, the log2 of its
 * size. */
static inline void write_sized(struct icpu *c, unsigned off, unsigned log2,
                               uint64_t v)
{
    if (log2 == 1)
        SET16(off, v);
    else if (log2 == 2)
        SET32(off, v);
    else
        SET64(off, v);
}

/* Ask the host's CPU who it is, once: CPUID may fault in a process that runs
 * guest code, and exits where we are a guest. */
void cpuid_prime(void);

/* Handlers that live elsewhere: cpuid.c, msr.c, control_regs.c. */
void insn_cpuid(struct icpu *c, const struct insn *i);
void insn_rdmsr(struct icpu *c, const struct insn *i);
void insn_wrmsr(struct icpu *c, const struct insn *i);
void insn_rdtsc(struct icpu *c, const struct insn *i);
void insn_rdtscp(struct icpu *c, const struct insn *i);
bool select_cr(const struct x86_insn *x, struct insn *i, struct choice *ch);
bool select_desc(const struct x86_insn *x, struct insn *i, struct choice *ch);

#endif
