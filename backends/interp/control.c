/* Near jumps, calls and returns, LOOP and JrCXZ. */
#include "block.h"
#include "cond.h"
#include "event.h"
#include "select.h"

#include "../x86/walk.h"

#define JCC(cc, suffix)                                                        \
    static void j##suffix##_rel(struct icpu *c, const struct insn *i)          \
    {                                                                          \
        if (condition(c->fl, cc))                                              \
            return take(c, i);                                                 \
        NEXT;                                                                  \
    }
CONDITIONS(JCC)
#define JCC_ROW(cc, suffix) j##suffix##_rel,
static insn_fn *const jcc_handlers[16] = {CONDITIONS(JCC_ROW)};

static void jmp_rel(struct icpu *c, const struct insn *i)
{
    return take(c, i);
}

static void loop_rel(struct icpu *c, const struct insn *i)
{
    uint64_t n;

    if (i->scale == 4)
        n = R64(RCX * 8) = (uint32_t)(R32(RCX * 8) - 1);
    else
        n = --R64(RCX * 8);
    /* rm: 0 LOOP, 1 LOOPE, 2 LOOPNE */
    if (n && (i->rm == 0 || condition(c->fl, 4) == (i->rm == 1)))
        return take(c, i);
    NEXT;
}

static void jrcxz(struct icpu *c, const struct insn *i)
{
    if (!(i->scale == 4 ? R32(RCX * 8) : R64(RCX * 8)))
        return take(c, i);
    NEXT;
}

/* The return address is the target minus a distance, in the bytes that a memory
 * operand would take. */
static inline uint64_t return_rip(const struct insn *i)
{
    return (uint64_t)(i->disp - (int32_t) * (const u32a *)&i->reg);
}

static __attribute__((noinline, cold)) void call_rel_slow(struct icpu *c,
                                                          const struct insn *i)
{
    uint64_t rsp = c->gpr[RSP] - 8;
    u64a *p = mem_slow(c, i, rsp, 8, SS, MEM_WRITE);

    if (!p)
        return;
    *p = return_rip(i);
    mem_commit(c);
    c->gpr[RSP] = rsp;
    return take(c, i);
}

static void call_rel(struct icpu *c, const struct insn *i)
{
    uint64_t rsp = c->gpr[RSP] - 8;
    u64a *p;

    FAST_W(p, 8, rsp, call_rel_slow);
    *p = return_rip(i);
    c->gpr[RSP] = rsp;
    return take(c, i);
}

static __attribute__((noinline, cold)) void ret_slow(struct icpu *c,
                                                     const struct insn *i)
{
    const u64a *p = mem_slow(c, i, c->gpr[RSP], 8, SS, 0);
    uint64_t rip;

    if (!p)
        return;
    rip = *p;
    if (!gva_canonical(rip))
        return raise_error(c, i, VEC_GP, 0);
    c->gpr[RSP] += 8 + (uint64_t)i->imm;
    c->budget -= i->idx + 1;
    return jump_to(c, rip);
}

/* Only a canonical address has a tag in the TLB, so jump_to()'s own check is
 * enough on the fast path; what it doesn't know is looked at before anything
 * changes. */
static void ret(struct icpu *c, const struct insn *i)
{
    uint64_t rip;
    u64a *p;

    FAST_R(p, 8, c->gpr[RSP], ret_slow);
    rip = *p;
    if (unlikely(!gva_canonical(rip)))
        return ret_slow(c, i);
    c->gpr[RSP] += 8 + (uint64_t)i->imm;
    c->budget -= i->idx + 1;
    return jump_to(c, rip);
}

static inline void jump_checked(struct icpu *c, const struct insn *i,
                                uint64_t rip)
{
    if (unlikely(!gva_canonical(rip)))
        return raise_error(c, i, VEC_GP, 0);
    c->budget -= i->idx + 1;
    return jump_to(c, rip);
}

static void jmp_r(struct icpu *c, const struct insn *i)
{
    return jump_checked(c, i, R64(i->reg));
}

#define BODY_JMP_M(FN, ATTR, GET_R, GET_W, COMMIT, SLOW, unused)               \
    ATTR void FN(struct icpu *c, const struct insn *i)                         \
    {                                                                          \
        gva_t va = ea_any(c, i);                                               \
        const u64a *p;                                                         \
                                                                               \
        GET_R(p, 8, va, SLOW);                                                 \
        return jump_checked(c, i, *p);                                         \
    }
MEM_HANDLER(jmp_m, BODY_JMP_M, 0)

/* An indirect call: i->imm is the return address. */
static void call_to(struct icpu *c, const struct insn *i, uint64_t rip)
{
    uint64_t rsp = c->gpr[RSP] - 8;
    void *fast;
    u64a *p;

    if (unlikely(!gva_canonical(rip)))
        return raise_error(c, i, VEC_GP, 0);
    if (likely(tlb_write(c, rsp, 8, &fast))) {
        *(u64a *)fast = (uint64_t)i->imm;
    } else {
        p = mem_slow(c, i, rsp, 8, SS, MEM_WRITE);
        if (!p)
            return;
        *p = (uint64_t)i->imm;
        mem_commit(c);
    }
    c->gpr[RSP] = rsp;
    c->budget -= i->idx + 1;
    return jump_to(c, rip);
}

static void call_r(struct icpu *c, const struct insn *i)
{
    return call_to(c, i, R64(i->reg));
}

#define BODY_CALL_M(FN, ATTR, GET_R, GET_W, COMMIT, SLOW, unused)              \
    ATTR void FN(struct icpu *c, const struct insn *i)                         \
    {                                                                          \
        gva_t va = ea_any(c, i);                                               \
        const u64a *p;                                                         \
                                                                               \
        GET_R(p, 8, va, SLOW);                                                 \
        return call_to(c, i, *p);                                              \
    }
MEM_HANDLER(call_m, BODY_CALL_M, 0)

/* ---- Selection -------------------------------------------------------- */

static void direct(struct insn *i, int64_t target, uint64_t next)
{
    i->disp = target;
    i->imm = 0;
    i->seg = ((uint64_t)target & PAGE_MASK) == ((next - 1) & PAGE_MASK);
}

bool select_control(const struct x86_insn *x, struct insn *i, struct choice *ch)
{
    const struct x86_opnd *a = &x->opnd[0];
    uint64_t next = ch->next;

    if (x->zi.meta.category == ZYDIS_CATEGORY_COND_BR) {
        direct(i, a->imm, next);
        ch->faults = false;
        i->scale = x->addrsize;
        i->rm = 0;
        switch (x->op) {
        case ZYDIS_MNEMONIC_LOOPNE:
            i->rm = 2;
            ch->fn = loop_rel;
            return true;
        case ZYDIS_MNEMONIC_LOOPE:
            i->rm = 1;
            ch->fn = loop_rel;
            return true;
        case ZYDIS_MNEMONIC_LOOP:
            ch->fn = loop_rel;
            return true;
        case ZYDIS_MNEMONIC_JCXZ:
        case ZYDIS_MNEMONIC_JECXZ:
        case ZYDIS_MNEMONIC_JRCXZ:
            ch->fn = jrcxz;
            return true;
        default:
            ch->cc = x->zi.opcode & 15;
            ch->fn = jcc_handlers[ch->cc];
            return true;
        }
    }
    if (x->zi.meta.branch_type == ZYDIS_BRANCH_TYPE_FAR)
        return false;
    switch (x->op) {
    case ZYDIS_MNEMONIC_JMP:
        ch->ends = true;
        if (a->kind == OPND_IMM) {
            direct(i, a->imm, next);
            ch->faults = false;
            ch->fn = jmp_rel;
        } else {
            ch->fn = a->kind == OPND_MEM ? jmp_m : jmp_r;
        }
        return true;
    case ZYDIS_MNEMONIC_CALL:
        ch->ends = true;
        if (a->kind == OPND_IMM) {
            direct(i, a->imm, next);
            *(u32a *)&i->reg = (uint32_t)(a->imm - (int64_t)next);
            ch->fn = call_rel;
        } else {
            i->imm = (int64_t)next;
            ch->fn = a->kind == OPND_MEM ? call_m : call_r;
        }
        return true;
    case ZYDIS_MNEMONIC_RET:
        ch->ends = true;
        i->imm = a->kind == OPND_IMM ? a->imm & 0xffff : 0;
        ch->fn = ret;
        return true;
    default:
        return false;
    }
}
