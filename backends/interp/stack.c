/* PUSH, POP, PUSHF, POPF, ENTER, LEAVE. */
#include "block.h"
#include "event.h"
#include "seg.h"
#include "select.h"

/* ---- The hot ones: 64-bit registers ----------------------------------- */

#define PUSH64(name, source)                                                   \
    static __attribute__((noinline, cold)) void name##_slow(                   \
        struct icpu *c, const struct insn *i)                                  \
    {                                                                          \
        uint64_t rsp = c->gpr[RSP] - 8;                                        \
        u64a *p = mem_slow(c, i, rsp, 8, SS, MEM_WRITE);                       \
                                                                               \
        if (!p)                                                                \
            return;                                                            \
        *p = (uint64_t)(source);                                               \
        c->gpr[RSP] = rsp;                                                     \
        mem_commit(c);                                                         \
        NEXT;                                                                  \
    }                                                                          \
    static void name(struct icpu *c, const struct insn *i)                     \
    {                                                                          \
        uint64_t rsp = c->gpr[RSP] - 8;                                        \
        u64a *p;                                                               \
                                                                               \
        FAST_W(p, 8, rsp, name##_slow);                                        \
        *p = (uint64_t)(source);                                               \
        c->gpr[RSP] = rsp;                                                     \
        NEXT;                                                                  \
    }
PUSH64(push_r64, R64(i->reg))
PUSH64(push_i64, i->imm)

#define BODY_POP(FN, ATTR, GET_R, GET_W, COMMIT, SLOW, unused)                 \
    ATTR void FN(struct icpu *c, const struct insn *i)                         \
    {                                                                          \
        gva_t va = c->gpr[RSP];                                                \
        const u64a *p;                                                         \
        uint64_t v;                                                            \
                                                                               \
        GET_R(p, 8, va, SLOW);                                                 \
        v = *p;                                                                \
        c->gpr[RSP] = va + 8;                                                  \
        R64(i->reg) = v;                                                       \
        NEXT;                                                                  \
    }
MEM_HANDLER(pop_r64, BODY_POP, 0)

#define BODY_LEAVE(FN, ATTR, GET_R, GET_W, COMMIT, SLOW, unused)               \
    ATTR void FN(struct icpu *c, const struct insn *i)                         \
    {                                                                          \
        gva_t va = c->gpr[RBP];                                                \
        const u64a *p;                                                         \
                                                                               \
        GET_R(p, 8, va, SLOW);                                                 \
        c->gpr[RBP] = *p;                                                      \
        c->gpr[RSP] = va + 8;                                                  \
        NEXT;                                                                  \
    }
MEM_HANDLER(leave64, BODY_LEAVE, 0)

/* ---- The others: i->rm is the operand size in bytes ------------------- */

static bool push_value(struct icpu *c, const struct insn *i, unsigned size,
                       uint64_t v)
{
    uint64_t rsp = c->gpr[RSP] - size;
    void *p = mem_slow(c, i, rsp, size, SS, MEM_WRITE);

    if (!p)
        return false;
    if (size == 2)
        *(u16a *)p = (uint16_t)v;
    else
        *(u64a *)p = v;
    c->gpr[RSP] = rsp;
    mem_commit(c);
    return true;
}

static uint64_t sized(const void *p, unsigned size)
{
    return size == 2 ? *(const u16a *)p : *(const u64a *)p;
}

static void push_r16(struct icpu *c, const struct insn *i)
{
    if (!push_value(c, i, 2, R16(i->reg)))
        return;
    NEXT;
}

static void push_i16(struct icpu *c, const struct insn *i)
{
    if (!push_value(c, i, 2, (uint64_t)i->imm))
        return;
    NEXT;
}

static void push_m(struct icpu *c, const struct insn *i)
{
    const void *p = mem_slow(c, i, ea_any(c, i), i->rm, i->seg, 0);

    if (!p || !push_value(c, i, i->rm, sized(p, i->rm)))
        return;
    NEXT;
}

static void pop_r16(struct icpu *c, const struct insn *i)
{
    const u16a *p = mem_slow(c, i, c->gpr[RSP], 2, SS, 0);
    uint16_t v;

    if (!p)
        return;
    v = *p;
    c->gpr[RSP] += 2;
    R16(i->reg) = v;
    NEXT;
}

/* An address that uses RSP sees it already incremented; a fault undoes that. */
static void pop_m(struct icpu *c, const struct insn *i)
{
    const void *p = mem_slow(c, i, c->gpr[RSP], i->rm, SS, 0);
    void *to;
    uint64_t v;

    if (!p)
        return;
    v = sized(p, i->rm);
    c->gpr[RSP] += i->rm;
    to = mem_slow(c, i, ea_any(c, i), i->rm, i->seg, MEM_WRITE);
    if (!to) {
        c->gpr[RSP] -= i->rm;
        return;
    }
    if (i->rm == 2)
        *(u16a *)to = (uint16_t)v;
    else
        *(u64a *)to = v;
    mem_commit(c);
    NEXT;
}

static void leave16(struct icpu *c, const struct insn *i)
{
    const u16a *p = mem_slow(c, i, c->gpr[RBP], 2, SS, 0);

    if (!p)
        return;
    c->gpr[RSP] = c->gpr[RBP] + 2;
    R16(RBP * 8) = *p;
    NEXT;
}

/* One push of ENTER, below *rsp. */
static bool enter_push(struct icpu *c, const struct insn *i, uint64_t *rsp,
                       uint64_t v)
{
    void *p = mem_slow(c, i, *rsp - i->rm, i->rm, SS, MEM_WRITE);

    if (!p)
        return false;
    if (i->rm == 2)
        *(u16a *)p = (uint16_t)v;
    else
        *(u64a *)p = v;
    mem_commit(c);
    *rsp -= i->rm;
    return true;
}

/* imm: frame bytes | nesting level << 16. The registers change at the end, when
 * the new top of the stack turns out to be writable; what was pushed before a
 * fault stays in memory, as on CPUs. */
static void enter(struct icpu *c, const struct insn *i)
{
    unsigned size = i->rm, level = (unsigned)(i->imm >> 16) & 31;
    uint64_t rsp = c->gpr[RSP], rbp = c->gpr[RBP], frame = rsp - size, top;

    if (!enter_push(c, i, &rsp, rbp))
        return;
    for (unsigned k = 1; k < level; k++) {
        const void *q = mem_slow(c, i, rbp - k * size, size, SS, 0);

        if (!q || !enter_push(c, i, &rsp, sized(q, size)))
            return;
    }
    if (level && !enter_push(c, i, &rsp, frame))
        return;
    top = rsp - (i->imm & 0xffff);
    if (!mem_slow(c, i, top, size, SS, MEM_WRITE | MEM_NOAC | MEM_PROBE))
        return;
    c->gpr[RSP] = top;
    if (size == 2)
        R16(RBP * 8) = (uint16_t)frame;
    else
        c->gpr[RBP] = frame;
    NEXT;
}

/* ---- Flags ------------------------------------------------------------ */

static void pushf(struct icpu *c, const struct insn *i)
{
    if (c->cpl != 3)
        c->vm.events.count[EV_EXIT_IF]++;
    if (!push_value(c, i, i->rm, get_rflags(c)))
        return;
    NEXT;
}

/* What POPF may change depends on CPL and IOPL: SDM vol. 2, table 4-15. */
static void popf(struct icpu *c, const struct insn *i)
{
    const void *p = mem_slow(c, i, c->gpr[RSP], i->rm, SS, 0);
    uint64_t old = get_rflags(c), v, mask;

    if (!p)
        return;
    if (c->cpl != 3)
        c->vm.events.count[EV_EXIT_IF]++;
    v = sized(p, i->rm);
    mask = FL_ARITH | FL_TF | FL_DF | FL_NT;
    if (i->rm != 2)
        mask |= FL_AC | FL_ID;
    if (c->cpl == 0)
        mask |= FL_IOPL;
    if (c->cpl <= (old & FL_IOPL) >> 12)
        mask |= FL_IF;
    c->gpr[RSP] += i->rm;
    v = (old & ~mask) | (v & mask);
    if (likely(!((old ^ v) & (FL_TF | FL_AC)) &&
               (!(v & FL_IF) || old & FL_IF || !c->vm.attention))) {
        c->fl = flags_pack(v);
        c->rflags = v & ~(FL_ARITH | FL_RF | FL_VM);
        NEXT;
    }
    /* Back to the run loop: it single-steps, or delivers an interrupt. */
    set_rflags(c, v);
    sync_after(c, i);
}

/* ---- Selection -------------------------------------------------------- */

static bool select_push(const struct x86_insn *x, struct insn *i,
                        struct choice *ch)
{
    const struct x86_opnd *a = &x->opnd[0];

    i->rm = x->opsize;
    if (a->kind == OPND_MEM) {
        ch->fn = push_m;
    } else if (a->kind == OPND_IMM) {
        ch->fn = x->opsize == 2 ? push_i16 : push_i64;
    } else if (a->kind == OPND_REG) {
        i->reg = reg_offset(a);
        ch->fn = x->opsize == 2 ? push_r16 : push_r64;
    } else {
        return false;
    }
    return true;
}

static bool select_pop(const struct x86_insn *x, struct insn *i,
                       struct choice *ch)
{
    const struct x86_opnd *a = &x->opnd[0];

    i->rm = x->opsize;
    if (a->kind == OPND_MEM) {
        ch->fn = pop_m;
    } else if (a->kind == OPND_REG) {
        i->reg = reg_offset(a);
        ch->fn = x->opsize == 2 ? pop_r16 : pop_r64;
        i->seg = SS;
    } else {
        return false;
    }
    return true;
}

bool select_stack(const struct x86_insn *x, struct insn *i, struct choice *ch)
{
    switch (x->op) {
    case ZYDIS_MNEMONIC_PUSH:
        return select_push(x, i, ch);
    case ZYDIS_MNEMONIC_POP:
        return select_pop(x, i, ch);
    case ZYDIS_MNEMONIC_LEAVE:
        i->seg = SS;
        ch->fn = x->opsize == 2 ? leave16 : leave64;
        return true;
    case ZYDIS_MNEMONIC_ENTER:
        i->rm = x->opsize == 2 ? 2 : 8;
        i->imm = (x->opnd[0].imm & 0xffff) | (x->opnd[1].imm & 31) << 16;
        ch->fn = enter;
        return true;
    case ZYDIS_MNEMONIC_PUSHF:
    case ZYDIS_MNEMONIC_PUSHFD:
    case ZYDIS_MNEMONIC_PUSHFQ:
        i->rm = x->opsize == 2 ? 2 : 8;
        ch->fn = pushf;
        return true;
    case ZYDIS_MNEMONIC_POPF:
    case ZYDIS_MNEMONIC_POPFD:
    case ZYDIS_MNEMONIC_POPFQ:
        i->rm = x->opsize == 2 ? 2 : 8;
        ch->fn = popf;
        return true;
    default:
        return false;
    }
}
