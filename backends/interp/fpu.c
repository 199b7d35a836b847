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
        c->fl =
            flags_pack((flags_unpack(c->fl) & ~(uint64_t)th->flags_written) |
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

/* The x87 pointers, which the host keeps for the thunk instead. */
static void keep_pointers(struct icpu *c, const struct insn *i,
                          const struct thunk *th, void *mem)
{
    switch (th->pointers) {
    case X87_SETS:
        c->x87.ip = insn_rip(i);
        c->x87.op = th->fop;
        if (th->mem_size)
            c->x87.dp = ea_offset(c, i);
        break;
    case X87_LOADS:
        x87_last_load(&c->x87, th->layout, mem);
        break;
    case X87_STORES:
        x87_last_store(&c->x87, th->layout, mem);
        break;
    case X87_STORES_CLEARS:
        x87_last_store(&c->x87, th->layout, mem);
        /* fall through */
    case X87_CLEARS:
        c->x87 = (struct x87_last){0};
        break;
    default:
        break;
    }
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
    if (th->pointers)
        keep_pointers(c, i, th, mem);
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

/* The common case: plain SSE with a memory operand of N bytes, at a multiple of
 * ALIGN; i->imm is the tail. An aligned operand is in one page. */
#define SSE_M(name, tlb_get, N, ALIGN, ea)                                     \
    static void name(struct icpu *c, const struct insn *i)                     \
    {                                                                          \
        gva_t va = ea(c, i);                                                   \
        void *p;                                                               \
                                                                               \
        if (unlikely(!c->fx_ready || va & (ALIGN - 1) ||                       \
                     !tlb_get(c, va, ALIGN == N ? 1 : N, &p)))                 \
            return thunk_tailed(c, i);                                         \
        return ((tail_fn *)i->imm)(c, i, p);                                   \
    }
#define SSE_SIZE(N, ALIGN, suffix)                                             \
    SSE_M(sse_load_bd_##suffix, tlb_read, N, ALIGN, ea_bd)                     \
    SSE_M(sse_load_any_##suffix, tlb_read, N, ALIGN, ea_any)                   \
    SSE_M(sse_store_bd_##suffix, tlb_write, N, ALIGN, ea_bd)                   \
    SSE_M(sse_store_any_##suffix, tlb_write, N, ALIGN, ea_any)
SSE_SIZE(4, 1, 4)
SSE_SIZE(8, 1, 8)
SSE_SIZE(16, 1, 16u)
SSE_SIZE(16, 16, 16a)

static insn_fn *const memory_handlers[4][2][2] = {
/* clang-format off */
#define ROW(s)                                                                 \
    {{sse_load_bd_##s, sse_load_any_##s}, {sse_store_bd_##s, sse_store_any_##s}}
    /* clang-format on */
    ROW(4),
    ROW(8),
    ROW(16u),
    ROW(16a),
#undef ROW
};

/* The instruction exists, but its thunk doesn't. */
static void no_thunk(struct icpu *c, const struct insn *i)
{
    sync_before(c, i);
    emulation_fails(c, i, "no room for another host thunk");
}

/* ---- Selection -------------------------------------------------------- */

bool select_thunk(const struct x86_insn *x, struct insn *i, struct choice *ch)
{
    const struct thunk *th;
    int err = thunk_get(&x->zi, x->zops, ch->bytes, &th);

    if (err == -ENOENT)
        return false;
    ch->faults = true;
    ch->counted = true;
    if (err) {
        ch->fn = err == -EINVAL ? raise_ud : no_thunk;
        ch->ends = true;
        return true;
    }
    i->imm = (int64_t)(intptr_t)th;
    ch->fn = thunk_general;
    tail_get_body(x, ch->bytes, th, &ch->tail);
    return true;
}

void thunk_join(struct insn *i, const struct tail_body *const *bodies,
                unsigned n)
{
    const struct thunk *th = (const struct thunk *)i->imm;
    tail_fn *tail = tail_make(bodies, n, th, thunk_general);

    if (!tail)
        return;
    if (!th->mem_size) {
        i->fn = (insn_fn *)(uintptr_t)tail;
        return;
    }
    i->imm = (int64_t)(intptr_t)tail;
    i->fn = memory_handlers[th->align == 16 ? 3 : size_index(th->mem_size) - 2]
                           [(th->access & THUNK_STORE) != 0][!mem_simple(i)];
}
