/* Runs x87, MMX and SSE instructions through their thunks. */
#include "block.h"
#include "event.h"
#include "fx.h"
#include "select.h"
#include "tail.h"
#include "thunk.h"

#include <errno.h>

/* Whether CR0 and CR4 let an instruction of this kind run; else the exception is
 * pending. */
static bool allowed(struct icpu *c, const struct insn *i, unsigned kind)
{
    bool em = c->cr0 & CR0_EM, ts = c->cr0 & CR0_TS;
    bool sse = c->cr4 & CR4_OSFXSR;
    int vector = -1;

    switch (kind) {
    case THUNK_X87:
    case THUNK_FXSR:
        if (em || ts)
            vector = VEC_NM;
        break;
    case THUNK_WAIT:
        if (ts && c->cr0 & CR0_MP)
            vector = VEC_NM;
        break;
    case THUNK_MMX:
        vector = em ? VEC_UD : ts ? VEC_NM : -1;
        break;
    case THUNK_SSE:
        vector = em || !sse ? VEC_UD : ts ? VEC_NM : -1;
        break;
    default:
        break;
    }
    if (vector < 0)
        return true;
    raise_fault(c, i, (unsigned)vector);
    return false;
}

/* What the host's CPU raised in a thunk. An SSE exception is #UD to an operating
 * system that hasn't said it knows #XM. */
static void raise_host(struct icpu *c, const struct insn *i, uint64_t r)
{
    unsigned vector = r & 0xff;

    if (vector == VEC_GP)
        return raise_error(c, i, VEC_GP, 0);
    if (vector == VEC_XM && !(c->cr4 & CR4_OSXMMEXCPT))
        vector = VEC_UD;
    raise_fault(c, i, vector);
}

static inline bool execute(struct icpu *c, const struct insn *i,
                           const struct thunk *th, void *mem)
{
    uint64_t flags = 0, r;

    fx_enter(c);
    if (th->check) {
        int vector = th->check(mem);

        if (vector) {
            raise_host(c, i, (unsigned)vector);
            return false;
        }
    }
    if (th->flags_read)
        flags = flags_unpack(c->fl);
    r = th->run(mem, c->gpr, flags);
    if (unlikely(r & THUNK_FAULT)) {
        raise_host(c, i, r);
        return false;
    }
    if (th->flags_written)
        c->fl = flags_pack((flags_unpack(c->fl) & ~(uint64_t)th->flags_written) |
                           (r & th->flags_written));
    return true;
}

/* The manuals leave open which byte of a big operand (x87 environment, FXSAVE
 * area) is touched first. AMD's processors begin with the last. */
static void *big_operand(struct icpu *c, const struct insn *i, gva_t va,
                         unsigned size, unsigned how)
{
    if (size > 16 && !mem_slow(c, i, va + size - 1, 1, i->seg,
                               (how & MEM_WRITE) | MEM_PROBE))
        return NULL;
    return mem_slow(c, i, va, size, i->seg, how);
}

static void general(struct icpu *c, const struct insn *i,
                    const struct thunk *th)
{
    unsigned how = 0;
    void *mem = NULL;
    gva_t va;

    if (unlikely(c->no_fpu) && !allowed(c, i, th->kind))
        return;
    if (th->mem_size) {
        va = ea_any(c, i);
        if (th->waits)
            fx_enter(c);
        if (th->align > 1 && va & (th->align - 1u)) {
            if (th->waits && thunk_x87_pending())
                return raise_fault(c, i, VEC_MF);
            return raise_error(c, i, VEC_GP, 0);
        }
        if (th->access & THUNK_STORE)
            how = MEM_WRITE | (th->access & THUNK_LOAD ? MEM_RMW : 0);
        if (th->mem_size > 8 || th->mem_size & (th->mem_size - 1))
            how |= MEM_NOAC;
        mem = big_operand(c, i, va, th->mem_size, how);
        if (!mem) {
            if (th->waits && c->fx_live && thunk_x87_pending())
                raise_fault(c, NULL, VEC_MF);
            return;
        }
    }
    if (!execute(c, i, th, mem))
        return;
    if (th->finish)
        th->finish(mem);
    if (how & MEM_WRITE)
        mem_commit(c);
    if (th->kind != THUNK_X87)
        fx_set_ready(c);
    NEXT;
}

static void thunk_general(struct icpu *c, const struct insn *i)
{
    return general(c, i, (const struct thunk *)i->imm);
}

/* Where i->imm is a tail: its thunk stands before it. */
static void thunk_tailed(struct icpu *c, const struct insn *i)
{
    return general(c, i, ((const struct thunk *const *)i->imm)[-1]);
}

/* The common case: plain SSE with a memory operand. i->reg is its size, i->rm the
 * address bits that must be zero, i->imm the tail. */
#define SSE_M(name, tlb_get, ea)                                               \
    static void name(struct icpu *c, const struct insn *i)                     \
    {                                                                          \
        gva_t va = ea(c, i);                                                   \
        void *p;                                                               \
                                                                               \
        if (unlikely(!c->fx_ready || va & i->rm ||                             \
                     !tlb_get(c, va, i->reg, &p)))                             \
            return thunk_tailed(c, i);                                         \
        return ((tail_fn *)i->imm)(c, i, p);                                   \
    }
SSE_M(sse_load_bd, tlb_read, ea_bd)
SSE_M(sse_load_any, tlb_read, ea_any)
SSE_M(sse_store_bd, tlb_write, ea_bd)
SSE_M(sse_store_any, tlb_write, ea_any)

/* ---- Selection -------------------------------------------------------- */

bool select_thunk(const struct x86_insn *x, struct insn *i, struct choice *ch)
{
    const struct thunk *th;
    tail_fn *tail;
    int err = thunk_get(&x->zi, x->zops, ch->bytes, &th);

    if (err == -ENOENT)
        return false;
    ch->faults = true;
    ch->counted = true;
    if (err) {
        ch->fn = raise_ud;
        ch->ends = true;
        return true;
    }
    i->imm = (int64_t)(intptr_t)th;
    ch->fn = thunk_general;
    tail = tail_get(x, ch->bytes, th, thunk_general);
    if (!tail)
        return true;
    if (!th->mem_size) {
        ch->fn = (insn_fn *)(uintptr_t)tail;
        return true;
    }
    i->imm = (int64_t)(intptr_t)tail;
    i->reg = (uint8_t)th->mem_size;
    i->rm = (uint8_t)(th->align - 1);
    if (th->access & THUNK_STORE)
        ch->fn = mem_simple(i) ? sse_store_bd : sse_store_any;
    else
        ch->fn = mem_simple(i) ? sse_load_bd : sse_load_any;
    return true;
}
